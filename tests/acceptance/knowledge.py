"""What the tests of knowledge bases share: one with its role, bucket and data source in a call, documents, and syncs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from tests.acceptance.identities import allow, document, trust
from tests.acceptance.resources import OTHER, OTHER_KEY, OTHER_SECRET
from tests.running import Running

T = TypeVar("T")
EMBED = "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0"
TRUST = trust({"Service": "bedrock.amazonaws.com"})
MOST_BASES, MOST_SOURCES = 50, 8
LIBRARIES = f"""
[limits]
knowledge_bases = {MOST_BASES}
data_sources = {MOST_SOURCES}
ingestion_jobs = 50
[[account]]
id = "{OTHER}"
access_key = "{OTHER_KEY}"
secret_key = "{OTHER_SECRET}"
"""
"""The configuration of the fixture `libraries`."""
PATIENCE_S = 240.0
"""For what another process does: a machine may be very busy."""
OVER = frozenset({"COMPLETE", "FAILED", "STOPPED"})
SETTLED = frozenset({"INDEXED", "PARTIALLY_INDEXED", "FAILED", "IGNORED", "NOT_FOUND"})
STORAGE = {
    "type": "OPENSEARCH_SERVERLESS",
    "opensearchServerlessConfiguration": {
        "collectionArn": "arn:aws:aoss:us-east-1:000000000000:collection/k1ajvdp9q0example",
        "vectorIndexName": "bedrock-knowledge-base-default-index",
        "fieldMapping": {
            "vectorField": "bedrock-knowledge-base-default-vector",
            "textField": "AMAZON_BEDROCK_TEXT_CHUNK",
            "metadataField": "AMAZON_BEDROCK_METADATA",
        },
    },
}


@dataclass
class Knowledge:
    """A knowledge base with one data source. `agent` and `runtime` are clients of root."""

    server: Running
    agent: Any
    base: str
    source: str
    bucket: str
    role: str

    @property
    def runtime(self) -> Any:
        return client(self.server, "bedrock-agent-runtime")

    @property
    def here(self) -> dict[str, str]:
        """What names the data source in most operations."""
        return {"knowledgeBaseId": self.base, "dataSourceId": self.source}

    def put(self, key: str, body: bytes | str, metadata: dict[str, Any] | None = None) -> str:
        """An object in the bucket, with attributes in its sidecar; its URI."""
        s3 = client(self.server, "s3")
        s3.put_object(Bucket=self.bucket, Key=key, Body=body if isinstance(body, bytes) else body.encode())
        if metadata is not None:
            sidecar = json.dumps({"metadataAttributes": metadata}).encode()
            s3.put_object(Bucket=self.bucket, Key=f"{key}.metadata.json", Body=sidecar)
        return f"s3://{self.bucket}/{key}"

    def start(self, **more: Any) -> str:
        job = self.agent.start_ingestion_job(**self.here, **more)["ingestionJob"]
        return str(job["ingestionJobId"])

    def job(self, ident: str) -> dict[str, Any]:
        found: dict[str, Any] = self.agent.get_ingestion_job(**self.here, ingestionJobId=ident)["ingestionJob"]
        return found

    def finished(self, ident: str, timeout_s: float = 240.0) -> dict[str, Any]:
        """The job once it is over."""
        return until(lambda: self.job(ident), lambda job: job["status"] in OVER, timeout_s)

    def sync(self, timeout_s: float = 240.0, **more: Any) -> dict[str, Any]:
        """A whole ingestion job, from its start to its end."""
        return self.finished(self.start(**more), timeout_s)

    def ingest(self, ident: str, text: str, **metadata: str | float | bool | list[str]) -> dict[str, Any]:
        """Ask for a text to be taken into a CUSTOM source; what the answer says of it."""
        asked = {"content": custom(ident, text)} | ({"metadata": inline(metadata)} if metadata else {})
        (detail,) = self.agent.ingest_knowledge_base_documents(**self.here, documents=[asked])["documentDetails"]
        return dict(detail)

    def settled(self, *idents: str, timeout_s: float = 240.0) -> list[dict[str, Any]]:
        """What became of documents of a CUSTOM source, once nothing is under way for them."""
        asked = [{"dataSourceType": "CUSTOM", "custom": {"id": one}} for one in idents]

        def look() -> list[dict[str, Any]]:
            found = self.agent.get_knowledge_base_documents(**self.here, documentIdentifiers=asked)
            return list(found["documentDetails"])

        return until(look, lambda details: all(one["status"] in SETTLED for one in details), timeout_s)


@cache
def client(server: Running, service: str) -> Any:
    """A client of root; to make one takes longer than most calls."""
    return server.client(service)


def until(look: Callable[[], T], good: Callable[[T], bool], timeout_s: float = 240.0) -> T:
    """What is seen once it is good."""
    end = time.monotonic() + timeout_s
    while True:
        found = look()
        if good(found):
            return found
        assert time.monotonic() < end, found
        time.sleep(0.05)


def custom(ident: str, text: str) -> dict[str, Any]:
    """A document's content for a CUSTOM source, in line."""
    return {
        "dataSourceType": "CUSTOM",
        "custom": {
            "customDocumentIdentifier": {"id": ident},
            "sourceType": "IN_LINE",
            "inlineContent": {"type": "TEXT", "textContent": {"data": text}},
        },
    }


def inline(metadata: dict[str, Any]) -> dict[str, Any]:
    """Attributes of a document, in line."""
    return {
        "type": "IN_LINE_ATTRIBUTE",
        "inlineAttributes": [{"key": k, "value": value(v)} for k, v in metadata.items()],
    }


def value(given: Any) -> dict[str, Any]:
    if isinstance(given, bool):
        return {"type": "BOOLEAN", "booleanValue": given}
    if isinstance(given, (int, float)):
        return {"type": "NUMBER", "numberValue": given}
    if isinstance(given, list):
        return {"type": "STRING_LIST", "stringListValue": given}
    return {"type": "STRING", "stringValue": given}


def vector(model: str = EMBED, **options: Any) -> dict[str, Any]:
    """A knowledgeBaseConfiguration; `options` such as dimensions=256, embeddingDataType="BINARY"."""
    config: dict[str, Any] = {"embeddingModelArn": model}
    if options:
        config["embeddingModelConfiguration"] = {"bedrockEmbeddingModelConfiguration": options}
    return {"type": "VECTOR", "vectorKnowledgeBaseConfiguration": config}


def role(server: Running, bucket: str, name: str) -> str:
    """A role that Bedrock may take, with what a sync needs; its ARN."""
    iam = client(server, "iam")
    files = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    rights = document(allow(["s3:GetObject", "s3:ListBucket"], files), allow("bedrock:InvokeModel"))
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=rights)
    return arn


def place(bucket: str, kind: str = "S3", *prefixes: str) -> dict[str, Any]:
    """A dataSourceConfiguration."""
    if kind != "S3":
        return {"type": kind}
    where: dict[str, Any] = {"bucketArn": f"arn:aws:s3:::{bucket}"}
    return {"type": "S3", "s3Configuration": where | ({"inclusionPrefixes": list(prefixes)} if prefixes else {})}


def knowledge(
    server: Running,
    name: str = "library",
    *,
    kind: str = "S3",
    config: dict[str, Any] | None = None,
    base: dict[str, Any] | None = None,
    source: dict[str, Any] | None = None,
    **ingestion: Any,
) -> Knowledge:
    """A knowledge base with its own role, bucket and data source, all of this name.

    `kind` S3 or CUSTOM; `config` is the knowledgeBaseConfiguration; `base` and `source` are further members of the two
    Create operations, `ingestion` of the vectorIngestionConfiguration (chunkingConfiguration=…).
    """
    agent, bucket = client(server, "bedrock-agent"), f"{name}-bucket"
    client(server, "s3").create_bucket(Bucket=bucket)
    arn = role(server, bucket, f"{name}-role")
    config = config or vector()
    storage = {"storageConfiguration": STORAGE} if config["type"] == "VECTOR" else {}
    made = agent.create_knowledge_base(
        name=name, roleArn=arn, knowledgeBaseConfiguration=config, **storage, **(base or {})
    )["knowledgeBase"]
    more = {"vectorIngestionConfiguration": ingestion} if ingestion else {}
    given: dict[str, Any] = {"name": name, "dataSourceConfiguration": place(bucket, kind), **more, **(source or {})}
    found = agent.create_data_source(knowledgeBaseId=made["knowledgeBaseId"], **given)["dataSource"]
    return Knowledge(server, agent, made["knowledgeBaseId"], found["dataSourceId"], bucket, arn)

"""Knowledge bases, data sources and ingestion jobs as rows of the store: kinds, states, bodies, ARNs.

Owns what operations, workflows and retrieval all know of them. It must not know HTTP, S3, models, nor how vectors are
kept. Configurations are kept as the API writes them (JSON), since what is accepted is also shown; what they mean is read
where it is used.
"""

from __future__ import annotations

import secrets
import string
from typing import Any

import msgspec

from craton.aws.access.actions import arn_of
from craton.infra.vectors.port import Version

KNOWLEDGE_BASE, DATA_SOURCE, INGESTION_JOB = "knowledge-base", "data-source", "ingestion-job"
SHOWN_BASE, SHOWN_SOURCE, SHOWN_JOB = "knowledge base", "data source", "ingestion job"

# Of knowledge bases and data sources.
CREATING, ACTIVE, AVAILABLE, UPDATING, DELETING = "CREATING", "ACTIVE", "AVAILABLE", "UPDATING", "DELETING"
FAILED, DELETE_UNSUCCESSFUL = "FAILED", "DELETE_UNSUCCESSFUL"
# Of ingestion jobs.
STARTING, IN_PROGRESS, COMPLETE, STOPPING, STOPPED = "STARTING", "IN_PROGRESS", "COMPLETE", "STOPPING", "STOPPED"
RUNNING = frozenset({STARTING, IN_PROGRESS, STOPPING})
"""The states that an ingestion job leaves again."""

_LETTERS = string.ascii_uppercase + string.digits


class KnowledgeBase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`configuration` and `storage` are the API's knowledgeBaseConfiguration and storageConfiguration.

    `index` is the version of its index that is visible: None before anything was ingested. It changes only in the
    transaction that also writes the ledger of documents. `metadata_fields` are the API's metadataConfigurations.
    `policy` is its resource policy's text, "" for none.
    """

    role_arn: str
    configuration: dict[str, Any]
    storage: dict[str, Any] = {}
    description: str | None = None
    tags: dict[str, str] = {}
    index: Version | None = None
    failures: tuple[str, ...] = ()
    metadata_fields: tuple[dict[str, Any], ...] = ()
    policy: str = ""
    policy_revision: str = ""


class DataSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`configuration` is the API's dataSourceConfiguration, `ingestion` its vectorIngestionConfiguration."""

    base_id: str
    configuration: dict[str, Any]
    ingestion: dict[str, Any] = {}
    description: str | None = None
    deletion_policy: str = "DELETE"
    kms_key: str | None = None
    failures: tuple[str, ...] = ()


class Statistics(msgspec.Struct, frozen=True):
    """What a sync did, by documents."""

    scanned: int = 0
    metadata_scanned: int = 0
    new: int = 0
    modified: int = 0
    metadata_modified: int = 0
    deleted: int = 0
    failed: int = 0
    skipped: int = 0


class IngestionJob(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    base_id: str
    source_id: str
    description: str | None = None
    statistics: Statistics = Statistics()
    failures: tuple[str, ...] = ()


MANAGED_EMBEDDER = "amazon.titan-embed-text-v2:0"
"""What embeds for a managed knowledge base that leaves the choice of the model to the service."""


def embedding_model(base: KnowledgeBase) -> str:
    """The id or ARN of the model that makes a knowledge base's vectors; "" for one that has none (SQL)."""
    vector = base.configuration.get("vectorKnowledgeBaseConfiguration")
    if vector is not None:
        return str(vector["embeddingModelArn"])
    managed = base.configuration.get("managedKnowledgeBaseConfiguration")
    if managed is None:
        return MANAGED_EMBEDDER if base.configuration.get("type") == "MANAGED" else ""
    return str(managed.get("embeddingModelArn") or MANAGED_EMBEDDER)


def embedding_options(base: KnowledgeBase) -> dict[str, Any]:
    """The API's bedrockEmbeddingModelConfiguration: `dimensions`, `embeddingDataType`; empty where nothing was asked."""
    for member in ("vectorKnowledgeBaseConfiguration", "managedKnowledgeBaseConfiguration"):
        model = base.configuration.get(member, {}).get("embeddingModelConfiguration", {})
        if model:
            return dict(model.get("bedrockEmbeddingModelConfiguration", {}))
    return {}


def below(*parts: str) -> str:
    """The name that a data source (base, name) or an ingestion job (base, source, id) has among the rows of its kind.

    What lies below a knowledge base or a data source is found by the part of the name with its slash, since ids are
    ten letters each and names have no slash.
    """
    return "/".join(parts)


def upper_id() -> str:
    """An id of Bedrock's agent side, such as a knowledge base's: `ZPT4AB9QX0`."""
    return "".join(secrets.choice(_LETTERS) for _ in range(10))


def base_arn(account: str, region: str, ident: str) -> str:
    return arn_of("knowledge-base", region, account, id=ident)


def source_arn(account: str, region: str, base: str, ident: str) -> str:
    """Not an ARN that the API shows: data sources are rows of their own, named below their knowledge base."""
    return f"{base_arn(account, region, base)}/data-source/{ident}"


def job_arn(account: str, region: str, base: str, source: str, ident: str) -> str:
    """Not shown either; the run's name."""
    return f"{source_arn(account, region, base, source)}/ingestion-job/{ident}"

"""What else a sync does: web pages, pictures read by a model, chunks through a Lambda function, an index that begins anew."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import functions
from tests.acceptance.identities import allow, document
from tests.acceptance.knowledge import Knowledge, knowledge, place
from tests.acceptance.resources import refused
from tests.fakes import embedders, files, scripts
from tests.fakes.scripts import Script
from tests.fakes.upstream import FakeUpstream, Request
from tests.running import Running, model_config

TITAN, CHAT = "amazon.titan-embed-text-v2:0", "anthropic.claude-3-haiku-20240307-v1:0"
FOUNDATION = "arn:aws:bedrock:us-east-1::foundation-model/"
SEEN = "A drawing of a cat."
FUNCTION = """
import json, os
import boto3

def handler(event, context):
    s3 = boto3.client("s3")
    files = []
    for given in event["inputFiles"]:
        batches = []
        for batch in given["contentBatches"]:
            found = json.loads(s3.get_object(Bucket=event["bucketName"], Key=batch["key"])["Body"].read())
            for one in found["fileContents"]:
                one["contentBody"] = one["contentBody"].upper()
                one["contentMetadata"]["made"] = "by a function"
            key = batch["key"].replace(".JSON", ".out.json")
            s3.put_object(Bucket=event["bucketName"], Key=key, Body=json.dumps(found))
            batches.append({"key": key})
        files.append({"originalFileLocation": given["originalFileLocation"], "contentBatches": batches})
    return {"outputFiles": files}
"""


def answer(request: Request) -> Script:
    """Vectors for texts, and one sentence for every picture."""
    if request.path.endswith("/embeddings"):
        return embedders.natural(request)
    return scripts.openai_reply(SEEN)


@pytest.fixture(scope="module")
def up() -> Iterator[FakeUpstream]:
    with FakeUpstream(fallback=answer) as upstream:
        yield upstream


class Site:
    """Web pages on the loopback address, by path."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.read: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page = site.pages.get(self.path)
                tag = f'"{hash(page)}"'
                unchanged = page is not None and self.headers["if-none-match"] == tag
                self.send_response(304 if unchanged else 200 if page is not None else 404)
                body = (page or "").encode() if not unchanged else b""
                if body:
                    site.read.append(self.path)
                for name, value in (("content-type", "text/html"), ("etag", tag), ("content-length", str(len(body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.root = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def server(up: FakeUpstream, site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    hosts = f'"*.example.com", "{site.root.removeprefix("http://")}"'
    config = f"[rag]\ncrawler = true\ncrawler_hosts = [{hosts}]\n"
    config += model_config(TITAN, "openai", up.openai_url, model="text-embedding-3-small")
    config += model_config(CHAT, "openai", up.openai_url)
    with Running(tmp_path_factory.mktemp("home"), config) as running:
        yield running


def found(where: Knowledge, question: str = "cat") -> list[dict[str, Any]]:
    return list(
        where.runtime.retrieve(knowledgeBaseId=where.base, retrievalQuery={"text": question})["retrievalResults"]
    )


def counts(job: dict[str, Any]) -> dict[str, int]:
    assert job["status"] == "COMPLETE", job
    return {name.removeprefix("numberOf"): count for name, count in job["statistics"].items() if count}


def test_hosts_that_may_be_crawled(server: Running, site: Site) -> None:
    """Sources are made over the hosts that the server was told, and over no others."""
    where = knowledge(server, "hosts")

    def made(name: str, url: str, **crawler: Any) -> dict[str, Any]:
        seeds = {"sourceConfiguration": {"urlConfiguration": {"seedUrls": [{"url": url}]}}}
        web = seeds | ({"crawlerConfiguration": crawler} if crawler else {})
        config = {"type": "WEB", "webConfiguration": web}
        answer = where.agent.create_data_source(knowledgeBaseId=where.base, name=name, dataSourceConfiguration=config)
        assert answer["dataSource"]["dataSourceConfiguration"] == config
        return dict(answer["dataSource"])

    assert made("docs", "https://docs.example.com/a")["status"] == "AVAILABLE"
    assert made("here", f"{site.root}/")["status"] == "AVAILABLE"
    for words, url, crawler in (
        ("does not crawl the host of https://example.org/", "https://example.org/", {}),
        ("does not crawl the host", "http://127.0.0.1:1/", {}),
        ("not a regular expression", "https://docs.example.com/", {"inclusionFilters": ["("]}),
    ):
        with refused("ValidationException", 400, words):
            made("wrong", url, **crawler)


def test_web_pages(server: Running, site: Site) -> None:
    """Pages are found along their links; one that did not change is not read again, one that is gone is found no more."""
    site.pages = {
        "/": '<p>all about pets</p><a href="/cats">cats</a><a href="/dogs">dogs</a><script>secret()</script>',
        "/cats": "<p>the cat sleeps</p>",
        "/dogs": "<p>the dog barks</p>",
    }
    web = {
        "sourceConfiguration": {"urlConfiguration": {"seedUrls": [{"url": site.root + "/"}]}},
        "crawlerConfiguration": {"crawlerLimits": {"rateLimit": 300}, "scope": "HOST_ONLY"},
    }
    config = {"type": "WEB", "webConfiguration": web}
    where = knowledge(server, "web", source={"dataSourceConfiguration": config})
    assert counts(where.sync()) == {"DocumentsScanned": 3, "NewDocumentsIndexed": 3}
    texts = {one["location"]["webLocation"]["url"]: one["content"]["text"] for one in found(where)}
    assert texts[f"{site.root}/cats"] == "the cat sleeps"
    assert "secret" not in str(texts)
    site.read.clear()
    site.pages["/cats"] = "<p>the cat wakes</p>"
    del site.pages["/dogs"]
    told = counts(where.sync())
    assert (told["ModifiedDocumentsIndexed"], told["DocumentsDeleted"]) == (1, 1)
    assert [path for path in site.read if path != "/robots.txt"] == ["/cats"]
    assert {one["content"]["text"] for one in found(where)} >= {"the cat wakes"}
    assert "barks" not in str(found(where, "dog"))


def test_pictures_are_read_by_a_model(server: Running, up: FakeUpstream) -> None:
    """With a parsing model a picture becomes text; the model is told the data source's own prompt."""
    parsing = {
        "parsingStrategy": "BEDROCK_FOUNDATION_MODEL",
        "bedrockFoundationModelConfiguration": {
            "modelArn": FOUNDATION + CHAT, "parsingPrompt": {"parsingPromptText": "Say what you see."},
        },
    }  # fmt: skip
    where = knowledge(server, "pictures", parsingConfiguration=parsing)
    where.put("cat.png", files.png(8, 8))
    assert counts(where.sync()) == {"DocumentsScanned": 1, "NewDocumentsIndexed": 1}
    assert [one["content"]["text"] for one in found(where)] == [SEEN]
    asked = [one.json for one in up.requests if not one.path.endswith("/embeddings")]
    assert "Say what you see." in json.dumps(asked)


def test_chunks_through_a_function(server: Running) -> None:
    """A Lambda function gets the chunks in the intermediate bucket; what it writes is what is indexed."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket="between")
    rights = allow(["s3:GetObject", "s3:PutObject"], ["arn:aws:s3:::between/*"])
    role = functions.make_role(server, "transforming", rights)
    made = functions.make(server.client("lambda"), "upper", role, FUNCTION, Timeout=60)
    through = {
        "intermediateStorage": {"s3Location": {"uri": "s3://between/work/"}},
        "transformations": [
            {
                "stepToApply": "POST_CHUNKING",
                "transformationFunction": {
                    "transformationLambdaConfiguration": {"lambdaArn": made["FunctionArn"]},
                },
            }
        ],
    }
    where = knowledge(server, "through", customTransformationConfiguration=through)
    more = document(
        allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], ["arn:aws:s3:::between/*"]),
        allow("lambda:InvokeFunction", made["FunctionArn"]),
    )
    server.client("iam").put_role_policy(RoleName="through-role", PolicyName="more", PolicyDocument=more)
    where.put("a.txt", "a small cat", {"kind": "pet"})
    job = where.sync()
    assert counts(job)["NewDocumentsIndexed"] == 1, job
    (one,) = found(where)
    assert one["content"]["text"] == "A SMALL CAT"
    assert (one["metadata"]["made"], one["metadata"]["kind"]) == ("by a function", "pet")
    assert not [key for key in keys(s3) if key.endswith(".JSON")]


def keys(s3: Any) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket="between").get("Contents", ())]


def test_access_lists_of_a_bucket(server: Running) -> None:
    """The bucket's one file says who may see what; a change of it needs no new reading, and what it leaves out is nobody's."""
    s3 = server.client("s3")

    def say(user: str) -> None:
        entry = {
            "keyPrefix": "s3://guarded-bucket/in/",
            "aclEntries": [{"Name": user, "Type": "USER", "Access": "ALLOW"}],
        }
        s3.put_object(Bucket="guarded-bucket", Key="acl/lists.json", Body=json.dumps([entry]).encode())

    parameters = {
        "type": "S3",
        "version": "1",
        "aclEnabled": True,
        "aclConfiguration": {"globalAccessControlListS3Uri": "s3://guarded-bucket/acl/lists.json"},
        "connectionConfiguration": {"bucketName": "guarded-bucket"},
        "filterConfiguration": {"inclusionPrefixes": ["in/", "out/"]},
    }
    config = {
        "type": "MANAGED_KNOWLEDGE_BASE_CONNECTOR",
        "managedKnowledgeBaseConnectorConfiguration": {"connectorParameters": parameters},
    }
    where = knowledge(server, "guarded", config={"type": "MANAGED"}, source={"dataSourceConfiguration": config})
    where.put("in/a.txt", "a cat within")
    where.put("out/b.txt", "a cat without")

    def seen(user: str) -> list[str]:
        asked = {"knowledgeBaseId": where.base, "retrievalQuery": {"text": "cat"}, "userContext": {"userId": user}}
        return [one["content"]["text"] for one in where.runtime.retrieve(**asked)["retrievalResults"]]

    say("ann")
    assert counts(where.sync())["NewDocumentsIndexed"] == 2
    assert (seen("ann"), seen("bob")) == (["a cat within"], [])
    say("bob")
    assert counts(where.sync())["MetadataDocumentsModified"] == 1
    assert (seen("ann"), seen("bob")) == ([], ["a cat within"])


def test_another_embedding_model_begins_the_index_anew(up: FakeUpstream, tmp_path: Path) -> None:
    """When somebody else answers to the model's id, all is embedded again, other sources' documents included."""
    config = model_config(TITAN, "openai", up.openai_url, model="text-embedding-3-small")
    with Running(tmp_path, config) as server:
        where = knowledge(server, "anew")
        other = where.agent.create_data_source(
            knowledgeBaseId=where.base, name="notes", dataSourceConfiguration=place(where.bucket, "CUSTOM")
        )["dataSource"]["dataSourceId"]
        notes = Knowledge(server, where.agent, where.base, other, where.bucket, where.role)
        notes.ingest("note", "a note about a cat", color="red")
        notes.settled("note")
        where.put("a.txt", "a cat")
        assert counts(where.sync())["NewDocumentsIndexed"] == 1
        before = {one.name for one in (tmp_path / "vectors").iterdir()}
    up.requests.clear()
    with Running(tmp_path, config.replace("text-embedding-3-small", "text-embedding-3-large")) as server:
        where.agent, where.server = server.client("bedrock-agent"), server
        assert counts(where.sync())["ModifiedDocumentsIndexed"] == 1
        assert sorted(str(one.json["input"]) for one in up.requests) == ["['a cat']", "['a note about a cat']"]
        assert sorted(one["content"]["text"] for one in found(where)) == ["a cat", "a note about a cat"]
        assert len(before) == len({one.name for one in (tmp_path / "vectors").iterdir()}) == 1
        assert before != {one.name for one in (tmp_path / "vectors").iterdir()}

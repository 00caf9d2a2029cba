"""Syncs while the world misbehaves: models that fail or change, buckets that go, files that grow, jobs that are stopped."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.knowledge import Knowledge, knowledge, place, until
from tests.fakes import embedders, scripts
from tests.fakes.scripts import Script
from tests.fakes.upstream import FakeUpstream, Request
from tests.running import Running, model_config

TITAN = "amazon.titan-embed-text-v2:0"


class Moody:
    """A model whose answers a test decides."""

    def __init__(self) -> None:
        self.mood: Callable[[Request], Script] = embedders.natural

    def __call__(self, request: Request) -> Script:
        return self.mood(request)


@pytest.fixture(scope="module")
def moody() -> Moody:
    return Moody()


@pytest.fixture(scope="module")
def up(moody: Moody) -> Iterator[FakeUpstream]:
    with FakeUpstream(fallback=moody) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def server(up: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    config = model_config(TITAN, "openai", up.openai_url, model="text-embedding-3-small")
    with Running(tmp_path_factory.mktemp("home"), config) as running:
        yield running


@pytest.fixture(autouse=True)
def _good(moody: Moody, up: FakeUpstream) -> Iterator[None]:
    up.requests.clear()
    yield
    moody.mood = embedders.natural


def texts(where: Knowledge, question: str = "cat") -> list[str]:
    wanted = {"vectorSearchConfiguration": {"numberOfResults": 100}}
    answer = where.runtime.retrieve(
        knowledgeBaseId=where.base, retrievalQuery={"text": question}, retrievalConfiguration=wanted
    )
    return sorted(one["content"]["text"] for one in answer["retrievalResults"])


def count(job: dict[str, Any], name: str) -> int:
    return int(job["statistics"][f"numberOf{name}"])


def test_a_model_that_fails_one_time_in_ten(server: Running, moody: Moody) -> None:
    """Every document comes in, since each text is asked for until it gets through."""
    chance = random.Random(3)

    def failing(request: Request) -> Script:
        bad = chance.random() < 0.1
        return scripts.error_openai(chance.choice((500, 503, 429))) if bad else embedders.natural(request)

    where = knowledge(server, "one-in-ten")
    for number in range(60):
        where.put(f"{number}.txt", f"cat number {number}")
    moody.mood = failing
    job = where.sync()
    assert (job["status"], count(job, "NewDocumentsIndexed"), count(job, "DocumentsFailed")) == ("COMPLETE", 60, 0)


def test_a_model_that_changes_its_dimensions(server: Running, up: FakeUpstream, moody: Moody) -> None:
    """The job fails with a sentence, and the index is as it was."""
    small = "craton.test-embedder"
    config = model_config(small, "openai", up.openai_url, model="m", extra="").replace(
        f'id = "{small}"', f'id = "{small}"\ndialect = "openai.embeddings"'
    )
    with Running(server.home / "changing", config) as other:
        model = {"embeddingModelArn": f"arn:aws:bedrock:us-east-1::foundation-model/{small}"}
        where = knowledge(other, "changing", config={"type": "VECTOR", "vectorKnowledgeBaseConfiguration": model})
        where.put("a.txt", "a cat")
        assert where.sync()["status"] == "COMPLETE"
        moody.mood = lambda request: embedders.openai(request.json, 99)
        try:
            where.put("b.txt", "another cat")
            job = where.sync()
            assert job["status"] == "FAILED"
            assert "99 dimensions" in job["failureReasons"][0]
            assert "384" in job["failureReasons"][0]
        finally:
            moody.mood = embedders.natural
        assert texts(where) == ["a cat"]


def test_a_bucket_that_is_gone(server: Running) -> None:
    """The job fails and says so; what was indexed before is still found."""
    where, s3 = knowledge(server, "vanishing"), server.client("s3")
    where.put("a.txt", "a cat")
    assert where.sync()["status"] == "COMPLETE"
    s3.delete_object(Bucket=where.bucket, Key="a.txt")
    s3.delete_bucket(Bucket=where.bucket)
    job = where.sync()
    assert job["status"] == "FAILED"
    assert where.bucket in job["failureReasons"][0]
    assert texts(where) == ["a cat"]


def test_a_file_that_grows_while_it_is_read(server: Running) -> None:
    """What is indexed is one of its states, whole, and the next sync has the last."""
    where = knowledge(server, "growing")
    over = threading.Event()

    def grow() -> None:
        for number in range(1, 200):
            where.put("log.txt", "cat " * number)
            if over.wait(0.005):
                return

    where.put("log.txt", "cat ")
    writer = threading.Thread(target=grow)
    writer.start()
    first = where.sync()
    over.set()
    writer.join()
    assert first["status"] == "COMPLETE"
    where.put("log.txt", "cat at last")
    assert where.sync()["status"] == "COMPLETE"
    assert texts(where) == ["cat at last"]


def test_two_sources_of_one_knowledge_base_at_once(server: Running) -> None:
    """One waits for the other, and both are in the index."""
    where = knowledge(server, "pair")
    more = where.agent.create_data_source(
        knowledgeBaseId=where.base, name="second", dataSourceConfiguration=place(where.bucket, "S3", "b/")
    )["dataSource"]["dataSourceId"]
    where.agent.update_data_source(**where.here, name="first", dataSourceConfiguration=place(where.bucket, "S3", "a/"))
    other = Knowledge(server, where.agent, where.base, more, where.bucket, where.role)
    for number in range(20):
        where.put(f"a/{number}.txt", f"cat a{number}")
        where.put(f"b/{number}.txt", f"cat b{number}")
    jobs = [where.start(), other.start()]
    assert where.finished(jobs[0])["status"] == other.finished(jobs[1])["status"] == "COMPLETE"
    assert texts(where) == sorted(f"cat {side}{number}" for side in "ab" for number in range(20))


def test_a_job_is_stopped(server: Running, moody: Moody) -> None:
    """It ends in order with nothing visible of it, and the next one does everything."""
    where = knowledge(server, "stopped")
    for number in range(40):
        where.put(f"{number}.txt", f"cat number {number}")
    moody.mood = lambda request: (scripts.Sleep(20.0), *embedders.natural(request))
    job = where.start()
    until(lambda: where.job(job)["status"], lambda status: status == "IN_PROGRESS")
    with pytest.raises(ClientError, match="in progress"):
        where.start()
    where.agent.stop_ingestion_job(**where.here, ingestionJobId=job)
    assert where.finished(job)["status"] == "STOPPED"
    assert texts(where) == []
    moody.mood = embedders.natural
    assert count(where.sync(), "NewDocumentsIndexed") == 40


def gone(look: Callable[[], Any]) -> None:
    """Wait until the API does not know it any more."""

    def known() -> bool:
        try:
            look()
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return False
        return True

    until(known, lambda there: not there)


def test_a_knowledge_base_is_deleted_under_a_running_job(server: Running, moody: Moody) -> None:
    """The job ends, then everything is gone: rows, ledger, index, scratch."""
    where = knowledge(server, "doomed")
    for number in range(40):
        where.put(f"{number}.txt", f"cat number {number}")
    where.put("before.txt", "a cat")
    moody.mood = lambda request: (scripts.Sleep(0.5), *embedders.natural(request))
    job = where.start()
    until(lambda: where.job(job)["status"], lambda status: status == "IN_PROGRESS")
    where.agent.delete_knowledge_base(knowledgeBaseId=where.base)
    gone(lambda: where.agent.get_knowledge_base(knowledgeBaseId=where.base))
    with pytest.raises(ClientError, match="does not exist"):
        where.job(job)
    assert not [one for one in (server.home / "vectors").glob("*") if where.base in one.name]
    until(lambda: [*(server.home / "scratch" / "ingestion").glob("*")], lambda left: not left)


@pytest.mark.parametrize(("policy", "left"), [("DELETE", []), ("RETAIN", ["a cat"])])
def test_a_data_source_is_deleted(server: Running, policy: str, left: list[str]) -> None:
    """Its chunks go with it, unless its policy is to leave them."""
    where = knowledge(server, f"dropped-{policy.lower()}", source={"dataDeletionPolicy": policy})
    where.put("a.txt", "a cat")
    where.sync()
    where.agent.delete_data_source(**where.here)
    gone(lambda: where.agent.get_data_source(**where.here))
    assert texts(where) == left


def test_a_large_file_and_one_beyond_the_limit(server: Running) -> None:
    """A few megabytes are cut and indexed; more than 50 MB are refused by their size, unread."""
    where = knowledge(server, "large", chunkingConfiguration={"chunkingStrategy": "FIXED_SIZE",
                      "fixedSizeChunkingConfiguration": {"maxTokens": 8000, "overlapPercentage": 1}})  # fmt: skip
    where.put("large.txt", "The cat sat on the mat. " * 40_000)
    where.put("huge.txt", b"x" * (50 * 1024 * 1024 + 1))
    job = where.sync()
    assert (count(job, "NewDocumentsIndexed"), count(job, "DocumentsFailed")) == (1, 1)
    assert "larger than" in job["failureReasons"][0]


def test_single_documents_come_and_go(server: Running) -> None:
    """INDEXED with their attributes, replaced as a whole, FAILED with the reason, gone when they are deleted."""
    where = knowledge(server, "notes", kind="CUSTOM")
    where.ingest("a", "a cat", color="red")
    where.ingest("b.pdf", "a text that is named like a PDF")
    where.ingest("empty", " ")
    found = where.settled("a", "b.pdf", "empty")
    assert [one["status"] for one in found] == ["INDEXED", "INDEXED", "FAILED"]
    assert found[2]["statusReason"]
    where.ingest("a", "another cat", color="blue")
    where.settled("a")
    assert "a cat" not in texts(where)
    named = [{"dataSourceType": "CUSTOM", "custom": {"id": one}} for one in ("a", "b.pdf", "empty")]
    where.agent.delete_knowledge_base_documents(**where.here, documentIdentifiers=named)
    assert {one["status"] for one in where.settled("a", "b.pdf", "empty")} == {"NOT_FOUND"}
    assert texts(where) == []


def test_a_role_that_may_not_use_the_model(server: Running) -> None:
    """The job fails at once with the gateway's own words."""
    where, began = knowledge(server, "forbidden"), time.monotonic()
    where.put("a.txt", "a cat")
    iam = server.client("iam")
    iam.delete_role_policy(RoleName="forbidden-role", PolicyName="own")
    iam.put_role_policy(
        RoleName="forbidden-role", PolicyName="own",
        PolicyDocument='{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}',
    )  # fmt: skip
    job = where.sync()
    assert job["status"] == "FAILED"
    assert "bedrock:InvokeModel" in job["failureReasons"][0]
    assert time.monotonic() - began < 60

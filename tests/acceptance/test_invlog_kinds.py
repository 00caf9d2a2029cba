"""Invocation logs of embeddings and vendors' doors, on a server with two workers and a small spool."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance import rawhttp
from tests.acceptance.invlog import bucket_for, policy, put, records
from tests.acceptance.serving import Served
from tests.fakes import embedders
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config

TITAN = "amazon.titan-embed-text-v2:0"
CONFIG = """
[server]
workers = 2
[logging]
spool_max_bytes = 1048576
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with FakeUpstream(fallback=embedders.natural) as up:
        config = CONFIG + model_config(TITAN, "openai", up.openai_url, model="text-embedding-3-small")
        with Running(tmp_path_factory.mktemp("kinds"), config) as server:
            yield Served(server, up)


def by_id(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["requestId"]: one for one in found}


def invoke(served: Served, model: str, body: dict[str, Any]) -> str:
    answer = served.client().invoke_model(modelId=model, body=json.dumps(body))
    answer["body"].read()
    return str(answer["ResponseMetadata"]["RequestId"])


def test_invlog_switches_go_by_the_kind_of_model(served: Served) -> None:
    """Embeddings are logged with their vectors, whichever worker answered; switched off, they leave their counts."""
    s3 = bucket_for(served, "logs-kinds")
    put(served, "logs-kinds", textDataDeliveryEnabled=False)
    vectors = {invoke(served, TITAN, {"inputText": "a cat"}) for _ in range(4)}
    found = by_id(records(s3, "logs-kinds", 4))
    assert set(found) == vectors
    for one in found.values():
        assert one["operation"] == "InvokeModel"
        assert one["input"]["inputBodyJson"] == {"inputText": "a cat"}
        assert one["input"]["inputTokenCount"] > 0
        assert len(one["output"]["outputBodyJson"]["embedding"]) == 1024
    put(served, "logs-kinds", embeddingDataDeliveryEnabled=False)
    bare = invoke(served, TITAN, {"inputText": "a dog"})
    found = by_id(records(s3, "logs-kinds", 5))
    assert set(found[bare]["input"]) == {"inputContentType", "inputTokenCount"}
    assert set(found[bare]["output"]) == {"outputContentType"}


def test_invlog_embeddings_at_the_openai_door(served: Served) -> None:
    """A door's embeddings are InvokeModel; its bad requests leave their error under AWS's name."""
    s3 = bucket_for(served, "logs-embeddings")
    put(served, "logs-embeddings")
    good = json.dumps({"model": TITAN, "input": "a cat"}).encode()
    assert rawhttp.call(served.server, "POST", "/v1/embeddings", good).status == 200
    bad = json.dumps({"model": "nobody", "input": "a cat"}).encode()
    assert rawhttp.call(served.server, "POST", "/v1/embeddings", bad).status == 404
    found = sorted(records(s3, "logs-embeddings", 2), key=lambda one: str(one["modelId"]))
    assert [one["modelId"] for one in found] == [TITAN, "nobody"]
    assert [one["operation"] for one in found] == ["InvokeModel", "InvokeModel"]
    assert found[0]["output"]["outputBodyJson"]["object"] == "list"
    assert found[1]["errorCode"]
    assert found[1]["output"] == {}


def test_invlog_a_small_budget_holds_and_what_is_lost_is_told(served: Served) -> None:
    """While the bucket takes nothing the spool stays within its budget, and says how many records it gave up."""
    s3 = bucket_for(served, "logs-budget")
    put(served, "logs-budget")
    s3.delete_bucket_policy(Bucket="logs-budget")
    asked = 40
    for _ in range(asked):
        invoke(served, TITAN, {"inputText": "a cat " * 8000})
    until = time.monotonic() + 60
    status: dict[str, Any] = {}
    before: dict[str, Any] = {}
    while time.monotonic() < until:
        status = rawhttp.call(served.server, "GET", "/craton/invocation-logs").json
        if status["lost"]["budget"] and status["error"] and status == before:
            break
        before = status
        time.sleep(1.0)
    assert 0 < status["lost"]["budget"] < asked
    assert status["size_bytes"] <= 1_048_576 + 400_000  # what the other worker was about to write
    assert status["error"] == "the bucket logs-budget: AccessDenied"
    s3.put_bucket_policy(Bucket="logs-budget", Policy=policy("logs-budget"))
    kept = asked - status["lost"]["budget"]
    assert len(records(s3, "logs-budget", kept)) >= kept


def test_invlog_a_drained_server_keeps_what_it_answered(served: Served) -> None:
    """SIGTERM right after an answer: its record is on the disk."""
    bucket_for(served, "logs-drained").delete_bucket_policy(Bucket="logs-budget")
    put(served, "logs-drained")
    spool = served.server.home / "spool" / "invocations"
    invoke(served, TITAN, {"inputText": "the last one"})
    assert served.server.stop(signal.SIGTERM) == 0
    log = served.server.output()
    assert "Traceback" not in log
    assert list(spool.glob("*.spool")) or "logs-drained" in log

"""What a worker wrote: every other one lives by it before the answer, and nothing of it is lost afterwards."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.acceptance import rawhttp
from tests.acceptance.resources import owning, profile, refused, router
from tests.acceptance.serving import HELLO, Served, converse_path

BODY = json.dumps({"messages": HELLO}).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with owning(tmp_path_factory.mktemp("home")) as running:
        yield running


def workers(served: Served) -> list[psutil.Process]:
    assert served.server.process is not None
    return psutil.Process(served.server.process.pid).children()


@contextmanager
def asleep(worker: psutil.Process) -> Iterator[None]:
    """While a worker is stopped, the other one answers every new connection."""
    worker.suspend()
    try:
        yield
    finally:
        worker.resume()


def converse(served: Served, name: str) -> rawhttp.Answer:
    return rawhttp.call(served.server, "POST", converse_path(name.replace("/", "%2F")), BODY)


def test_two_workers_live_by_a_write_at_once(served: Served) -> None:
    """The answer of a creation or deletion comes when both know: each is asked alone."""
    bedrock = served.client("bedrock")
    arn = profile(bedrock, "at once")
    for worker in workers(served):
        with asleep(worker):
            assert converse(served, arn).status == 200
    bedrock.delete_inference_profile(inferenceProfileIdentifier=arn)
    for worker in workers(served):
        with asleep(worker):
            rawhttp.refused(converse(served, arn), 400, "ValidationException", "model identifier is invalid")


def test_writes_at_the_same_time_are_all_lived_by(served: Served) -> None:
    """Each caller uses its own profile the moment it has it, while others write."""

    def one(number: int) -> int:
        arn = profile(served.client("bedrock"), f"crowd {number}")
        status = converse(served, arn).status
        served.client("bedrock").delete_inference_profile(inferenceProfileIdentifier=arn)
        return status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, range(16))) == {200}


def test_of_many_with_one_name_one_is_made(served: Served) -> None:
    """A race for a name has one winner; the others are told, and nothing fails otherwise."""

    def one(_: int) -> str:
        client = served.client("bedrock")
        try:
            return profile(client, "contested")
        except client.exceptions.ConflictException:
            return ""

    with ThreadPoolExecutor(8) as pool:
        made = [arn for arn in pool.map(one, range(8)) if arn]
    assert len(made) == 1
    served.client("bedrock").delete_inference_profile(inferenceProfileIdentifier=made[0])


def test_a_killed_worker_loses_nothing(served: Served) -> None:
    """Killed right after the reply; the next one knows the profile from its first request on."""
    arn = profile(served.client("bedrock"), "survivor")
    for worker in workers(served):
        os.kill(worker.pid, signal.SIGKILL)
    end = time.monotonic() + 90
    answer = None
    while answer is None and time.monotonic() < end:
        try:
            answer = converse(served, arn)
        except OSError:
            time.sleep(0.05)
    assert answer is not None
    assert answer.status == 200
    found = served.client("bedrock").get_inference_profile(inferenceProfileIdentifier=arn)
    assert found["inferenceProfileName"] == "survivor"


def test_a_killed_server_loses_nothing(tmp_path: Path) -> None:
    """kill -9 of the whole server after the reply; a new one on the same home has it all."""
    with owning(tmp_path) as first:
        made = profile(first.client("bedrock"), "lasting", tags=[{"key": "team", "value": "a"}])
        by = router(first.client("bedrock"), "lasting")
        first.server.stop(signal.SIGKILL)
    with owning(tmp_path) as second:
        bedrock = second.client("bedrock")
        assert converse(second, made).status == 200
        assert converse(second, by).json["trace"]["promptRouter"]
        assert bedrock.list_tags_for_resource(resourceARN=made)["tags"] == [{"key": "team", "value": "a"}]
        with refused("ConflictException", 400, "name already exists"):
            profile(bedrock, "lasting")


def test_a_reset_takes_all_back(tmp_path: Path) -> None:
    """On an ephemeral server: profiles, routers and client tokens are gone for both workers when the answer comes."""
    with owning(tmp_path, "--ephemeral") as served:
        bedrock = served.client("bedrock")
        first = profile(bedrock, "passing", clientRequestToken="t1")
        by = router(bedrock, "passing")
        length = [("Content-Length", "0")]
        answer = rawhttp.exchange(served.server, rawhttp.head(served.server, "POST", "/craton/reset", length))
        assert answer.status == 200
        for worker in workers(served):
            with asleep(worker):
                for arn in (first, by):
                    rawhttp.refused(converse(served, arn), 400, "ValidationException", "identifier is invalid")
        assert bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"] == []
        assert profile(bedrock, "passing", clientRequestToken="t1") != first

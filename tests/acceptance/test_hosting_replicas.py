"""Replicas as a client sees them: one is killed under load, all sleep when nobody asks, and none is left behind."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from craton.infra.control.console import Console
from craton.infra.control.home import control_path
from tests.running import Running

SERVER = Path(__file__).parents[1] / "fakes" / "fleet_replica.py"
HELLO = [{"role": "user", "content": [{"text": "Hi"}]}]
TRIO, SLEEPER, BROKEN, SLOW = (f"tests.{word}-v1:0" for word in ("trio", "sleeper", "broken", "slow"))


def table(model_id: str, word: str, scale: str, delay_s: float = 0.02) -> str:
    command = [sys.executable, "-S", str(SERVER), "{uds}", word, str(delay_s)]
    return (
        f'[[model]]\nid = "{model_id}"\n[model.container]\ncommand = {command}\nport = 0\nspeaks = "openai"\n'
        f'reads = ["{SERVER.parent}", "{Path(sys.prefix).parent}"]\n{scale}\n'
    )


CONFIG = (
    "[compute]\nmemory_reserve_bytes = 0\n"
    + table(TRIO, "trio", "least = 3\nmost = 3")
    + table(SLEEPER, "sleeper", "idle_timeout_s = 1.0")
    + table(SLOW, "slow", "", delay_s=2.0)
    + table(BROKEN, "broken", "start_timeout_s = 20.0").replace(str(SERVER), "/does/not/exist.py")
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("hosting"), CONFIG, "--workers", "2") as running:
        yield running


def row(server: Running, model_id: str) -> dict[str, Any]:
    with Console(control_path(server.home)) as console:
        return next(row for row in console.call("models.status") if row["id"] == model_id)


def until(server: Running, model_id: str, condition: Callable[[dict[str, Any]], bool], within_s: float = 90.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition(found := row(server, model_id)):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def said(client: Any, model_id: str) -> str:
    reply = client.converse(modelId=model_id, messages=HELLO)
    return str(reply["output"]["message"]["content"][0]["text"])


def test_one_of_three_killed_loses_no_request(server: Running) -> None:
    """Eight callers without retries of their own see nothing of it, and the third replica comes back."""
    until(server, TRIO, lambda row: row["ready"] == 3)
    texts: list[str] = []
    failures: list[Exception] = []
    over = threading.Event()

    client = server.client("bedrock-runtime")

    def call() -> None:
        while not over.is_set():
            try:
                texts.append(said(client, TRIO))
            except ClientError as error:
                failures.append(error)

    callers = [threading.Thread(target=call) for _ in range(8)]
    for caller in callers:
        caller.start()
    time.sleep(0.7)
    victim = row(server, TRIO)["replicas"][0]["pid"]
    os.kill(victim, signal.SIGKILL)
    until(server, TRIO, lambda row: row["ready"] == 3 and row["restarts"] >= 1)
    time.sleep(0.3)
    over.set()
    for caller in callers:
        caller.join()
    assert failures == []
    assert len({text.split()[1] for text in texts}) >= 3


def test_a_stream_whose_replica_dies_ends_with_an_exception(server: Running) -> None:
    """What came before it stays, nothing is told twice, and the next stream is whole."""
    client = server.client("bedrock-runtime")
    texts: list[str] = []

    def heard() -> Iterator[str]:
        for event in client.converse_stream(modelId=SLOW, messages=HELLO)["stream"]:
            if "contentBlockDelta" in event:
                yield event["contentBlockDelta"]["delta"]["text"]

    with pytest.raises(EventStreamError, match="modelStreamErrorException"):
        for text in heard():
            texts.append(text)
            os.kill(row(server, SLOW)["replicas"][0]["pid"], signal.SIGKILL)
    assert texts == ["slow"]
    assert "".join(heard()).startswith("slow ")


def test_to_nothing_and_back(server: Running) -> None:
    """A model that nobody asks for has no process; the next request starts it."""
    client = server.client("bedrock-runtime")
    assert row(server, SLEEPER)["state"] == "stopped"
    first = said(client, SLEEPER)
    assert first.startswith("sleeper ")
    until(server, SLEEPER, lambda row: row["state"] == "stopped")
    assert said(client, SLEEPER) != first


def test_one_that_cannot_start_says_so(server: Running) -> None:
    """The caller hears that it is not ready, the row and the log say why."""
    client = server.client("bedrock-runtime")
    with pytest.raises(ClientError) as caught:
        said(client, BROKEN)
    assert caught.value.response["Error"]["Code"] == "ModelNotReadyException"
    found = row(server, BROKEN)
    assert found["state"] == "failed"
    assert "exit code" in found["last_error"]
    with Console(control_path(server.home)) as console:
        assert any("/does/not/exist.py" in line for line in console.call("models.log", {"model_id": BROKEN}))

"""A server's life: ready, counted, ended in order, and none the worse for a worker that dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance import rawhttp
from tests.acceptance.serving import GPT, HELLO, Served, converse_path, serving
from tests.fakes import scripts

REAL = {
    ("bedrock-runtime", "Converse"),
    ("bedrock-runtime", "ConverseStream"),
    ("bedrock-runtime", "InvokeModel"),
    ("bedrock-runtime", "InvokeModelWithResponseStream"),
    ("bedrock-runtime", "CountTokens"),
    ("bedrock", "ListFoundationModels"),
    ("bedrock", "GetFoundationModel"),
}
BODY = json.dumps({"messages": HELLO}).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), "", "--workers", "2") as running:
        yield running


def get(served: Served, target: str, method: str = "GET") -> rawhttp.Answer:
    return rawhttp.exchange(served.server, rawhttp.head(served.server, method, target, []), method)


def workers(served: Served) -> list[psutil.Process]:
    """The HTTP workers: all children, since no model was started."""
    assert served.server.process is not None
    return psutil.Process(served.server.process.pid).children()


def test_health_is_open_to_all(served: Served) -> None:
    """200 without a signature, for GET and HEAD."""
    assert get(served, "/health").json == {"status": "ok"}
    answer = get(served, "/health", "HEAD")
    assert (answer.status, answer.body) == (200, b"")


def test_every_operation_is_accounted_for(served: Served) -> None:
    """All 240 of the four services, each real, partial or refused, and the runtime's own real; and those around them."""
    rows = get(served, "/craton/operations").json["operations"]
    around = [row for row in rows if not row["service"].startswith("bedrock")]
    assert {row["service"] for row in around} >= {"iam", "sts", "kms"}
    rows = [row for row in rows if row not in around]
    status = {(row["service"], row["operation"]): row["status"] for row in rows}
    assert len(rows) == len(status) == 240
    assert Counter(service for service, _ in status) == {
        "bedrock": 108,
        "bedrock-runtime": 11,
        "bedrock-agent": 86,
        "bedrock-agent-runtime": 35,
    }
    assert set(status.values()) <= {"real", "partial", "refused"}
    assert {key for key in REAL if status[key] == "real"} == REAL


def test_what_is_refused_answers_so(served: Served) -> None:
    """A row that says refused is an operation that says it is not implemented."""
    rows = get(served, "/craton/operations").json["operations"]
    assert {"service": "bedrock", "operation": "ListGuardrails", "status": "refused"} in rows
    answer = rawhttp.call(served.server, "GET", "/guardrails")
    rawhttp.refused(answer, 400, "ValidationException", "ListGuardrails is not implemented by this server.")


def test_a_killed_worker_is_replaced(served: Served) -> None:
    """The requests after it work, and soon there are as many workers as before."""
    victim = workers(served)[0]
    os.kill(victim.pid, signal.SIGKILL)
    for _ in range(20):
        served.check_alive()
    end = time.monotonic() + 60
    while len(workers(served)) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    assert len(workers(served)) == 2
    assert victim.pid not in [worker.pid for worker in workers(served)]
    for _ in range(20):
        served.check_alive()


def test_all_workers_killed_are_replaced(served: Served) -> None:
    """Even with none left for a moment, a request waits in the backlog and is answered."""
    for worker in workers(served):
        os.kill(worker.pid, signal.SIGKILL)
    time.sleep(0.1)
    served.check_alive()


def test_two_servers_on_one_home_are_refused(served: Served) -> None:
    """The second says why and ends; the first goes on."""
    command = [sys.executable, "-m", "craton.cli.main", "serve", "--port", "0", "--home", str(served.server.home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode not in (0, None)
    assert str(served.server.home) in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    served.check_alive()


def test_a_taken_port_is_refused(served: Served, tmp_path: Path) -> None:
    """One line that names the address."""
    port = str(served.server.port)
    command = [sys.executable, "-m", "craton.cli.main", "serve", "--port", port, "--home", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode not in (0, None)
    assert port in done.stderr
    assert "Traceback" not in done.stderr


def streamed(served: Served, seen: list[Any]) -> threading.Thread:
    """Read a stream in the background until it ends or breaks."""

    def read() -> None:
        try:
            seen.extend(served.client().converse_stream(modelId=GPT, messages=HELLO)["stream"])
        except Exception as error:
            seen.append(error)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def refused(running: Served) -> bool:
    """Whether nobody listens any more."""
    try:
        rawhttp.connect(running.server).close()
    except ConnectionRefusedError:
        return True
    return False


def until(true: Any, timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def test_sigterm_drains_open_streams(tmp_path: Path) -> None:
    """The stream comes to its own end, new connections are refused, and the exit code is 0."""
    with serving(tmp_path) as running:
        running.up.play(scripts.openai_stream(["one ", "two ", "three ", "four"], pace_s=0.4))
        seen: list[Any] = []
        thread = streamed(running, seen)
        until(lambda: len(seen) >= 2)
        assert running.server.process is not None
        running.server.process.send_signal(signal.SIGTERM)
        until(lambda: refused(running))
        thread.join(60)
        assert "metadata" in seen[-1], seen[-1]
        assert running.server.stop() == 0
        assert "Traceback" not in running.server.output()


def test_sigterm_does_not_wait_for_ever(tmp_path: Path) -> None:
    """A stream that will not end is cut after `drain_timeout_s`, and the exit code is 0 all the same."""
    with serving(tmp_path, "[server]\ndrain_timeout_s = 0.5\n") as running:
        running.up.play(scripts.hang_midstream(scripts.openai_events(["one "])[:2]))
        seen: list[Any] = []
        thread = streamed(running, seen)
        until(lambda: len(seen) >= 2)
        begun = time.monotonic()
        assert running.server.stop() == 0
        assert time.monotonic() - begun < 25
        thread.join(60)
        assert isinstance(seen[-1], Exception)


def test_nothing_outlives_the_server(tmp_path: Path) -> None:
    """Killed without a chance to tidy up, it takes its workers along."""
    with serving(tmp_path, "", "--workers", "2") as running:
        children = workers(running)
        assert len(children) == 2
        assert running.server.stop(signal.SIGKILL) == -signal.SIGKILL
        gone, alive = psutil.wait_procs(children, timeout=60)
        assert not alive
        assert len(gone) == 2


def test_a_mistake_in_the_configuration_ends_the_start(tmp_path: Path) -> None:
    """The message names the key; no request has to find out."""
    config = tmp_path / "bad.toml"
    config.write_text('[[model]]\nid = "a.b"\n[[model.target]]\nprovider = "openai"\nbase_ulr = "http://x/v1"\n')
    command = [sys.executable, "-m", "craton.cli.main", "serve", "--port", "0", "--config", str(config)]
    done = subprocess.run(
        [*command, "--home", str(tmp_path / "home")], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode not in (0, None)
    assert "base_ulr" in done.stderr
    assert "Traceback" not in done.stderr


def test_files_are_the_owners_alone(served: Served) -> None:
    """Folders 0700, files 0600: the root key and the database are nobody else's to read."""
    served.check_alive()
    for path in served.server.home.rglob("*"):
        if path.name in ("server.log", "test.toml"):  # these the test wrote
            continue
        mode = path.lstat().st_mode & 0o777
        assert mode & 0o077 == 0, f"{path} {mode:o}"


def test_a_request_leaves_no_trace_of_its_words(served: Served) -> None:
    """Neither prompts nor keys stand in what the server prints, whatever goes wrong."""
    secret_words = "a very private question"
    body = json.dumps({"messages": [{"role": "user", "content": [{"text": secret_words}]}]}).encode()
    for script in (scripts.error_openai(500), scripts.GARBAGE, scripts.INVALID_JSON):
        served.up.play(script)
        rawhttp.call(served.server, "POST", converse_path(GPT), body)
    served.up.scripts.clear()
    output = served.server.output()
    assert secret_words not in output
    assert "wJalrXUtnFEMI" not in output

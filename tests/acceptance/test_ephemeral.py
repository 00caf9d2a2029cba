"""`craton serve --ephemeral`, for people's own test suites: nothing is kept, and a reset takes no time."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance import rawhttp
from tests.acceptance.serving import GPT, HELLO, Served, converse_path, serving
from tests.fakes import scripts

BODY = json.dumps({"messages": HELLO}).encode()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), "", "--ephemeral", "--workers", "2") as running:
        yield running


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("lasting")) as running:
        yield running


def home(served: Served) -> Path:
    """The temporary home that the server names."""
    found = re.search(r"Home: (\S+)", served.server.output())
    assert found
    return Path(found[1])


def reset(served: Served) -> rawhttp.Answer:
    length = [("Content-Length", "0")]
    return rawhttp.exchange(served.server, rawhttp.head(served.server, "POST", "/craton/reset", length))


def with_key(served: Served, key: str) -> rawhttp.Answer:
    headers = [("Authorization", f"Bearer {key}"), ("Content-Length", str(len(BODY)))]
    return rawhttp.exchange(served.server, rawhttp.head(served.server, "POST", converse_path(GPT), headers) + BODY)


def test_a_reset_needs_no_signature_and_no_time(served: Served) -> None:
    """From the machine itself, one bare POST; a tenth of a second is the promise, a second leaves room for slow ones."""
    served.check_alive()
    answers = [reset(served) for _ in range(5)]
    assert {answer.status for answer in answers} == {200}
    assert answers[0].json == {"status": "reset"}
    assert min(answer.seconds for answer in answers) < 0.1
    assert max(answer.seconds for answer in answers) < 1.0
    served.check_alive()


def test_a_reset_takes_everything_back(served: Served) -> None:
    """A key that was made is gone; when the answer comes, every worker knows."""
    command = [sys.executable, "-m", "craton.cli.main", "keys", "create", "--home", str(home(served))]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=dict(os.environ)).stdout
    key = made.strip().partition("BEDROCK=")[2]
    assert with_key(served, key).status == 200
    assert reset(served).status == 200
    rawhttp.refused(with_key(served, key), 403, "AccessDeniedException", "Authentication failed")
    served.check_alive()


def test_a_reset_leaves_open_streams_alone(served: Served) -> None:
    """What is being answered is answered to its end."""
    served.up.play(scripts.openai_stream(["one ", "two ", "three"], pace_s=0.2))
    stream = served.client().converse_stream(modelId=GPT, messages=HELLO)["stream"]
    events = []
    for event in stream:
        events.append(event)
        if len(events) == 2:
            assert reset(served).status == 200
    assert "metadata" in events[-1]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_a_post_resets(served: Served, method: str) -> None:
    """Anything else on that path is an AWS request without credentials."""
    answer = rawhttp.exchange(served.server, rawhttp.head(served.server, method, "/craton/reset", []), method)
    rawhttp.refused(answer, 403, "MissingAuthenticationTokenException", "Missing Authentication Token")


def test_a_lasting_server_has_no_reset(lasting: Served) -> None:
    """Without the flag the path does not exist: not unsigned, and not signed either."""
    rawhttp.refused(reset(lasting), 403, "MissingAuthenticationTokenException", "Missing Authentication Token")
    answer = rawhttp.call(lasting.server, "POST", "/craton/reset")
    rawhttp.refused(answer, 404, "UnknownOperationException", "not recognized")


def test_nothing_is_left(tmp_path: Path) -> None:
    """The temporary home goes with the server, by SIGTERM as by the end of the tests."""
    with serving(tmp_path, "", "--ephemeral") as running:
        running.check_alive()
        place = home(running)
        assert place.is_dir()
        assert place.stat().st_mode & 0o777 == 0o700
        assert running.server.stop() == 0
    end = time.monotonic() + 60
    while place.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not place.exists()

"""Models in containers as programs meet them: through boto3, well and badly."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from craton.infra.compute.process import tree
from tests.acceptance.containing import HELLO, model, refused, until
from tests.integration.containers.running_containers import SERVER, walled
from tests.running import Running

pytestmark = walled
SHORT = "deadline_s = 3"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    config = "".join(
        [
            model("test.good"),
            model("test.open", speaks="openai", health="/ping"),
            model("test.dies", "dies", SHORT),
            model("test.silent", "silent", SHORT, start_timeout_s=1),
            model("test.error", "error500"),
            model("test.rubbish", "rubbish"),
            model("test.forever", "forever"),
            model("test.mute", "mute", SHORT),
            model("test.eats", memory_bytes=120_000_000),
        ]
    )
    with Running(tmp_path_factory.mktemp("containers"), config) as running:
        yield running


def test_a_container_answers_under_its_models_id(here: Running) -> None:
    """Converse, its stream and a native body reach the container."""
    runtime = here.client("bedrock-runtime")
    answer = runtime.converse(modelId="test.good", messages=HELLO)
    assert answer["output"]["message"]["content"] == [{"text": "Echo: Hello"}]
    assert answer["usage"]["inputTokens"] == 3
    stream = runtime.converse_stream(modelId="test.good", messages=HELLO)["stream"]
    pieces = [event["contentBlockDelta"]["delta"]["text"] for event in stream if "contentBlockDelta" in event]
    assert "".join(pieces) == "Echo: Hello"
    body = json.dumps({"messages": [{"role": "user", "content": "native"}]})
    native = json.loads(runtime.invoke_model(modelId="test.good", body=body)["body"].read())
    assert native["choices"][0]["message"]["content"] == "Echo: native"


def test_one_that_speaks_like_openai_is_asked_by_its_path(here: Running) -> None:
    """A container of OpenAI's shape is asked at /v1/chat/completions and pinged where it says."""
    answer = here.client("bedrock-runtime").converse(modelId="test.open", messages=HELLO)
    assert answer["output"]["message"]["content"] == [{"text": "Echo: Hello"}]


@pytest.mark.parametrize(
    ("model_id", "codes"),
    [
        ("test.dies", {"ModelNotReadyException"}),
        ("test.silent", {"ModelNotReadyException"}),
        ("test.error", {"ModelErrorException"}),
        ("test.rubbish", {"ModelErrorException"}),
        ("test.forever", {"ModelErrorException"}),
        ("test.mute", {"ModelTimeoutException"}),
    ],
)
def test_trouble_of_a_container_is_an_error_of_its_model(here: Running, model_id: str, codes: set[str]) -> None:
    """Whatever a container does, the caller gets an error that Bedrock has for it, and soon."""
    code, status, message = refused(here.client("bedrock-runtime").converse, modelId=model_id, messages=HELLO)
    assert code in codes, (code, message)
    assert status in (408, 424, 429)
    assert "Traceback" not in message


def test_one_that_eats_all_memory_costs_its_own_request_alone(here: Running) -> None:
    """A request on which a container grows past its limit fails or is refused; the next finds it alive again."""
    runtime = here.client("bedrock-runtime")
    body = json.dumps({"messages": [{"role": "user", "content": "x"}], "attempt": "eat"})
    code, _, _ = refused(runtime.invoke_model, modelId="test.eats", body=body)
    assert code in ("ModelErrorException", "ModelNotReadyException")
    until(lambda: answered(here, "test.eats"), lambda found: found == [{"text": "Echo: Hello"}])


def answered(here: Running, model_id: str) -> object:
    """What a model says, or the error's code."""
    try:
        return here.client("bedrock-runtime").converse(modelId=model_id, messages=HELLO)["output"]["message"]["content"]
    except ClientError as error:
        return error.response["Error"]["Code"]


def test_nothing_outlives_a_server_that_was_killed(tmp_path: Path) -> None:
    """SIGKILL to the server ends its containers, and all that these had started."""
    with Running(tmp_path, model("test.good")) as running:
        running.client("bedrock-runtime").converse(modelId="test.good", messages=HELLO)
        assert running.process is not None
        held = tree(running.process.pid)
        assert any(SERVER.name in cmdline(pid) for pid in held)
        running.process.kill()
        until(lambda: [pid for pid in held if SERVER.name in cmdline(pid)], lambda left: not left)


def cmdline(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def test_models_show_what_went_wrong(here: Running) -> None:
    """`craton models log` has the last words of a container that died."""
    refused(here.client("bedrock-runtime").converse, modelId="test.dies", messages=HELLO)
    words = [sys.executable, "-m", "craton.cli.main", "models", "log", "test.dies", "--home", str(here.home)]
    shown = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "weights.bin: the header is damaged" in shown.stdout, shown

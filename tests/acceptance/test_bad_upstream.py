"""An upstream that fails before its first byte: the caller gets Bedrock's HTTP error, in time, and the next one an answer."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance import rawhttp
from tests.acceptance.serving import CLAUDE, CLAUDE_2, GPT, HELLO, Served, converse_path, serving
from tests.fakes import scripts
from tests.running import model_config

BOTH = pytest.mark.parametrize("model", [CLAUDE, GPT], ids=["anthropic", "openai"])
ACTIONS = ["converse", "converse-stream", "invoke", "invoke-with-response-stream"]
UNREADABLE = "could not be read"
UNEXPECTED = "The system encountered an unexpected error during processing. Try your request again."
NOBODY = "mistral.mistral-large-2407-v1:0"


def fresh(served: Served, *played: scripts.Script) -> None:
    """Play these, the first of them on a connection that was not used before: what fails on a kept one goes out again."""
    served.up.drop_connections()
    served.up.wait(lambda up: not up.open)
    time.sleep(0.05)
    served.up.play(*played)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    nobody = model_config(NOBODY, "openai", f"http://127.0.0.1:{free_port()}/v1")
    with serving(tmp_path_factory.mktemp("home"), nobody, target="timeout_s = 1.0") as running:
        yield running


@pytest.fixture(autouse=True)
def _next_request_works(served: Served) -> Iterator[None]:
    yield
    served.check_alive()


def body(model: str, action: str) -> bytes:
    """A body for either API of either model."""
    if action.startswith("converse"):
        return json.dumps({"messages": HELLO}).encode()
    native: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}
    if model == CLAUDE:
        native["anthropic_version"] = "bedrock-2023-05-31"
    return json.dumps(native).encode()


def ask(served: Served, model: str = GPT, action: str = "converse") -> rawhttp.Answer:
    return rawhttp.call(served.server, "POST", converse_path(model, action), body(model, action))


def error(model: str, status: int, headers: dict[str, str] | None = None) -> scripts.Script:
    return (scripts.error_anthropic if model == CLAUDE else scripts.error_openai)(status, headers)


@BOTH
@pytest.mark.parametrize(
    ("status", "http", "name", "message"),
    [
        (400, 400, "ValidationException", "The model returned the following errors: "),
        (401, 424, "ModelErrorException", "did not accept the credentials"),
        (403, 424, "ModelErrorException", "did not accept the credentials"),
        (404, 424, "ModelErrorException", "does not know the model"),
        (413, 400, "ValidationException", "Input is too long for requested model."),
        (429, 429, "ThrottlingException", "Too many requests, please wait before trying again."),
        (500, 424, "ModelErrorException", "The model returned the following errors: "),
        (503, 503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
        (529, 503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
    ],
)
def test_each_status_has_its_error(served: Served, model: str, status: int, http: int, name: str, message: str) -> None:
    """One table for both vendors; ModelErrorException tells the status that the upstream gave."""
    served.up.play(error(model, status))
    answer = ask(served, model)
    rawhttp.refused(answer, http, name, message)
    if name == "ModelErrorException":
        assert answer.json["originalStatusCode"] == status
        assert answer.json["resourceName"] == "upstream"


@BOTH
@pytest.mark.parametrize("action", ACTIONS)
def test_every_operation_is_refused_alike(served: Served, model: str, action: str) -> None:
    """A stream that never began is an HTTP error like any other."""
    served.up.play(error(model, 429, {"retry-after": "7"}))
    answer = ask(served, model, action)
    rawhttp.refused(answer, 429, "ThrottlingException", "Too many requests")
    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize("action", ACTIONS)
def test_a_hanging_upstream_times_out(served: Served, action: str) -> None:
    """No head within `timeout_s`: ModelTimeoutException, and the upstream is left."""
    served.up.play(scripts.HANG)
    answer = ask(served, GPT, action)
    rawhttp.refused(answer, 408, "ModelTimeoutException", "Model has timed out in processing the request.")
    assert 0.9 < answer.seconds < 5
    served.up.wait(lambda up: up.requests[0].closed_at is not None)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (scripts.CUT, UNEXPECTED),
        (scripts.GARBAGE, UNEXPECTED),
        (scripts.INVALID_JSON, UNREADABLE),
        (scripts.HTML, "The model's endpoint answered with status 502."),
        (scripts.reply({"unheard": "of"}), UNREADABLE),
        (scripts.reply([1, 2, 3]), UNREADABLE),
        ((scripts.plain(b""),), UNREADABLE),
        ((scripts.head(200, {"content-length": "500"}) + b'{"id":', scripts.Cut()), UNEXPECTED),
        ((scripts.head(302, {"location": "http://127.0.0.1/", "content-length": "0"}),), "answered with status 302."),
    ],
    ids=["cut", "garbage", "half-json", "html", "other-json", "list", "empty", "half-body", "redirect"],
)
@BOTH
def test_an_answer_that_is_none(served: Served, model: str, script: scripts.Script, message: str) -> None:
    """Whatever it is, it is the model's error, and no part of it is made up into an answer."""
    fresh(served, script)
    rawhttp.refused(ask(served, model), 424, "ModelErrorException", message)


@pytest.mark.parametrize(
    "script",
    [
        scripts.CUT,
        scripts.GARBAGE,
        scripts.HTML,
        scripts.event_stream([]),
        scripts.event_stream([b"data: not json\n\n"]),
        scripts.half_event([]),
        scripts.reply({"id": "x", "choices": "none"}),
    ],
    ids=["cut", "garbage", "html", "empty", "no-json", "half-event", "no-stream"],
)
@pytest.mark.parametrize("action", ["converse-stream", "invoke-with-response-stream"])
def test_a_stream_that_never_began(served: Served, script: scripts.Script, action: str) -> None:
    """As long as the caller has seen no byte, the failure is an HTTP error."""
    fresh(served, script)
    answer = ask(served, GPT, action)
    assert (answer.status, answer.name) in ((424, "ModelErrorException"), (424, "ModelStreamErrorException")), answer
    assert answer.seconds < rawhttp.IN_TIME_S


@BOTH
@pytest.mark.parametrize("action", ACTIONS)
def test_an_error_that_comes_as_a_success(served: Served, model: str, action: str) -> None:
    """Some gateways send their error with a 200; it is an error all the same."""
    told = {"message": "Slow down", "type": "rate_limit_error"}
    served.up.play(scripts.reply({"type": "error", "error": told}))
    rawhttp.refused(ask(served, model, action), 429, "ThrottlingException", "Too many requests")


@pytest.mark.parametrize("action", ["converse", "converse-stream"])
def test_nobody_listens(served: Served, action: str) -> None:
    """A refused connection is ServiceUnavailableException, at once."""
    answer = ask(served, NOBODY, action)
    rawhttp.refused(answer, 503, "ServiceUnavailableException", "Bedrock is unable to process your request.")


def test_a_slow_trickle_does_not_outlive_the_deadline(served: Served) -> None:
    """Bytes now and then do not keep a whole answer alive for ever."""
    slow = [scripts.head(200, {"content-length": "1000"})]
    for _ in range(40):
        slow += [b" ", scripts.Sleep(0.1)]  # type: ignore[list-item]
    served.up.play(tuple(slow))
    answer = ask(served)
    rawhttp.refused(answer, 408, "ModelTimeoutException", "Model has timed out")
    assert answer.seconds < 5


def test_a_kept_connection_that_died_is_no_failure(served: Served) -> None:
    """The upstream closed it while it was idle: the request goes out again on a new one."""
    assert ask(served).status == 200
    served.up.drop_connections()
    time.sleep(0.05)
    assert ask(served).status == 200


def test_a_request_that_reached_the_model_is_not_repeated(served: Served) -> None:
    """The upstream took it and died: repeating it might bill and act twice."""
    fresh(served, scripts.CUT)
    assert ask(served).status == 424
    assert len(served.up.requests) == 1


@pytest.mark.parametrize(
    ("status", "name"),
    [(400, "ValidationException"), (429, "ThrottlingException"), (500, "ModelErrorException")],
)
def test_boto3_raises_what_programs_catch(served: Served, status: int, name: str) -> None:
    """The modelled exception class of the client, with its code, message and status."""
    client = served.client()
    served.up.play(scripts.error_openai(status))
    with pytest.raises(getattr(client.exceptions, name)) as caught:
        client.converse(modelId=GPT, messages=HELLO)
    response = caught.value.response
    assert isinstance(caught.value, ClientError)
    assert response["Error"]["Code"] == name
    if status == 500:
        assert response["originalStatusCode"] == 500


def test_a_vendors_text_never_holds_the_key(served: Served) -> None:
    """OpenAI quotes a part of the key when it refuses it; the caller does not see it, nor does the log."""
    told = {"error": {"message": "Bad request with key sk-fake1234567890abcdef", "type": "invalid_request_error"}}
    served.up.play(scripts.reply(told, 400))
    answer = ask(served)
    rawhttp.refused(answer, 400, "ValidationException", "Bad request with key ***")
    assert "sk-fake1234567890abcdef" not in served.server.output()


def test_a_native_text_model_fails_alike(served: Served) -> None:
    """Claude 2's bodies are translated; its errors are the same."""
    served.up.play(scripts.error_openai(429))
    native = json.dumps({"prompt": "\n\nHuman: Hello\n\nAssistant:", "max_tokens_to_sample": 5}).encode()
    answer = rawhttp.call(served.server, "POST", converse_path(CLAUDE_2, "invoke"), native)
    rawhttp.refused(answer, 429, "ThrottlingException", "Too many requests")

"""An upstream that fails after its first byte: what came is given out, then the exception event that SDKs raise."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import EventStreamError

from tests.acceptance.serving import CLAUDE, GPT, HAIKU, HELLO, Served, serving
from tests.fakes import scripts

TIMEOUT_S = 1.0
TIMED_OUT = "Model has timed out in processing the request. Try your request again."
UNEXPECTED = "The system encountered an unexpected error during processing. Try your request again."
# Two pieces of text and not the end, in either vendor's format.
BEGUN = {
    CLAUDE: scripts.anthropic_events(["one ", "two "])[:5],
    GPT: scripts.openai_events(["one ", "two "])[:3],
}
BOTH = pytest.mark.parametrize("model", [CLAUDE, GPT], ids=["anthropic", "openai"])
Seen = tuple[list[dict[str, Any]], EventStreamError | None]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), target=f"timeout_s = {TIMEOUT_S}") as running:
        yield running


@pytest.fixture(autouse=True)
def _next_request_works(served: Served) -> Iterator[None]:
    yield
    served.check_alive()


@pytest.fixture(scope="module")
def client(served: Served) -> Any:
    return served.client()


def collect(stream: Any) -> Seen:
    """The events until the end or the exception."""
    events: list[dict[str, Any]] = []
    try:
        events.extend(stream)  # what came before an exception stays
    except EventStreamError as error:
        return events, error
    return events, None


def converse(client: Any, model: str) -> Seen:
    return collect(client.converse_stream(modelId=model, messages=HELLO)["stream"])


def invoke(client: Any, model: str) -> Seen:
    native: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}
    if model != GPT:
        native["anthropic_version"] = "bedrock-2023-05-31"
    events, error = collect(client.invoke_model_with_response_stream(modelId=model, body=json.dumps(native))["body"])
    return [json.loads(event["chunk"]["bytes"]) for event in events], error


def text(events: list[dict[str, Any]]) -> str:
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    return "".join(delta.get("text", "") for delta in deltas)


def code(error: EventStreamError | None) -> tuple[str, str]:
    assert error is not None, "the stream ended as if it were whole"
    return error.response["Error"]["Code"], error.response["Error"]["Message"]


FAILURES = [
    pytest.param(scripts.cut_midstream, UNEXPECTED, id="cut"),
    pytest.param(scripts.hang_midstream, TIMED_OUT, id="hang"),
    pytest.param(scripts.end_early, None, id="early-end"),
    pytest.param(scripts.half_event, None, id="half-event"),
    pytest.param(lambda begun: scripts.event_stream([*begun, b"data: {not json}\n\n"]), None, id="no-json"),
    pytest.param(lambda begun: scripts.event_stream([*begun, b"data: [1]\n\n"]), None, id="other-json"),
    pytest.param(
        lambda begun: (*scripts.event_stream(begun, end=()), b"zz not a chunk\r\n", scripts.Hang()), None, id="framing"
    ),
]


@BOTH
@pytest.mark.parametrize(("spoil", "message"), FAILURES)
def test_a_stream_that_fails(served: Served, client: Any, model: str, spoil: Any, message: str | None) -> None:
    """The text so far arrives; then ModelStreamErrorException, never a seeming end."""
    served.up.play(spoil(BEGUN[model]))
    begun = time.monotonic()
    events, error = converse(client, model)
    name, said = code(error)
    assert text(events) == "one two "
    assert name == "modelStreamErrorException"
    assert said == message or (message is None and said)
    assert not any("messageStop" in event for event in events)
    assert time.monotonic() - begun < TIMEOUT_S + 30


@pytest.mark.parametrize("model", [CLAUDE, GPT, HAIKU], ids=["anthropic", "openai", "translated"])
@pytest.mark.parametrize(("spoil", "message"), FAILURES[:4])
def test_a_native_stream_that_fails(served: Served, client: Any, model: str, spoil: Any, message: str | None) -> None:
    """The same for InvokeModelWithResponseStream, passed through or translated."""
    served.up.play(spoil(BEGUN[CLAUDE if model == CLAUDE else GPT]))
    chunks, error = invoke(client, model)
    name, said = code(error)
    assert chunks
    assert name == "modelStreamErrorException"
    assert said == message or (message is None and said)
    assert not any("amazon-bedrock-invocationMetrics" in chunk for chunk in chunks)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("overloaded_error", "serviceUnavailableException"),
        ("rate_limit_error", "throttlingException"),
        ("invalid_request_error", "validationException"),
        ("api_error", "modelStreamErrorException"),
        ("something_new", "modelStreamErrorException"),
    ],
)
def test_an_error_event_keeps_its_meaning(served: Served, client: Any, kind: str, name: str) -> None:
    """Anthropic tells in mid-stream what went wrong: it becomes the event that a Bedrock stream models."""
    event = scripts.anthropic_event("error", error={"type": kind, "message": "Something"})
    served.up.play(scripts.event_stream([*BEGUN[CLAUDE], event]))
    events, error = converse(client, CLAUDE)
    assert text(events) == "one two "
    assert code(error)[0] == name


def test_an_error_event_of_openai(served: Served, client: Any) -> None:
    """OpenAI-compatible servers send their error as data."""
    told = json.dumps({"error": {"message": "Overloaded", "type": "server_error", "code": 503}}).encode()
    served.up.play(scripts.event_stream([*BEGUN[GPT], b"data: " + told + b"\n\n"]))
    events, error = converse(client, GPT)
    assert text(events) == "one two "
    assert code(error)[0] in ("serviceUnavailableException", "modelStreamErrorException")


def test_a_failed_stream_is_not_tried_again(served: Served, client: Any) -> None:
    """The caller has seen a part of the answer, so there is no second one."""
    served.up.play(scripts.cut_midstream(BEGUN[GPT]))
    converse(client, GPT)
    assert len(served.up.requests) == 1


def test_rubbish_that_the_format_allows(served: Served, client: Any) -> None:
    """Comments, unknown events and empty lines are no part of the answer and no failure."""
    events = scripts.openai_events(["one ", "two"])
    noise = [b": keep-alive\n\n", b"event: ping\ndata:\n\n", b"\n\n", b"id: 7\nretry: 10\n\n"]
    served.up.play(scripts.event_stream([noise[0], events[0], noise[2], events[1], noise[0], noise[3], *events[2:]]))
    seen, error = converse(client, GPT)
    assert error is None
    assert text(seen) == "one two"


@BOTH
def test_events_may_be_cut_anywhere(served: Served, client: Any, model: str) -> None:
    """TCP knows no events: byte by byte makes the same stream."""
    pieces = ["one ", "zwei ", "trois\n\nd'été"]
    whole = b"".join((scripts.anthropic_events if model == CLAUDE else scripts.openai_events)(pieces))
    served.up.play(scripts.event_stream([whole[at : at + 3] for at in range(0, len(whole), 3)]))
    seen, error = converse(client, model)
    assert error is None
    assert text(seen) == "".join(pieces)

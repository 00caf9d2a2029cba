"""What holds for every vendor: replies, streams, and each way in which an upstream can fail."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import pytest
import uvloop

from craton.aws.wire.faults import Fault
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.events import BlockDelta, BlockStart, MessageStart, MessageStop, StreamMetadata
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Ledger
from craton.models.providers.anthropic import AnthropicProvider
from craton.models.providers.openai import OpenAIProvider
from craton.models.providers.provider import Attempt, Upstream
from tests.fakes import scripts
from tests.fakes.replicas import local_at
from tests.fakes.upstream import FakeUpstream

REQUEST = ConverseRequest(messages=[Message("user", [ContentBlock(text="hi there")])])
BODY = b'{"max_tokens": 9, "messages": [{"role": "user", "content": "hi there"}]}'
KEY = "sk-secret-4711"


@dataclass
class Vendor:
    """How one vendor is reached, and what its server says."""

    make: Any
    reply: Any
    events: Any
    tool_events: Any
    error: Any

    def provider(self, up, timeout_s=60.0):
        return self.make(up, timeout_s)


def _local(up, timeout_s):
    return local_at(up.base_url, timeout_s=timeout_s)


OPENAI = Vendor(
    lambda up, timeout_s: OpenAIProvider(Upstream("openai", up.openai_url, "m", KEY, timeout_s)),
    scripts.openai_reply,
    scripts.openai_events,
    scripts.openai_tool_events,
    scripts.error_openai,
)
ANTHROPIC = Vendor(
    lambda up, timeout_s: AnthropicProvider(Upstream("anthropic", up.anthropic_url, "m", KEY, timeout_s)),
    scripts.anthropic_reply,
    scripts.anthropic_events,
    scripts.anthropic_tool_events,
    scripts.error_anthropic,
)
LOCAL = Vendor(_local, scripts.openai_reply, scripts.openai_events, scripts.openai_tool_events, scripts.error_openai)
VENDORS = {"openai": OPENAI, "anthropic": ANTHROPIC, "local": LOCAL}


@pytest.fixture(params=list(VENDORS))
def vendor(request):
    return VENDORS[request.param]


@pytest.fixture
def up():
    with FakeUpstream() as upstream:
        yield upstream


def attempt(seconds=60.0):
    return Attempt("up-model", Ledger(), asyncio.get_running_loop().time() + seconds, "request-1")


def run(coroutine):
    return uvloop.run(asyncio.wait_for(coroutine, 20))


def converse(vendor, up, seconds=60.0):
    async def main():
        provider = vendor.provider(up)
        try:
            return await provider.converse(REQUEST, attempt(seconds))
        finally:
            await provider.close()

    return run(main())


def stream(vendor, up, *, native=False, timeout_s=60.0, seconds=60.0):
    """Everything the stream gave, and the Fault that ended it, if one did."""
    got: list[Any] = []

    async def main():
        provider = vendor.provider(up, timeout_s)
        try:
            how = (provider.invoke_stream, BODY) if native else (provider.converse_stream, REQUEST)
            async for items in how[0](how[1], attempt(seconds)):
                assert items
                got.extend(items)
        except Fault as fault:
            return fault
        finally:
            await provider.close()
        return None

    return got, run(main())


def text_of(events):
    return "".join(event.delta.text for event in events if isinstance(event, BlockDelta) and event.delta.text)


# --- success ----------------------------------------------------------------------------------------------------------


def test_whole_reply(vendor, up):
    """A reply becomes the canon's: text, stop reason, usage."""
    reply = converse(vendor, up)
    assert reply.output.message.content[0].text == "Echo: hi there"
    assert (reply.stop_reason, reply.usage.input_tokens, reply.usage.output_tokens) == ("end_turn", 11, 5)
    assert up.requests[0].json["model"] == "up-model"


def test_stream_of_text(vendor, up):
    """A stream begins with its start, ends with stop reason and usage, and its text is whole."""
    events, fault = stream(vendor, up)
    assert fault is None
    assert isinstance(events[0], MessageStart)
    assert text_of(events) == "Echo: hi there"
    assert isinstance(events[-2], MessageStop)
    assert isinstance(events[-1], StreamMetadata)
    assert events[-1].usage.total_tokens == 16
    assert up.requests[0].json["stream"] is True


def test_stream_of_a_tool_call(vendor, up):
    """A tool call's arguments pass in the pieces in which they come."""
    pieces = ['{"ci', 'ty": "Par', 'is"}']
    up.play(scripts.event_stream(vendor.tool_events("weather", pieces)))
    events, fault = stream(vendor, up)
    assert fault is None
    start = next(event for event in events if isinstance(event, BlockStart))
    assert start.start.tool_use.name == "weather"
    given = [event.delta.tool_use.input for event in events if isinstance(event, BlockDelta) and event.delta.tool_use]
    assert given == pieces
    assert next(event for event in events if isinstance(event, MessageStop)).stop_reason == "tool_use"


def test_each_delta_leaves_when_it_comes(vendor, up):
    """The first text is given out while the upstream still sends."""
    up.play(scripts.event_stream(vendor.events(["one", "two", "three"]), 0.1))

    async def main():
        provider = vendor.provider(up)
        async for items in provider.converse_stream(REQUEST, attempt()):
            if text_of(items) == "one":
                assert up.requests[0].answered_at is None
        await provider.close()

    run(main())


def test_stream_split_anywhere(vendor, up):
    """However the upstream's bytes are cut, the events are the same."""
    whole = b"".join(vendor.events(["Gr", "üße", " 🌍"]))
    cuts = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    up.play(scripts.event_stream(cuts, 0.0005))
    events, fault = stream(vendor, up)
    assert fault is None
    assert text_of(events) == "Grüße 🌍"


def test_connection_is_used_again_after_a_stream(vendor, up):
    """Streams one after the other share a connection."""
    whole = scripts.chunk(b"".join(vendor.events(["Hel", "lo"]))) + scripts.LAST_CHUNK
    up.play(*[(*scripts.event_stream([], end=()), whole)] * 3)

    async def main():
        provider = vendor.provider(up)
        for _ in range(3):
            async for _ in provider.converse_stream(REQUEST, attempt()):
                pass
        await provider.close()

    run(main())
    assert (len(up.requests), up.connections) == (3, 1)


def test_upstream_that_stays_open_after_its_last_event(vendor, up):
    """After the last event the caller does not wait for the upstream to close."""
    up.play(scripts.hang_midstream(vendor.events(["done"])))
    started = time.monotonic()
    events, fault = stream(vendor, up)
    assert fault is None
    assert text_of(events) == "done"
    assert time.monotonic() - started < 30


def test_native_body_passes_through(vendor, up):
    """A native body reaches the upstream with its model, and the native reply comes back as it is."""

    async def main():
        provider = vendor.provider(up)
        try:
            return await provider.invoke(BODY, attempt())
        finally:
            await provider.close()

    answer = run(main())
    assert b"Echo: hi there" in answer
    assert up.requests[0].json["model"] == "up-model"
    assert up.requests[0].json["max_tokens"] == 9
    assert not up.requests[0].json.get("stream")


def test_native_stream_passes_through(vendor, up):
    """Native chunks are the upstream's own JSON, without marks and pings."""
    chunks, fault = stream(vendor, up, native=True)
    assert fault is None
    values = [json.loads(chunk) for chunk in chunks]
    assert not any(value.get("type") == "ping" for value in values)
    assert b"Echo" in b"".join(chunks)


def test_native_rubbish_is_refused(vendor, up):
    """A native body that is no JSON object is refused in Bedrock's words, and nothing is sent."""

    async def main():
        provider = vendor.provider(up)
        for body in (b"", b"[]", b"{", b"\xff", b"[" * 100_000):
            with pytest.raises(Fault) as refused:
                await provider.invoke(body, attempt())
            assert refused.value.name == "ValidationException"
            assert refused.value.message.startswith("Malformed input request")

    run(main())
    assert not up.requests


# --- failures before the first byte -------------------------------------------------------------------------------------

STATUSES = [
    (400, "ValidationException"),
    (401, "ModelErrorException"),
    (403, "ModelErrorException"),
    (404, "ModelErrorException"),
    (413, "ValidationException"),
    (429, "ThrottlingException"),
    (500, "ModelErrorException"),
    (502, "ModelErrorException"),
    (529, "ServiceUnavailableException"),
]


@pytest.mark.parametrize(("status", "name"), STATUSES)
@pytest.mark.parametrize("how", ["whole", "stream", "native"])
def test_error_statuses(vendor, up, status, name, how):
    """An upstream's error status is Bedrock's error, whole or in front of a stream; the next request works."""
    up.play(vendor.error(status, {"retry-after": "7"}))
    if how == "whole":
        with pytest.raises(Fault) as raised:
            converse(vendor, up)
        fault = raised.value
    else:
        got, fault = stream(vendor, up, native=how == "native")
        assert got == []
    assert fault.name == name
    if status == 429:
        assert fault.retry_after_s == 7.0
    if name == "ModelErrorException":
        assert fault.fields == {"originalStatusCode": status, "resourceName": "up-model"}
    assert converse(vendor, up).stop_reason == "end_turn"


BEFORE = {
    "hang": (scripts.HANG, "ModelTimeoutException"),
    "cut": (scripts.CUT, "ModelErrorException"),
    "garbage": (scripts.GARBAGE, "ModelErrorException"),
    "invalid-json": (scripts.INVALID_JSON, "ModelErrorException"),
    "html-error": (scripts.HTML, "ModelErrorException"),
    "html-200": ((scripts.plain(b"<html>", headers={"content-type": "text/html"}),), "ModelErrorException"),
    "empty": ((scripts.plain(b""),), "ModelErrorException"),
    "error-in-200": (
        scripts.reply({"error": {"type": "rate_limit_error", "code": 429, "message": "slow"}}),
        "ThrottlingException",
    ),
    "empty-stream": (scripts.event_stream([]), "ModelErrorException"),
    "no-sse": ((scripts.plain(b"hello", headers={"content-type": "text/plain"}),), "ModelErrorException"),
    "rubbish-event": (scripts.event_stream([b"data: {not json\n\n"]), "ModelErrorException"),
}


@pytest.mark.parametrize("case", list(BEFORE))
@pytest.mark.parametrize("how", ["whole", "stream", "native"])
def test_failures_before_the_first_byte(vendor, up, case, how):
    """Before the caller's first byte every failure is an error with a status of its own, in time."""
    script, name = BEFORE[case]
    # A model process that died before its first byte is asked for again (test_providers_local), so it is cut twice.
    up.play(*[script] * (2 if vendor is LOCAL and case == "cut" else 1))
    seconds = 0.3 if case == "hang" else 10.0
    if how == "whole":
        with pytest.raises(Fault) as raised:
            converse(vendor, up, seconds)
        fault = raised.value
    else:
        got, fault = stream(vendor, up, native=how == "native", seconds=seconds)
        assert got == []
    assert fault is not None
    assert fault.name == name


def test_no_key_in_a_fault(vendor, up):
    """A vendor that echoes the key does not get it to the caller, whole or in a stream."""
    echo = {"error": {"type": "invalid_request_error", "message": f"bad key {KEY}"}, "type": "error"}
    up.play(scripts.reply(echo, 400), scripts.event_stream([b"event: error\ndata: %b\n\n" % json.dumps(echo).encode()]))
    with pytest.raises(Fault) as raised:
        converse(vendor, up)
    _, fault = stream(vendor, up)
    assert fault is not None
    for shown in (raised.value, fault):
        assert "4711" not in shown.message + str(dict(shown.fields))


# --- failures after it --------------------------------------------------------------------------------------------------


def _some(vendor):
    """The events up to and with the first texts."""
    events = vendor.events(["Hello", " world", " more"])
    return events[: next(at for at, event in enumerate(events) if b"world" in event) + 1]


AFTER = {
    "cut": scripts.cut_midstream,
    "end-early": scripts.end_early,
    "half-event": scripts.half_event,
    "hang": scripts.hang_midstream,
    "rubbish-event": lambda events: scripts.event_stream([*events, b"data: {not json\n\n"]),
    "bad-chunk": lambda events: scripts.event_stream(events, end=(b"zz\r\n", scripts.Hang())),
    "endless-event": lambda events: scripts.event_stream(
        [*events, b"data: "], end=(scripts.Repeat(scripts.chunk(b"x" * 100_000)),)
    ),
}


@pytest.mark.parametrize("case", list(AFTER))
@pytest.mark.parametrize("native", [False, True])
def test_failures_in_a_stream(vendor, up, case, native):
    """After the first byte a failure is the stream's error event; what came before it was given out."""
    up.play(AFTER[case](_some(vendor)))
    got, fault = stream(vendor, up, native=native, timeout_s=0.5)
    assert fault is not None
    assert fault.name == "ModelStreamErrorException"
    if native:
        assert b"world" in got[-1]
    else:
        assert text_of(got) == "Hello world"
    up.wait(lambda up: not up.open)
    assert converse(vendor, up).stop_reason == "end_turn"


@pytest.mark.parametrize("native", [False, True])
def test_error_event_in_a_stream(vendor, up, native):
    """A vendor's own error event ends the stream with an error that Bedrock's streams have."""
    body = json.dumps(
        {"type": "error", "error": {"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "Slow down"}}
    )
    event = body.encode() if vendor is ANTHROPIC else json.dumps({"error": json.loads(body)["error"]}).encode()
    name = b"event: error\n" if vendor is ANTHROPIC else b""
    up.play(scripts.event_stream([*_some(vendor), name + b"data: " + event + b"\n\n"]))
    got, fault = stream(vendor, up, native=native)
    assert got
    assert fault is not None
    assert fault.name == "ThrottlingException"


# --- a caller that leaves -----------------------------------------------------------------------------------------------


def test_leaving_a_stream_ends_the_upstream(vendor, up):
    """Closing the generator closes the upstream connection within a second."""
    up.play(scripts.event_stream(_some(vendor), end=(scripts.Repeat(scripts.chunk(_some(vendor)[-1]), 0.01),)))

    async def main():
        provider = vendor.provider(up)
        events = provider.converse_stream(REQUEST, attempt())
        async for items in events:
            if text_of(items):
                break
        left = time.monotonic()
        await events.aclose()
        while up.requests[0].closed_at is None:
            await asyncio.sleep(0.005)
        assert up.requests[0].closed_at - left < 1.0
        await provider.close()

    run(main())


def test_slow_caller_holds_the_upstream_back(vendor, up):
    """While the caller takes nothing the upstream sends no more than fits the buffers."""
    events = vendor.events(["x" * 1000])
    text = next(event for event in events if b"xxx" in event)
    first = events[: events.index(text)]
    steps = scripts.event_stream(first, end=(scripts.Repeat(scripts.chunk(text * 20)),))
    up.play(steps)

    async def main():
        provider = vendor.provider(up, 0.3)
        got = provider.converse_stream(REQUEST, attempt())
        await anext(got)
        sent, before = up.requests[0], -1
        while sent.sent_bytes != before:
            before = sent.sent_bytes
            await asyncio.sleep(0.4)
        assert before < 30_000_000
        read = 0
        while read < 3000:
            read += len(await anext(got))
        await got.aclose()
        await provider.close()

    run(main())
    up.wait(lambda up: up.requests[0].closed_at)

"""What every further vendor must do, as tests that each vendor's file inherits with its own `vendor`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
import uvloop

from craton.aws.wire.faults import Fault
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.events import BlockDelta, BlockStart, MessageStart, MessageStop, StreamMetadata
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.dialect import Ledger
from craton.models.providers.provider import Attempt, Provider
from tests.fakes import scripts
from tests.fakes.upstream import FakeUpstream
from tests.fakes.vendors import Answers, natural

KEY = "key-secret-4711"
REQUEST = ConverseRequest(
    messages=[Message("user", [ContentBlock(text="hi there")])],
    system=[SystemBlock(text="be brief")],
    inference_config=InferenceConfig(max_tokens=9),
)
STATUSES = {
    400: "ValidationException",
    401: "ModelErrorException",
    403: "ModelErrorException",
    404: "ModelErrorException",
    413: "ValidationException",
    422: "ValidationException",
    429: "ThrottlingException",
    500: "ModelErrorException",
    502: "ModelErrorException",
    503: "ServiceUnavailableException",
    529: "ServiceUnavailableException",
}


@dataclass(frozen=True)
class Vendor:
    """How one vendor is reached, and what its server says. `calls_whole`: a call's arguments come in one piece."""

    make: Callable[[FakeUpstream, float], Provider]
    answers: Answers
    path: str
    stream_path: str
    auth: tuple[str, str]
    native: dict[str, Any]
    counts: bool = False
    calls_whole: bool = False
    statuses: dict[int, str] = field(default_factory=lambda: STATUSES)
    native_checked: bool = True  # a native body that is no JSON is refused here


def attempt(seconds: float = 60.0, **quirks: object) -> Attempt:
    return Attempt("up-model", Ledger(), asyncio.get_running_loop().time() + seconds, "request-1", quirks=quirks)


def run(coroutine: Any) -> Any:
    return uvloop.run(asyncio.wait_for(coroutine, 20))


def once(provider: Provider, method: str, given: Any, seconds: float = 60.0) -> Any:
    """One call of one method; the provider is closed after it."""

    async def main() -> Any:
        try:
            return await getattr(provider, method)(given, attempt(seconds))
        finally:
            await provider.close()

    return run(main())


def told(provider: Provider, method: str, given: Any, seconds: float = 60.0) -> tuple[list[Any], Fault | None]:
    """Everything that a stream gave, and the Fault that ended it, if one did."""
    got: list[Any] = []

    async def main() -> Fault | None:
        try:
            async for items in getattr(provider, method)(given, attempt(seconds)):
                assert items
                got.extend(items)
        except Fault as fault:
            return fault
        finally:
            await provider.close()
        return None

    return got, run(main())


def text_of(events: list[Any]) -> str:
    return "".join(event.delta.text for event in events if isinstance(event, BlockDelta) and event.delta.text)


@pytest.fixture
def up() -> Iterator[FakeUpstream]:
    with FakeUpstream(fallback=natural) as upstream:
        yield upstream


def asked(up: FakeUpstream) -> Any:
    """The last inference that was asked for."""
    return [request for request in up.requests if request.method == "POST"][-1]


class VendorContract:
    """A vendor's file gives `vendor` and adds what is its own."""

    vendor: ClassVar[Vendor]

    def provider(self, up: FakeUpstream, timeout_s: float = 60.0) -> Provider:
        return self.vendor.make(up, timeout_s)

    def play(self, up: FakeUpstream, *answers: scripts.Script) -> None:
        """What the server says next to inferences."""
        up.play(*answers)

    def fail(self, up: FakeUpstream, how: str, seconds: float = 60.0) -> tuple[list[Any], Fault]:
        """What came, and the Fault."""
        if how == "whole":
            with pytest.raises(Fault) as raised:
                once(self.provider(up), "converse", REQUEST, seconds)
            return [], raised.value
        native = json.dumps(self.vendor.native).encode()
        method, given = ("invoke_stream", native) if how == "native" else ("converse_stream", REQUEST)
        got, fault = told(self.provider(up, 0.5), method, given, seconds)
        assert fault is not None
        return got, fault

    # --- success ------------------------------------------------------------------------------------------------------

    def test_whole_reply(self, up: FakeUpstream) -> None:
        """Text, stop reason and usage arrive; path and key are the vendor's."""
        reply = once(self.provider(up), "converse", REQUEST)
        assert reply.output.message.content[0].text.startswith("Echo: ")
        assert (reply.stop_reason, reply.usage.input_tokens, reply.usage.output_tokens) == ("end_turn", 11, 5)
        sent = asked(up)
        assert (sent.method, sent.path) == ("POST", self.vendor.path)
        name, start = self.vendor.auth
        assert sent.headers[name].startswith(start)
        assert sent.headers["content-type"] == "application/json"
        assert sent.headers["accept-encoding"] == "identity"
        assert "hi there" in sent.body.decode()
        assert "be brief" in sent.body.decode()
        assert not sent.json.get("stream")

    def test_stream_of_text(self, up: FakeUpstream) -> None:
        """A stream begins with its start, ends with stop reason and usage, and its text is whole."""
        events, fault = told(self.provider(up), "converse_stream", REQUEST)
        assert fault is None
        assert isinstance(events[0], MessageStart)
        assert text_of(events).startswith("Echo: ")
        assert isinstance(events[-2], MessageStop)
        assert isinstance(events[-1], StreamMetadata)
        assert (events[-1].usage.input_tokens, events[-1].usage.output_tokens) == (11, 5)
        assert asked(up).path == self.vendor.stream_path

    def test_stream_split_anywhere(self, up: FakeUpstream) -> None:
        """However the upstream's bytes are cut, the events are the same."""
        whole = b"".join(self.vendor.answers.events(["Gr", "üße", " 🌍"]))
        self.play(up, self.vendor.answers.framed([whole[at : at + 7] for at in range(0, len(whole), 7)]))
        events, fault = told(self.provider(up), "converse_stream", REQUEST)
        assert fault is None
        assert text_of(events) == "Grüße 🌍"

    def test_stream_of_a_tool_call(self, up: FakeUpstream) -> None:
        """A tool call has its name and arguments, in the pieces in which they come."""
        pieces = ['{"ci', 'ty": "Par', 'is"}']
        self.play(up, self.vendor.answers.framed(self.vendor.answers.tool_events("weather", pieces)))
        events, fault = told(self.provider(up), "converse_stream", REQUEST)
        assert fault is None
        start = next(event for event in events if isinstance(event, BlockStart))
        assert start.start.tool_use is not None
        assert start.start.tool_use.name == "weather"
        given = [one.delta.tool_use.input for one in events if isinstance(one, BlockDelta) and one.delta.tool_use]
        assert json.loads("".join(given)) == {"city": "Paris"}
        assert len(given) == (1 if self.vendor.calls_whole else 3)
        assert next(event for event in events if isinstance(event, MessageStop)).stop_reason == "tool_use"

    def test_native_body_passes_through(self, up: FakeUpstream) -> None:
        """A native body reaches the upstream, and a native reply comes back that the dialect reads."""
        provider = self.provider(up)
        answer = once(provider, "invoke", json.dumps({**self.vendor.native, "brand_new": 1}).encode())
        assert provider.dialect.read_reply(answer).stop_reason == "end_turn"
        assert asked(up).json["brand_new"] == 1
        assert not asked(up).json.get("stream")

    def test_native_stream_passes_through(self, up: FakeUpstream) -> None:
        """Native chunks are JSON that the dialect reads to the end."""
        provider = self.provider(up)
        chunks, fault = told(provider, "invoke_stream", json.dumps(self.vendor.native).encode())
        assert fault is None
        reader = provider.dialect.reader()
        events = [event for chunk in chunks for event in reader.feed(chunk)] + reader.close()
        assert text_of(events).startswith("Echo: ")
        assert isinstance(events[-1], StreamMetadata)
        assert (events[-1].usage.input_tokens, events[-1].usage.output_tokens) == (11, 5)

    def test_native_rubbish_is_refused(self, up: FakeUpstream) -> None:
        """A native body that is no JSON object is refused in Bedrock's words, and nothing is sent."""
        if not self.vendor.native_checked:
            pytest.skip("the body is passed on byte for byte")
        for body in (b"", b"[]", b"{", b"\xff"):
            with pytest.raises(Fault, match="Malformed input request"):
                once(self.provider(up), "invoke", body)
        assert not up.requests

    def test_counting(self, up: FakeUpstream) -> None:
        """Tokens are counted by the vendor, or the count is refused in Bedrock's words."""
        if self.vendor.counts:
            assert once(self.provider(up), "count_tokens", REQUEST) == 42
        else:
            with pytest.raises(Fault, match="doesn't support counting tokens"):
                once(self.provider(up), "count_tokens", REQUEST)
            assert not up.requests

    # --- failure ------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("how", ["whole", "stream", "native"])
    @pytest.mark.parametrize("status", list(STATUSES))
    def test_error_statuses(self, up: FakeUpstream, status: int, how: str) -> None:
        """The vendor's error is Bedrock's error, whole or in front of a stream."""
        if status not in self.vendor.statuses:
            pytest.skip("the vendor does not answer so")
        self.play(up, self.vendor.answers.error(status, {"retry-after": "7"}))
        got, fault = self.fail(up, how)
        assert got == []
        assert fault.name == self.vendor.statuses[status]
        if fault.name == "ThrottlingException":
            assert fault.retry_after_s == 7.0
        if fault.name == "ModelErrorException":
            assert fault.fields["resourceName"] == "up-model"

    @pytest.mark.parametrize("how", ["whole", "stream", "native"])
    @pytest.mark.parametrize(
        ("script", "name"),
        [
            (scripts.HANG, "ModelTimeoutException"),
            (scripts.CUT, "ModelErrorException"),
            (scripts.GARBAGE, "ModelErrorException"),
            (scripts.INVALID_JSON, "ModelErrorException"),
            (scripts.HTML, "ModelErrorException"),
            (scripts.event_stream([]), "ModelErrorException"),
            ((scripts.plain(b"hello", headers={"content-type": "text/plain"}),), "ModelErrorException"),
        ],
        ids=["hang", "cut", "garbage", "invalid-json", "html-error", "empty-stream", "no-stream"],
    )
    def test_failures_before_the_first_byte(self, up: FakeUpstream, script: Any, name: str, how: str) -> None:
        """Before the caller's first byte every failure is an error with a status of its own, in time."""
        self.play(up, script)
        got, fault = self.fail(up, how, 0.3 if script is scripts.HANG else 10.0)
        assert got == []
        assert fault.name == name

    @pytest.mark.parametrize("case", ["cut", "end-early", "hang", "rubbish"])
    def test_failures_in_a_stream(self, up: FakeUpstream, case: str) -> None:
        """After the first byte a failure is the stream's error event; what came before it was given out."""
        events = self.vendor.answers.events(["Hello", " world" * 20, " more" * 40])
        half = len(events) // 2 if len(events) > 8 else next(at for at, one in enumerate(events) if b"world" in one) + 1
        first, rubbish = events[:half], b"data: {not json\n\n"
        script = {
            "cut": lambda: scripts.cut_midstream(first),
            "end-early": lambda: scripts.end_early(first),
            "hang": lambda: scripts.hang_midstream(first),
            "rubbish": lambda: scripts.event_stream([*first, rubbish + b"\0" * 64, rubbish]),
        }[case]()
        self.play(up, script)
        got, fault = self.fail(up, "stream")
        assert fault.name == "ModelStreamErrorException"
        assert text_of(got).startswith("Hello")
        up.wait(lambda up: not up.open)

    def test_leaving_a_stream_ends_the_upstream(self, up: FakeUpstream) -> None:
        """Closing the generator closes the upstream connection."""
        self.play(up, scripts.hang_midstream(self.vendor.answers.events(["Hello", " world" * 30])[:-2]))

        async def main() -> None:
            provider = self.provider(up)
            events = provider.converse_stream(REQUEST, attempt())
            await anext(events)
            await events.aclose()
            while asked(up).closed_at is None:
                await asyncio.sleep(0.005)
            await provider.close()

        run(main())

    def test_no_key_in_a_fault(self, up: FakeUpstream) -> None:
        """A vendor that echoes the key does not get it to the caller."""
        self.play(up, scripts.reply({"message": f"bad key {KEY}", "error": {"message": f"bad key {KEY}"}}, 400))
        _, fault = self.fail(up, "whole")
        assert "4711" not in fault.message + str(dict(fault.fields))

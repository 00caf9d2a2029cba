"""One recorded call as lines of JSON: what was asked, what came and when, how it ended.

    {"call":"ConverseStream","model":"…","at":"2026-01-31T12:00:00Z","request":{…}}
    {"after_ms":412,"event":"contentBlockDelta","data":{…}}          one line per event, native chunk, reply or fault
    {"end":"complete","took_ms":980,"input_tokens":11,"output_tokens":5}

A line per event keeps a file readable and its differences small; the last line makes the episode whole, so one that a
crash cut short is known. Owns this form; knows neither the file nor how answers are played.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

from craton.aws.wire.faults import Fault
from craton.models.canon import events as canon
from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import ConverseReply, Usage
from craton.models.providers.cassettes.request import Asked, without_secrets

CONVERSE = "Converse"
STREAM = "ConverseStream"
INVOKE = "InvokeModel"
INVOKE_STREAM = "InvokeModelWithResponseStream"
COUNT = "CountTokens"

EVENTS: dict[str, type[StreamEvent]] = {
    "contentBlockDelta": canon.BlockDelta,
    "messageStart": canon.MessageStart,
    "contentBlockStart": canon.BlockStart,
    "contentBlockStop": canon.BlockStop,
    "messageStop": canon.MessageStop,
    "metadata": canon.StreamMetadata,
}
_NAMES = {kind: name for name, kind in EVENTS.items()}
_encode = msgspec.json.Encoder().encode


class FaultLine(msgspec.Struct, omit_defaults=True):
    """An AWS error as it is kept."""

    name: str
    message: str
    fields: dict[str, Any] = {}
    retry_after_s: float | None = None
    status: int | None = None

    def fault(self) -> Fault:
        return Fault(self.name, self.message, fields=self.fields, retry_after_s=self.retry_after_s, status=self.status)


class CallLine(msgspec.Struct, omit_defaults=True):
    """What was asked. `dialect` is the schema of native lines, "" where the answer is canonical."""

    call: str
    model: str
    at: str
    request: dict[str, Any]
    dialect: str = ""


class Frame(msgspec.Struct, omit_defaults=True):
    """One thing that came, `after_ms` milliseconds after the one before it (the first: after the request).

    Exactly one of: an `event` of ConverseStream with its `data`, a native `chunk`, a whole `reply`, a whole `native`
    reply, a count of `tokens`, a `fault`.
    """

    # Written even when 0: a reader of the file should see it on every line.
    after_ms: int | UnsetType = UNSET
    event: str = ""
    data: Raw | UnsetType = UNSET
    chunk: Raw | UnsetType = UNSET
    reply: Raw | UnsetType = UNSET
    native: Raw | UnsetType = UNSET
    tokens: int | None = None
    fault: FaultLine | None = None

    @property
    def wait_ms(self) -> int:
        return 0 if isinstance(self.after_ms, UnsetType) else self.after_ms


class EndLine(msgspec.Struct, omit_defaults=True):
    """The end of an episode. `dropped` and `emulated` are what the translation for the target lost or carried."""

    end: Literal["complete", "fault"]
    took_ms: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    dropped: list[str] = []
    emulated: list[str] = []


class Episode(msgspec.Struct, eq=False):
    """A recorded call. `line` is where in its file it begins, counted from 1."""

    head: CallLine
    frames: list[Frame]
    end: EndLine
    line: int = 0

    @property
    def asked(self) -> Asked:
        return Asked(self.head.call, self.head.model, self.head.request)


class Notes:
    """An episode while it happens. `elapsed_s` gives seconds of a clock that never goes back."""

    def __init__(self, asked: Asked, now: float, dialect: str = "") -> None:
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.head = CallLine(asked.call, asked.model, at, asked.request, dialect)
        self.frames: list[Frame] = []
        self.usage: Usage | None = None
        self._began = self._last = now

    def _frame(self, now: float) -> Frame:
        after_ms = round((now - self._last) * 1000)
        self._last = now
        self.frames.append(Frame(after_ms))
        return self.frames[-1]

    def reply(self, reply: ConverseReply, now: float) -> None:
        self._frame(now).reply = Raw(_encode(reply))
        self.usage = reply.usage

    def other(self, reply: msgspec.Struct, now: float) -> None:
        """What another kind of model answered."""
        self._frame(now).reply = Raw(_encode(reply))

    def native(self, body: bytes, now: float) -> None:
        self._frame(now).native = Raw(_one_line(body))

    def tokens(self, count: int, now: float) -> None:
        self._frame(now).tokens = count

    def events(self, events: list[StreamEvent], now: float) -> None:
        for event in events:
            frame = self._frame(now)
            frame.event, frame.data = _NAMES[type(event)], Raw(_encode(event))
            if isinstance(event, canon.StreamMetadata):
                self.usage = event.usage

    def chunks(self, chunks: list[bytes], now: float) -> None:
        for chunk in chunks:
            self._frame(now).chunk = Raw(_one_line(chunk))

    def fault(self, fault: Fault, now: float) -> None:
        self._frame(now).fault = FaultLine(
            fault.name, fault.message, dict(fault.fields), fault.retry_after_s, fault.status
        )

    def done(self, dropped: list[str], emulated: list[str]) -> Episode:
        """The whole episode."""
        failed = bool(self.frames) and self.frames[-1].fault is not None
        used = self.usage
        end = EndLine(
            "fault" if failed else "complete",
            round((self._last - self._began) * 1000),
            used.input_tokens if used is not None else None,
            used.output_tokens if used is not None else None,
            list(dropped),
            list(emulated),
        )
        return Episode(self.head, self.frames, end)


def lines(episode: Episode, secrets: Collection[str] = ()) -> Iterator[bytes]:
    """The episode as lines, each with its newline, without credentials."""
    for line in (episode.head, *episode.frames, episode.end):
        yield without_secrets(_encode(line).decode(), secrets).encode() + b"\n"


def _one_line(body: bytes) -> bytes:
    """Native JSON without line breaks. Raises nothing: what is no JSON is kept as a JSON text."""
    if b"\n" not in body and b"\r" not in body:
        return body
    try:
        return _encode(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _encode(body.decode("utf-8", "replace"))

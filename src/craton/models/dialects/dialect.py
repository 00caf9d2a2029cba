"""What every dialect offers, and what it is told and tells back.

A dialect translates between one native schema (Anthropic Messages, OpenAI chat, …) and the canon, both
ways: the same file reads an InvokeModel body that comes in and writes the body that goes to a vendor.
A dialect holds no state, does no I/O and knows no transport; a family's quirks reach it as data.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from craton.aws.wire.faults import validation
from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest


class Ledger(msgspec.Struct, eq=False, kw_only=True):
    """What a translation could not carry, by the caller's own path (`inferenceConfig.topK`, `messages.0.content.1.audio`).

    `dropped` was left out and is named in the response header; `emulated` was carried by other means. A strict
    ledger refuses the first drop with ValidationException, which ends the translation before anything is sent.
    `standin` names who answered in a stand-in's place (a script).
    """

    strict: bool = False
    dropped: list[str] = []
    emulated: list[str] = []
    standin: str = ""

    def drop(self, path: str) -> None:
        if self.strict:
            raise validation(f"The target of this model cannot carry {path}. Remove {path} and try again.")
        if path not in self.dropped:
            self.dropped.append(path)

    def emulate(self, path: str) -> None:
        if path not in self.emulated:
            self.emulated.append(path)


class Outgoing(msgspec.Struct, frozen=True):
    """How a request is to be written for one target.

    `model`: the upstream's name of the model. `max_tokens`: what to ask for where the schema demands a number and
    the caller gave none. `quirks`: a row of data per family or target, such as `{"system": "message"}`.
    """

    model: str
    stream: bool
    ledger: Ledger
    max_tokens: int = 4096
    quirks: dict[str, object] = {}


class Shown(msgspec.Struct, frozen=True):
    """How a reply is to be shown to the caller: the model id as the caller knows it, the request it answers, an id."""

    model: str
    request: ConverseRequest
    request_id: str
    body: bytes = b""  # the caller's native body, for schemas that echo the prompt


class InvocationMetrics(msgspec.Struct, omit_defaults=True):
    """What Bedrock puts under `amazon-bedrock-invocationMetrics` on the last chunk. Times in milliseconds."""

    inputTokenCount: int  # noqa: N815 - the wire's own names
    outputTokenCount: int  # noqa: N815
    invocationLatency: int  # noqa: N815
    firstByteLatency: int  # noqa: N815
    cacheReadInputTokenCount: int | None = None  # noqa: N815
    cacheWriteInputTokenCount: int | None = None  # noqa: N815


class StreamReader(Protocol):
    """Native stream → canonical events. One reader per stream."""

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        """Take one native piece (the data of one server-sent event, or one chunk's JSON).

        Raises Fault for an error that the vendor sends inside the stream, or for a piece that cannot be read.
        """
        ...

    def close(self) -> list[StreamEvent]:
        """The upstream ended. Raises Fault (ModelStreamErrorException) if the native stream was not complete."""
        ...


class StreamWriter(Protocol):
    """Canonical events → the JSON chunks of the native stream. One writer per stream."""

    def write(self, event: StreamEvent) -> list[bytes]:
        """The chunks that this event makes. The very last chunk is kept back for `finish`."""
        ...

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        """What is left; the last chunk carries `amazon-bedrock-invocationMetrics`."""
        ...


class Dialect(Protocol):
    @property
    def name(self) -> str:
        """Such as `anthropic.messages`."""
        ...

    @property
    def streams(self) -> bool:
        """Whether the native schema has a stream."""
        ...

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        """A native body → canon. Raises ValidationException in Bedrock's words ("Malformed input request: …")."""
        ...

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        """Canon → a native body; what cannot be carried goes to `out.ledger`."""
        ...

    def read_reply(self, body: bytes) -> ConverseReply:
        """A native reply → canon. Raises Fault (ModelErrorException) if it cannot be read."""
        ...

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        """Canon → the native reply."""
        ...

    def reader(self) -> StreamReader: ...

    def writer(self, shown: Shown) -> StreamWriter: ...

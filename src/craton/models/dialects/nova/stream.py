"""Streams of Amazon Nova ↔ canonical events: each chunk is one event under its member's name.

Text deltas are the hot path: one decode into the event itself, one `encode` and a join the other way. Also owns
Nova's `usage`, whose cache members have names of their own.
"""

from __future__ import annotations

from typing import Any

import msgspec

from craton.aws.wire.faults import model_stream_error
from craton.models.canon import events as canon
from craton.models.canon.events import BlockDelta, BlockStart, BlockStop, StreamEvent
from craton.models.canon.reply import Metrics, usage
from craton.models.canon.reply import Usage as CanonUsage
from craton.models.dialects.dialect import InvocationMetrics

UNREADABLE = "The model's answer could not be read."
CUT_SHORT = "The model's answer ended before it was complete."


class Usage(msgspec.Struct, rename="camel", omit_defaults=True):
    """Converse's names of the cache members are read too; Nova's own are written."""

    input_tokens: int
    output_tokens: int
    total_tokens: int | None = None
    cache_read_input_token_count: int | None = None
    cache_write_input_token_count: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None


def read_usage(found: Usage) -> CanonUsage:
    read, written = found.cache_read_input_token_count, found.cache_write_input_token_count
    return usage(
        found.input_tokens,
        found.output_tokens,
        read if read is not None else found.cache_read_input_tokens,
        written if written is not None else found.cache_write_input_tokens,
    )


def write_usage(used: CanonUsage) -> Usage:
    return Usage(
        used.input_tokens,
        used.output_tokens,
        used.total_tokens,
        used.cache_read_input_tokens,
        used.cache_write_input_tokens,
    )


class _Start(msgspec.Struct, rename="camel"):
    """`start` is empty for a block of text, which the canon has no start for."""

    content_block_index: int
    start: dict[str, Any] = {}


class _Metadata(msgspec.Struct):
    usage: Usage


class _Chunk(msgspec.Struct, rename="camel"):
    content_block_delta: BlockDelta | None = None
    message_start: canon.MessageStart | None = None
    content_block_start: _Start | None = None
    content_block_stop: BlockStop | None = None
    message_stop: canon.MessageStop | None = None
    metadata: _Metadata | None = None


_CHUNK = msgspec.json.Decoder(_Chunk)


class Reader:
    """Nova's chunks → the canon's events."""

    __slots__ = ("_sent_metadata", "_stopped")

    def __init__(self) -> None:
        self._stopped = False
        self._sent_metadata = False

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        try:
            chunk = _CHUNK.decode(data)
            if chunk.content_block_delta is not None:
                return [chunk.content_block_delta]
            return self._take(chunk)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise model_stream_error(UNREADABLE) from None

    def _take(self, chunk: _Chunk) -> list[StreamEvent]:
        start = chunk.content_block_start
        if start is not None:
            if not start.start:
                return []
            return [BlockStart(msgspec.convert(start.start, canon.Start), start.content_block_index)]
        if chunk.message_stop is not None:
            self._stopped = True
            return [chunk.message_stop]
        if chunk.metadata is not None:
            self._sent_metadata = True
            return [canon.StreamMetadata(read_usage(chunk.metadata.usage), Metrics(0))]
        simple = chunk.message_start or chunk.content_block_stop
        return [simple] if simple is not None else []

    def close(self) -> list[StreamEvent]:
        if not self._stopped:
            raise model_stream_error(CUT_SHORT)
        return [] if self._sent_metadata else [canon.StreamMetadata(usage(0, 0), Metrics(0))]


_encode = msgspec.json.encode


class Writer:
    """The canon's events → Nova's chunks, with `metadata` kept back for `finish`."""

    __slots__ = ("_usage",)

    def __init__(self) -> None:
        self._usage: CanonUsage | None = None

    def write(self, event: StreamEvent) -> list[bytes]:
        if isinstance(event, BlockDelta):
            text = event.delta.text
            if text is not None:
                return [
                    b'{"contentBlockDelta":{"delta":{"text":%b},"contentBlockIndex":%d}}'
                    % (_encode(text), event.content_block_index)
                ]
            return [_encode({"contentBlockDelta": event})]
        if isinstance(event, canon.StreamMetadata):
            self._usage = event.usage
            return []
        if isinstance(event, canon.MessageStop):
            return [_encode({"messageStop": {"stopReason": event.stop_reason}})]
        if isinstance(event, canon.MessageStart):
            return [_encode({"messageStart": {"role": event.role}})]
        return [_encode({_NAMES[type(event)]: event})]

    def finish(self, metrics: InvocationMetrics | None) -> list[bytes]:
        used = self._usage
        if used is None:
            used = usage(metrics.inputTokenCount, metrics.outputTokenCount) if metrics is not None else usage(0, 0)
        last: dict[str, Any] = {"metadata": {"usage": write_usage(used), "metrics": {}, "trace": {}}}
        if metrics is not None:
            last["amazon-bedrock-invocationMetrics"] = metrics
        return [_encode(last)]


_NAMES: dict[type, str] = {BlockStart: "contentBlockStart", BlockStop: "contentBlockStop"}

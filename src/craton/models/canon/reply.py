"""What a model answers, whole: Bedrock's ConverseResponse."""

from __future__ import annotations

from typing import Any, Literal

from craton.models.canon.content import CacheTtl, ContentBlock, Message, Part
from craton.models.canon.request import PerformanceConfig, ServiceTier

StopReason = Literal[
    "end_turn",
    "tool_use",
    "max_tokens",
    "stop_sequence",
    "guardrail_intervened",
    "content_filtered",
    "malformed_model_output",
    "malformed_tool_use",
    "model_context_window_exceeded",
]


class CacheDetail(Part):
    ttl: CacheTtl
    input_tokens: int


class Usage(Part):
    """Tokens. `input_tokens` excludes what was read from or written to a cache."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    cache_details: list[CacheDetail] | None = None


class Metrics(Part):
    latency_ms: int


class Output(Part):
    message: Message


class ConverseReply(Part):
    """`stop_sequence` tells which stop sequence ended the turn.

    Native schemas have a member for it, Converse has none (a caller asks by
    `additionalModelResponseFieldPaths`), so the Converse operations clear it before they encode.
    """

    output: Output
    stop_reason: StopReason
    usage: Usage
    metrics: Metrics
    additional_model_response_fields: Any | None = None
    trace: Any | None = None
    performance_config: PerformanceConfig | None = None
    service_tier: ServiceTier | None = None
    stop_sequence: str | None = None


def usage(
    input_tokens: int, output_tokens: int, cache_read: int | None = None, cache_write: int | None = None
) -> Usage:
    """Usage with its total: what was read, written and answered, cache included."""
    total = input_tokens + output_tokens
    if cache_read or cache_write:
        total += (cache_read or 0) + (cache_write or 0)
    return Usage(input_tokens, output_tokens, total, cache_read, cache_write)


def assistant_reply(
    content: list[ContentBlock], stop_reason: StopReason, used: Usage, stop_sequence: str | None = None
) -> ConverseReply:
    """An assistant's turn; the latency is filled in by whoever has the clock."""
    message = Message(role="assistant", content=content)
    return ConverseReply(Output(message), stop_reason, used, Metrics(0), stop_sequence=stop_sequence)

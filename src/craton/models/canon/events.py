"""What a model answers piece by piece: the events of Bedrock's ConverseStream.

Order (reference: converse.md): MessageStart, then per block an optional BlockStart (tool use, tool
result, image only), BlockDelta*, BlockStop, then MessageStop, then StreamMetadata last.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Raw, UnsetType

from craton.models.canon.content import (
    CitationLocation,
    ErrorBlock,
    ImageFormat,
    MediaSource,
    NonNegative,
    Part,
    Role,
    ToolName,
    ToolStatus,
    ToolUseId,
    Union,
)
from craton.models.canon.reply import Metrics, StopReason, Usage
from craton.models.canon.request import PerformanceConfig, ServiceTier


class MessageStart(Part):
    # No default: what equals a default is left out of the JSON.
    role: Role


class ToolUseStart(Part):
    tool_use_id: ToolUseId
    name: ToolName
    type: str | None = None


class ToolResultStart(Part):
    tool_use_id: ToolUseId
    type: str | None = None
    status: ToolStatus | None = None


class ImageStart(Part):
    format: ImageFormat


class Start(Union):
    tool_use: ToolUseStart | None = None
    tool_result: ToolResultStart | None = None
    image: ImageStart | None = None


class BlockStart(Part):
    start: Start
    content_block_index: NonNegative


class ToolUseDelta(Part):
    """`input` is the next piece of the arguments' JSON text."""

    input: str


class ToolResultDelta(Union):
    text: str | None = None
    json: Raw | UnsetType = UNSET


class ReasoningDelta(Union):
    text: str | None = None
    redacted_content: bytes | None = None
    signature: str | None = None


class SourceText(Part):
    text: str | None = None


class CitationDelta(Part):
    title: str | None = None
    source: str | None = None
    source_content: list[SourceText] | None = None
    location: CitationLocation | None = None


class ImageDelta(Part):
    source: MediaSource | None = None
    error: ErrorBlock | None = None


class Delta(Part):
    """A union of the wire; made by dialects alone and on the hot path, so it is not counted at run time."""

    text: str | None = None
    tool_use: ToolUseDelta | None = None
    tool_result: list[ToolResultDelta] | None = None
    reasoning_content: ReasoningDelta | None = None
    citation: CitationDelta | None = None
    image: ImageDelta | None = None


class BlockDelta(Part):
    delta: Delta
    content_block_index: NonNegative


class BlockStop(Part):
    content_block_index: NonNegative


class MessageStop(Part):
    """`stop_sequence`: as in `ConverseReply`, cleared before Converse encodes."""

    stop_reason: StopReason
    additional_model_response_fields: Any | None = None
    stop_sequence: str | None = None


class StreamMetadata(Part):
    usage: Usage
    metrics: Metrics
    trace: Any | None = None
    performance_config: PerformanceConfig | None = None
    service_tier: ServiceTier | None = None


StreamEvent = MessageStart | BlockStart | BlockDelta | BlockStop | MessageStop | StreamMetadata


def text_delta(text: str, index: int) -> BlockDelta:
    """The commonest event."""
    return BlockDelta(Delta(text), index)

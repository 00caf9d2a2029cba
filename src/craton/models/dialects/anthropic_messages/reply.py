"""Whole replies: Anthropic Messages ↔ canon, and the tables that streams share with them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from craton.aws.wire.faults import model_error
from craton.models.canon.content import CacheTtl, ContentBlock
from craton.models.canon.reply import CacheDetail, ConverseReply, StopReason, Usage, assistant_reply, usage
from craton.models.dialects.anthropic_messages import schema as native
from craton.models.dialects.anthropic_messages.content import read_block, write_reply_blocks
from craton.models.dialects.dialect import Shown

_REPLY = msgspec.json.Decoder(native.Reply)
_BLOCK = msgspec.json.Decoder(native.AnyBlock)

UNREADABLE = "The model's answer could not be read."

# `pause_turn` ends a turn that the vendor would go on with if it got it back; Converse has no name for it.
STOP_REASONS: dict[str, StopReason] = {
    "end_turn": "end_turn",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_use",
    "refusal": "content_filtered",
    "pause_turn": "end_turn",
    "model_context_window_exceeded": "model_context_window_exceeded",
}
NATIVE_STOP_REASONS: dict[StopReason, str] = {
    "end_turn": "end_turn",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_use",
    "content_filtered": "refusal",
    "guardrail_intervened": "end_turn",
    "malformed_model_output": "end_turn",
    "malformed_tool_use": "end_turn",
    "model_context_window_exceeded": "model_context_window_exceeded",
}

# Members of a reply that the canon has no place for; a caller may ask for them by path.
_BEYOND = ("container", "context_management", "stop_details")
_BEDROCK_ID = re.compile(r"(?:[a-z-]+\.)?anthropic\.(claude-.+?)(?:-v\d+)?(?::.*)?")


def read_reply(body: bytes) -> ConverseReply:
    """Raises ModelErrorException if the body is no message."""
    try:
        read = _REPLY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise model_error(UNREADABLE) from None
    blocks = [block for raw in read.content if (block := _read_block(raw)) is not None]
    stop = STOP_REASONS.get(read.stop_reason or "", "end_turn")
    reply = assistant_reply(blocks, stop, read_usage(read.usage), read.stop_sequence)
    beyond = {name: value for name in _BEYOND if (value := getattr(read, name)) is not None}
    reply.additional_model_response_fields = beyond or None
    return reply


def _read_block(raw: msgspec.Raw) -> ContentBlock | None:
    """None for a block of a type that Converse cannot show."""
    try:
        return read_block(_BLOCK.decode(raw))
    except (msgspec.ValidationError, RecursionError):
        return None


def read_usage(found: native.Usage) -> Usage:
    read = usage(
        found.input_tokens or 0,
        found.output_tokens or 0,
        found.cache_read_input_tokens,
        found.cache_creation_input_tokens,
    )
    created = found.cache_creation
    if created is not None and (created.ephemeral_5m_input_tokens or created.ephemeral_1h_input_tokens):
        spans: tuple[tuple[CacheTtl, int], ...] = (
            ("1h", created.ephemeral_1h_input_tokens),
            ("5m", created.ephemeral_5m_input_tokens),
        )
        read.cache_details = [CacheDetail(ttl, tokens) for ttl, tokens in spans if tokens]
    return read


def write_usage(used: Usage) -> native.Usage:
    created = None
    if used.cache_details:
        tokens = {detail.ttl: detail.input_tokens for detail in used.cache_details}
        created = native.CacheCreation(tokens.get("5m", 0), tokens.get("1h", 0))
    return native.Usage(
        used.input_tokens, used.cache_write_input_tokens, used.cache_read_input_tokens, created, used.output_tokens
    )


def write_reply(reply: ConverseReply, shown: Shown) -> bytes:
    written = native.WrittenReply(
        id=message_id(shown),
        type="message",
        role="assistant",
        model=model_name(shown.model),
        content=write_reply_blocks(reply.output.message.content),
        stop_reason=NATIVE_STOP_REASONS[reply.stop_reason],
        stop_sequence=reply.stop_sequence,
        usage=write_usage(reply.usage),
    )
    encoded = msgspec.json.encode(written)
    beyond = _beyond(reply.additional_model_response_fields)
    return encoded[:-1] + b"," + msgspec.json.encode(beyond)[1:] if beyond else encoded


def _beyond(fields: Any) -> dict[str, Any]:
    if not isinstance(fields, Mapping):
        return {}
    return {name: fields[name] for name in _BEYOND if name in fields}


def message_id(shown: Shown) -> str:
    """An id in Bedrock's form, made of the request's, so that logs can be joined."""
    return "msg_bdrk_" + re.sub(r"[^A-Za-z0-9]", "", shown.request_id)[:24]


def model_name(model_id: str) -> str:
    """The name that Claude calls itself by in a reply (`claude-3-haiku-20240307`); other ids stay as they are."""
    found = _BEDROCK_ID.fullmatch(model_id.rpartition("/")[2])
    return found[1] if found else model_id

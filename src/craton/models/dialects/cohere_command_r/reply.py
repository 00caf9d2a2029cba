"""Command R's replies, whole, and the words that its streams share with them.

Owns: texts, calls, citations, usage and reasons of an answer; a reply repeats the history with the answer in it. Must
not know how requests are written. Source: reference invoke-bodies.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from craton.aws.wire.faults import model_error
from craton.models.canon.content import ContentBlock, ToolUseBlock
from craton.models.canon.reply import ConverseReply, StopReason, Usage, assistant_reply, usage
from craton.models.dialects.cohere_command import FAILED, FINISH_REASONS, STOP_REASONS
from craton.models.dialects.cohere_command_r.turns import Call, write_conversation
from craton.models.dialects.dialect import InvocationMetrics, Ledger, Shown
from craton.models.dialects.text_pieces import prompt_tokens
from craton.models.dialects.tool_calls import tool_use_id
from craton.models.dialects.turns import reply_text

Json = dict[str, Any]


class Billed(msgspec.Struct):
    """Cohere counts in floating point."""

    input_tokens: float = 0
    output_tokens: float = 0


class Meta(msgspec.Struct):
    billed_units: Billed | None = None


class Answer(msgspec.Struct, rename={"metrics": "amazon-bedrock-invocationMetrics"}):
    text: str = ""
    finish_reason: str | None = None
    tool_calls: list[Call] | None = None
    citations: list[Any] | None = None
    meta: Meta | None = None
    metrics: InvocationMetrics | None = None


class _Asked(msgspec.Struct):
    message: str = ""
    chat_history: list[Raw] | None = None


REPLY = msgspec.json.Decoder(Answer)
_ASKED = msgspec.json.Decoder(_Asked)


def read_answer(native: Answer) -> ConverseReply:
    """Raises ModelErrorException for Cohere's ERROR."""
    reason = (native.finish_reason or "COMPLETE").upper()
    if reason == FAILED:
        raise model_error()
    calls = native.tool_calls or []
    blocks = [ContentBlock(text=native.text)] if native.text or not calls else []
    for call in calls:
        given = Raw(msgspec.json.encode(call.parameters))
        blocks.append(ContentBlock(tool_use=ToolUseBlock(tool_use_id(None), call.name, given)))
    reply = assistant_reply(blocks, read_reason(reason, called=bool(calls)), read_usage(native.meta, native.metrics))
    if native.citations:
        reply.additional_model_response_fields = {"citations": native.citations}
    return reply


def read_reason(native: str, *, called: bool) -> StopReason:
    """Cohere says COMPLETE after calls too. Pages print the words in lower case, the wire in upper."""
    reason = STOP_REASONS.get(native.upper(), "end_turn")
    return "tool_use" if called and reason == "end_turn" else reason


def read_usage(meta: Meta | None, metrics: InvocationMetrics | None) -> Usage:
    if metrics is not None:
        return usage(metrics.inputTokenCount, metrics.outputTokenCount)
    billed = meta.billed_units if meta is not None else None
    return usage(int(billed.input_tokens), int(billed.output_tokens)) if billed is not None else usage(0, 0)


def write_answer(reply: ConverseReply, shown: Shown) -> Json:
    text = reply_text(reply)
    calls = [
        {"name": block.tool_use.name, "parameters": block.tool_use.input}
        for block in reply.output.message.content
        if block.tool_use is not None
    ]
    said: Json = {"role": "CHATBOT", "message": text}
    if calls:
        said["tool_calls"] = calls
    written: Json = {
        "response_id": shown.request_id,
        "text": text,
        "generation_id": shown.request_id,
        "chat_history": [*_history(shown), said],
        "finish_reason": FINISH_REASONS.get(reply.stop_reason, "COMPLETE"),
    }
    fields = reply.additional_model_response_fields
    citations = fields.get("citations") if isinstance(fields, Mapping) else None
    if citations:
        written["citations"] = citations
    if calls:
        written["tool_calls"] = calls
    units = {"input_tokens": prompt_tokens(reply.usage), "output_tokens": reply.usage.output_tokens}
    written["meta"] = {"api_version": {"version": "1"}, "billed_units": units}
    return written


def _history(shown: Shown) -> list[Any]:
    """What was said before the answer: the caller's own history and message, or the request's."""
    if shown.body:
        asked = _ASKED.decode(shown.body)
        history: list[Any] = list(asked.chat_history or ())
        message = asked.message
    else:
        body = write_conversation(shown.request.messages or [], Ledger())
        history, message = body.get("chat_history", []), body["message"]
    return [*history, {"role": "USER", "message": message}] if message else history

"""Whole replies: OpenAI chat ↔ canon, and the tables that streams share with them.

Reasoning comes in a member of its own, or, where a server does not part it, in a tag at the head of the text
(`<think>…</think>`; gpt-oss through InvokeModel: `<reasoning>…</reasoning>`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from craton.aws.wire.faults import model_error
from craton.models.canon.content import ContentBlock, ToolUseBlock
from craton.models.canon.reply import ConverseReply, StopReason, Usage, assistant_reply, usage
from craton.models.dialects.dialect import Shown
from craton.models.dialects.openai_chat import schema as native
from craton.models.dialects.openai_chat.content import reasoning_block
from craton.models.dialects.plain_text import cited_text
from craton.models.dialects.tool_calls import answered, tool_use_id

_read = msgspec.json.Decoder(native.Reply).decode

UNREADABLE = "The model's answer could not be read."

_STOP_REASONS: dict[str, StopReason] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filtered",
}
FINISH_REASONS: dict[StopReason, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "malformed_model_output": "stop",
    "malformed_tool_use": "stop",
}


def stop_reason(finish: str, stopped_by: str | int | None, *, tools: bool) -> tuple[StopReason, str | None]:
    """The canon's reason and the stop sequence, if one is named. Some servers say `stop` after a tool call too."""
    reason = _STOP_REASONS.get(finish, "end_turn")
    if reason == "end_turn" and tools:
        return "tool_use", None
    if reason == "end_turn" and isinstance(stopped_by, str) and stopped_by:
        return "stop_sequence", stopped_by
    return reason, None


def read_usage(found: native.Usage | None) -> Usage:
    """The canon counts what came from a cache apart."""
    if found is None:
        return usage(0, 0)
    details = found.prompt_tokens_details
    if details is None:
        return usage(found.prompt_tokens or 0, found.completion_tokens or 0)
    cached = details.cached_tokens
    return usage(max((found.prompt_tokens or 0) - (cached or 0), 0), found.completion_tokens or 0, cached)


def write_usage(used: Usage) -> dict[str, Any]:
    prompt = used.input_tokens + (used.cache_read_input_tokens or 0) + (used.cache_write_input_tokens or 0)
    written: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": used.output_tokens,
        "total_tokens": prompt + used.output_tokens,
    }
    if used.cache_read_input_tokens is not None:
        written["prompt_tokens_details"] = {"cached_tokens": used.cache_read_input_tokens}
    return written


def split_head(text: str, tag: str) -> tuple[str, str]:
    """The reasoning in `tag` at the head of a text, and the rest; no reasoning if the text does not begin so."""
    if not tag:
        return "", text
    opening, closing = f"<{tag}>", f"</{tag}>"
    lead = text.lstrip()
    if not lead.startswith(opening):
        return "", text
    reasoning, _, rest = lead[len(opening) :].partition(closing)
    return reasoning, rest.lstrip("\n")


def read_reply(body: bytes, head_tag: str) -> ConverseReply:
    """Raises ModelErrorException if the body is no completion, or a tool call's arguments are no JSON object."""
    try:
        read = _read(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise model_error(UNREADABLE) from None
    choice = read.choices[0]
    blocks = _read_message(choice.message, head_tag, cut=choice.finish_reason == "length")
    tools = bool(choice.message.tool_calls)
    reason, sequence = stop_reason(choice.finish_reason or "stop", choice.stop_reason, tools=tools)
    if choice.message.refusal and reason == "end_turn":
        reason = "content_filtered"
    reply = assistant_reply(blocks, reason, read_usage(read.usage), sequence)
    if choice.logprobs is not None:
        reply.additional_model_response_fields = {"logprobs": choice.logprobs}
    return reply


def _read_message(message: native.ReplyMessage, head_tag: str, *, cut: bool) -> list[ContentBlock]:
    if type(message.content) is str and message.content and not (head_tag or message.tool_calls):
        thoughts = message.reasoning_content or message.reasoning
        if not thoughts:  # what nearly every answer is
            return [ContentBlock(message.content)]
    text = _text_of(message.content) or message.refusal or ""
    thoughts, text = split_head(text, head_tag)
    thoughts = message.reasoning_content or message.reasoning or thoughts
    blocks = [reasoning_block(thoughts)] if thoughts else []
    if text:
        blocks.append(ContentBlock(text=text))
    for call in message.tool_calls or ():
        given = answered(call.function.arguments, cut=cut)
        blocks.append(ContentBlock(tool_use=ToolUseBlock(tool_use_id(call.id), call.function.name, given)))
    return blocks


def _text_of(content: str | list[Any] | None) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content or ""


def write_reply(reply: ConverseReply, shown: Shown, *, created: int, head_tag: str) -> bytes:
    fields = reply.additional_model_response_fields
    choice = {
        "index": 0,
        "message": _write_message(reply.output.message.content, head_tag),
        "logprobs": fields.get("logprobs") if isinstance(fields, Mapping) else None,
        "finish_reason": FINISH_REASONS[reply.stop_reason],
    }
    return msgspec.json.encode(
        {
            "id": completion_id(shown),
            "object": "chat.completion",
            "created": created,
            "model": shown.model,
            "choices": [choice],
            "usage": write_usage(reply.usage),
        }
    )


def _write_message(content: list[ContentBlock], head_tag: str) -> dict[str, Any]:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[dict[str, Any]] = []
    for block in content:
        if block.text is not None:
            texts.append(block.text)
        elif block.citations_content is not None:
            texts.append(cited_text(block.citations_content))
        elif block.reasoning_content is not None and block.reasoning_content.reasoning_text is not None:
            thoughts.append(block.reasoning_content.reasoning_text.text)
        elif block.tool_use is not None:
            use = block.tool_use
            function = {"name": use.name, "arguments": bytes(use.input).decode()}
            calls.append({"id": use.tool_use_id, "type": "function", "function": function})
    if thoughts and head_tag:
        texts.insert(0, f"<{head_tag}>{''.join(thoughts)}</{head_tag}>")
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts or not calls else None}
    message["refusal"] = None
    if thoughts and not head_tag:
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    return message


def completion_id(shown: Shown) -> str:
    """An id in OpenAI's form, made of the request's, so that logs can be joined."""
    return f"chatcmpl-{shown.request_id}"

"""Whole replies: OpenAI Responses ↔ canon, and the items that streams share with them."""

from __future__ import annotations

from typing import Any

import msgspec

from craton.aws.wire.faults import Fault, model_error, throttled
from craton.models.canon.content import ContentBlock, ReasoningContent, ReasoningText, ToolUseBlock
from craton.models.canon.reply import ConverseReply, StopReason, Usage, assistant_reply, usage
from craton.models.dialects.malformed import decode_reply
from craton.models.dialects.openai_responses import schema as native
from craton.models.dialects.openai_responses import seal
from craton.models.dialects.openai_responses.frame import Frame, ended_status
from craton.models.dialects.plain_text import cited_text
from craton.models.dialects.tool_calls import answered, tool_use_id

Json = dict[str, Any]

_REPLY = msgspec.json.Decoder(native.Reply)
_KIND = msgspec.json.Decoder(native.Kind)
_ITEM = msgspec.json.Decoder(native.OutputItem)
_SHOWN = frozenset({"message", "function_call", "reasoning"})
_LONGEST = 1000


# --- OpenAI → canon --------------------------------------------------------------------------------------------------


def read_reply(body: bytes) -> ConverseReply:
    """Raises ModelErrorException if the body is no response, or is one that failed."""
    read = decode_reply(_REPLY, body)
    if read.error is not None:
        raise error_fault(read.error)
    try:
        items = [item for raw in read.output if (item := shown_item(raw)) is not None]
    except msgspec.DecodeError:
        raise model_error() from None
    cut = stop_reason(read, tools=False) == "max_tokens"
    blocks = [block for item in items if (block := _read_item(item, cut=cut)) is not None]
    tools = any(block.tool_use is not None for block in blocks)
    return assistant_reply(blocks, stop_reason(read, tools=tools), read_usage(read.usage))


def error_fault(error: native.VendorError) -> Fault:
    """The fault for a response that failed; the vendor's own text is shown, cut to a sane length."""
    if error.code == "rate_limit_exceeded":
        return throttled()
    return model_error(error.message[:_LONGEST]) if error.message else model_error()


def shown_item(raw: msgspec.Raw) -> native.OutputItem | None:
    """None for an item that Converse cannot show, such as a call of a tool that runs at the vendor.

    Raises msgspec.ValidationError for one that should be readable and is not.
    """
    return _ITEM.decode(raw) if _KIND.decode(raw).type in _SHOWN else None


def stop_reason(read: native.Reply, *, tools: bool) -> StopReason:
    reason = read.incomplete_details.reason if read.incomplete_details is not None else None
    if reason == "content_filter":
        return "content_filtered"
    if reason is not None or read.status == "incomplete":
        return "max_tokens"
    return "tool_use" if tools else "end_turn"


def read_usage(found: native.Usage | None) -> Usage:
    """The canon counts what came from a cache apart."""
    if found is None:
        return usage(0, 0)
    details = found.input_tokens_details or native.InputDetails()
    cached, written = details.cached_tokens, details.cache_write_tokens
    rest = max(found.input_tokens - (cached or 0) - (written or 0), 0)
    return usage(rest, found.output_tokens, cached, written)


def _read_item(item: native.OutputItem, *, cut: bool) -> ContentBlock | None:
    """None for reasoning of which nothing is shown and nothing needed."""
    if item.type == "message":
        return ContentBlock(text="".join(part.text or part.refusal for part in item.content or ()))
    if item.type == "function_call":
        given = answered(item.arguments, cut=cut)
        return ContentBlock(tool_use=ToolUseBlock(tool_use_id(item.call_id), item.name, given))
    if item.type == "reasoning":
        text = "".join(part.text for part in item.summary or item.content or ())
        signature = seal.kept(item.id, item.encrypted_content)
        if not text and signature is not None:
            return ContentBlock(reasoning_content=ReasoningContent(redacted_content=signature.encode()))
        if text:
            return ContentBlock(reasoning_content=ReasoningContent(reasoning_text=ReasoningText(text, signature)))
    return None


# --- canon → OpenAI --------------------------------------------------------------------------------------------------


def write_reply(reply: ConverseReply, frame: Frame) -> bytes:
    output: list[Json] = []
    parts: list[Json] | None = None
    for block in reply.output.message.content:
        text = block.text if block.text is not None else None
        if block.citations_content is not None:
            text = cited_text(block.citations_content)
        if text is None:
            parts = None
            item = _write_item(block, frame, len(output))
            if item is not None:
                output.append(item)
        elif parts is None:
            parts = [text_part(text)]
            output.append(message_item(frame, len(output), "completed", parts))
        else:
            parts.append(text_part(text))
    if output and "status" in output[-1]:
        output[-1]["status"] = ended_status(reply.stop_reason)
    return msgspec.json.encode(frame.ended(reply.stop_reason, output, reply.usage))


def _write_item(block: ContentBlock, frame: Frame, index: int) -> Json | None:
    use, reasoning = block.tool_use, block.reasoning_content
    if use is not None and use.type is None:
        return call_item(frame, index, "completed", use.tool_use_id, use.name, bytes(use.input).decode())
    if reasoning is not None:
        text = reasoning.reasoning_text
        encrypted = seal.shown(text.signature if text is not None else None, reasoning.redacted_content)
        return reasoning_item(frame, index, text.text if text is not None else "", encrypted)
    return None


def text_part(text: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": text}


def message_item(frame: Frame, index: int, status: str, parts: list[Json]) -> Json:
    ident = f"msg_{frame.token}{index:02d}"
    return {"id": ident, "type": "message", "status": status, "role": "assistant", "content": parts}


def reasoning_item(frame: Frame, index: int, text: str, encrypted: str | None) -> Json:
    """The text stands in `content`, as of models that show all of it; `summary` is what OpenAI's own models show."""
    content = [{"type": "reasoning_text", "text": text}] if text else []
    item: Json = {"id": f"rs_{frame.token}{index:02d}", "type": "reasoning", "summary": [], "content": content}
    if encrypted is not None:
        item["encrypted_content"] = encrypted
    return item


def call_item(frame: Frame, index: int, status: str, call_id: str, name: str, given: str) -> Json:
    """A call of a function, or of a tool of one text, whose text is the one member of what the model gave."""
    if name in frame.custom:
        ident = f"ctc_{frame.token}{index:02d}"
        said = custom_input(given)
        return {
            "id": ident, "type": "custom_tool_call", "status": status, "call_id": call_id, "name": name, "input": said,
        }  # fmt: skip
    ident = f"fc_{frame.token}{index:02d}"
    return {
        "id": ident, "type": "function_call", "status": status, "call_id": call_id, "name": name, "arguments": given,
    }  # fmt: skip


def custom_input(given: str) -> str:
    """The text that a model gave to a tool of one text; all that it said, if it said it otherwise."""
    try:
        value = msgspec.json.decode(given or "{}")
    except msgspec.DecodeError:
        return given
    text = value.get("input") if isinstance(value, dict) else None
    return text if isinstance(text, str) else "" if value == {} else given

"""A scripted reply as an answer: text with what was captured, tool calls, pauses, errors, cuts.

Owns the waits and the made-up parts (ids, token counts). Which reply it is, `script` says.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from craton.aws.wire.faults import MODEL_TIMED_OUT, Fault, model_error, model_stream_error, model_timeout
from craton.models.canon.content import ContentBlock, ReasoningContent, ReasoningText, ToolUseBlock
from craton.models.canon.events import BlockDelta, StreamEvent
from craton.models.canon.forms import events_of
from craton.models.canon.reply import ConverseReply, StopReason, assistant_reply, usage
from craton.models.canon.request import ConverseRequest
from craton.models.providers.provider import Attempt
from craton.models.providers.scripts.rules import Error, Reply
from craton.models.providers.scripts.script import Found

_PLACE = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"\s*\S+\s*|\s+")
_LETTERS_PER_TOKEN = 4


async def whole(found: Found, reply: Reply, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
    """The reply at once, after all its pauses. Raises the scripted Fault."""
    pieces = len(_chunks(found, reply))
    shown = min(reply.after, pieces) if _breaks(reply) else pieces
    await _pause(reply.delay_ms + reply.chunk_delay_ms * max(0, shown - 1), attempt, streaming=False)
    if reply.error is not None:
        raise _fault(reply.error)
    if reply.cut:
        raise model_error()
    if reply.hang:
        await _hang(attempt)
        raise model_timeout()
    return _reply(found, reply, request, attempt)


async def streamed(
    found: Found, reply: Reply, request: ConverseRequest, attempt: Attempt
) -> AsyncGenerator[list[StreamEvent]]:
    """The reply in its chunks, one list per chunk. Raises the scripted Fault where it belongs."""
    await _pause(reply.delay_ms, attempt, streaming=False)
    if _breaks(reply) and not reply.after:
        raise await _break(reply, attempt, streaming=False)
    shown = 0
    piece: list[StreamEvent] = []
    chunks = _chunks(found, reply)
    # What is not text belongs to the chunk before or after it, so that each chunk is one piece of the stream.
    for event in events_of(_reply(found, reply, request, attempt), lambda _: chunks):  # there is one text
        if isinstance(event, BlockDelta) and event.delta.text is not None:
            if _breaks(reply) and shown >= reply.after:
                break
            if shown:
                yield piece
                piece = []
                await _pause(reply.chunk_delay_ms, attempt, streaming=True)
            shown += 1
        piece.append(event)
    if not _breaks(reply):
        yield piece
        return
    kept = [event for event in piece if not _ends(event)]
    if kept:
        yield kept
    raise await _break(reply, attempt, streaming=True)


def tokens_of(request: ConverseRequest) -> int:
    """A made-up count: a token for every four letters of the request."""
    return max(1, len(msgspec.json.encode(request)) // _LETTERS_PER_TOKEN)


def _reply(found: Found, reply: Reply, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
    text = "".join(_chunks(found, reply))
    content: list[ContentBlock] = []
    if reply.reasoning:
        told = ReasoningText(_filled(reply.reasoning, found.captured), "c2NyaXB0")
        content.append(ContentBlock(reasoning_content=ReasoningContent(reasoning_text=told)))
    if text or not reply.tools:
        content.append(ContentBlock(text=text))
    for place, tool in enumerate(reply.tools, 1):
        arguments = msgspec.Raw(msgspec.json.encode(_filled_in(tool.input, found.captured)))
        ident = tool.id or f"tooluse_{attempt.request_id.replace('-', '')[:20]}{place:02d}"
        content.append(ContentBlock(tool_use=ToolUseBlock(ident, tool.name, arguments)))
    reason: StopReason = "end_turn"
    if reply.stop_reason is not None:
        reason = reply.stop_reason
    elif reply.tools:
        reason = "tool_use"
    elif reply.stop_sequence is not None:
        reason = "stop_sequence"
    written = len(text) + sum(len(msgspec.json.encode(tool)) for tool in reply.tools) + len(reply.reasoning)
    used = usage(
        tokens_of(request) if reply.input_tokens is None else reply.input_tokens,
        max(1, written // _LETTERS_PER_TOKEN) if reply.output_tokens is None else reply.output_tokens,
    )
    answer = assistant_reply(content, reason, used, reply.stop_sequence)
    answer.additional_model_response_fields = reply.fields or None
    return answer


def _breaks(reply: Reply) -> bool:
    return reply.error is not None or reply.cut or reply.hang


async def _break(reply: Reply, attempt: Attempt, *, streaming: bool) -> Fault:
    if reply.error is not None:
        return _fault(reply.error)
    if reply.cut:
        return model_stream_error() if streaming else model_error()
    await _hang(attempt)
    return model_stream_error(MODEL_TIMED_OUT) if streaming else model_timeout()


def _fault(error: Error) -> Fault:
    return Fault(error.name, error.message, fields=error.fields, retry_after_s=error.retry_after_s, status=error.status)


async def _hang(attempt: Attempt) -> None:
    await asyncio.sleep(max(0.0, attempt.deadline - asyncio.get_running_loop().time()))


async def _pause(length_ms: int, attempt: Attempt, *, streaming: bool) -> None:
    """Wait, but not beyond the target's own timeout."""
    if not length_ms:
        return
    left_s = attempt.deadline - asyncio.get_running_loop().time()
    await asyncio.sleep(max(0.0, min(length_ms / 1000, left_s)))
    if length_ms / 1000 > left_s:
        raise model_stream_error(MODEL_TIMED_OUT) if streaming else model_timeout()


def _ends(event: StreamEvent) -> bool:
    """Whether the event belongs to the end, which a broken stream does not have."""
    return type(event).__name__ in ("BlockStop", "MessageStop", "StreamMetadata")


def _chunks(found: Found, reply: Reply) -> list[str]:
    if reply.chunks:
        return [_filled(chunk, found.captured) for chunk in reply.chunks]
    return [match[0] for match in _WORD.finditer(_filled(reply.text, found.captured))] or [""]


def _filled(text: str, captured: dict[str, str]) -> str:
    """Text with `{name}` replaced where something of this name was captured; other braces stay."""
    return _PLACE.sub(lambda found: captured.get(found[1], found[0]), text) if captured else text


def _filled_in(value: Any, captured: dict[str, str]) -> Any:
    if isinstance(value, str):
        return _filled(value, captured)
    if isinstance(value, list):
        return [_filled_in(item, captured) for item in value]
    if isinstance(value, dict):
        return {name: _filled_in(item, captured) for name, item in value.items()}
    return value

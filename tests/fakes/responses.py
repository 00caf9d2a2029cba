"""What a server says that speaks OpenAI's Responses: whole answers, streams and errors in the documented format."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.fakes import scripts
from tests.fakes.scripts import Headers, Script
from tests.fakes.upstream import Request
from tests.fakes.vendors import Answers, pieces_of

USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 16,
}


def message(text: str, ident: str = "msg_1") -> dict[str, Any]:
    """An output item of text."""
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    return {"id": ident, "type": "message", "status": "completed", "role": "assistant", "content": [part]}


def response(*output: dict[str, Any], status: str = "completed", **members: Any) -> dict[str, Any]:
    """A `response` object."""
    return {
        "id": "resp_fake",
        "object": "response",
        "created_at": 1700000000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": "fake-model",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": USAGE if status != "in_progress" else None,
        **members,
    }


def reply(text: str) -> Script:
    return scripts.reply(response(message(text)))


def event(kind: str, number: int, **members: Any) -> bytes:
    value = {"type": kind, "sequence_number": number, **members}
    return f"event: {kind}\ndata: {json.dumps(value)}\n\n".encode()


def around(inner: list[tuple[str, dict[str, Any]]], *output: dict[str, Any]) -> list[bytes]:
    """Events with those that begin and end every stream."""
    begun = response(status="in_progress")
    told = [("response.created", {"response": begun}), ("response.in_progress", {"response": begun}), *inner]
    told.append(("response.completed", {"response": response(*output)}))
    return [event(kind, number, **members) for number, (kind, members) in enumerate(told)]


def text_events(pieces: Iterable[str]) -> list[bytes]:
    """The events of a stream of text."""
    given = list(pieces)
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    whole = message("".join(given))
    empty = {**whole["content"][0], "text": ""}
    inner: list[tuple[str, dict[str, Any]]] = [
        ("response.output_item.added", {"output_index": 0, "item": {**whole, "status": "in_progress", "content": []}}),
        ("response.content_part.added", {**at, "part": empty}),
        *(("response.output_text.delta", {**at, "delta": piece, "logprobs": []}) for piece in given),
        ("response.output_text.done", {**at, "text": "".join(given), "logprobs": []}),
        ("response.content_part.done", {**at, "part": whole["content"][0]}),
        ("response.output_item.done", {"output_index": 0, "item": whole}),
    ]
    return around(inner, whole)


def tool_events(name: str, pieces: Iterable[str]) -> list[bytes]:
    """The events of a stream that calls one tool."""
    given = list(pieces)
    at = {"item_id": "fc_1", "output_index": 0}
    whole = {
        "id": "fc_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": name,
        "arguments": "".join(given),
    }  # fmt: skip
    begun = {**whole, "status": "in_progress", "arguments": ""}
    inner: list[tuple[str, dict[str, Any]]] = [
        ("response.output_item.added", {"output_index": 0, "item": begun}),
        *(("response.function_call_arguments.delta", {**at, "delta": piece}) for piece in given),
        ("response.function_call_arguments.done", {**at, "arguments": "".join(given)}),
        ("response.output_item.done", {"output_index": 0, "item": whole}),
    ]
    return around(inner, whole)


def error(status: int, headers: Headers | None = None) -> Script:
    return scripts.error_openai(status, headers)


RESPONSES = Answers(reply, text_events, tool_events, error)


def natural(request: Request) -> Script:
    """An echo of the last text, whole or as a stream; a count."""
    body = request.json
    if request.path.endswith("/responses/input_tokens"):
        return scripts.reply({"object": "response.input_tokens", "input_tokens": 42})
    given = body["input"]
    last = given if isinstance(given, str) else given[-1].get("content", given[-1].get("output", ""))
    text = "Echo: " + (last if isinstance(last, str) else str(last[-1].get("text", "")))
    return scripts.event_stream(text_events(pieces_of(text))) if body.get("stream") else reply(text)

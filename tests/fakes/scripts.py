"""What a fake upstream says: scripts in OpenAI's chat format and Anthropic's Messages format, and what goes wrong.

A script is a tuple of steps that answers one exchange; bytes are sent as they are. Formats and error bodies are the
vendors' documented ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# --- steps -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sleep:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Hang:
    """Say nothing more until the client leaves."""


@dataclass(frozen=True)
class Cut:
    """Reset the connection at once."""


@dataclass(frozen=True)
class Close:
    """Close the connection after what was sent."""


@dataclass(frozen=True)
class Repeat:
    """Send these bytes again and again until the client leaves."""

    data: bytes
    pace_s: float = 0.0


Step = bytes | Sleep | Hang | Cut | Close | Repeat
Script = tuple[Step, ...]
Headers = dict[str, str]


# --- HTTP ------------------------------------------------------------------------------------------------------------


def head(status: int = 200, headers: Headers | None = None) -> bytes:
    """The head of an answer."""
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in (headers or {}).items()), "", ""]
    return "\r\n".join(lines).encode()


def plain(body: bytes, status: int = 200, headers: Headers | None = None) -> bytes:
    """A whole answer with its length."""
    given = {"content-type": "application/json", **(headers or {})}
    return head(status, {**given, "content-length": str(len(body))}) + body


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def reply(value: object, status: int = 200, headers: Headers | None = None) -> Script:
    """A whole JSON answer."""
    return (plain(json.dumps(value).encode(), status, headers),)


def event_stream(events: Iterable[bytes], pace_s: float = 0.0, *, end: Iterable[Step] = (LAST_CHUNK,)) -> Script:
    """Each event in a chunk of its own, `pace_s` apart, then `end`."""
    steps: list[Step] = [head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})]
    for position, event in enumerate(events):
        if position and pace_s:
            steps.append(Sleep(pace_s))
        steps.append(chunk(event))
    return (*steps, *end)


# --- OpenAI's format -------------------------------------------------------------------------------------------------

OPENAI_USAGE = {"prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16}


def openai_message(text: str, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """A `chat.completion` object; `message` adds members such as `tool_calls`."""
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "fake-model",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
        ],
        "usage": OPENAI_USAGE,
    }


def openai_chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **members: Any) -> bytes:
    """One event of the stream."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    value = {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": "fake-model",
        "choices": choices,
        **members,
    }
    return b"data: " + json.dumps(value).encode() + b"\n\n"


OPENAI_DONE = b"data: [DONE]\n\n"


def openai_events(pieces: Iterable[str], finish: str = "stop") -> list[bytes]:
    """The events of a stream of text, as OpenAI sends them with `stream_options.include_usage`."""
    return [
        openai_chunk({"role": "assistant", "content": ""}),
        *(openai_chunk({"content": piece}) for piece in pieces),
        openai_chunk({}, finish),
        openai_chunk(None, usage=OPENAI_USAGE),
        OPENAI_DONE,
    ]


def openai_tool_events(name: str, arguments: Iterable[str], call_id: str = "call_fake1") -> list[bytes]:
    """The events of a stream that calls one tool, its arguments in pieces."""
    first = {"index": 0, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    return [
        openai_chunk({"role": "assistant", "content": None, "tool_calls": [first]}),
        *(openai_chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}) for piece in arguments),
        openai_chunk({}, "tool_calls"),
        openai_chunk(None, usage=OPENAI_USAGE),
        OPENAI_DONE,
    ]


def openai_reply(text: str = "Hello there", finish: str = "stop", **message: Any) -> Script:
    """A whole reply."""
    return reply(openai_message(text, finish, **message))


def openai_stream(pieces: Iterable[str] = ("Hel", "lo"), pace_s: float = 0.0) -> Script:
    """A stream of text."""
    return event_stream(openai_events(pieces), pace_s)


_OPENAI_ERRORS = {
    400: ("invalid_request_error", None, "Invalid value: 'temperature' must be at most 2."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-fake**********cdef."),
    403: ("insufficient_permissions", None, "You have insufficient permissions for this operation."),
    404: ("invalid_request_error", "model_not_found", "The model `nope` does not exist."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    500: ("server_error", None, "The server had an error while processing your request."),
    503: ("server_error", None, "The engine is currently overloaded, please try again later."),
}


def error_openai(status: int, headers: Headers | None = None) -> Script:
    """An error with OpenAI's documented body."""
    kind, code, message = _OPENAI_ERRORS.get(status, ("server_error", None, "Something went wrong."))
    return reply({"error": {"message": message, "type": kind, "param": None, "code": code}}, status, headers)


# --- Anthropic's format ----------------------------------------------------------------------------------------------


def anthropic_message(text: str, stop: str = "end_turn", content: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A `message` object."""
    return {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": "claude-fake",
        "content": [{"type": "text", "text": text}] if content is None else content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {"input_tokens": 11, "output_tokens": 5},
    }


def anthropic_event(kind: str, **members: Any) -> bytes:
    """One event of the stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **members})}\n\n".encode()


def _anthropic_around(inner: list[bytes], stop: str) -> list[bytes]:
    start = {
        **anthropic_message("", content=[]),
        "stop_reason": None,
        "usage": {"input_tokens": 11, "output_tokens": 1},
    }
    return [
        anthropic_event("message_start", message=start),
        *inner,
        anthropic_event(
            "message_delta", delta={"stop_reason": stop, "stop_sequence": None}, usage={"output_tokens": 5}
        ),
        anthropic_event("message_stop"),
    ]


def anthropic_events(pieces: Iterable[str], stop: str = "end_turn") -> list[bytes]:
    """The events of a stream of text, with a ping after the first as the vendor sends it."""
    inner = [
        anthropic_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        anthropic_event("ping"),
        *(
            anthropic_event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
            for piece in pieces
        ),
        anthropic_event("content_block_stop", index=0),
    ]
    return _anthropic_around(inner, stop)


def anthropic_tool_events(name: str, arguments: Iterable[str], call_id: str = "toolu_fake1") -> list[bytes]:
    """The events of a stream that calls one tool, its input in pieces."""
    block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
    inner = [
        anthropic_event("content_block_start", index=0, content_block=block),
        *(
            anthropic_event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": piece})
            for piece in arguments
        ),
        anthropic_event("content_block_stop", index=0),
    ]
    return _anthropic_around(inner, "tool_use")


def anthropic_reply(text: str = "Hello there", stop: str = "end_turn") -> Script:
    """A whole reply."""
    return reply(anthropic_message(text, stop))


def anthropic_stream(pieces: Iterable[str] = ("Hel", "lo"), pace_s: float = 0.0) -> Script:
    """A stream of text."""
    return event_stream(anthropic_events(pieces), pace_s)


_ANTHROPIC_ERRORS = {
    400: ("invalid_request_error", "messages: text content blocks must be non-empty"),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "model: claude-nope"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "This request would exceed your organization's rate limit."),
    500: ("api_error", "Internal server error"),
    529: ("overloaded_error", "Overloaded"),
}


def anthropic_error(status: int) -> dict[str, Any]:
    """The documented body of an error."""
    kind, message = _ANTHROPIC_ERRORS.get(status, ("api_error", "Internal server error"))
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_fake"}


def error_anthropic(status: int, headers: Headers | None = None) -> Script:
    """An error with Anthropic's documented body."""
    return reply(anthropic_error(status), status, headers)


# --- what goes wrong -------------------------------------------------------------------------------------------------

HANG: Script = (Hang(),)
CUT: Script = (Cut(),)
GARBAGE: Script = (b"\x16\x03\x01 this is no HTTP \xff\xfe\r\n\r\n", Close())
INVALID_JSON: Script = (plain(b'{"id": "x", "choices": [{"ind'),)
HTML: Script = (plain(b"<html><body>Bad gateway</body></html>", 502, {"content-type": "text/html"}),)


def hang_midstream(events: Iterable[bytes]) -> Script:
    """These events, then silence."""
    return event_stream(events, end=(Hang(),))


def cut_midstream(events: Iterable[bytes]) -> Script:
    """These events, then a reset connection."""
    return event_stream(events, end=(Sleep(0.05), Cut()))


def end_early(events: Iterable[bytes]) -> Script:
    """These events, then a proper end of the body, though the stream has not come to its own."""
    return event_stream(events)


def half_event(events: Iterable[bytes], half: bytes = b'data: {"id":"chatcmpl-fake","choi') -> Script:
    """These events, half of another, and a proper end of the body."""
    return event_stream([*events, half])


def endless(event: bytes, pace_s: float = 0.0) -> Script:
    """A stream without an end."""
    return (
        head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"}),
        Repeat(chunk(event), pace_s),
    )

"""OpenAI-shaped replies: whole ones, stream chunks and errors, as bytes.

Owns the JSON. The parts of a chunk that never change are encoded once per answer. Knows no sockets and no tokens'
meaning beyond their spelling.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from craton.engine.answer import Reason, Usage
from craton.engine.backend import TokenLogprob
from craton.engine.tokenizer import Tokenizer
from craton.engine.toolcalls import CallBegan, Event, Text

ENCODE = msgspec.json.Encoder().encode
DONE = b"data: [DONE]\n\n"
Kind = Literal["chat", "text"]
# (prefix of the id, `object` of a whole reply, `object` of a chunk)
NAMES: dict[Kind, tuple[str, str, str]] = {
    "chat": ("chatcmpl-", "chat.completion", "chat.completion.chunk"),
    "text": ("cmpl-", "text_completion", "text_completion"),
}


def error(message: str, kind: str, param: str | None = None, code: str | None = None) -> bytes:
    """An OpenAI error object."""
    return ENCODE({"error": {"message": message, "type": kind, "param": param, "code": code}})


def usage_of(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage object."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }


class Reply:
    """One answer's identity, and both ways of telling it."""

    def __init__(self, kind: Kind, model: str) -> None:
        prefix, whole, chunk = NAMES[kind]
        self._kind = kind
        self._call_ids: list[str] = []
        self._head = {"id": prefix + secrets.token_hex(12), "created": int(time.time()), "model": model}
        self._whole = {**self._head, "object": whole}
        # Everything up to the choices, ready to be followed by them.
        self._lead = b"data: " + ENCODE({**self._head, "object": chunk})[:-1] + b',"choices":['

    def opening(self) -> bytes:
        """The first chunk of a chat stream, which names the role; nothing for raw completions."""
        if self._kind == "text":
            return b""
        return self._chunk({"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None})

    def event(self, event: Event, logprobs: dict[str, Any] | None = None) -> bytes:
        """A chunk for one event; `logprobs` is what `logprobs_of` made of the tokens behind it."""
        choice: dict[str, Any] = {"index": 0}
        if self._kind == "text":
            choice["text"] = event.text if isinstance(event, Text) else ""
        else:
            choice["delta"] = self._delta(event)
        choice["finish_reason"] = None
        if logprobs is not None:
            choice["logprobs"] = logprobs
        return self._chunk(choice)

    def closing(self, reason: Reason, stop: str | None) -> bytes:
        """The chunk that says why the answer ended; `stop_reason` names the stop string, as vLLM does."""
        choice: dict[str, Any] = {"index": 0, "text": ""} if self._kind == "text" else {"index": 0, "delta": {}}
        choice["finish_reason"] = reason
        if stop is not None:
            choice["stop_reason"] = stop
        return self._chunk(choice)

    def usage(self, usage: Usage) -> bytes:
        """The chunk without choices that `stream_options.include_usage` asks for."""
        return self._lead + b'],"usage":' + ENCODE(usage_of(usage)) + b"}\n\n"

    def whole(
        self, events: Iterable[Event], reason: Reason, stop: str | None, usage: Usage, logprobs: dict[str, Any] | None
    ) -> bytes:
        """The reply of a request that does not stream."""
        text, calls = self._gathered(events)
        choice: dict[str, Any] = {"index": 0, "finish_reason": reason, "logprobs": logprobs}
        if self._kind == "text":
            choice["text"] = text
        else:
            message: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None}
            if calls:
                message["tool_calls"] = calls
            choice["message"] = message
        if stop is not None:
            choice["stop_reason"] = stop
        return ENCODE({**self._whole, "choices": [choice], "usage": usage_of(usage)})

    def _chunk(self, choice: dict[str, Any]) -> bytes:
        return self._lead + ENCODE(choice) + b"]}\n\n"

    def _delta(self, event: Event) -> dict[str, Any]:
        if isinstance(event, Text):
            return {"content": event.text}
        if isinstance(event, CallBegan):
            self._call_ids.append("call_" + secrets.token_hex(12))
            began = {"name": event.name, "arguments": ""}
            call = {"index": event.index, "id": self._call_ids[-1], "type": "function", "function": began}
            return {"tool_calls": [call]}
        return {"tool_calls": [{"index": event.index, "function": {"arguments": event.text}}]}

    def _gathered(self, events: Iterable[Event]) -> tuple[str, list[dict[str, Any]]]:
        texts: list[str] = []
        calls: list[dict[str, Any]] = []
        for event in events:
            if isinstance(event, Text):
                texts.append(event.text)
            elif isinstance(event, CallBegan):
                function = {"name": event.name, "arguments": ""}
                calls.append({"id": "call_" + secrets.token_hex(12), "type": "function", "function": function})
            else:
                calls[event.index]["function"]["arguments"] += event.text
        return "".join(texts), calls


def logprobs_of(kind: Kind, tokenizer: Tokenizer, found: list[TokenLogprob]) -> dict[str, Any]:
    """OpenAI's logprobs object of a choice, in the older shape for raw completions."""
    if kind == "text":
        return {
            "tokens": [tokenizer.spelling(each.token) for each in found],
            "token_logprobs": [each.logprob for each in found],
            "top_logprobs": [{tokenizer.spelling(token): value for token, value in each.top} for each in found],
        }
    return {"content": [_logprob(tokenizer, each.token, each.logprob, each.top) for each in found]}


def _logprob(
    tokenizer: Tokenizer, token: int, value: float, top: list[tuple[int, float]] | None = None
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "token": tokenizer.spelling(token),
        "logprob": value,
        "bytes": list(tokenizer.token_bytes(token)),
    }
    if top is not None:
        told["top_logprobs"] = [_logprob(tokenizer, each, log) for each, log in top]
    return told

"""The `response` object: what it repeats of the request, and what it says of an answer.

Used whole at the end of an answer and, without its output, in the first events of a stream.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from craton.models.canon.reply import StopReason, Usage
from craton.models.dialects.dialect import Shown

Json = dict[str, Any]

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_NULL = Raw(b"null")
# Repeated from the request, and what stands there if it said nothing.
_ECHOED: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
_INCOMPLETE: dict[StopReason, str] = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
}


class _Named(msgspec.Struct):
    type: str = ""
    name: str = ""


_TOOLS = msgspec.json.Decoder(list[_Named])


class Frame:
    """The object around one answer.

    Args:
        stores: whether answers can be kept; if not, `store` says false whatever was asked.
    """

    __slots__ = ("_created", "_members", "_tier", "custom", "ident", "stored", "token")

    def __init__(self, shown: Shown, *, created: int, stores: bool) -> None:
        given = _members(shown.body)
        self.token = shown.request_id.replace("-", "")
        self.ident = f"resp_{self.token}"
        self._created = created
        self.stored = stores and given.get("store") != Raw(b"false")
        self._members: Json = {name: given.get(name, usual) for name, usual in _ECHOED.items()}
        self._members |= {"model": shown.model, "store": self.stored, "background": False}
        self._tier = shown.request.service_tier.type if shown.request.service_tier is not None else "default"
        self.custom = _custom_names(given.get("tools"))

    def response(
        self, status: str, output: list[Json], *, reason: str | None = None, used: Usage | None = None
    ) -> Json:
        """The object; `reason` tells what cut the answer short."""
        written: Json = {
            "id": self.ident,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": reason} if reason is not None else None,
            **self._members,
            "service_tier": self._tier,
            "output": output,
            "usage": write_usage(used) if used is not None else None,
        }
        if status == "completed":
            written["completed_at"] = self._created
        return written

    def ended(self, stop: StopReason, output: list[Json], used: Usage) -> Json:
        """The object of an answer that has come to its end."""
        reason = _INCOMPLETE.get(stop)
        return self.response("completed" if reason is None else "incomplete", output, reason=reason, used=used)


def ended_status(stop: StopReason) -> str:
    """The status of the answer's last item."""
    return "incomplete" if stop in _INCOMPLETE else "completed"


def _members(body: bytes) -> dict[str, Raw]:
    """The request's members that say something; none where there is no body."""
    try:
        return {name: raw for name, raw in _MEMBERS.decode(body or b"{}").items() if raw != _NULL}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _custom_names(tools: Raw | None) -> frozenset[str]:
    if tools is None:
        return frozenset()
    return frozenset(tool.name for tool in _TOOLS.decode(tools) if tool.type == "custom")


def write_usage(used: Usage) -> Json:
    cached, written = used.cache_read_input_tokens or 0, used.cache_write_input_tokens or 0
    read = used.input_tokens + cached + written
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        "output_tokens": used.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + used.output_tokens,
    }

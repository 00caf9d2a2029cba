"""The Anthropic door: Messages and their token count as Anthropic's own clients ask for them.

Owns what is Anthropic's alone: named events, betas in a header, system messages among the turns, and the body of
`count_tokens`. The schema is the dialect's, the inference `door_chat`'s.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.inference import run
from craton.features.inference.routing.routes import Resolved
from craton.front.door_chat import Manner, answer, named_event, off_the_loop, resolve, settle, speaks
from craton.front.door_faults import ANTHROPIC, DoorFault
from craton.front.door_request import Asked, Events, Whole
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.anthropic_messages.dialect import AnthropicMessages, beta_header
from craton.models.dialects.malformed import decode_native

NO_COUNT = "The provided model doesn't support counting tokens."
NO_SERVER_TOOL = "tools.{place}: the tool type '{type}' runs at Anthropic and is not supported with this model"
NO_MCP = "mcp_servers: MCP servers are called by Anthropic and are not supported with this model"
NOT_BUILT = frozenset({"complete", "files", "skills", "organizations"})

_DIALECT = AnthropicMessages(vendor=True)
_SERVER_TOOLS = ("web_search_", "web_fetch_", "code_execution_", "tool_search_tool_", "mcp_toolset", "advisor_")
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_TURNS = msgspec.json.Decoder(list[dict[str, Raw]])
_NULL, _SYSTEM = Raw(b"null"), Raw(b'"system"')
_SYSTEM_TURN = re.compile(rb'"role"\s*:\s*"system"')
_BETA = re.compile(rb"[A-Za-z0-9._:-]{1,128}\Z")


class _Peek(msgspec.Struct):
    model: str
    stream: bool | None = None


_PEEK = msgspec.json.Decoder(_Peek)


def add_betas(call: Call, resolved: Resolved, request: ConverseRequest) -> None:
    """Take the header's betas along if a target speaks the vendor's schema; to others they mean nothing."""
    header = call.headers.get(b"anthropic-beta")
    if header is None or not speaks(resolved, _DIALECT.name):
        return
    betas = [name.strip() for name in header.split(b",")]
    named = beta_header(request) + [name.decode("ascii") for name in betas if _BETA.match(name)]
    if named:
        fields = request.additional_model_request_fields or {}
        request.additional_model_request_fields = {**fields, "anthropic_beta": list(dict.fromkeys(named))}


def refuse_server_tools(resolved: Resolved, request: ConverseRequest) -> None:
    """A tool that runs at Anthropic works with a target that speaks to it; for any other it would silently be missing."""
    fields = request.additional_model_request_fields or {}
    if speaks(resolved, _DIALECT.name):
        return
    for place, tool in enumerate(fields.get("tools") or ()):
        kind = tool.get("type")
        if isinstance(kind, str) and kind.startswith(_SERVER_TOOLS):
            raise DoorFault("invalid", NO_SERVER_TOOL.format(place=place, type=kind[:64]))
    if fields.get("mcp_servers"):
        raise DoorFault("invalid", NO_MCP)


def attune(call: Call, resolved: Resolved, request: ConverseRequest) -> None:
    add_betas(call, resolved, request)
    refuse_server_tools(resolved, request)


MANNER = Manner(_DIALECT, named_event, b"", ANTHROPIC, attune)


async def messages(asked: Asked) -> Whole | Events:
    """POST /messages, whole or as a stream."""
    request, streaming = await off_the_loop(asked.body, read_request)
    return await answer(asked.call, MANNER, request, streaming=streaming)


async def count_tokens(asked: Asked) -> Whole:
    """POST /messages/count_tokens, by the target's own count."""
    call = asked.call
    request = await off_the_loop(asked.body, read_counted)
    call.speaks = _DIALECT.name
    resolved = resolve(call, request.model_id, run.COUNT, ANTHROPIC)
    if not resolved.route.capabilities.count_tokens:
        raise validation(NO_COUNT)
    settle(request)
    add_betas(call, resolved, request)
    return Whole(b'{"input_tokens":%d}' % await run.count_tokens(call, resolved, request))


def read_request(body: bytes) -> tuple[ConverseRequest, bool]:
    """The request, and whether its answer is to be a stream. Raises ValidationException."""
    request = _DIALECT.read_request(gathered(body))
    peek = _PEEK.decode(body)  # the dialect has held it against the schema
    request.model_id = peek.model
    return request, peek.stream is True


def read_counted(body: bytes) -> ConverseRequest:
    """The request of a count, which says nothing of how long the answer may be; the schema demands that."""
    members = decode_native(_MEMBERS, body)
    members.setdefault("max_tokens", Raw(b"1"))
    return read_request(msgspec.json.encode(members))[0]


def gathered(body: bytes) -> bytes:
    """The body with system messages among the turns moved to the system prompt, where every model takes them.

    The vendor's newer models take them where they stand; Converse has no place for them there.
    """
    if _SYSTEM_TURN.search(body) is None:
        return body
    members = decode_native(_MEMBERS, body)
    try:
        turns = _TURNS.decode(members.get("messages", Raw(b"[]")))
        found = [msgspec.json.decode(turn.get("content", _NULL)) for turn in turns if turn.get("role") == _SYSTEM]
        system = msgspec.json.decode(members.get("system", _NULL))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body  # the dialect tells what is wrong with it
    if not found:
        return body
    parts = [part for content in (system, *found) for part in texts(content)]
    kept = [turn for turn in turns if turn.get("role") != _SYSTEM]
    return msgspec.json.encode({**members, "messages": kept, "system": parts})


def texts(content: Any) -> list[Any]:
    """Content as a list of parts."""
    if isinstance(content, list):
        return content
    return [{"type": "text", "text": content}] if content else []

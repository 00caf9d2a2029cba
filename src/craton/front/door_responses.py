"""OpenAI's Responses at the door: one answer, and what follows from answers that were kept.

Owns what is of the API rather than of its schema: the conversation that `previous_response_id` continues, keeping an
answer (only where `[retention] responses` allows it, else `store` is false whatever was asked), and counting. The
schema is the dialect's, the inference `door_chat`'s; what is kept can be read by `door_kept`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec
from msgspec import Raw

from craton.aws.wire.faults import unavailable, validation
from craton.context import Call
from craton.features.inference import run
from craton.features.inference.routing.routes import Resolved
from craton.front.door_chat import Manner, framed, named_event, off_the_loop, prepare, resolve, settle, speaks
from craton.front.door_faults import RESPONSES, DoorFault
from craton.front.door_kept import SEALED_AS, Kept, find
from craton.front.door_request import Asked, Events, Whole
from craton.infra.cipher.faults import unreadable
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Shown
from craton.models.dialects.malformed import decode_native
from craton.models.dialects.openai_responses.dialect import OpenAIResponses
from craton.models.dialects.openai_responses.writer import Writer

NO_HOSTED_TOOL = "The tool type '{type}' is not supported with this model: it runs at its vendor. Use functions."
NO_STORE = "store must be false: the data retention mode of this account is 'none'."
NO_COUNT = "The provided model doesn't support counting tokens."

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_ITEMS = msgspec.json.Decoder(str | list[Raw])


class _Peek(msgspec.Struct):
    """What must be known of a body before it is read."""

    model: str
    stream: bool | None = None
    store: bool | None = None
    previous_response_id: str | None = None


class _Ended(msgspec.Struct):
    id: str
    store: bool
    output: list[Raw]


_PEEK = msgspec.json.Decoder(_Peek)
_ENDED = msgspec.json.Decoder(_Ended)


def refuse_hosted(call: Call, resolved: Resolved, request: ConverseRequest) -> None:
    """A tool that runs at OpenAI works with a target that speaks to it; for any other it would silently be missing."""
    tools = (request.additional_model_request_fields or {}).get("tools")
    if tools and not speaks(resolved, "openai.responses"):
        kind = str(tools[0].get("type"))[:64]
        raise DoorFault("invalid", NO_HOSTED_TOOL.format(type=kind), param="tools", code="unsupported_value")


_DIALECT, _KEEPING = OpenAIResponses(), OpenAIResponses(stores=True)


def keeps(call: Call) -> bool:
    """Whether answers are kept: if the configuration allows it, and the account's data retention mode."""
    if not call.app.settings.file.retention.responses:
        return False
    mode: str = call.app.live.routes.modes.of(call.account, call.region)
    return mode != "none"


def refuse_store(call: Call, peek: _Peek) -> None:
    """Under the mode `none` nothing is kept, and whoever asks for it is told (user guide, "Data retention")."""
    if peek.store and call.app.live.routes.modes.of(call.account, call.region) == "none":
        raise DoorFault("invalid", NO_STORE, param="store", code="unsupported_value")


def _manner(call: Call) -> Manner:
    dialect = _KEEPING if keeps(call) else _DIALECT
    return Manner(dialect, named_event, b"", RESPONSES, refuse_hosted)


async def create(asked: Asked) -> Whole | Events:
    """POST /responses, whole or as a stream."""
    call = asked.call
    peek = await off_the_loop(asked.body, read_peek)
    refuse_store(call, peek)
    streaming = peek.stream is True
    body = await continued(call, peek, asked.body)
    request = await off_the_loop(body, lambda given: _DIALECT.read_request(given, streaming=streaming))
    request.model_id = peek.model
    manner = _manner(call)
    resolved = prepare(call, manner, request, streaming=streaming)
    shown = Shown(request.model_id, request, call.request_id, asked.body)
    if not streaming:
        answer = manner.speech.write_reply(await run.converse(call, resolved, request), shown)
        await keep(call, body, answer)
        return Whole(answer)
    events, _ = await run.converse_stream(call, resolved, request)
    writer = _KEEPING.writer(shown) if manner.speech is _KEEPING else _DIALECT.writer(shown)
    return Events(kept_stream(call, body, framed(call, manner, events, writer), writer))


async def kept_stream(call: Call, body: bytes, frames: AsyncGenerator[bytes], writer: Writer) -> AsyncGenerator[bytes]:
    """The stream; its last piece leaves once the answer is kept, so that the next request finds it."""
    async with aclosing(frames) as pieces:
        async for piece in pieces:
            if writer.whole is not None:
                await keep(call, body, msgspec.json.encode(writer.whole))
            yield piece


def read_peek(body: bytes) -> _Peek:
    """Raises ValidationException."""
    return decode_native(_PEEK, body)


async def continued(call: Call, peek: _Peek, body: bytes) -> bytes:
    """The body with the conversation before it. Raises DoorFault for one that is not kept."""
    if peek.previous_response_id is None:
        return body
    kept = await find(call, peek.previous_response_id, as_previous=True)
    members = decode_native(_MEMBERS, body)
    given = decode_native(_ITEMS, members.get("input", Raw(b'""')))
    news: list[Any] = [{"role": "user", "content": given}] if isinstance(given, str) else given
    return msgspec.json.encode({**members, "input": [*kept.input, *kept.output, *news]})


async def keep(call: Call, body: bytes, answer: bytes) -> None:
    """Keep an answer that says it is stored. Raises ServiceUnavailableException if that cannot be."""
    if not keeps(call):
        return
    ended = _ENDED.decode(answer)
    if not ended.store:
        return
    given = _ITEMS.decode(_MEMBERS.decode(body)["input"])
    kept = Kept.of(ended.id, given, ended.output, Raw(answer))
    with unreadable("response"):
        sealed = await call.app.cipher.seal(
            call.account, SEALED_AS, None, msgspec.json.encode(kept), {"id": ended.id}, region=call.region
        )
    if not await call.app.supervisor.keep_response(call.account, ended.id, sealed):
        raise unavailable("The response is too large to be stored. Set store to false.")


async def count(asked: Asked) -> Whole:
    """POST /responses/input_tokens, by the target's own count."""
    call = asked.call
    peek = await off_the_loop(asked.body, read_peek)
    body = await continued(call, peek, asked.body)
    request = await off_the_loop(body, lambda given: _DIALECT.read_request(given, streaming=peek.stream is True))
    request.model_id, call.speaks = peek.model, _DIALECT.name
    resolved = resolve(call, request.model_id, run.COUNT, RESPONSES)
    if not resolved.route.capabilities.count_tokens:
        raise validation(NO_COUNT)
    settle(request)
    if resolved.router is not None:
        resolved = run.routed(resolved, request, streaming=False)
    counted = await run.count_tokens(call, resolved, request)
    return Whole(b'{"object":"response.input_tokens","input_tokens":%d}' % counted)

"""One inference, whole or as a stream: resolve, authorize, check, ask a target, account for it.

Takes canonical requests and gives canonical answers; native bodies are `passthrough`'s and the dialects' business,
frames and headers the service's. Knows no vendor and no HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

import msgspec

from craton.context import Call
from craton.features.inference import balance, fields, rules, stream
from craton.features.inference.routes import Resolved, Target
from craton.models.canon.events import MessageStop, StreamEvent, StreamMetadata
from craton.models.canon.reply import ConverseReply, Metrics
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Ledger
from craton.models.providers.provider import Attempt

INVOKE = "bedrock:InvokeModel"
INVOKE_STREAM = "bedrock:InvokeModelWithResponseStream"
COUNT = "bedrock:CountTokens"
_MODES = {b"strict": "strict", b"lenient": "lenient"}


def resolve(call: Call, model_id: str, action: str) -> Resolved:
    """The route that the caller named and may use."""
    resolved: Resolved = call.app.live.routes.resolve(model_id, call.caller.account, call.region)
    call.authorize(action, *resolved.resources)
    return resolved


def attempt(call: Call, resolved: Resolved, target: Target, ledger: Ledger) -> Attempt:
    deadline = call.app.clock.monotonic() + target.timeout_s
    return Attempt(target.model, ledger, deadline, call.request_id, resolved.route.max_output_tokens, target.quirks)


def ledger_of(call: Call) -> Ledger:
    """Strict or lenient, as the request's header says or else the configuration."""
    asked = call.headers.get(b"x-craton-translation")
    mode = _MODES.get(asked.lower()) if asked is not None else None
    return Ledger(strict=(mode or call.app.settings.file.translation.mode) == "strict")


def tell(call: Call, target: Target, ledger: Ledger) -> None:
    """The headers by which an answer says who gave it and what was lost on the way."""
    if target.standin:
        call.response_headers.append((b"x-craton-standin", target.standin.encode()))
    if ledger.dropped:
        call.response_headers.append((b"x-craton-dropped", ", ".join(ledger.dropped).encode("ascii", "replace")))
    if ledger.emulated:
        call.response_headers.append((b"x-craton-emulated", ", ".join(ledger.emulated).encode("ascii", "replace")))


def elapsed_ms(call: Call) -> int:
    return int((call.app.clock.monotonic() - call.started_at) * 1000)


async def converse(call: Call, resolved: Resolved, request: ConverseRequest) -> ConverseReply:
    """The whole answer of the first target that gives one."""

    async def ask(target: Target) -> ConverseReply:
        ledger = ledger_of(call)
        answer = await target.provider.converse(request, attempt(call, resolved, target, ledger))
        tell(call, target, ledger)
        return answer

    reply = await balance.first_answer(resolved.route, ask)
    reply.metrics = Metrics(elapsed_ms(call))
    return reply


@dataclass(slots=True)
class Timing:
    """Milliseconds from the request's arrival; `first_ms` to the first piece of the answer."""

    first_ms: int
    total_ms: int = 0


async def converse_stream(
    call: Call, resolved: Resolved, request: ConverseRequest
) -> tuple[AsyncGenerator[list[StreamEvent]], Timing]:
    """A stream that has begun: what fails before its first piece is raised here."""

    def start(target: Target) -> balance.Opening[StreamEvent]:
        return asked(call, target, resolved, request)

    opened = await balance.first_stream(resolved.route, start)
    timing = Timing(elapsed_ms(call))
    return finished(call, opened, timing), timing


def asked(call: Call, target: Target, resolved: Resolved, request: ConverseRequest) -> balance.Opening[StreamEvent]:
    """A target's stream; once it has begun, the answer's headers say what there is to say of it."""
    ledger = ledger_of(call)
    stream = target.provider.converse_stream(request, attempt(call, resolved, target, ledger))
    return stream, partial(tell, call, target, ledger)


async def finished(
    call: Call, opened: balance.Opened[StreamEvent], timing: Timing
) -> AsyncGenerator[list[StreamEvent]]:
    """The stream through its window, with the latency in its last event."""
    window = stream.OPEN
    async with aclosing(opened) as pieces:
        async for events in pieces:
            last = events[-1] if events else None
            if type(last) is StreamMetadata:
                timing.total_ms = elapsed_ms(call)
                last.metrics = Metrics(timing.total_ms)
            yield window.feed(events)
    rest = window.close()
    if rest:
        yield rest


def check(resolved: Resolved, request: ConverseRequest, *, streaming: bool) -> None:
    """Bedrock's rules for Converse; `[compat] relaxed` lifts none of those about form."""
    rules.check(request, resolved.route.capabilities, resolved.route.max_output_tokens, streaming=streaming)
    if request.additional_model_response_field_paths:
        fields.check_paths(request.additional_model_response_field_paths)


def add_fields(call: Call, resolved: Resolved, request: ConverseRequest, reply: ConverseReply) -> None:
    """Fill `additionalModelResponseFields` from the native reply that the model's family would give."""
    paths = request.additional_model_response_field_paths
    dialect = resolved.route.dialect if paths else None
    if paths and dialect is not None:
        native = dialect.write_reply(reply, fields.shown(call.request_id, request))
        reply.additional_model_response_fields = fields.pick(msgspec.json.decode(native), paths)


def add_stop_fields(request: ConverseRequest, stop: MessageStop) -> None:
    """The same for a stream, where only what ended the turn is known as it ends."""
    paths = request.additional_model_response_field_paths
    if paths:
        native = {"stop_reason": stop.stop_reason, "stop_sequence": stop.stop_sequence}
        stop.additional_model_response_fields = fields.pick(native, paths)


async def count_tokens(call: Call, resolved: Resolved, request: ConverseRequest) -> int:
    """Input tokens of a request, by the target's own count."""

    async def ask(target: Target) -> int:
        return await target.provider.count_tokens(request, attempt(call, resolved, target, Ledger()))

    return await balance.first_answer(resolved.route, ask)

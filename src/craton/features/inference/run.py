"""One inference, whole or as a stream: resolve, authorize, check, ask a target, account for it.

Takes canonical requests and gives canonical answers; native bodies are `passthrough`'s and the dialects' business,
frames and headers the service's. Knows no vendor and no HTTP.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from craton.aws.access.variables import Keys
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.inference import balance, fields, stream, terms
from craton.features.inference.fitting import fit
from craton.features.inference.quotas.quota import NOTHING, Held
from craton.features.inference.routing.routes import Resolved, Target, named_arn
from craton.features.inference.rules import form as rules
from craton.models.canon.events import MessageStop, StreamEvent, StreamMetadata
from craton.models.canon.reply import ConverseReply, Metrics
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Ledger
from craton.models.providers.provider import Attempt

INVOKE = "bedrock:InvokeModel"
INVOKE_STREAM = "bedrock:InvokeModelWithResponseStream"
COUNT = "bedrock:CountTokens"
_UNPRINTABLE = re.compile(rb"[^ -~]")
_MODES = {b"strict": "strict", b"lenient": "lenient"}


def resolve(call: Call, model_id: str, action: str, given: Keys = terms.PLAIN) -> Resolved:
    """The route that the caller named and may use; `given` is what the request says of itself (`terms`)."""
    live = call.app.live
    resolved: Resolved
    try:
        call.resolved = resolved = live.routes.resolve(model_id, call.caller.account, call.region)
        call.named = model_id
    except Fault:
        # Whoever may not ask learns nothing of what is there.
        call.authorize(action, named_arn(model_id, call.region), given=given)
        raise
    live.authority.judge(call, action, resolved.judged, given)
    if given is not terms.PLAIN:
        terms.authorize_guardrail(call, given)
    return resolved


def routed(resolved: Resolved, request: ConverseRequest, *, streaming: bool) -> Resolved:
    """The model that a prompt router chooses for this request; call it where `resolved.router` is not None."""
    from craton.features.inference.routing.prompt_choice import pick

    return pick(resolved, request, streaming=streaming)


def routed_native(resolved: Resolved, body: bytes, *, streaming: bool) -> Resolved:
    """The same for the native body of an InvokeModel."""
    from craton.features.inference.routing.prompt_choice import pick_native

    return pick_native(resolved, body, streaming=streaming)


def attempt(call: Call, resolved: Resolved, target: Target, ledger: Ledger, timeout_s: float = 0.0) -> Attempt:
    """One try at a target, within `timeout_s` (0: the target's own) and what the route's deadline leaves."""
    deadline = call.app.clock.monotonic() + (timeout_s or target.timeout_s)
    whole_s = resolved.route.retrying.deadline_s
    if whole_s:
        deadline = min(deadline, call.started_at + whole_s)
    most, family = resolved.route.max_output_tokens, resolved.route.schema
    tracer = call.app.tracer
    return Attempt(
        target.model, ledger, deadline, call.request_id, most, target.quirks, call.speaks, family, call.headers,
        () if tracer is None else tracer.carried(call),
    )  # fmt: skip


def ledger_of(call: Call) -> Ledger:
    """Strict or lenient, as the request's header says or else the configuration."""
    asked = call.headers.get(b"x-craton-translation")
    mode = _MODES.get(asked.lower()) if asked is not None else None
    return Ledger(strict=(mode or call.app.settings.file.translation.mode) == "strict")


def tell(call: Call, target: Target, ledger: Ledger) -> None:
    """The headers by which an answer says who gave it and what was lost on the way."""
    if target.standin:
        call.response_headers.append((b"x-craton-standin", (ledger.standin or target.standin).encode()))
    if ledger.dropped:
        call.response_headers.append((b"x-craton-dropped", listed(ledger.dropped)))
    if ledger.emulated:
        call.response_headers.append((b"x-craton-emulated", listed(ledger.emulated)))


def listed(names: Iterable[str]) -> bytes:
    """Names as a header's value. Some are the caller's own words, which must not break out of the line."""
    return _UNPRINTABLE.sub(b"?", ", ".join(names).encode("ascii", "replace"))


def elapsed_ms(call: Call) -> int:
    return int((call.app.clock.monotonic() - call.started_at) * 1000)


async def converse(call: Call, resolved: Resolved, request: ConverseRequest, *, plain: bool = False) -> ConverseReply:
    """The whole answer of the first target that gives one. `plain`: what `check` said, where it was asked."""

    async def ask(target: Target) -> tuple[ConverseReply, Target, Ledger]:
        ledger = ledger_of(call)
        tried = attempt(call, resolved, target, ledger)
        reply = await (target.provider.converse(request, tried) if plain else answered(call, target, request, tried))
        return reply, target, ledger

    call.metadata = request.request_metadata
    quota = call.app.quota
    with NOTHING if quota is None else await quota.hold(call, resolved, request) as held:
        reply, target, ledger = await balance.first_answer(resolved.route, ask, call, request.service_tier)
    held.settle(reply.usage)
    call.used = reply.usage
    tell(call, target, ledger)
    reply.metrics = Metrics(elapsed_ms(call))
    if resolved.invoked:
        reply.trace = traced(resolved, reply.trace)
    return reply


def answered(
    call: Call, target: Target, request: ConverseRequest, tried: Attempt
) -> Coroutine[Any, Any, ConverseReply]:
    """One target's whole answer. Nearly every request fits its target as it stands."""
    if fit.special(request):
        return fit.converse(call, target, request, tried)
    return target.provider.converse(request, tried)


def traced(resolved: Resolved, trace: Any | None) -> dict[str, Any]:
    """A trace with the model that a prompt router chose."""
    return {**(trace or {}), "promptRouter": {"invokedModelId": resolved.invoked}}


@dataclass(slots=True)
class Timing:
    """Milliseconds from the request's arrival; `first_ms` to the first piece of the answer."""

    first_ms: int
    total_ms: int = 0


async def converse_stream(
    call: Call, resolved: Resolved, request: ConverseRequest, *, plain: bool = False
) -> tuple[AsyncGenerator[list[StreamEvent]], Timing]:
    """A stream that has begun: what fails before its first piece is raised here."""

    def start(target: Target) -> balance.Opening[StreamEvent]:
        return asked(call, target, resolved, request, plain=plain)

    call.metadata = request.request_metadata
    quota = call.app.quota
    with NOTHING if quota is None else await quota.hold(call, resolved, request) as held:
        opened = await balance.first_stream(resolved.route, start, call, request.service_tier)
    opened.begun()
    timing = Timing(elapsed_ms(call))
    return finished(call, opened, timing, resolved, held), timing


def asked(
    call: Call, target: Target, resolved: Resolved, request: ConverseRequest, *, plain: bool = False
) -> balance.Opening[StreamEvent]:
    """A target's stream; once it has begun, the answer's headers say what there is to say of it."""
    ledger = ledger_of(call)
    tried = attempt(call, resolved, target, ledger, target.first_byte_s)
    if not plain and fit.special(request):
        return fit.stream(call, target, request, tried), partial(tell, call, target, ledger)
    return target.provider.converse_stream(request, tried), partial(tell, call, target, ledger)


async def finished(
    call: Call, opened: balance.Opened[StreamEvent], timing: Timing, resolved: Resolved, held: Held = NOTHING
) -> AsyncGenerator[list[StreamEvent]]:
    """The stream through its window, with the latency in its last event."""
    window = stream.OPEN
    async with opened as pieces:
        async for events in pieces:
            last = events[-1] if events else None
            if type(last) is StreamMetadata:
                timing.total_ms = elapsed_ms(call)
                last.metrics = Metrics(timing.total_ms)
                held.settle(last.usage)
                call.used = last.usage
                if resolved.invoked:
                    last.trace = traced(resolved, last.trace)
            yield window.feed(events)
    rest = window.close()
    if rest:
        yield rest


def check(resolved: Resolved, request: ConverseRequest, *, streaming: bool) -> bool:
    """Bedrock's rules for a conversation; `[compat] relaxed` lifts none of those about form.

    Returns whether it is plain: text without tools and without a schema for the answer, at home with every target.
    """
    route = resolved.route
    plain = rules.check(request, route.capabilities, route.max_output_tokens, streaming=streaming)
    if request.additional_model_response_field_paths:
        fields.check_paths(request.additional_model_response_field_paths)
    return plain and request.output_config is None


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
        tried = attempt(call, resolved, target, Ledger())
        if fit.special(request):
            return await fit.count_tokens(call, target, request, tried)
        return await target.provider.count_tokens(request, tried)

    return await balance.first_answer(resolved.route, ask, call)

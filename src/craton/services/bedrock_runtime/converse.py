"""Converse and ConverseStream."""

from __future__ import annotations

from craton.aws.wire.faults import validation
from craton.context import Call, EventStream
from craton.features.inference import run, terms
from craton.features.inference.fitting import native_fields
from craton.features.inference.routing.routes import Resolved
from craton.features.inference.rules import converse as converse_rules
from craton.models.canon.events import BlockDelta, MessageStop, StreamEvent, StreamMetadata
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.services.bedrock_runtime import frames, linked
from craton.services.operation import operation


def check(resolved: Resolved, request: ConverseRequest, *, streaming: bool) -> bool:
    """Bedrock's rules, and whether the request is plain (`run.check`): such ones have few to keep."""
    if request.additional_model_request_fields is not None:
        native_fields.lift(request, resolved.route.capabilities)
    plain = run.check(resolved, request, streaming=streaming)
    if not plain or request.guardrail_config is not None:
        converse_rules.check(request, resolved.route.capabilities)
        check_built(request)
    return plain


def check_built(request: ConverseRequest) -> None:
    """Refuse what this version would otherwise pass over in silence."""
    config = request.guardrail_config
    if config is not None and config.guardrail_identifier:
        raise validation("The guardrail identifier or version provided in the request does not exist.")


def echoed(request: ConverseRequest, reply: ConverseReply) -> None:
    """What Bedrock repeats of the request: the latency mode and the tier that served."""
    reply.performance_config = request.performance_config
    reply.service_tier = request.service_tier


@operation("bedrock-runtime", "Converse", body=ConverseRequest)
async def converse(call: Call, req: ConverseRequest) -> ConverseReply:
    resolved = run.resolve(call, req.model_id, run.INVOKE, terms.of_converse(call, req))
    if resolved.router is not None:
        call.resolved = resolved = run.routed(resolved, req, streaming=False)
    plain = check(resolved, req, streaming=False)
    if not plain and await linked.fetch(call, req):
        check(resolved, req, streaming=False)  # what the links led to has to keep the rules as well
    reply = await run.converse(call, resolved, req, plain=plain)
    run.add_fields(call, resolved, req, reply)
    echoed(req, reply)
    reply.stop_sequence = None
    return reply


@operation("bedrock-runtime", "ConverseStream", body=ConverseRequest)
async def converse_stream(call: Call, req: ConverseRequest) -> EventStream:
    resolved = run.resolve(call, req.model_id, run.INVOKE_STREAM, terms.of_converse(call, req))
    if resolved.router is not None:
        call.resolved = resolved = run.routed(resolved, req, streaming=True)
    plain = check(resolved, req, streaming=True)
    if not plain and await linked.fetch(call, req):
        check(resolved, req, streaming=True)
    events, _ = await run.converse_stream(call, resolved, req, plain=plain)

    def frame(event: StreamEvent) -> bytes:
        """The event with what the caller asked to see beside the stop reason, and what Bedrock repeats at the end."""
        if type(event) is BlockDelta:
            return frames.event_frame(event)
        if type(event) is MessageStop:
            run.add_stop_fields(req, event)
            event.stop_sequence = None
        elif type(event) is StreamMetadata:
            event.performance_config = req.performance_config
            event.service_tier = req.service_tier
        return frames.event_frame(event)

    return EventStream(frames.framed(events, frame, frames.STREAM_FAULTS, call.report), {})

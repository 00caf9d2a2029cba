"""InvokeModel and InvokeModelWithResponseStream: a model in its own native schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.access.variables import Keys
from craton.aws.wire.faults import validation
from craton.context import Call, EventStream
from craton.features.inference import passthrough, run, terms
from craton.features.inference.kinds import Counted, invoker
from craton.models.canon.reply import Usage
from craton.services.bedrock_runtime import frames
from craton.services.bedrock_runtime.request_metadata import check_metadata
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_runtime import (
        InvokeModelRequest,
        InvokeModelResponse,
        InvokeModelWithResponseStreamRequest,
    )

JSON = "application/json"
MAX_BODY_BYTES = 25_000_000


def terms_of(call: Call, req: InvokeModelRequest | InvokeModelWithResponseStreamRequest) -> Keys:
    """What the headers say that policies may ask."""
    if req.serviceTier is None and req.guardrailIdentifier is None:
        return terms.PLAIN
    return terms.keys(call, req.serviceTier, req.guardrailIdentifier, req.guardrailVersion)


def native_body(call: Call, req: InvokeModelRequest | InvokeModelWithResponseStreamRequest) -> bytes:
    """The body, after what its headers demand has been looked at."""
    for name, value in (("Content Type", req.contentType), ("Accept Type", req.accept)):
        kind = (value or JSON).split(";", 1)[0].strip().lower()
        if kind not in (JSON, "*/*", "application/*"):
            raise validation(f"The provided {name} is invalid or not supported for this model")
    if req.guardrailIdentifier:
        raise validation("The guardrail identifier or version provided in the request does not exist.")
    if req.requestMetadata:
        call.metadata = check_metadata(req.requestMetadata)
    return bytes(req.body or b"")


def count_headers(call: Call, used: Usage | Counted, latency_ms: int) -> None:
    """The headers from which SDKs and LangChain read usage (reference: invoke-bodies.md, Common rules)."""
    counts = (
        (b"x-amzn-bedrock-invocation-latency", latency_ms),
        (b"x-amzn-bedrock-input-token-count", used.input_tokens),
        (b"x-amzn-bedrock-output-token-count", used.output_tokens),
        (b"x-amzn-bedrock-cache-read-input-token-count", used.cache_read_input_tokens),
        (b"x-amzn-bedrock-cache-write-input-token-count", used.cache_write_input_tokens),
    )
    call.response_headers.extend((name, b"%d" % count) for name, count in counts if count is not None)


@operation("bedrock-runtime", "InvokeModel")
async def invoke_model(call: Call, req: InvokeModelRequest) -> InvokeModelResponse:
    resolved = run.resolve(call, req.modelId, run.INVOKE, terms_of(call, req))
    if resolved.router is not None:
        call.resolved = resolved = run.routed_native(resolved, native_body(call, req), streaming=False)
    body, used = await invoker(resolved.route.kind)(call, resolved, req.modelId, native_body(call, req))
    count_headers(call, used, run.elapsed_ms(call))
    reply: InvokeModelResponse = {"body": body, "contentType": JSON}
    if req.performanceConfigLatency:
        reply["performanceConfigLatency"] = req.performanceConfigLatency
    if req.serviceTier:
        reply["serviceTier"] = req.serviceTier
    return reply


@operation("bedrock-runtime", "InvokeModelWithResponseStream")
async def invoke_model_with_response_stream(call: Call, req: InvokeModelWithResponseStreamRequest) -> EventStream:
    resolved = run.resolve(call, req.modelId, run.INVOKE_STREAM, terms_of(call, req))
    if resolved.router is not None:
        call.resolved = resolved = run.routed_native(resolved, native_body(call, req), streaming=True)
    chunks = await passthrough.invoke_stream(call, resolved, req.modelId, native_body(call, req))
    value: dict[str, object] = {"contentType": JSON}
    if req.performanceConfigLatency:
        value["performanceConfigLatency"] = req.performanceConfigLatency
    if req.serviceTier:
        value["serviceTier"] = req.serviceTier
    return EventStream(frames.framed(chunks, frames.chunk_frame, frames.INVOKE_FAULTS, call.report), value)

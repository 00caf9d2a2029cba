"""Spans in OpenTelemetry's protocol: two of each invocation, with the attributes of its conventions for GenAI.

Owns names of spans and attributes. The outer span (kind SERVER) is the request as it was served, the inner one (kind
CLIENT) the model's invocation. Content of customers is in neither. Sources: OTLP 1.x (opentelemetry-proto), semantic
conventions "GenAI spans" and "RPC". Loads protobuf: the supervisor imports it when there is something to send.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2

from craton import __version__
from craton.features.metering.tracing.span import Span

SCOPE: Final = "craton"
PATH: Final = "/v1/traces"
# What a model of a kind does, as gen_ai.operation.name; the last is no name of the conventions, which have none for it.
OPERATIONS: Final = {
    "chat": "chat",
    "embedding": "embeddings",
    "image": "generate_content",
    "rerank": "rerank",
}
_SERVER_FAULT = 500


def request(spans: Iterable[Span], service_name: str, instance: str) -> bytes:
    """The body of one POST to /v1/traces."""
    made = ExportTraceServiceRequest()
    scope = describe(made.resource_spans.add(), "scope_spans", service_name, instance)
    for span in spans:
        outer(span, scope.spans.add())
        inner(span, scope.spans.add())
    body: bytes = made.SerializeToString()
    return body


def describe(resource: Any, scopes: str, service_name: str, instance: str) -> Any:
    """Say which server tells; the scope, which all signals have one of."""
    about = {"service.name": service_name, "service.version": __version__, "service.instance.id": instance}
    resource.resource.attributes.extend(attributes(about))
    scope = getattr(resource, scopes).add()
    scope.scope.name, scope.scope.version = SCOPE, __version__
    return scope


def refused(body: bytes) -> int:
    """How many spans the collector would not take, as its answer says; 0 for one that cannot be read."""
    try:
        return int(ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans)
    except DecodeError:
        return 0


def outer(span: Span, made: trace_pb2.Span) -> None:
    """The request."""
    begin(made, span, span.server, span.parent)
    made.kind = trace_pb2.Span.SPAN_KIND_SERVER
    made.name = f"bedrock-runtime/{span.operation}"
    found: dict[str, str | int | None] = {
        "rpc.system": "aws-api",
        "rpc.service": "bedrock-runtime",
        "rpc.method": span.operation,
        "http.response.status_code": span.status,
        "aws.request_id": span.request_id,
        "enduser.id": span.principal,
        "cloud.account.id": span.account,
        "cloud.region": span.region,
    }
    fail(made, span, found, mine=span.status >= _SERVER_FAULT)
    made.attributes.extend(attributes(found))


def inner(span: Span, made: trace_pb2.Span) -> None:
    """The model's invocation."""
    begin(made, span, span.client, span.server)
    made.kind = trace_pb2.Span.SPAN_KIND_CLIENT
    found = inner_attributes(span)
    made.name = f"{found['gen_ai.operation.name']} {span.served}"
    if span.first_ns:
        event = made.events.add()
        event.name, event.time_unix_nano = "craton.first_token", span.first_ns
    fail(made, span, found, mine=True)
    made.attributes.extend(attributes(found))


def inner_attributes(span: Span) -> dict[str, str | int | None]:
    """What is known of a model's invocation."""
    found: dict[str, str | int | None] = {
        "gen_ai.operation.name": OPERATIONS.get(span.kind, span.kind),
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": span.named,
        "gen_ai.response.model": span.served,
        "gen_ai.usage.output_tokens": span.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": span.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": span.cache_write_tokens,
    }
    if span.input_tokens is not None:  # the conventions count what a cache held as input, as Bedrock does not
        whole = span.input_tokens + (span.cache_read_tokens or 0) + (span.cache_write_tokens or 0)
        found["gen_ai.usage.input_tokens"] = whole
    return found


def begin(made: trace_pb2.Span, span: Span, own: str, parent: str) -> None:
    made.trace_id, made.span_id = bytes.fromhex(span.trace_id), bytes.fromhex(own)
    made.parent_span_id = bytes.fromhex(parent)
    made.trace_state = span.state.decode("latin-1")
    made.start_time_unix_nano, made.end_time_unix_nano = span.begun_ns, span.ended_ns


def fail(made: trace_pb2.Span, span: Span, found: dict[str, str | int | None], *, mine: bool) -> None:
    """A failure has its name; for who serves, only its own faults are errors (`mine`)."""
    if span.error:
        found["error.type"] = span.error
        if mine:
            made.status.code = trace_pb2.Status.STATUS_CODE_ERROR


def attributes(found: Mapping[str, str | int | None]) -> list[KeyValue]:
    """Those that are known."""
    return [
        KeyValue(key=key, value=any_value(value)) for key, value in found.items() if value is not None and value != ""
    ]


def any_value(value: str | int) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    return AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value)

"""The server's log in OpenTelemetry's protocol: what its processes write to their standard error, and failed invocations.

Owns the record and its severities. A failed invocation is an event with the ids of its trace and no content: neither what
was said nor a fault's message, which may quote it. Loads protobuf. Sources: OTLP 1.x (opentelemetry-proto), semantic
conventions "GenAI events" and "Exceptions in logs".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.logs.v1 import logs_pb2

from craton.features.metering.tracing.otlp import attributes, describe, inner_attributes
from craton.features.metering.tracing.overheard import BROKEN, Line
from craton.features.metering.tracing.span import Span

PATH: Final = "/v1/logs"
FAILED: Final = "gen_ai.client.operation.exception"
_OURS: Final = "craton: "
_SERVER_FAULT: Final = 500


def request(records: Iterable[Line | Span], service_name: str, instance: str) -> bytes:
    """The body of one POST to /v1/logs."""
    made = ExportLogsServiceRequest()
    scope = describe(made.resource_logs.add(), "scope_logs", service_name, instance)
    for record in records:
        if isinstance(record, Span):
            event(record, scope.log_records.add())
        else:
            line(record, scope.log_records.add())
    body: bytes = made.SerializeToString()
    return body


def line(record: Line, made: logs_pb2.LogRecord) -> None:
    """Messages of the server tell of trouble; what libraries write has no severity of which we know."""
    made.time_unix_nano = made.observed_time_unix_nano = record.at_ns
    made.body.string_value = record.text
    if BROKEN in record.text:
        made.severity_number, made.severity_text = logs_pb2.SEVERITY_NUMBER_ERROR, "ERROR"
    elif record.text.startswith(_OURS):
        made.severity_number, made.severity_text = logs_pb2.SEVERITY_NUMBER_WARN, "WARN"


def event(span: Span, made: logs_pb2.LogRecord) -> None:
    """A failed invocation."""
    made.time_unix_nano = made.observed_time_unix_nano = span.ended_ns
    made.event_name = FAILED
    made.trace_id, made.span_id = bytes.fromhex(span.trace_id), bytes.fromhex(span.client)
    made.flags = 1
    is_ours = span.status >= _SERVER_FAULT
    made.severity_number = logs_pb2.SEVERITY_NUMBER_ERROR if is_ours else logs_pb2.SEVERITY_NUMBER_WARN
    made.severity_text = "ERROR" if is_ours else "WARN"
    about = inner_attributes(span)
    about |= {
        "exception.type": span.error, "error.type": span.error, "aws.request_id": span.request_id,
        "cloud.account.id": span.account, "cloud.region": span.region,
    }  # fmt: skip
    made.attributes.extend(attributes(about))


def refused(body: bytes) -> int:
    """How many records the collector would not take, as its answer says; 0 for one that cannot be read."""
    try:
        return int(ExportLogsServiceResponse.FromString(body).partial_success.rejected_log_records)
    except DecodeError:
        return 0

"""Traces: W3C's headers, what is noted of an invocation and what is not, and its form in OpenTelemetry's protocol."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from craton.aws.wire.faults import Fault, throttled
from craton.features.metering.tracing import otlp, tracer
from craton.features.metering.tracing.span import Span, begun
from craton.features.metering.tracing.tracer import SpanLine, TracedMeter, Tracer
from craton.infra.control.wire import ControlLost
from tests.fakes.collector import attributes

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{PARENT}-01".encode()


def call(operation: str = "Converse", *, resolved: bool = True, used: Any = None, **headers: str) -> Any:
    route = SimpleNamespace(model_id="amazon.nova-lite-v1:0", kind="chat")
    return SimpleNamespace(
        app=SimpleNamespace(clock=SimpleNamespace(monotonic=lambda: 101.5)),
        operation=SimpleNamespace(name=operation), caller=SimpleNamespace(account="1", arn="arn:ann"), region="r",
        named="us.nova", resolved=SimpleNamespace(route=route, resources=("arn:m",)) if resolved else None,
        metadata=None, used=used, images=0, started_at=100.0, request_id="id", trace=None,
        headers={name.encode(): value.encode() for name, value in headers.items()}, resource_tags=lambda _arn: {},
    )  # fmt: skip


def used() -> Any:
    return SimpleNamespace(input_tokens=5, output_tokens=7, cache_read_input_tokens=3, cache_write_input_tokens=None)


def meter(noted: Tracer) -> TracedMeter:
    return TracedMeter(lambda: datetime(2026, 1, 1, tzinfo=UTC), lambda: 101.5, noted)


def test_a_callers_trace_goes_on() -> None:
    """Under its id, with the caller's span above and a span of our own for the upstream."""
    found = begun(HEADER, b"vendor=1", sampled=False)
    assert (found.trace_id, found.parent, found.sampled) == (TRACE, PARENT, True)
    (name, told), state = found.headers
    assert (name, state) == (b"traceparent", (b"tracestate", b"vendor=1"))
    assert told == f"00-{TRACE}-{found.client}-01".encode()
    assert len({found.server, found.client, PARENT}) == 3


def test_a_caller_who_keeps_nothing_is_heard() -> None:
    """Nothing is noted, and the upstream is told so."""
    noted, asked = Tracer(1.0), call(traceparent=f"00-{TRACE}-{PARENT}-00")
    assert noted.carried(asked)[0][1].endswith(b"-00")
    meter(noted).served(asked)
    assert not noted.ring


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"",
        b"00-" + b"0" * 32 + b"-" + PARENT.encode() + b"-01",
        b"00-" + TRACE.encode() + b"-" + b"0" * 16 + b"-01",
        b"ff-" + HEADER[3:],
        HEADER + b"-more",
        HEADER.upper().replace(b"F", b"G"),
        b"00-\xff",
    ],
)
def test_a_bad_header_begins_a_new_trace(header: bytes | None) -> None:
    """Its state is dropped with it."""
    found = begun(header, b"vendor=1", sampled=True)
    assert (found.parent, found.state) == ("", b"")
    assert (len(found.trace_id), len(found.server)) == (32, 16)
    assert found.trace_id != TRACE


def test_a_newer_version_is_read() -> None:
    """As far as this one knows it."""
    assert begun(b"01" + HEADER[2:] + b"-more", None, sampled=True).trace_id == TRACE


def test_what_is_noted() -> None:
    """Invocations, and failures of models that are there; counts go on as without traces."""
    noted = Tracer(1.0)
    counts = meter(noted)
    counts.served(call("ConverseStream", used=used(), traceparent=HEADER.decode()), 100.5)
    counts.failed(call(), throttled())
    counts.served(call("CountTokens"))
    counts.failed(call(resolved=False), throttled())
    streamed, failed = noted.ring
    assert (streamed.trace_id, streamed.parent, streamed.ended_ns - streamed.begun_ns) == (TRACE, PARENT, 1_500_000_000)
    assert streamed.first_ns - streamed.begun_ns == 500_000_000
    assert (failed.error, failed.status, failed.input_tokens) == ("ThrottlingException", 429, None)
    assert [row.record.invocations for row in counts.take()] == [1]


def test_shares_and_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A share of 0 notes nothing; a full ring counts what it does not take."""
    none, little = Tracer(0.0), Tracer(1.0)
    meter(none).served(call())
    assert not none.ring
    monkeypatch.setattr(tracer, "MOST", 2)
    for _ in range(5):
        meter(little).served(call())
    assert (len(little.ring), little.lost) == (2, 3)


def test_nothing_is_told_twice() -> None:
    """A batch whose answer was lost comes again under its number; what was lost is told once."""
    noted, told = Tracer(1.0), list[tuple[int, bytes, int]]()
    trouble = [True, False, False]

    class Control:
        async def call(self, _method: str, params: dict[str, Any], *, timeout_s: float) -> None:
            assert timeout_s
            told.append((params["number"], params["spans"], params["lost"]))
            if trouble.pop(0):
                raise ControlLost("away")

    async def work() -> None:
        line = SpanLine(noted, Control())
        meter(noted).served(call())
        noted.lost = 4
        await line.tell()
        meter(noted).served(call())
        await line.tell()

    asyncio.run(work())
    assert [(number, lost) for number, _, lost in told] == [(1, 4), (1, 4), (2, 0)]
    assert told[0][1] == told[1][1] != told[2][1]


def span(**more: Any) -> Span:
    given = {
        "trace_id": TRACE, "server": "a" * 16, "client": "b" * 16, "parent": PARENT, "state": b"v=1", "begun_ns": 10,
        "ended_ns": 30, "first_ns": 20, "operation": "ConverseStream", "kind": "chat", "named": "us.nova",
        "served": "amazon.nova-lite-v1:0", "account": "1", "region": "r", "principal": "arn:ann", "request_id": "id",
        "input_tokens": 5, "output_tokens": 7, "cache_read_tokens": 3,
    }  # fmt: skip
    return Span(**{**given, **more})


def decoded(*spans: Span) -> tuple[Any, list[Any]]:
    read = ExportTraceServiceRequest.FromString(otlp.request(spans, "gate", "host:1"))
    (resource,) = read.resource_spans
    (scope,) = resource.scope_spans
    return resource.resource, list(scope.spans)


def test_the_conventions_of_opentelemetry() -> None:
    """A request, and in it the model's invocation with its tokens."""
    resource, (outer, inner) = decoded(span())
    assert attributes(resource)["service.name"] == "gate"
    assert (outer.trace_id.hex(), outer.parent_span_id.hex(), outer.span_id.hex()) == (TRACE, PARENT, "a" * 16)
    assert (inner.parent_span_id, inner.span_id.hex(), inner.trace_state) == (outer.span_id, "b" * 16, "v=1")
    assert (outer.kind, inner.kind) == (outer.SPAN_KIND_SERVER, outer.SPAN_KIND_CLIENT)
    assert (inner.start_time_unix_nano, inner.end_time_unix_nano) == (10, 30)
    assert inner.name == "chat amazon.nova-lite-v1:0"
    assert [(one.name, one.time_unix_nano) for one in inner.events] == [("craton.first_token", 20)]
    assert attributes(inner) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": "us.nova",
        "gen_ai.response.model": "amazon.nova-lite-v1:0",
        "gen_ai.usage.input_tokens": 8,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 3,
    }
    assert attributes(outer)["rpc.method"] == "ConverseStream"
    assert attributes(outer)["http.response.status_code"] == 200
    assert attributes(outer)["enduser.id"] == "arn:ann"


@pytest.mark.parametrize(("fault", "mine"), [(throttled(), False), (Fault("InternalServerException", "no"), True)])
def test_failures(fault: Fault, mine: bool) -> None:
    """A refusal is an error of the invocation; of the request only where it is the server's fault."""
    _, (outer, inner) = decoded(span(error=fault.name, status=fault.http_status(), input_tokens=None, first_ns=0))
    assert attributes(inner)["error.type"] == attributes(outer)["error.type"] == fault.name
    assert (inner.status.code == inner.status.STATUS_CODE_ERROR, outer.status.code != 0) == (True, mine)
    assert not inner.events


def test_what_a_collector_refuses_in_part() -> None:
    """Is counted as it says; an answer that is none refuses nothing."""
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 3
    assert otlp.refused(answer.SerializeToString()) == 3
    assert otlp.refused(b"") == otlp.refused(b"\xff\xff") == 0

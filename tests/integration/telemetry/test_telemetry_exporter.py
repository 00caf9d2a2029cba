"""Telemetry on its way to a collector: what is tried again, what is dropped, and that nothing grows or blocks."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from craton.config_watching import TelemetryTable
from craton.features.metering.record import Record, Row, Use
from craton.features.metering.tracing import lane
from craton.features.metering.tracing.collector import Away
from craton.features.metering.tracing.exporter import Exporter
from craton.features.metering.tracing.lane import AT_ONCE, Lane
from craton.features.metering.tracing.measures import MOST
from craton.features.metering.tracing.span import Span
from tests.fakes.collector import Collector, attributes


def span(number: int = 0, error: str = "", status: int = 200) -> Span:
    return Span(
        f"{number + 1:032x}", "a" * 16, "b" * 16, "", b"", 10, 30, 0, "Converse", "chat", "m", "m", "1", "r", "arn", "id",
        error, status,
    )  # fmt: skip


def made(url: str, **more: Any) -> Exporter:
    return Exporter(TelemetryTable(endpoint=url, timeout_s=30.0, **more), {"authorization": "secret"}, "host:1")


async def tell(to: Exporter, count: int, number: int = 1, lost: int = 0, pid: int = 7, **more: Any) -> None:
    peer = SimpleNamespace(pid=pid)
    spans = [span(each, **more) for each in range(count)]
    params = {"number": number, "lost": lost, "spans": msgspec.msgpack.encode(spans)}
    asked: Any = SimpleNamespace(params=params, peer=peer, server=SimpleNamespace(peers=[peer]))
    await to.methods["telemetry.add"](asked)


def row(model: str = "named", **counts: Any) -> Row:
    return Row(60, "1", "r", model, Record(**counts), Use(served="base", kind="chat"))


def test_spans_arrive() -> None:
    """In batches, each with the configured headers; a batch told twice arrives once."""

    async def work(url: str) -> Exporter:
        sends = made(url + "/")
        await tell(sends, AT_ONCE + 1)
        await tell(sends, 5)
        await tell(sends, 2, number=2)
        await sends.spans.send()
        return sends

    with Collector() as collector:
        sends = asyncio.run(work(collector.url))
        assert sends.counts["traces"] == {"sent": AT_ONCE + 3, "lost": 0, "waiting": 0}
        assert len(collector.requests) == 2
        assert len(collector.spans) == 2 * (AT_ONCE + 3)
        assert {one["authorization"] for one in collector.headers} == {"secret"}
        assert attributes(collector.requests[0].resource_spans[0].resource)["service.instance.id"] == "host:1"


def test_a_collector_that_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    """What waits is bounded, what is beyond is counted, and all that waited arrives when it is back."""

    async def work(collector: Collector) -> Exporter:
        sends = made("http://127.0.0.1:9", max_spans=10)
        await tell(sends, 8)
        await sends.spans.send()
        await tell(sends, 8, number=2, lost=3)
        assert sends.counts["traces"] == {"sent": 0, "lost": 9, "waiting": 10}
        await sends.spans.send()
        sends.collector.terms = TelemetryTable(endpoint=collector.url)
        collector.answers.append((503, {}, b""))
        await sends.spans.send()
        assert sends.counts["traces"]["waiting"] == 10
        await sends.spans.send()
        return sends

    with Collector() as collector:
        assert asyncio.run(work(collector)).counts["traces"] == {"sent": 10, "lost": 9, "waiting": 0}
    assert capsys.readouterr().err.count("telemetry") == 1


def test_a_collector_that_is_down_for_an_hour() -> None:
    """A thousand a second for an hour: the bound holds, each is sent, waits or is counted, and it is asked seldom."""
    moment, asks = 0.0, 0

    def deliver(batch: list[int]) -> int:
        nonlocal asks
        asks += 1
        if moment < 3600:
            raise Away("no connection")
        return 0

    async def work() -> Lane[int]:
        nonlocal moment
        waits: Lane[int] = Lane("spans", 20_000, deliver, lambda: moment)
        some = list(range(1000))
        for second in range(3601):
            moment = float(second)
            waits.put(some)
            if waits.is_due():
                await waits.send()
            assert waits.counts["waiting"] <= 20_000
        moment += lane._WAIT_MOST_S
        assert waits.is_due()
        await waits.send()
        return waits

    found = asyncio.run(work())
    assert found.counts["waiting"] == 0
    assert found.sent + found.lost == 3_601_000
    assert found.sent >= 20_000
    assert asks < 3600 / lane._WAIT_MOST_S + 60


def test_what_is_refused_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    """Whole or in part; it must not stop what comes after it."""

    async def work(url: str) -> Exporter:
        sends = made(url)
        for number in (1, 2, 3):
            await tell(sends, 4, number=number)
            await sends.spans.send()
        return sends

    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 1
    with Collector() as collector:
        collector.answers += [(400, {}, b"no"), (200, {}, answer.SerializeToString())]
        assert asyncio.run(work(collector.url)).counts["traces"] == {"sent": 7, "lost": 5, "waiting": 0}
    assert "HTTP 400" in capsys.readouterr().err


def test_a_collector_that_wants_to_be_left_alone() -> None:
    """Is, for as long as it says, up to a bound."""

    async def work(collector: Collector) -> None:
        sends = made(collector.url)
        await tell(sends, 1)
        await sends.spans.send()
        assert not sends.spans.is_due()
        sends.spans._now = lambda: sends.spans._resting_until
        assert sends.spans.is_due()
        await sends.close()
        assert sends.counts["traces"]["sent"] == 1

    with Collector() as collector:
        collector.answers.append((429, {"retry-after": "600"}, b""))
        asyncio.run(work(collector))


def test_sums_arrive() -> None:
    """As cumulative histograms and counters under the names of the conventions, at the end as well."""

    async def work(url: str) -> Exporter:
        sends = made(url)
        sends.count([row(invocations=2, latency_ms={100: 2}, first_ms={20: 1}, input_tokens={4: 1, 5: 1})])
        sends.count([row(invocations=1, latency_ms={90_000: 1}, output_tokens={7: 3}, throttles=2, images=1)])
        sends.count([row(cache_read_tokens={10: 2})])
        await sends.close()
        return sends

    with Collector() as collector:
        sends = asyncio.run(work(collector.url))
        found = collector.metrics
        assert set(found) == {
            "gen_ai.client.operation.duration", "gen_ai.client.token.usage", "gen_ai.server.request.duration",
            "gen_ai.server.time_to_first_token", "craton.invocation.errors", "craton.cache.tokens", "craton.images",
        }  # fmt: skip
        duration = found["gen_ai.client.operation.duration"]
        (point,) = duration.histogram.data_points
        assert (duration.unit, duration.histogram.aggregation_temporality) == ("s", 2)
        assert (point.count, point.sum, point.min, point.max) == (3, pytest.approx(90.2), 0.1, 90.0)
        assert list(point.bucket_counts) == [0, 0, 0, 0, 2, *[0] * 9, 1]
        assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
        assert point.start_time_unix_nano <= point.time_unix_nano
        assert attributes(point) == {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "named",
            "gen_ai.response.model": "base", "cloud.account.id": "1", "cloud.region": "r",
        }  # fmt: skip
        tokens = {
            attributes(one)["gen_ai.token.type"]: (one.count, one.sum)
            for one in found["gen_ai.client.token.usage"].histogram.data_points
        }
        assert tokens == {"input": (2, 9), "output": (3, 21)}
        (failed,) = found["craton.invocation.errors"].sum.data_points
        assert (attributes(failed)["error.type"], failed.as_int) == ("throttles", 2)
        assert sends.counts["metrics"] == {"sent": 1, "lost": 0, "waiting": 0}


def test_sums_wait_for_nobody() -> None:
    """Of a collector that was away one report waits, which holds all; more models than the bound are one series."""

    async def work(collector: Collector) -> None:
        sends = made("http://127.0.0.1:9")
        for number in range(MOST + 5):
            sends.count([row(f"m{number}", invocations=1, latency_ms={1: 1})])
            if number % 500 == 0:
                sends._sum_up()
        await sends.sums.send()
        assert sends.counts["metrics"]["waiting"] == 1
        sends.collector.terms = TelemetryTable(endpoint=collector.url)
        await sends.close()
        points = [
            point
            for report in collector.reports
            for metric in report.resource_metrics[0].scope_metrics[0].metrics
            if metric.name == "gen_ai.server.request.duration"
            for point in metric.histogram.data_points
        ]
        assert sum(point.count for point in points) == MOST + 5
        (beyond,) = [point for point in points if "otel.metric.overflow" in attributes(point)]
        assert beyond.count == 5

    with Collector() as collector:
        asyncio.run(work(collector))


def test_failed_invocations_are_events() -> None:
    """With the ids of their trace, and without a word of what was said."""

    async def work(url: str) -> None:
        sends = made(url)
        await tell(sends, 1)
        await tell(sends, 1, number=2, error="ThrottlingException", status=429)
        await tell(sends, 1, number=3, error="ModelErrorException", status=500)
        await sends.close()

    with Collector() as collector:
        asyncio.run(work(collector.url))
        told = [
            (one.event_name, one.severity_text, attributes(one)["error.type"], one.span_id.hex())
            for one in collector.records
        ]
        name = "gen_ai.client.operation.exception"
        assert told == [
            (name, "WARN", "ThrottlingException", "b" * 16), (name, "ERROR", "ModelErrorException", "b" * 16)
        ]  # fmt: skip
        assert not any(one.body.string_value for one in collector.records)


def test_only_the_signals_that_were_named() -> None:
    """A collector of traces alone is asked for nothing else."""

    async def work(url: str) -> Exporter:
        sends = made(url, signals=("traces",))
        sends.count([row(invocations=1, latency_ms={1: 1})])
        await tell(sends, 1, error="ThrottlingException", status=429)
        await sends.close()
        return sends

    with Collector() as collector:
        assert set(asyncio.run(work(collector.url)).counts) == {"traces"}
        assert (len(collector.requests), collector.asked) == (1, 1)

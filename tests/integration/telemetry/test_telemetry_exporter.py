"""Spans on their way to a collector: what is tried again, what is dropped, and that nothing grows or blocks."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from craton.config_watching import TelemetryTable
from craton.features.metering.tracing import exporter
from craton.features.metering.tracing.exporter import Exporter
from craton.features.metering.tracing.span import Span
from tests.fakes.collector import Collector, attributes


def span(number: int = 0) -> Span:
    return Span(
        f"{number + 1:032x}", "a" * 16, "b" * 16, "", b"", 10, 30, 0, "Converse", "chat", "m", "m", "1", "r", "arn", "id"
    )  # fmt: skip


def made(url: str, **more: Any) -> Exporter:
    return Exporter(TelemetryTable(endpoint=url, timeout_s=2.0, **more), {"authorization": "secret"}, "host:1")


async def tell(to: Exporter, count: int, number: int = 1, lost: int = 0, pid: int = 7) -> None:
    peer = SimpleNamespace(pid=pid)
    params = {"number": number, "lost": lost, "spans": msgspec.msgpack.encode([span(each) for each in range(count)])}
    asked: Any = SimpleNamespace(params=params, peer=peer, server=SimpleNamespace(peers=[peer]))
    await to.methods["telemetry.add"](asked)


def test_spans_arrive() -> None:
    """In batches, each with the configured headers; a batch told twice arrives once."""

    async def work(url: str) -> Exporter:
        sends = made(url + "/")
        await tell(sends, exporter.AT_ONCE + 1)
        await tell(sends, 5)
        await tell(sends, 2, number=2)
        await sends.send()
        return sends

    with Collector() as collector:
        sends = asyncio.run(work(collector.url))
        assert sends.counts == {"sent": exporter.AT_ONCE + 3, "lost": 0, "waiting": 0}
        assert len(collector.requests) == 2
        assert len(collector.spans) == 2 * (exporter.AT_ONCE + 3)
        assert {one["authorization"] for one in collector.headers} == {"secret"}
        assert attributes(collector.requests[0].resource_spans[0].resource)["service.instance.id"] == "host:1"


def test_a_collector_that_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    """What waits is bounded, what is beyond is counted, and all that waited arrives when it is back."""

    async def work(collector: Collector) -> Exporter:
        sends = made("http://127.0.0.1:9", max_spans=10)
        await tell(sends, 8)
        await sends.send()
        await tell(sends, 8, number=2, lost=3)
        assert sends.counts == {"sent": 0, "lost": 9, "waiting": 10}
        await sends.send()
        sends._terms = TelemetryTable(endpoint=collector.url)
        collector.answers.append((503, {}, b""))
        await sends.send()
        assert sends.counts["waiting"] == 10
        await sends.send()
        return sends

    with Collector() as collector:
        assert asyncio.run(work(collector)).counts == {"sent": 10, "lost": 9, "waiting": 0}
    assert capsys.readouterr().err.count("telemetry") == 1


def test_what_is_refused_is_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    """Whole or in part; it must not stop what comes after it."""

    async def work(url: str) -> Exporter:
        sends = made(url)
        for number in (1, 2, 3):
            await tell(sends, 4, number=number)
            await sends.send()
        return sends

    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = 1
    with Collector() as collector:
        collector.answers += [(400, {}, b"no"), (200, {}, answer.SerializeToString())]
        assert asyncio.run(work(collector.url)).counts == {"sent": 7, "lost": 5, "waiting": 0}
    assert "HTTP 400" in capsys.readouterr().err


def test_a_collector_that_wants_to_be_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is, for as long as it says, up to a bound."""

    async def work(collector: Collector) -> int:
        sends = made(collector.url)
        await tell(sends, 1)
        running = asyncio.create_task(sends.run())
        await asyncio.sleep(0.3)
        asked = collector.asked
        running.cancel()
        await sends.close()
        assert sends.counts["sent"] == 1
        return asked

    monkeypatch.setattr(exporter, "SEND_EVERY_S", 0.01)
    with Collector() as collector:
        collector.answers.append((429, {"retry-after": "600"}, b""))
        assert asyncio.run(work(collector)) == 1

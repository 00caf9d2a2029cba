"""The supervisor's end of telemetry: spans, metrics and logs of all processes, sent to one collector.

Owns the method `telemetry.add`, by which workers tell of traced invocations, which signals go out, and when sums are sent.
Encoding and the connection are in threads. It must not know attributes, nor where lines of the log come from.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec

from craton.features.metering.record import Row
from craton.features.metering.tracing.collector import Collector
from craton.features.metering.tracing.lane import Lane
from craton.features.metering.tracing.measures import Measures, Series
from craton.features.metering.tracing.overheard import Line
from craton.features.metering.tracing.span import Span
from craton.infra.control.server import Call, Methods
from craton.infra.control.wire import ControlFault

TRACES, METRICS, LOGS = "traces", "metrics", "logs"
_LAST_S = 3.0
# Series in one request: some MB at most, which every collector takes.
_SERIES_AT_ONCE: Final = 500


class Terms(Protocol):
    """What is needed of the configuration (`TelemetryTable`)."""

    @property
    def endpoint(self) -> str: ...
    @property
    def ca(self) -> str: ...
    @property
    def service_name(self) -> str: ...
    @property
    def signals(self) -> Collection[str]: ...
    @property
    def max_spans(self) -> int: ...
    @property
    def max_logs(self) -> int: ...
    @property
    def metrics_every_s(self) -> float: ...
    @property
    def timeout_s(self) -> float: ...


class Exporter:
    """`headers` go with each request; `instance` names this server among others."""

    def __init__(self, terms: Terms, headers: Mapping[str, str], instance: str) -> None:
        self.terms = terms
        self.collector = Collector(terms, headers)
        self.spans: Lane[Span] = Lane("spans", terms.max_spans, self._send_spans)
        self.logs: Lane[Line | Span] = Lane("log records", terms.max_logs, self._send_logs)
        self.sums: Lane[tuple[bytes, int]] = Lane("metrics", 1, self._send_sums)
        self.measures = Measures()
        self._begun_ns = time.time_ns()
        self._instance = instance
        self._heard: dict[int, int] = {}

    @property
    def methods(self) -> Methods:
        return {"telemetry.add": self._add}

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """By signal, what became of invocations, lines of the log and reports of sums."""
        lanes: dict[str, Lane[Any]] = {TRACES: self.spans, METRICS: self.sums, LOGS: self.logs}
        return {signal: lane.counts for signal, lane in lanes.items() if signal in self.terms.signals}

    async def run(self) -> None:
        """Send what there is, now and then, until it is cancelled. No signal waits for another."""
        async with asyncio.TaskGroup() as tasks:
            for lane in (self.spans, self.logs):
                tasks.create_task(lane.run())
            if METRICS in self.terms.signals:
                tasks.create_task(self._tell_sums())

    async def close(self) -> None:
        """One last try, that holds up nobody for long."""
        if METRICS in self.terms.signals:
            self._sum_up()
        try:
            await asyncio.wait_for(asyncio.gather(self.spans.send(), self.logs.send(), self.sums.send()), _LAST_S)
        except TimeoutError:
            return

    def count(self, rows: Sequence[Row]) -> None:
        """Invocations were counted."""
        if METRICS in self.terms.signals:
            self.measures.add(rows)

    def clear(self) -> None:
        """Sums begin anew."""
        self.measures.clear()
        self._begun_ns = time.time_ns()

    async def _tell_sums(self) -> None:
        while True:
            await asyncio.sleep(self.terms.metrics_every_s)
            self._sum_up()
            if self.sums.is_due():
                await self.sums.send()

    def _sum_up(self) -> None:
        """Later sums hold what earlier ones told: one report waits at most, and none is missed."""
        series = self.measures.series
        if series:
            self.sums.renew([(msgspec.msgpack.encode(series), time.time_ns())])

    async def _add(self, call: Call) -> None:
        """`{number, spans, lost}` → None. A number that was heard from this worker already adds nothing."""
        try:
            number, lost = int(call.params["number"]), int(call.params["lost"])
            spans = msgspec.msgpack.decode(call.params["spans"], type=list[Span])
        except (KeyError, TypeError, ValueError):
            raise ControlFault("bad_params", "'number', 'spans' and 'lost' are needed") from None
        pid = call.peer.pid
        if number <= self._heard.get(pid, 0):
            return
        if pid not in self._heard:  # a new worker: those that are gone are forgotten
            alive = {peer.pid for peer in call.server.peers}
            self._heard = {known: heard for known, heard in self._heard.items() if known in alive}
        self._heard[pid] = number
        self.spans.put(spans, lost)
        if LOGS in self.terms.signals:
            self.logs.put([span for span in spans if span.error])

    # --- in threads: protobuf is loaded there ---

    def _send_spans(self, batch: list[Span]) -> int:
        from craton.features.metering.tracing import otlp

        body = otlp.request(batch, self.terms.service_name, self._instance)
        return min(otlp.refused(self.collector.take(otlp.PATH, body)), len(batch))

    def _send_logs(self, batch: list[Line | Span]) -> int:
        from craton.features.metering.tracing import otlp_logs

        body = otlp_logs.request(batch, self.terms.service_name, self._instance)
        return min(otlp_logs.refused(self.collector.take(otlp_logs.PATH, body)), len(batch))

    def _send_sums(self, batch: list[tuple[bytes, int]]) -> int:
        from craton.features.metering.tracing import otlp_metrics

        refused = 0
        for packed, now_ns in batch:
            series = msgspec.msgpack.decode(packed, type=list[Series])
            for start in range(0, len(series), _SERIES_AT_ONCE):
                some = series[start : start + _SERIES_AT_ONCE]
                body = otlp_metrics.request(some, self.terms.service_name, self._instance, self._begun_ns, now_ns)
                refused |= bool(otlp_metrics.refused(self.collector.take(otlp_metrics.PATH, body)))
        return refused

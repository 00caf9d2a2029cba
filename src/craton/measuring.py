"""How a worker counts and notes traces, and the door by which counts are read, composed.

A part of `working`. What a server may never need is loaded when it is first asked for: Prometheus's door, and tracing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from craton.config import Settings
from craton.context import App, Clock
from craton.features.metering.line import MeterLine
from craton.features.metering.meter import Meter
from craton.front.doors import Door, from_loopback
from craton.infra.control.client import ControlClient
from craton.infra.control.wire import ControlFault, ControlLost

if TYPE_CHECKING:
    from craton.features.metering.tracing.tracer import SpanLine

Report = Callable[[BaseException], None]


def open_lines(settings: Settings, clock: Clock, control: ControlClient) -> tuple[SpanLine | None, MeterLine]:
    """What tells of traces, where the configuration has a collector, and what counts invocations and tells of them."""
    table = settings.file.telemetry
    if not table.endpoint:
        return None, MeterLine(Meter(clock.now, clock.monotonic), control)
    from craton.features.metering.tracing.tracer import SpanLine, TracedMeter, Tracer

    tracer = Tracer(table.sample)
    return SpanLine(tracer, control), MeterLine(TracedMeter(clock.now, clock.monotonic, tracer), control)


def prometheus_door(app: App, meter: MeterLine, control: ControlClient, report: Report) -> Callable[[], Door]:
    """`/metrics`. What this worker counted is told before the supervisor is asked."""

    async def read() -> Mapping[str, Any]:
        await meter.tell()
        found: Mapping[str, Any] = await control.call("metrics.read")
        return found

    @cache
    def door() -> Door:
        from craton.front.metrics_door import MetricsDoor

        trouble = (ControlFault, ControlLost, TimeoutError)
        return MetricsDoor(app, read, trouble, from_loopback, app.settings.spool_path, report)

    return door

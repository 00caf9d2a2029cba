"""How a worker counts, notes traces and keeps to quotas and budgets, and the door by which counts are read, composed.

A part of `working`. What a server may never need is loaded when it is first asked for: Prometheus's door, and tracing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from craton.config import Settings
from craton.context import App, Clock, Storage
from craton.features.inference.quotas.quota import Quota
from craton.features.metering.line import MeterLine
from craton.features.metering.meter import Meter
from craton.features.rag.counting import Counting
from craton.front.doors import Door, from_loopback
from craton.infra.control.client import ControlClient
from craton.infra.control.quota import LeaseLine
from craton.infra.control.wire import ControlFault, ControlLost

if TYPE_CHECKING:
    from craton.features.inference.quotas.budget import Budgeted
    from craton.features.metering.tracing.tracer import SpanLine
    from craton.infra.series.metrics_index import Sample

Report = Callable[[BaseException], None]


def open_lines(settings: Settings, clock: Clock, control: ControlClient) -> tuple[SpanLine | None, MeterLine]:
    """What tells of traces, where the configuration has a collector, and what counts invocations and tells of them."""
    table = settings.file.telemetry
    if not table.endpoint or "traces" not in table.signals:
        return None, MeterLine(Meter(clock.now, clock.monotonic), control)
    from craton.features.metering.tracing.tracer import SpanLine, TracedMeter, Tracer

    tracer = Tracer(table.sample)
    return SpanLine(tracer, control), MeterLine(TracedMeter(clock.now, clock.monotonic, tracer), control)


def open_counting(storage: Storage, clock: Clock) -> Counting:
    """What counts requests to knowledge bases, and keeps the counts in the store."""

    async def keep(samples: list[Sample]) -> None:
        from craton.infra.series.metrics_index import add  # with the SQL toolkit

        work = lambda connection: add(connection, samples, bounded=False)  # noqa: E731
        await storage.keep(lambda transaction: transaction.run(work))

    return Counting(keep, clock.now)


@runtime_checkable
class Following(Protocol):
    """What has to hear of the supervisor now and then."""

    async def follow(self) -> None: ...


def open_quota(settings: Settings, control: ControlClient) -> Quota | Budgeted | None:
    """Quotas where there are limits, behind the budgets that refuse where there are such."""
    limits, rules = settings.file.quota.limit, settings.file.budget
    quota = Quota(limits, settings.file.server.workers, LeaseLine(control).lease) if limits else None
    if not any(rule.action == "refuse" for rule in rules):
        return quota
    from craton.features.inference.quotas.budget import Budgeted

    async def ask() -> list[int] | None:
        try:
            found: list[int] = await control.call("budgets.over")
        except (ControlFault, ControlLost, TimeoutError):
            return None
        return found

    return Budgeted(rules, quota, ask)


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

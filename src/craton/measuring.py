"""The doors by which a worker's counts are read, composed: CloudWatch's and Prometheus's.

A part of `working`. Each is loaded when it is first asked for: many servers never are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from craton.context import App
from craton.features.metering.line import MeterLine
from craton.front.doors import Door, from_loopback
from craton.infra.control.client import ControlClient
from craton.infra.control.wire import ControlFault, ControlLost

Report = Callable[[BaseException], None]


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

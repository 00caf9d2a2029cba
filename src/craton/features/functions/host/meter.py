"""Lambda's own metrics of what was run: names, units and dimensions, gathered by the minute and written now and then.

Owns the table, the gathering, and the moments of writing; how samples are kept is given. What is not written yet when the host
is killed is lost: some seconds. Source: AWS Lambda developer guide, "Using CloudWatch metrics with Lambda".
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

from craton.features.functions.function import Plan
from craton.infra.store.port import StoreError

if TYPE_CHECKING:
    from craton.infra.series.metrics_index import Sample

NAMESPACE: Final = "AWS/Lambda"
WRITE_EVERY_S: Final = 5.0
_COUNT, _MS = "Count", "Milliseconds"
_MINUTE_S: Final = 60
_UNITS: Final = {
    "Invocations": _COUNT, "Errors": _COUNT, "Throttles": _COUNT, "Duration": _MS, "ConcurrentExecutions": _COUNT,
}  # fmt: skip

Key = tuple[int, str, str, tuple[tuple[str, str], ...], str]
"""Minute, account, region, dimensions, name."""


class Meter:
    """Counts invocations.

    Args:
        keep: writes samples in one transaction.
    """

    def __init__(self, keep: Callable[[list[Sample]], Awaitable[None]], now: Callable[[], datetime]) -> None:
        self._keep = keep
        self._now = now
        self._found: dict[Key, Counter[float]] = {}

    def ran(self, plan: Plan, duration_ms: float, at_once: int, *, failed: bool) -> None:
        """One invocation that ran, with how many ran at once when it began."""
        self._add(plan, {
            "Invocations": 1.0, "Errors": float(failed), "Throttles": 0.0, "Duration": round(duration_ms, 2),
            "ConcurrentExecutions": float(at_once),
        })  # fmt: skip

    def throttled(self, plan: Plan) -> None:
        """One that was refused."""
        self._add(plan, {"Throttles": 1.0})

    async def run(self) -> None:
        """Write now and then; until cancelled."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Write what there is. What cannot be written now is written the next time."""
        if not self._found:
            return
        found, self._found = self._found, {}
        try:
            await self._keep(_samples(found))
        except (StoreError, OSError) as error:
            print(f"craton: functions: metrics wait: {type(error).__name__}", file=sys.stderr, flush=True)
            for key, counts in found.items():
                self._found.setdefault(key, Counter()).update(counts)

    def _add(self, plan: Plan, values: dict[str, float]) -> None:
        _, _, _, region, account, *_ = plan.arn.split(":")
        minute_s = int(self._now().timestamp()) // _MINUTE_S * _MINUTE_S
        resource = plan.invoked.partition(":function:")[2] or plan.name
        name = ("FunctionName", plan.name)
        for dimensions in ((), (name,), (name, ("Resource", resource))):
            for metric, value in values.items():
                self._found.setdefault((minute_s, account, region, dimensions, metric), Counter())[value] += 1


def _samples(found: dict[Key, Counter[float]]) -> list[Sample]:
    from craton.infra.series.metrics_index import Metric, Sample
    from craton.infra.series.metrics_summary import of_values

    return [
        Sample(
            Metric(account, region, NAMESPACE, name, dimensions, _UNITS[name]), minute_s,
            of_values((value, float(count)) for value, count in counts.items()),
        )
        for (minute_s, account, region, dimensions, name), counts in found.items()
    ]  # fmt: skip

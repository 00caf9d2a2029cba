"""Why an alarm is in its state, in the words and the JSON that programs read.

Owns the two forms of a reason. Pure. Source: reasons as CloudWatch gives them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from craton.features.metrics.alarms.alarm import ALARM, UNKNOWN, Watch, stamp
from craton.features.metrics.alarms.judge import COMPARISONS, Point, Verdict

INITIAL: Final = "Unchecked: Initial alarm creation"
_TREATED = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


def words(verdict: Verdict, watch: Watch, was: str) -> str:
    """The sentence about a new state."""
    if verdict.value == UNKNOWN:
        return f"Insufficient Data: {_counted(watch.periods)} {'was' if watch.periods == 1 else 'were'} unknown."
    how = COMPARISONS[watch.comparison][1]
    if not verdict.points:
        treated = _TREATED[watch.missing or ""]
        return (
            f"Threshold Crossed: no datapoints were received for {watch.periods} "
            f"period{'' if watch.periods == 1 else 's'} and {verdict.filled} missing "
            f"datapoint{'' if verdict.filled == 1 else 's'} {'was' if verdict.filled == 1 else 'were'} "
            f"treated as [{treated}]."
        )
    raised = verdict.value == ALARM
    test = COMPARISONS[watch.comparison][0]
    shown = [one for one in verdict.points if test(one.value, watch.threshold) == raised] or list(verdict.points)
    missing = f" and {_counted(verdict.filled)} missing" if verdict.filled else ""
    needed = watch.to_alarm if raised else watch.periods - watch.to_alarm + 1
    return (
        f"Threshold Crossed: {len(shown)} out of the last {_counted(watch.periods)} [{_listed(shown)}]{missing} "
        f"{'was' if len(shown) == 1 else 'were'} {'' if raised else 'not '}{how} the threshold ({watch.threshold}) "
        f"(minimum {_counted(needed)} for {was} -> {verdict.value} transition)."
    )


def data(verdict: Verdict, watch: Watch, start: datetime, now: datetime, recent: Sequence[Point]) -> str:
    """The same as JSON."""
    stat = watch.returned.MetricStat
    told: dict[str, Any] = {"version": "1.0", "queryDate": stamp(now), "startDate": stamp(start)}
    if stat is not None:
        told |= {"statistic": stat.Stat, "period": stat.Period, **({"unit": stat.Unit} if stat.Unit else {})}
    told["recentDatapoints"] = [one.value for one in recent]
    told["threshold"] = watch.threshold
    told["evaluatedDatapoints"] = [
        {
            "timestamp": stamp(datetime.fromtimestamp(one.at_s, UTC)),
            **({"sampleCount": one.samples} if one.samples is not None else {}),
            "value": one.value,
        }
        for one in reversed(verdict.points)
    ]
    return msgspec.json.encode(told).decode()


def _counted(count: int) -> str:
    return f"{count} datapoint{'' if count == 1 else 's'}"


def _listed(points: Sequence[Point]) -> str:
    moments = ((one, datetime.fromtimestamp(one.at_s, UTC)) for one in reversed(points))
    return ", ".join(f"{one.value} ({at:%d/%m/%y %H:%M:%S})" for one, at in moments)

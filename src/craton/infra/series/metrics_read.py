"""Statistics of metrics over time: samples of a span, brought together by period.

Owns how hours and their parts become points. Periods begin at the span's start and not at the clock's, as AWS counts
them. Where a period is made of whole hours the parts are not looked at. It must not know AWS's names of statistics.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from craton.infra.series import metrics_block, metrics_index
from craton.infra.series.metrics_block import HOUR_S
from craton.infra.series.metrics_summary import Summary, merged


class Span(msgspec.Struct, frozen=True):
    """From `start_s` up to but not including `stop_s`, in periods of `period_s`; all in seconds since 1970."""

    start_s: int
    stop_s: int
    period_s: int


def points(connection: Connection, metrics: Sequence[bytes], span: Span, *, spread: bool) -> dict[int, Summary]:
    """What was measured of all these metrics, by the moment at which each period begins, in order.

    `spread`: with what percentiles need.
    """
    by_hour = not spread and span.period_s % HOUR_S == 0 and span.start_s % HOUR_S == 0 and span.stop_s % HOUR_S == 0
    found: dict[int, list[Summary]] = {}
    for hour in metrics_index.hours(connection, metrics, span.start_s, span.stop_s, whole=not by_hour):
        begins_s = hour.hour * HOUR_S
        if by_hour:
            found.setdefault(_period(begins_s, span), []).append(hour.summary)
            continue
        start_s, stop_s, period_s, step_s = span.start_s, span.stop_s, span.period_s, hour.step_s
        for part, summary in metrics_block.unpack(hour.data, spread=spread).items():
            at_s = begins_s + part * step_s
            if start_s <= at_s < stop_s:
                period = at_s - (at_s - start_s) % period_s
                if period in found:
                    found[period].append(summary)
                else:
                    found[period] = [summary]
    bring = merged if spread else _sums
    return {at_s: ones[0] if len(ones) == 1 else bring(ones) for at_s, ones in sorted(found.items())}


def _period(at_s: int, span: Span) -> int:
    return at_s - (at_s - span.start_s) % span.period_s


def _sums(ones: Sequence[Summary]) -> Summary:
    samples = total = 0.0
    least, most = ones[0].least, ones[0].most
    for one in ones:
        samples += one.samples
        total += one.total
        if one.least < least or one.most > most:
            least, most = min(least, one.least), max(most, one.most)
    return Summary(samples, total, least, most)

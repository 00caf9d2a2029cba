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
    if spread:
        return _spread(connection, metrics, span)
    whole = span.period_s % HOUR_S == span.start_s % HOUR_S == span.stop_s % HOUR_S == 0
    return _by_hour(connection, metrics, span) if whole else _plain(connection, metrics, span)


def _by_hour(connection: Connection, metrics: Sequence[bytes], span: Span) -> dict[int, Summary]:
    found: dict[int, list[Summary]] = {}
    for hour in metrics_index.hours(connection, metrics, span.start_s, span.stop_s, whole=False):
        found.setdefault(_period(hour.hour * HOUR_S, span), []).append(hour.summary)
    return {at_s: _sums(ones) for at_s, ones in sorted(found.items())}


def _plain(connection: Connection, metrics: Sequence[bytes], span: Span) -> dict[int, Summary]:
    """Sums alone. A week of minutes has ten thousand parts: no object is made of each."""
    start_s, stop_s, period_s = span.start_s, span.stop_s, span.period_s
    found: dict[int, list[float]] = {}
    for hour in metrics_index.hours(connection, metrics, start_s, stop_s):
        begins_s, step_s = hour.hour * HOUR_S, hour.step_s
        for part, samples, total, least, most, _ in metrics_block.plain_rows(hour.data):
            at_s = begins_s + part * step_s
            if not start_s <= at_s < stop_s:
                continue
            period = at_s - (at_s - start_s) % period_s
            sums = found.get(period)
            if sums is None:
                found[period] = [samples, total, least, most]
                continue
            sums[0] += samples
            sums[1] += total
            if least < sums[2] or most > sums[3]:
                sums[2:] = min(sums[2], least), max(sums[3], most)
    return {at_s: Summary(one[0], one[1], one[2], one[3]) for at_s, one in sorted(found.items())}


def _spread(connection: Connection, metrics: Sequence[bytes], span: Span) -> dict[int, Summary]:
    """With what percentiles need."""
    start_s, stop_s, period_s = span.start_s, span.stop_s, span.period_s
    found: dict[int, list[Summary]] = {}
    for hour in metrics_index.hours(connection, metrics, start_s, stop_s):
        begins_s, step_s = hour.hour * HOUR_S, hour.step_s
        for part, samples, total, least, most, bins in metrics_block.rows(hour.data):
            at_s = begins_s + part * step_s
            if start_s <= at_s < stop_s:
                period = at_s - (at_s - start_s) % period_s
                one = Summary(samples, total, least, most, bins)
                if period in found:
                    found[period].append(one)
                else:
                    found[period] = [one]
    return {at_s: ones[0] if len(ones) == 1 else merged(ones) for at_s, ones in sorted(found.items())}


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

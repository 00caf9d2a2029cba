"""Bedrock's own metrics of what was served: names, units and dimensions, as samples for the store.

Owns the table. Everything is there for each model and for all models together. Cache tokens have the names of the guide
and those that published dashboards ask for. Source: the Bedrock user guide, "Monitoring … with Amazon CloudWatch".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from craton.features.metering.record import Record, Row, Tallied, add
from craton.infra.series.metrics_index import Metric, Sample
from craton.infra.series.metrics_summary import Summary, merged, of_values

NAMESPACE = "AWS/Bedrock"
MODEL = "ModelId"
_COUNT, _MS = "Count", "Milliseconds"
# Counts of the record: each invocation is a sample of 1.
COUNTED: dict[str, tuple[str, ...]] = {
    "invocations": ("Invocations",),
    "client_errors": ("InvocationClientErrors",),
    "server_errors": ("InvocationServerErrors",),
    "throttles": ("InvocationThrottles",),
    "images": ("OutputImageCount",),
}
# Numbers of the record: each is a sample of its own.
SPREAD: dict[str, tuple[str, tuple[str, ...]]] = {
    "latency_ms": (_MS, ("InvocationLatency",)),
    "first_ms": (_MS, ("TimeToFirstToken",)),
    "input_tokens": (_COUNT, ("InputTokenCount",)),
    "output_tokens": (_COUNT, ("OutputTokenCount",)),
    "cache_read_tokens": (_COUNT, ("CacheReadInputTokens", "CacheReadInputTokenCount")),
    "cache_write_tokens": (_COUNT, ("CacheWriteInputTokens", "CacheWriteInputTokenCount")),
}


def samples_of(rows: Iterable[Row]) -> list[Sample]:
    """The samples of rows, those of one account, region and minute also together."""
    together: dict[tuple[int, str, str], dict[tuple[str, str], list[Summary]]] = {}
    found: list[Sample] = []
    for row in by_model(rows):
        whole = together.setdefault((row.minute_s, row.account, row.region), {})
        for name, unit, summary in summaries(row.record):
            metric = Metric(row.account, row.region, NAMESPACE, name, ((MODEL, row.model),), unit)
            found.append(Sample(metric, row.minute_s, summary))
            whole.setdefault((name, unit), []).append(summary)
    for (minute_s, account, region), by_name in together.items():
        for (name, unit), parts in by_name.items():
            found.append(Sample(Metric(account, region, NAMESPACE, name, (), unit), minute_s, merged(parts)))
    return found


def by_model(rows: Iterable[Row]) -> list[Row]:
    """The same, whatever each use was for: the metrics know accounts, regions and models."""
    found: dict[tuple[int, str, str, str], Row] = {}
    for row in rows:
        key = (row.minute_s, row.account, row.region, row.model)
        if key not in found:
            found[key] = Row(*key, Record())
        add(found[key].record, row.record)
    return list(found.values())


def summaries(record: Record) -> Iterator[tuple[str, str, Summary]]:
    for field, names in COUNTED.items():
        count = getattr(record, field)
        if count:
            one = of_values([(1.0, float(count))])
            yield from ((name, _COUNT, one) for name in names)
    for field, (unit, names) in SPREAD.items():
        tallied: Tallied = getattr(record, field)
        if tallied:
            one = of_values((float(number), float(count)) for number, count in tallied.items())
            yield from ((name, unit, one) for name in names)

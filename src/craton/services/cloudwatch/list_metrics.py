"""ListMetrics: which metrics there are, page by page.

Owns filters and pages. A metric with samples of several units is shown once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from craton.context import Call
from craton.features.metrics.faults import as_faults
from craton.features.metrics.metric import shown
from craton.infra.series import metrics_index
from craton.infra.series.metrics_index import Metric, Place
from craton.infra.store.pages import Listing
from craton.infra.store.port import fingerprint
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.cloudwatch import ListMetricsInput, ListMetricsOutput

PAGE = 500
RECENT_S = 3 * 3600
_READ = 2000
_MOST_READ = 20_000
"""So many metrics are looked at for one page, which may then be short."""


@operation("cloudwatch", "ListMetrics")
async def list_metrics(call: Call, req: ListMetricsInput) -> ListMetricsOutput:
    call.authorize("cloudwatch:ListMetrics", "*")
    filters = [(one.Name, one.Value) for one in req.Dimensions or []]
    listing = Listing(
        call.account, call.region, "ListMetrics",
        fingerprint([req.Namespace, req.MetricName, filters, req.RecentlyActive]),
    )  # fmt: skip
    with as_faults():
        pages = call.app.storage.pages
        opened = pages.open(listing, req.NextToken)
        after = None if opened is None else unpacked(opened)
        since_s = int(call.now().timestamp()) - RECENT_S if req.RecentlyActive else None
        found: list[tuple[Place, Metric]] = []
        read = 0
        while True:
            asked = (call.account, call.region, req.Namespace, req.MetricName, since_s, after)
            rows = await call.app.storage.read(lambda store, asked=asked: store.run(lambda c: rows_of(c, *asked)))  # type: ignore[misc]
            read += len(rows)
            fresh = [row for row in distinct(rows) if fits(row[1], filters)]
            room = PAGE - len(found)
            found += fresh[:room]
            if len(fresh) > room:
                after = found[-1][0]
                break
            after = rows[-1][0] if len(rows) == _READ else None
            if after is None or read >= _MOST_READ:
                break
    token = pages.issue(listing, None if after is None else packed(after))
    metrics: list[Any] = [
        {"Namespace": one.namespace, "MetricName": one.name, "Dimensions": shown(one.dimensions)} for _, one in found
    ]
    owners = {"OwningAccounts": [call.account] * len(metrics)} if req.IncludeLinkedAccounts else {}
    return {"Metrics": metrics, **owners, **({"NextToken": token} if token else {})}  # type: ignore[typeddict-item]


def rows_of(
    connection: Any, account: str, region: str, namespace: str | None, name: str | None, since_s: int | None,
    after: Place | None,
) -> list[tuple[Place, Metric]]:  # fmt: skip
    return metrics_index.listed(
        connection, account, region, namespace=namespace, name=name, since_s=since_s, after=after, limit=_READ
    )


def distinct(rows: Sequence[tuple[Place, Metric]]) -> list[tuple[Place, Metric]]:
    return list(dict(reversed(rows)).items())[::-1]


def fits(metric: Metric, filters: Sequence[tuple[str, str | None]]) -> bool:
    """Whether it has every dimension that is asked for, with the value where one is given."""
    held = dict(metric.dimensions)
    return all(name in held and (value is None or held[name] == value) for name, value in filters)


def packed(place: Place) -> tuple[str, str]:
    return f"{len(place[0])}:{place[0]}{place[1]}", place[2].hex()


def unpacked(after: tuple[int | str, str]) -> Place:
    length, _, names = str(after[0]).partition(":")
    return names[: int(length)], names[int(length) :], bytes.fromhex(after[1])

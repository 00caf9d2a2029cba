"""DescribeAlarmHistory: what happened to alarms, the newest first unless asked otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from craton.context import Call
from craton.features.metrics.alarms.alarm import alarm_arn
from craton.features.metrics.faults import as_faults
from craton.infra.store.pages import Listing
from craton.infra.store.port import fingerprint, microseconds, moment_of
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.cloudwatch import DescribeAlarmHistoryInput, DescribeAlarmHistoryOutput

PAGE = 100


@operation("cloudwatch", "DescribeAlarmHistory")
async def describe_alarm_history(call: Call, req: DescribeAlarmHistoryInput) -> DescribeAlarmHistoryOutput:
    from craton.features.metrics.alarms import history

    call.authorize("cloudwatch:DescribeAlarmHistory", alarm_arn(call.account, call.region, req.AlarmName or "*"))
    asked = [req.AlarmName, req.AlarmTypes, req.HistoryItemType, req.StartDate, req.EndDate, req.ScanBy]
    listing = Listing(call.account, call.region, "DescribeAlarmHistory", fingerprint(asked))
    pages, limit = call.app.storage.pages, req.MaxRecords or PAGE
    with as_faults():
        opened = pages.open(listing, req.NextToken)
        wanted = history.Asked(
            account=call.account, region=call.region, alarm=req.AlarmName, types=tuple(req.AlarmTypes or ()) or None,
            kind=req.HistoryItemType, start=_us(req.StartDate), stop=_us(req.EndDate),
            oldest_first=req.ScanBy == "TimestampAscending", limit=limit + 1,
            after=None if opened is None else (int(opened[0]), opened[1]),
        )  # fmt: skip
        rows = await call.app.storage.read(lambda store: store.run(lambda c: history.listed(c, wanted)))
    more, rows = len(rows) > limit, rows[:limit]
    token = pages.issue(listing, (rows[-1].at, rows[-1].id) if more else None)
    items: list[Any] = [
        {
            "AlarmName": row.alarm,
            "AlarmType": row.type,
            "Timestamp": moment_of(row.at),
            "HistoryItemType": row.kind,
            "HistorySummary": row.item.summary,
            "HistoryData": row.item.data,
        }
        for row in rows
    ]
    return {"AlarmHistoryItems": items, **({"NextToken": token} if token else {})}


def _us(moment: datetime | None) -> int | None:
    return None if moment is None else microseconds(moment)

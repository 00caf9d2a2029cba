"""The schedule of a rule: a run that sleeps until the rule is due, tells its event, and sleeps again.

Owns when a rule is due and that each time is told once: the event's deliveries and the time from which the next one counts are
written together. A time that passed while no server ran is told once when one runs again, however many there were. It ends
when its rule is gone, disabled, or has no schedule. It must not know targets.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Final

import msgspec

from craton.features.events import bus
from craton.features.events.event import Event
from craton.features.events.rule import DISABLED, RULE, Rule
from craton.features.events.schedule import parsed
from craton.infra.store.port import Resource, Transaction, microseconds, moment_of
from craton.workflows.workflow import Job, Later, workflow

KIND: Final = "events-schedule"
DETAIL_TYPE: Final = "Scheduled Event"
SOURCE: Final = "aws.events"


async def stopped(job: Job, message: str) -> None:
    """A schedule that ended by a mistake of ours."""
    print(f"craton: events: the schedule of {job.arn} stopped: {message}", file=sys.stderr, flush=True)


@workflow(KIND, failed=stopped)
async def keep_time(job: Job) -> None:
    """Tell what is due, then sleep. Raises Later."""
    minute_s = job.tools.settings.file.events.minute_s
    now = job.tools.clock.now()
    due = await job.write(lambda transaction: told(transaction, job.arn, now, minute_s))
    if due is not None:
        raise Later("the rule is due later", max(0.0, (due - now).total_seconds()))


def told(transaction: Transaction, arn: str, now: datetime, minute_s: float) -> datetime | None:
    """Tell the event of a rule if it is due; when the rule is due next, None for never."""
    row = transaction.get(arn)
    if row is None or row.kind != RULE or row.status == DISABLED:
        return None
    rule = row.read(Rule)
    if rule.schedule is None:
        return None
    schedule = parsed(rule.schedule)
    due = schedule.after(moment_of(rule.since), minute_s)
    if due is None or due > now:
        return due
    if rule.targets:
        bus.tell_to(transaction, event_of(row, due), arn, rule, now)
    last = schedule.last(due, now, minute_s)
    body = msgspec.structs.replace(rule, since=microseconds(last))
    transaction.update(msgspec.structs.replace(row, body=msgspec.json.encode(body)))
    return schedule.after(last, minute_s)


def event_of(row: Resource, due: datetime) -> Event:
    return Event(
        source=SOURCE, detail_type=DETAIL_TYPE, account=row.account, region=row.region, at=due, detail={},
        resources=(row.arn,),
    )  # fmt: skip

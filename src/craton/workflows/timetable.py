"""What comes back by the calendar, once in a period over all servers of a store.

Owns the table: a name, how often, the kinds of rows without which there is nothing to do, and the function that does it
(`async def sweep(shop: Shop) -> None`). The supervisor reads this file as well, so it imports nothing heavy; a function
is loaded when its time has come. Periods count from the end of the last time, and a time that failed is tried again as
runs are.
"""

from __future__ import annotations

import msgspec

from craton.infra.jobs.runs import Appointment


class Entry(msgspec.Struct, frozen=True):
    """`target` is `module:function`."""

    name: str
    every_s: float
    needs: tuple[str, ...]
    target: str


_ENDING = ("model-invocation-job", "async-invoke", "model-import-job", "model-copy-job")

TIMETABLE: tuple[Entry, ...] = (
    Entry("key-rotation", 3600.0, ("kms-key",), "craton.workflows.sweeps:sweep_keys"),
    Entry("object-lifecycle", 3600.0, ("s3-bucket",), "craton.workflows.sweeps:sweep_objects"),
    Entry("orphaned-blobs", 21_600.0, ("s3-bucket",), "craton.workflows.blobs:sweep_blobs"),
    Entry("log-retention", 3600.0, ("log-group",), "craton.workflows.log_retention:expire_events"),
    Entry("function-code", 3600.0, ("lambda-code",), "craton.workflows.function_code:sweep_code"),
    Entry("alarms", 10.0, ("cloudwatch-alarm",), "craton.workflows.alarms.sweep:look_at_alarms"),
    Entry("alarm-history", 21_600.0, ("cloudwatch-alarm",), "craton.workflows.alarms.sweep:forget_old"),
    Entry("ended-runs", 86_400.0, _ENDING, "craton.workflows.sweeps:sweep_runs"),
)


def appointments(table: tuple[Entry, ...] = TIMETABLE) -> tuple[Appointment, ...]:
    """The table as the store keeps it."""
    return tuple(Appointment(entry.name, entry.every_s, entry.needs) for entry in table)

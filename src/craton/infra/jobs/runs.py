"""Runs as whoever starts, stops or shows jobs sees them.

Owns the record of a run, and the door for handlers: to put a run down in the transaction that makes the job's own row,
to ask it to stop, to forget it. The statements are in `rows.py`, which loads the SQL toolkit; this file does not, so a
server that has no jobs never pays for it. It must not know what a run does.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from sqlalchemy import Connection

STAMP = "runs"
"""The kind whose stamp rises when there is news for workers or supervisors."""
SCHEDULED = "scheduled"
"""The kind of runs that come back by the calendar."""
PATIENCE_S = 300.0
"""The longest that a run waits to be tried again. One that seems to wait longer was put off by a clock that has since
gone back, and is due."""
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
STEP_PURPOSE = "job step"
"""What the cipher is told that it seals, where a step's result holds customers' content."""


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a run is: `done` of `total` (None: nobody knows) `unit`s, at `rate` a second lately (0: not known)."""

    done: int = 0
    total: int | None = None
    unit: str = "records"
    rate: float = 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds to the end at this rate, None where that cannot be said."""
        if self.total is None or self.rate <= 0:
            return None
        return max(0, self.total - self.done) / self.rate


class Run(msgspec.Struct, frozen=True):
    """A row of RUNS, whose columns these are in order."""

    arn: str
    kind: str
    account: str
    region: str
    place: str
    format: int
    state: str
    due_at: int
    patience: int
    owner: str
    woken: int
    attempts: int
    crashes: int
    failures: int
    stop_asked: int
    progress: str
    error: str
    created_at: int
    started_at: int | None
    ended_at: int | None

    @property
    def how_far(self) -> Progress:
        return msgspec.json.decode(self.progress, type=Progress) if self.progress else Progress()


class Appointment(msgspec.Struct, frozen=True):
    """Work that comes back by the calendar: its name, how often, and the kinds of rows without which it has nothing to do."""

    name: str
    every_s: float
    needs: tuple[str, ...]

    @property
    def arn(self) -> str:
        return f"craton:{SCHEDULED}:{self.name}"


def enqueue(connection: Connection, arn: str, kind: str, now: datetime, *, place: str = "") -> None:
    """Put a run down, to begin as soon as the transaction is committed.

    One that is there already is not doubled: if it waits it is due now, if it runs it is run once more when it ends, if
    it has ended it begins anew. `place` names the home whose workers alone may run it (`craton.storing.place_of`).
    """
    from craton.infra.jobs import rows

    rows.enqueue(connection, arn, kind, now, place=place)


def give(connection: Connection, arn: str, step: str, result: bytes, now: datetime) -> None:
    """Give a run that was just put down what it starts from, as the result of a step. For content, see `bound`."""
    from craton.infra.jobs import rows

    rows.give(connection, arn, step, result, now)


def bound(arn: str, step: str) -> dict[str, str]:
    """What a sealed result of a step is bound to."""
    return {"job": arn, "step": step}


def ask_stop(connection: Connection, arn: str) -> bool:
    """Ask a run to stop; whether there is one that has not ended. It stops by itself, as soon as it can."""
    from craton.infra.jobs import rows

    return rows.ask_stop(connection, arn)


def forget(connection: Connection, arn: str) -> None:
    """Remove a run with all its steps, with the job's row; a worker that has it lets go of it."""
    from craton.infra.jobs import rows

    rows.forget(connection, arn)


def find(connection: Connection, arn: str) -> Run | None:
    """The run of this ARN."""
    from craton.infra.jobs import rows

    return rows.find(connection, arn)

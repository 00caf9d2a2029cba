"""The runs in the store: the statements of everybody but the workers.

Owns how a run is put down, asked to stop, listed, and how one knows whether a worker is needed. What workers do is in
`lease.py`; handlers come here through `runs.py`. It must not know what a run does.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, insert, or_, select, update

from craton.infra.jobs.runs import DONE, FAILED, PATIENCE_S, RUNNING, SCHEDULED, STAMP, WAITING, Appointment, Run
from craton.infra.jobs.tables import RUNS, STEPS
from craton.infra.store.port import microseconds
from craton.infra.store.tables import CHANGES, RESOURCES

_SECOND = 1_000_000
_LATE_S = 3600.0
_RUN = RUNS.c


def enqueue(connection: Connection, arn: str, kind: str, now: datetime, *, place: str = "") -> None:
    """Put a run down; see `runs.enqueue`."""
    at = microseconds(now)
    account, region = owner_of(arn)
    mine = _RUN.arn == arn
    known = connection.execute(select(_RUN.state).where(mine)).scalar_one_or_none()
    fresh = {"state": WAITING, "due_at": at, "failures": 0, "crashes": 0, "stop_asked": 0, "error": "", "place": place}
    if known is None:
        row = {"arn": arn, "kind": kind, "account": account, "region": region, "format": 0, "owner": "", "woken": 0,
               "attempts": 0, "progress": "", "created_at": at, "patience": int(PATIENCE_S * _SECOND)}  # fmt: skip
        connection.execute(insert(RUNS).values(row | fresh))
    elif known == RUNNING:
        connection.execute(update(RUNS).where(mine).values(woken=1))
    elif known == WAITING:
        connection.execute(update(RUNS).where(mine).values(due_at=at))
    else:
        connection.execute(
            update(RUNS).where(mine).values(fresh | {"format": 0, "attempts": 0, "progress": "", "ended_at": None})
        )
    raise_stamp(connection)


def give(connection: Connection, arn: str, step: str, result: bytes, now: datetime) -> None:
    """Give a run what it starts from; see `runs.give`."""
    connection.execute(insert(STEPS).values(arn=arn, name=step, result=result, stored_at=microseconds(now)))


def ask_stop(connection: Connection, arn: str) -> bool:
    """Ask a run to stop; whether there is one that has not ended. It stops by itself, as soon as it can."""
    alive = (_RUN.arn == arn) & _RUN.state.in_((WAITING, RUNNING))
    asked = connection.execute(update(RUNS).where(alive).values(stop_asked=1)).rowcount > 0
    # What waits to be tried again need not wait for its end.
    connection.execute(update(RUNS).where(alive, _RUN.state == WAITING).values(due_at=0))
    if asked:
        raise_stamp(connection)
    return asked


def forget(connection: Connection, arn: str) -> None:
    """Remove a run with all its steps; a worker that has it lets go of it."""
    connection.execute(delete(RUNS).where(_RUN.arn == arn))
    connection.execute(delete(STEPS).where(STEPS.c.arn == arn))
    raise_stamp(connection)


def find(connection: Connection, arn: str) -> Run | None:
    """The run of this ARN."""
    row = connection.execute(select(RUNS).where(_RUN.arn == arn)).one_or_none()
    return None if row is None else Run(*row)


def listed(connection: Connection, *, limit: int, states: Iterable[str] = (), account: str | None = None) -> list[Run]:
    """Runs of jobs, the newest first; of these states and this account where given."""
    wanted = [_RUN.kind != SCHEDULED]
    if account is not None:
        wanted.append(_RUN.account == account)
    if chosen := tuple(states):
        wanted.append(_RUN.state.in_(chosen))
    found = select(RUNS).where(*wanted).order_by(_RUN.created_at.desc(), _RUN.arn).limit(limit)
    return [Run(*row) for row in connection.execute(found)]


def needed_in(connection: Connection, now: datetime, places: Iterable[str], calendar: Iterable[Appointment]) -> float:
    """Seconds until a worker is needed: 0 is now, infinity never as things stand.

    One is needed as well while a run is said to be running: whoever has it may have died.
    """
    at = microseconds(now)
    here = _RUN.place.in_(("", *places)) & (_RUN.kind != SCHEDULED)
    if connection.execute(select(exists().where(here, _RUN.state == RUNNING))).scalar_one():
        return 0.0
    waits = connection.execute(select(_RUN.due_at, _RUN.patience).where(here, _RUN.state == WAITING)
                               .order_by(_RUN.due_at)).all()  # fmt: skip
    times = [_until(due, patience, at) for due, patience in waits]
    for entry in calendar:
        if kept(connection, entry.needs):
            row = connection.execute(select(RUNS).where(_RUN.arn == entry.arn)).one_or_none()
            times.append(0.0 if row is None else _kept_in(Run(*row), at))
    return min(times, default=float("inf"))


def kept(connection: Connection, kinds: Iterable[str]) -> bool:
    """Whether there is any row of these kinds."""
    return bool(connection.execute(select(exists().where(RESOURCES.c.kind.in_(tuple(kinds))))).scalar_one())


def is_due(at: int) -> ColumnElement[bool]:
    """The runs that wait and may begin at this time (µs)."""
    return and_(_RUN.state == WAITING, or_(_RUN.due_at <= at, _RUN.due_at > at + _RUN.patience))


def prune(connection: Connection, before: datetime) -> int:
    """Forget runs that ended before; how many. Their jobs' own rows stay."""
    old = _RUN.state.in_((DONE, FAILED)) & (_RUN.ended_at < microseconds(before))
    return connection.execute(delete(RUNS).where(old)).rowcount


def raise_stamp(connection: Connection) -> None:
    """Let everybody who watches the store look at the runs."""
    mine = CHANGES.c.kind == STAMP
    if connection.execute(update(CHANGES).where(mine).values(stamp=CHANGES.c.stamp + 1)).rowcount == 0:
        connection.execute(insert(CHANGES).values(kind=STAMP, stamp=1))


def owner_of(arn: str) -> tuple[str, str]:
    """Account and region in an ARN; empty for what is no ARN of AWS's."""
    fields = arn.split(":", 5)
    return (fields[4], fields[3]) if len(fields) == 6 else ("", "")


def _kept_in(run: Run, at: int) -> float:
    """Seconds until somebody should look after an appointment; one that is being kept is given an hour."""
    if run.state == RUNNING:
        return max(0.0, _LATE_S - abs(at - run.due_at) / _SECOND)
    return _until(run.due_at, run.patience, at)


def _until(due: int, patience: int, at: int) -> float:
    return 0.0 if due <= at or due > at + patience else (due - at) / _SECOND

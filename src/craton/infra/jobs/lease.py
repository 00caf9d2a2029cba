"""What workers do with runs, each function a part of one transaction: sign in, take, keep, put back, end.

Owns the lease. A worker has a row with a beat that it raises; who sees the beat stand still for long enough *by its own
monotonic clock* removes the row and lets the runs go, so that clocks may differ and go backwards. A run names its owner,
and everything written for a run checks the owner in the same transaction: whoever was taken for dead and was not can
write nothing any more. Writers of the store exclude each other, so a check and the write after it are one.
It must not know what a run does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, Table, case, delete, exists, func, insert, select, update

from craton.infra.jobs.rows import is_due, raise_stamp
from craton.infra.jobs.runs import (
    DONE,
    FAILED,
    PATIENCE_S,
    RUNNING,
    SCHEDULED,
    WAITING,
    Appointment,
    Progress,
    Run,
)
from craton.infra.jobs.tables import RUNS, STEPS, WORKERS
from craton.infra.store.port import microseconds

_RUN = RUNS.c
_SECOND = 1_000_000


class LeaseLost(Exception):
    """The run belongs to somebody else now, or is gone: nothing was written, and the work on it must end."""


class Glance(msgspec.Struct, frozen=True):
    """What a look shows: the runs that the worker has, each with whether it is asked to stop; whether others are due
    that it has room for; the kinds of runs that others have.
    """

    held: dict[str, bool]
    due: bool
    others: frozenset[str]


class Claimed(msgspec.Struct, frozen=True):
    """A run that was taken, as it is from now on, with the results of the steps that are done."""

    run: Run
    steps: dict[str, bytes]


# --- workers ---------------------------------------------------------------------------------------------------------


def sign_in(connection: Connection, owner: str, about: str, now: datetime, calendar: Iterable[Appointment]) -> None:
    """Be known as alive, and put down what comes back by the calendar."""
    connection.execute(insert(WORKERS).values(owner=owner, beat=1, about=about, started_at=microseconds(now)))
    for entry in calendar:
        patience = int((entry.every_s + PATIENCE_S) * _SECOND)
        mine = _RUN.arn == entry.arn
        if connection.execute(update(RUNS).where(mine).values(patience=patience)).rowcount == 0:
            row = {"arn": entry.arn, "kind": SCHEDULED, "account": "", "region": "", "place": "", "format": 0,
                   "state": WAITING, "due_at": microseconds(now), "patience": patience, "owner": "", "woken": 0, "attempts": 0,
                   "crashes": 0, "failures": 0, "stop_asked": 0, "progress": "", "error": "",
                   "created_at": microseconds(now)}  # fmt: skip
            connection.execute(insert(RUNS).values(row))


def beat(connection: Connection, owner: str) -> bool:
    """Say that the worker lives; False if others took it for dead."""
    mine = WORKERS.c.owner == owner
    return connection.execute(update(WORKERS).where(mine).values(beat=WORKERS.c.beat + 1)).rowcount > 0


def beats(connection: Connection) -> dict[str, int]:
    """The beat of every worker; 0 for an owner of runs whom nobody knows."""
    owners = select(_RUN.owner).where(_RUN.state == RUNNING).distinct()
    found = dict.fromkeys(connection.execute(owners).scalars(), 0)
    found.update((owner, at) for owner, at in connection.execute(select(WORKERS.c.owner, WORKERS.c.beat)))
    return found


def release(connection: Connection, owner: str, now: datetime, *, crashed: bool) -> int:
    """Let all runs of a worker that has ended go, under whichever name it lived last; how many. See `named`."""
    mine = named(RUNS, owner) & (_RUN.state == RUNNING)
    freed = {"state": WAITING, "owner": "", "due_at": microseconds(now), "woken": 0}
    if crashed:
        freed["crashes"] = _RUN.crashes + 1
    count = connection.execute(update(RUNS).where(mine).values(freed)).rowcount
    connection.execute(delete(WORKERS).where(named(WORKERS, owner)))
    if count:
        raise_stamp(connection)
    return count


def declare_dead(connection: Connection, owner: str, beat_seen: int, now: datetime) -> int:
    """Release the runs of a worker whose beat still is the one seen so long ago; how many."""
    alive = select(WORKERS.c.beat).where(WORKERS.c.owner == owner)
    if (connection.execute(alive).scalar_one_or_none() or 0) != beat_seen:
        return 0
    return release(connection, owner, now, crashed=True)


def named(table: Table, owner: str) -> ColumnElement[bool]:
    """The rows of a worker: a process that had to sign in anew has the same name with a number behind a dot."""
    return (table.c.owner == owner) | (func.substr(table.c.owner, 1, len(owner) + 1) == f"{owner}.")


# --- runs ------------------------------------------------------------------------------------------------------------


def claim(
    connection: Connection, owner: str, room: Mapping[str, int], formats: Mapping[str, tuple[int, ...]],
    places: Iterable[str], now: datetime,
) -> list[Claimed]:  # fmt: skip
    """Take runs that are due, those first that wait longest.

    `room` says how many of each kind, `formats` which of its formats this worker knows, the newest last. A run that a
    newer format began is left to newer workers; one whose format nobody knows any more begins anew.
    """
    at, taken, left = microseconds(now), [], dict(room)
    wanted = _due([kind for kind in left if left[kind] > 0], places, at).order_by(_RUN.due_at, _RUN.arn)
    for row in connection.execute(wanted.limit(4 * sum(left.values()) + 16)).all():
        run = Run(*row)
        known = formats[run.kind]
        if left[run.kind] <= 0 or run.format > known[-1]:
            continue
        left[run.kind] -= 1
        taken.append(_take(connection, run, owner, run.format if run.format in known else known[-1], at))
    return taken


def _due(kinds: Iterable[str], places: Iterable[str], at: int) -> Select[Any]:
    return select(RUNS).where(is_due(at), _RUN.place.in_(("", *places)), _RUN.kind.in_(tuple(kinds)))


def _take(connection: Connection, run: Run, owner: str, form: int, at: int) -> Claimed:
    if run.format not in (0, form):
        connection.execute(delete(STEPS).where(STEPS.c.arn == run.arn))
    changes = {"state": RUNNING, "owner": owner, "format": form, "attempts": run.attempts + 1,
               "started_at": run.started_at or at}  # fmt: skip
    connection.execute(update(RUNS).where(_RUN.arn == run.arn).values(changes))
    steps = select(STEPS.c.name, STEPS.c.result).where(STEPS.c.arn == run.arn)
    found = {name: bytes(result) for name, result in connection.execute(steps)}
    return Claimed(msgspec.structs.replace(run, **changes), found)


def glance(connection: Connection, owner: str, kinds: Iterable[str], places: Iterable[str], now: datetime) -> Glance:
    """Look without taking anything; `kinds` are those that there is room for."""
    running = select(_RUN.arn, _RUN.kind, _RUN.owner, _RUN.stop_asked).where(_RUN.state == RUNNING)
    held, others = {}, set()
    for arn, kind, whose, asked in connection.execute(running):
        if whose == owner:
            held[arn] = bool(asked)
        else:
            others.add(kind)
    due = _due(tuple(kinds), places, microseconds(now))
    return Glance(held, bool(connection.execute(select(exists(due))).scalar_one()), frozenset(others))


def check(connection: Connection, arn: str, owner: str) -> None:
    """Raise LeaseLost unless the worker has the run."""
    mine = select(_RUN.arn).where(_RUN.arn == arn, _RUN.owner == owner, _RUN.state == RUNNING)
    if connection.execute(mine).one_or_none() is None:
        raise LeaseLost(arn)


def keep_step(connection: Connection, arn: str, owner: str, name: str, result: bytes, now: datetime) -> None:
    """Keep a step's result; what failed before it counts no more. Raises LeaseLost."""
    check(connection, arn, owner)
    connection.execute(insert(STEPS).values(arn=arn, name=name, result=result, stored_at=microseconds(now)))
    advanced(connection, arn)


def advanced(connection: Connection, arn: str) -> None:
    """Note that the run got somewhere."""
    stuck = (_RUN.arn == arn) & ((_RUN.crashes > 0) | (_RUN.failures > 0))
    connection.execute(update(RUNS).where(stuck).values(crashes=0, failures=0, error=""))


def show(connection: Connection, shown: Mapping[str, Progress], owner: str) -> None:
    """Keep how far runs are; those of others are left alone."""
    for arn, progress in shown.items():
        mine = (_RUN.arn == arn) & (_RUN.owner == owner)
        connection.execute(update(RUNS).where(mine).values(progress=msgspec.json.encode(progress).decode()))


def put_back(
    connection: Connection, arn: str, owner: str, due: datetime, *, error: str | None = None, counts: bool = True,
    wait_s: float = 0.0,
) -> None:  # fmt: skip
    """Let a run go, to be taken again when it is due, `wait_s` from now; an `error` is kept, and `counts` as a failure.

    One that was asked for once more meanwhile is due at once. Raises LeaseLost.
    """
    check(connection, arn, owner)
    changes = {"state": WAITING, "owner": "", "due_at": case((_RUN.woken > 0, 0), else_=microseconds(due)), "woken": 0,
               "patience": int((PATIENCE_S + wait_s) * _SECOND)}  # fmt: skip
    if error is not None:
        changes |= {"failures": _RUN.failures + int(counts), "error": error[:1000]}
    connection.execute(update(RUNS).where(_RUN.arn == arn).values(changes))
    raise_stamp(connection)


def end(
    connection: Connection, arn: str, owner: str, now: datetime, *, error: str = "", back_at: datetime | None = None
) -> None:
    """The run is over, or over until `back_at`; its steps are forgotten. Raises LeaseLost.

    One that was asked for once more meanwhile begins anew at once.
    """
    check(connection, arn, owner)
    mine = _RUN.arn == arn
    connection.execute(delete(STEPS).where(STEPS.c.arn == arn))
    woken = bool(connection.execute(select(_RUN.woken).where(mine)).scalar_one())
    at = microseconds(now)
    changes = {"owner": "", "error": error[:1000], "ended_at": at, "state": FAILED if error else DONE}
    if woken or back_at is not None:
        due = at if woken or back_at is None else microseconds(back_at)
        changes |= {"state": WAITING, "due_at": due, "woken": 0, "format": 0, "failures": 0, "crashes": 0}
    connection.execute(update(RUNS).where(mine).values(changes))
    raise_stamp(connection)

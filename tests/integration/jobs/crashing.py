"""Servers whose workers are killed: what the crash tests of every kind of job stand on.

Owns the server as a child process with kinds of jobs of one's own choice, the killing, and the waiting. A test puts its
job down through the API or through the store, gives `disturb` what tells that the job has ended, and then compares its
result with that of an undisturbed run.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from craton.infra.compute.process import children
from craton.infra.jobs import runs
from craton.infra.jobs.employ import KINDS
from craton.infra.store.ids import lower_id
from craton.infra.store.opening import open_store
from craton.infra.store.port import Resource, Store, moment_of
from tests.running import Running

Victim = Literal["worker", "server"]
ACCOUNT, REGION = "000000000000", "us-east-1"
ROOT = Path(__file__).resolve().parents[3]


class Crashing(Running):
    """`craton serve` with these kinds of jobs; it can be killed, and started again on the same home and port."""

    def __init__(self, home: Path, config: str = "", *, kinds: str = KINDS, env: dict[str, str] | None = None) -> None:
        super().__init__(home, config, env={"PYTHONPATH": str(ROOT), **(env or {})})
        self.program = ("-m", "tests.integration.jobs.served", kinds)
        self.deaths = 0

    def workers(self) -> list[int]:
        """The processes that do jobs."""
        assert self.process is not None
        return [pid for pid in children(self.process.pid) if b"craton.labor" in command_line(pid)]

    def kill(self, victim: Victim) -> bool:
        """SIGKILL; whether there was anybody to kill. A server is started again on its port."""
        assert self.process is not None
        if victim == "worker":
            found = self.workers()
            for pid in found:
                os.kill(pid, signal.SIGKILL)
            self.deaths += len(found)
            return bool(found)
        self.process.kill()
        self.process.wait()
        self.deaths += 1
        self.restart()
        return True

    def restart(self) -> None:
        """Start again where it listened before."""
        self.log.close()
        port, self.url = self.port, ""
        self.options = ("--port", str(port))
        self.__enter__()

    def store(self) -> Store:
        return open_store(self.home / "craton.db")

    def put(self, kind: str, body: object, name: str | None = None) -> str:
        """A job's row and its run, in one transaction as a handler does it; the ARN."""
        ident = lower_id()
        now = moment_of(time.time_ns() // 1000)
        arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:{kind}/{ident}"
        row = Resource(account=ACCOUNT, region=REGION, kind=kind, id=ident, arn=arn, name=name, status="Submitted",
                       created_at=now, updated_at=now, body=msgspec.json.encode(body))  # fmt: skip
        store = self.store()
        with store.transaction() as transaction:
            transaction.create(row)
            transaction.run(lambda c: runs.enqueue(c, arn, kind, now))
        store.close()
        return arn

    def row(self, arn: str) -> Resource:
        store = self.store()
        found = store.get(arn)
        store.close()
        assert found is not None
        return found

    def wait(self, arn: str, *statuses: str, within_s: float = 90.0) -> Resource:
        """The job's row once it has one of these statuses."""
        store, until = self.store(), time.monotonic() + within_s
        try:
            while True:
                found = store.get(arn)
                if found is not None and found.status in statuses:
                    return found
                assert time.monotonic() < until, f"{found}\n{store.run(lambda c: runs.find(c, arn))}\n{self.output()}"
                time.sleep(0.05)
        finally:
            store.close()


@contextmanager
def crashing(
    home: Path, config: str = "", *, kinds: str = KINDS, env: dict[str, str] | None = None
) -> Iterator[Crashing]:
    with Crashing(home, config, kinds=kinds, env=env) as server:
        yield server


def disturb(
    server: Crashing,
    ended: Callable[[], bool],
    *,
    times: int,
    seed: int,
    victims: tuple[Victim, ...] = ("worker", "worker", "server"),
    between_s: tuple[float, float] = (0.2, 1.5),
    within_s: float = 120.0,
    progressed: Callable[[], object] | None = None,
) -> int:
    """Kill at random moments until it was done `times` times or the job has ended; how often it was.

    A run whose workers die five times without a step between is given up as poison. `progressed` gives something that
    changes with the job's steps; with it, no more than three deaths follow each other without one.
    """
    chance, until, done, barren, last = random.Random(seed), time.monotonic() + within_s, 0, 0, None
    while done < times and not ended():
        assert time.monotonic() < until, server.output()[-4000:]
        time.sleep(chance.uniform(*between_s))
        if progressed is not None:
            now = progressed()
            barren, last = (0, now) if now != last else (barren, last)
            if barren >= 3:
                continue
        if server.kill(chance.choice(victims)):
            done += 1
            barren += 1
    return done


def steps_of(server: Crashing, arn: str) -> set[str]:
    """The names of the steps whose results are kept."""
    from sqlalchemy import select

    from craton.infra.jobs.tables import STEPS

    store = server.store()
    try:
        return set(store.run(lambda c: c.execute(select(STEPS.c.name).where(STEPS.c.arn == arn)).scalars().all()))
    finally:
        store.close()


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""

"""The worker processes of one server: made when there is something to do, replaced when they die, ended with it.

Owns which processes live, the pauses between them, and that the runs of one that died go on at once: its parent knows of
its death before any lease ends. The names of living ones stand in a file, so that a server that was killed with all its
children knows at its next start whose runs nobody has. It must not know how a process is made (`spawn` is given) nor
what runs do. It lives in the supervisor's loop; the store is asked in the supervisor's thread for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from craton.infra.compute.process import describe_exit, reap, signal_group, signal_process, wait_zombie
from craton.infra.jobs.runs import Appointment
from craton.infra.store.port import Store, StoreError

T = TypeVar("T")
_SHORT_LIFE_S = 5.0
_PAUSE_FIRST_S, _PAUSE_MAX_S = 0.2, 30.0
_END_WITHIN_S = 8.0
_FAR_S = 3600.0
"""The calendar is looked at again after so long at most: the wall clock may have been set."""


class Ask(Protocol):
    """Does work with the store in the supervisor's thread for it. Raises StoreError."""

    def __call__(self, work: Callable[[Store], T], /) -> Awaitable[T]: ...


class Foreman:
    """The worker processes of a supervisor.

    Args:
        count: how many there are when there is work.
        spawn: makes a worker process of this name; its process id. Raises OSError.
        names: the file of the names of living ones.
        place: the home's own name.
    """

    def __init__(
        self, count: int, spawn: Callable[[str], int], ask: Ask, names: Path, place: str,
        calendar: Sequence[Appointment],
    ) -> None:  # fmt: skip
        self._count = count
        self._spawn = spawn
        self._ask = ask
        self._names = names
        self._place = place
        self._calendar = tuple(calendar)
        self._living: dict[str, int] = {}
        self._minders: set[asyncio.Task[None]] = set()
        # Whose runs an earlier server of this home left: its workers died with it.
        self._orphans = names.read_text().split() if names.exists() else []
        self._stale = True
        self._due = 0.0
        self._not_before = 0.0
        self._pause_s = _PAUSE_FIRST_S
        self._ending = False

    async def look(self, *, changed: bool) -> None:
        """Make workers if they are needed; `changed`: the store may have news. Raises StoreError."""
        if self._ending or not self._count:
            return
        self._stale = self._stale or changed
        now = time.monotonic()
        if now < self._not_before or len(self._living) >= self._count or not (self._stale or now >= self._due):
            return
        await self._release_orphans()
        self._stale = False
        try:
            wait_s = await self._ask(self._needed)
        except StoreError:
            self._stale = True
            raise
        self._due = now + min(wait_s, _FAR_S)
        if wait_s > 0:
            self._pause_s = _PAUSE_FIRST_S
        elif not self._ending:
            self._employ()

    async def stop(self) -> None:
        """End all in order, and those that do not, without."""
        self._ending = True
        for pid in self._living.values():
            signal_process(pid, signal.SIGTERM)
        if self._minders:
            await asyncio.wait(self._minders, timeout=_END_WITHIN_S)
        for pid in self._living.values():
            signal_process(pid, signal.SIGKILL)
        if self._minders:
            await asyncio.wait(self._minders)

    def _needed(self, store: Store) -> float:
        from craton.infra.jobs.rows import needed_in

        now = datetime.now(UTC)
        return store.run(lambda c: needed_in(c, now, (self._place,), self._calendar))

    def _employ(self) -> None:
        for _ in range(self._count - len(self._living)):
            name = secrets.token_hex(8)
            # Written first: what was made must never be unknown, what is known and was never made does no harm.
            self._write([*self._living, *self._orphans, name])
            try:
                self._living[name] = self._spawn(name)
            except OSError as error:  # no memory, no handles: it is tried again
                print(f"craton: a job worker cannot be made: {error.strerror}", file=sys.stderr, flush=True)
                self._put_off()
                return
            minder = asyncio.create_task(self._mind(name), name="job worker")
            self._minders.add(minder)
            minder.add_done_callback(self._minders.discard)

    async def _mind(self, name: str) -> None:
        pid, born = self._living[name], time.monotonic()
        await wait_zombie(pid)
        signal_group(pid, signal.SIGKILL)
        del self._living[name]  # before it is reaped: after that, the number may be somebody else's
        code = reap(pid)
        self._stale = True
        if code == 0:
            self._write([*self._living, *self._orphans])
        else:
            self._orphans.append(name)
        if self._ending:
            return
        if code:
            print(f"craton: a job worker (process {pid}) ended: {describe_exit(code)}", file=sys.stderr, flush=True)
        if time.monotonic() - born < _SHORT_LIFE_S:
            # It crashed at once, or found nothing that it could do: a newer Craton may have begun what is due.
            self._put_off()
        else:
            self._pause_s = _PAUSE_FIRST_S

    def _put_off(self) -> None:
        self._not_before = time.monotonic() + self._pause_s
        self._pause_s = min(self._pause_s * 2, _PAUSE_MAX_S)
        self._stale = True

    async def _release_orphans(self) -> None:
        """Let the runs of dead workers go. They stay known until that is done."""
        if not self._orphans:
            return
        orphans = tuple(self._orphans)

        def work(store: Store) -> None:
            from craton.infra.jobs.lease import release

            now = datetime.now(UTC)
            with store.transaction() as transaction:
                for name in orphans:
                    transaction.run(lambda c, name=name: release(c, name, now, crashed=True))  # type: ignore[misc]

        await self._ask(work)
        self._orphans = [name for name in self._orphans if name not in orphans]
        self._write([*self._living, *self._orphans])

    def _write(self, names: Sequence[str]) -> None:
        """Keep the names. Without them (a full disk) a lease ends by the beat that stands still, only later."""
        draft = self._names.with_suffix(".part")
        with contextlib.suppress(OSError):
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
                file.write("\n".join(names))
            draft.replace(self._names)

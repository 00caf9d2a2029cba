"""The life of one model process: started when wanted, watched, started again when it dies, given up when it keeps dying.

    stopped ── ensure ──> starting ── healthy ──> ready ── stop, idle ──> stopping ──> stopped
                  ^            │ dies, late, hangs, too big │
                  │            v                            v
                  └──────── waiting (back-off)   or   failed (cool-down), stopped when nobody wants it

Owns: this machine and its counters. Must not know: other models, the control channel, HTTP beyond a health answer.
One task per life runs `_live`; everybody else only sets events and awaits the shared `_ready` future.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from pathlib import Path

import msgspec

from craton.infra.compute.guard import Guard
from craton.infra.compute.journal import Journal
from craton.infra.compute.launch import Child, launch
from craton.infra.compute.port import ModelFailed, ModelSpec, ModelStatus, ModelStopped, State
from craton.infra.compute.probe import ask_health
from craton.infra.compute.process import cpu_seconds, describe_exit, pss_bytes, rss_bytes, tree
from craton.infra.compute.sandbox import Sandbox

_REASON_LINES = 5


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How patient a host is; the tests are less patient than the defaults."""

    start_poll_s: float = 0.02
    start_poll_max_s: float = 0.25
    health_every_s: float = 5.0
    health_timeout_s: float = 10.0
    health_failures: int = 3
    """That many unanswered questions in a row make a process that runs count as hung."""
    backoff_first_s: float = 0.25
    backoff_max_s: float = 15.0
    crash_limit: int = 3
    crash_window_s: float = 120.0
    cool_down_s: float = 30.0
    wanted_for_s: float = 60.0
    """A model that dies this long after its last use is not started again before somebody asks."""
    busy_cpu_share: float = 0.05
    """A process that used more of one core since the last look counts as in use."""
    stop_grace_s: float = 5.0


class Place(msgspec.Struct, frozen=True):
    """A replica's own paths: its working directory, which goes with it, and where in it it listens."""

    socket: Path
    scratch: Path


class Replica:
    """One model: `ensure` and `stop` drive it, `status` shows it."""

    def __init__(
        self, spec: ModelSpec, place: Place, journal: Journal, guard: Guard, rules: Rules, sandbox: Sandbox
    ) -> None:
        """Remember what to run and where; nothing is started."""
        self.spec = spec
        self.journal = journal
        self._socket_path = place.socket
        self._scratch = place.scratch
        self._guard = guard
        self._rules = rules
        self._sandbox = sandbox
        self._state: State = "stopped"
        self._child: Child | None = None
        self._life: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] | None = None
        self._stop_asked = asyncio.Event()
        self._waiters = 0
        self._started_at = 0.0
        self._used_at = time.monotonic()
        self._crashes: deque[float] = deque(maxlen=rules.crash_limit)
        self._failed_until = 0.0
        self._restarts = 0
        self._last_error = ""

    @property
    def address(self) -> str:
        """Where the model server listens, the same over restarts."""
        return f"unix:{self._socket_path}"

    def touch(self) -> None:
        """Note a use."""
        self._used_at = time.monotonic()

    async def ensure(self) -> None:
        """Return once the process is healthy.

        Raises:
            ModelFailed: it died too often, or did so a moment ago.
            ModelStopped: `stop` was called meanwhile.
        """
        self.touch()
        if self._state == "stopping" and self._life is not None:
            await asyncio.wait([self._life])
        wait_s = self._failed_until - time.monotonic()
        if self._state == "failed" and wait_s > 0:
            raise ModelFailed(self._last_error, retry_after_s=wait_s)
        if self._life is None or self._life.done():
            self._begin()
        if self._ready is None:
            return
        self._waiters += 1
        try:
            await asyncio.shield(self._ready)
        finally:
            self._waiters -= 1
            self.touch()

    async def stop(self) -> bool:
        """End the process and its life; False when there was none."""
        life = self._life
        if life is None or life.done():
            return False
        self._state = "stopping"
        self._stop_asked.set()
        await asyncio.wait([life])
        return True

    def status(self) -> ModelStatus:
        """Show the state and the figures of the process tree."""
        now = time.monotonic()
        child = self._child
        pids = tree(child.pid) if child else []
        return ModelStatus(
            id=self.spec.id,
            state=self._state,
            address=self.address,
            pid=child.pid if child else 0,
            threads=child.threads if child else 0,
            uptime_s=round(now - self._started_at, 3) if child else 0.0,
            idle_s=round(now - self._used_at, 3),
            rss_bytes=sum(map(rss_bytes, pids)),
            pss_bytes=sum(map(pss_bytes, pids)),
            restarts=self._restarts,
            last_error=self._last_error,
        )

    def _begin(self) -> None:
        self._stop_asked.clear()
        self._crashes.clear()
        self._state = "starting"
        self._renew_ready()
        self._life = asyncio.create_task(self._live(), name=f"model {self.spec.id}")

    def _renew_ready(self) -> None:
        if self._ready is None:
            self._ready = asyncio.get_running_loop().create_future()
            # Nobody may be waiting when it fails; that is no fault to log.
            self._ready.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def _live(self) -> None:
        outcome: State = "stopped"
        try:
            while not self._stop_asked.is_set():
                reason = await self._run_once()
                if reason is None or self._stop_asked.is_set():
                    break
                self._renew_ready()
                self._last_error = reason
                self._crashes.append(time.monotonic())
                self.journal.note(reason.partition("\n")[0])
                if self._is_hopeless():
                    self._failed_until = time.monotonic() + self._rules.cool_down_s
                    outcome = "failed"
                    break
                if not self._is_wanted():
                    break
                await self._back_off()
        finally:
            self._state = outcome
            self._settle(outcome)

    def _settle(self, outcome: State) -> None:
        if self._ready is not None and not self._ready.done():
            if outcome == "failed":
                self._ready.set_exception(ModelFailed(self._last_error, self._rules.cool_down_s))
            else:
                self._ready.set_exception(ModelStopped(f"model {self.spec.id} was stopped"))
        self._ready = None
        self.journal.close()

    def _is_hopeless(self) -> bool:
        crashes = self._crashes
        return len(crashes) == self._rules.crash_limit and crashes[-1] - crashes[0] < self._rules.crash_window_s

    def _is_wanted(self) -> bool:
        return self._waiters > 0 or time.monotonic() - self._used_at < self._rules.wanted_for_s

    async def _back_off(self) -> None:
        self._state = "waiting"
        self._restarts += 1
        longest = min(self._rules.backoff_max_s, self._rules.backoff_first_s * 2 ** (len(self._crashes) - 1))
        # Jitter, so that many models that one event killed do not come back in step.
        await _wait(self._stop_asked, longest * random.uniform(0.5, 1.0))  # noqa: S311

    async def _run_once(self) -> str | None:
        """Run the process to its end; None when that was asked for, else why it ended, with its last words."""
        self._state = "starting"
        self._renew_ready()
        try:
            child = launch(self.spec, self._socket_path, self._scratch, self.journal, self._guard, self._sandbox)
        except OSError as error:
            return f"cannot be started: {error.strerror or error}"
        self._child, self._started_at = child, time.monotonic()
        ended = asyncio.create_task(child.ended())
        watch = asyncio.create_task(self._watch(child))
        asked = asyncio.create_task(self._stop_asked.wait())
        try:
            await asyncio.wait([ended, watch, asked], return_when=asyncio.FIRST_COMPLETED)
            return await self._conclude(child, ended, watch)
        finally:
            watch.cancel()
            asked.cancel()
            await child.stop(0)  # in a cancelled life the process must go too; else it has gone already
            self._child = None
            self._socket_path.unlink(missing_ok=True)

    async def _conclude(self, child: Child, ended: asyncio.Task[int], watch: asyncio.Task[str | None]) -> str | None:
        if ended.done():
            return self._with_last_words(describe_exit(ended.result()))
        reason = watch.result() if watch.done() else None
        self._state = "stopping"
        if not self._stop_asked.is_set() and reason is not None:
            await child.stop(0)  # hung or too big: nothing to wait for
            return self._with_last_words(reason)
        await child.stop(self._rules.stop_grace_s)
        return None

    def _with_last_words(self, reason: str) -> str:
        return "\n".join([reason, *self.journal.lines()[-_REASON_LINES:]])

    async def _watch(self, child: Child) -> str | None:
        """Wait for health, then look after it; None when it is idle, else what is wrong with it."""
        if not await self._await_health():
            return f"not healthy within {self.spec.start_timeout_s:g} s"
        self._state = "ready"
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)
        self._ready = None
        missed, cpu_s, looked_at = 0, cpu_seconds(child.pid), time.monotonic()
        while True:
            await asyncio.sleep(self._next_look_s())
            health = await ask_health(str(self._socket_path), self._rules.health_timeout_s)
            missed = 0 if health.ok else missed + 1
            if missed >= self._rules.health_failures:
                return f"hung: {health.reason}"
            if excess := self._excess(child):
                return excess
            used_s, cpu_s = cpu_seconds(child.pid) - cpu_s, cpu_seconds(child.pid)
            elapsed_s, looked_at = time.monotonic() - looked_at, time.monotonic()
            if health.busy or used_s > self._rules.busy_cpu_share * elapsed_s:
                self.touch()
            elif 0 < self.spec.idle_timeout_s <= time.monotonic() - self._used_at:
                self._state = "stopping"  # at once, so that an `ensure` from now on waits for the next life
                return None

    def _next_look_s(self) -> float:
        idle_s = self.spec.idle_timeout_s
        return min(self._rules.health_every_s, idle_s / 2) if idle_s > 0 else self._rules.health_every_s

    def _excess(self, child: Child) -> str:
        limit = self.spec.memory_limit_bytes
        used = sum(map(rss_bytes, tree(child.pid))) if limit else 0
        return f"over its memory limit: {used} of {limit} bytes" if used > limit else ""

    async def _await_health(self) -> bool:
        deadline = time.monotonic() + self.spec.start_timeout_s
        pause_s = self._rules.start_poll_s
        while (left_s := deadline - time.monotonic()) > 0:
            health = await ask_health(str(self._socket_path), min(left_s, self._rules.health_timeout_s))
            if health.ok:
                return True
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, self._rules.start_poll_max_s)
        return False


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return

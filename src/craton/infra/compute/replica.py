"""The life of one replica: a model process that is started, watched, started again when it dies, and left alone for a
while when it keeps dying.

    starting ── healthy ──> ready ── stop ──> stopping
       ^   │ dies, late, hangs, too big │
       │   v                            v
       ├── waiting (back-off)   <───────┘
       └── failed (cool-down, longer each time)

Owns: this machine and its counters. Must not know: other replicas, how many there should be, the control channel, HTTP
beyond a health answer. One task runs `_live` from `start` to `stop`; whoever wants to know is told by `on_change`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from craton.infra.compute.guard import Guard
from craton.infra.compute.journal import Journal
from craton.infra.compute.launch import Child, launch
from craton.infra.compute.port import ModelSpec, ReplicaStatus, State, digest_of
from craton.infra.compute.probe import ask_health
from craton.infra.compute.process import describe_exit, pss_bytes, rss_bytes, tree
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
    cool_down_max_s: float = 600.0
    steady_s: float = 60.0
    """One that was ready this long before it died begins with the first back-off again."""
    stop_grace_s: float = 5.0


class Place(msgspec.Struct, frozen=True):
    """A replica's own paths: its working directory, which goes with it, and where in it it listens."""

    socket: Path
    scratch: Path


class Replica:
    """One replica: `start` and `stop` drive it, `status` shows it."""

    def __init__(
        self,
        name: str,
        spec: ModelSpec,
        env: dict[str, str],
        place: Place,
        journal: Journal,
        guard: Guard,
        rules: Rules,
        sandbox: Sandbox,
        on_change: Callable[[], None],
    ) -> None:
        """Remember what to run and where; nothing is started. `env` is added to the spec's."""
        self.name = name
        self._launched = msgspec.structs.replace(spec, env={**spec.env, **env}) if env else spec
        self.spec = spec
        self.journal = journal
        self._digest = digest_of(spec)
        self._socket_path = place.socket
        self._scratch = place.scratch
        self._guard = guard
        self._rules = rules
        self._sandbox = sandbox
        self._on_change = on_change
        self._state: State = "starting"
        self._child: Child | None = None
        self._life: asyncio.Task[None] | None = None
        self._stop_asked = asyncio.Event()
        self._grace_s = rules.stop_grace_s
        self._started_at = 0.0
        self._ready_at = 0.0
        self._crashes: deque[float] = deque(maxlen=rules.crash_limit)
        self._failures = 0
        self._failed_until = 0.0
        self._restarts = 0
        self._last_error = ""
        self._stats: dict[str, float] = {}
        self._memory = (0, 0)

    @property
    def address(self) -> str:
        """Where the model server listens, the same over restarts."""
        return f"unix:{self._socket_path}"

    def start(self) -> None:
        """Begin to keep the process; once in a replica's life."""
        self._life = asyncio.create_task(self._live(), name=f"replica {self.name}")

    async def stop(self, grace_s: float | None = None) -> None:
        """End the process and this life; SIGKILL comes `grace_s` seconds after SIGTERM."""
        if grace_s is not None:
            self._grace_s = grace_s
        self._enter("stopping")
        self._stop_asked.set()
        if self._life is not None:
            await asyncio.wait([self._life])

    def status(self) -> ReplicaStatus:
        """Show the state, and the figures of the process tree as of the last look at its health."""
        now = time.monotonic()
        child = self._child
        return ReplicaStatus(
            id=self.name,
            deployment=self.spec.id,
            state=self._state,
            address=self.address,
            pid=child.pid if child else 0,
            threads=child.threads if child else 0,
            uptime_s=round(now - self._started_at, 3) if child else 0.0,
            rss_bytes=self._memory[0] if child else 0,
            pss_bytes=self._memory[1] if child else 0,
            restarts=self._restarts,
            last_error=self._last_error,
            retry_after_s=max(0.0, self._failed_until - now) if self._state == "failed" else 0.0,
            stats=self._stats,
            digest=self._digest,
        )

    def _enter(self, state: State) -> None:
        if state != self._state:
            self._state = state
            self._on_change()

    async def _live(self) -> None:
        try:
            while not self._stop_asked.is_set():
                reason = await self._run_once()
                if reason is None or self._stop_asked.is_set():
                    break
                self._note_crash(reason)
                await self._pause()
        finally:
            self.journal.close()

    def _note_crash(self, reason: str) -> None:
        now = time.monotonic()
        if self._ready_at and now - self._ready_at >= self._rules.steady_s:
            self._crashes.clear()
            self._failures = 0
        self._last_error = reason
        self._crashes.append(now)
        self.journal.note(reason.partition("\n")[0])

    async def _pause(self) -> None:
        """Wait before the next try: a moment, or a long while for one that keeps dying."""
        self._restarts += 1
        rules, crashes = self._rules, self._crashes
        if len(crashes) == rules.crash_limit and crashes[-1] - crashes[0] < rules.crash_window_s:
            cool_s = min(rules.cool_down_max_s, rules.cool_down_s * 2**self._failures)
            self._failures += 1
            self._failed_until = time.monotonic() + cool_s
            crashes.clear()
            self._enter("failed")
            await _wait(self._stop_asked, cool_s)
            return
        self._enter("waiting")
        longest = min(rules.backoff_max_s, rules.backoff_first_s * 2 ** (len(crashes) - 1))
        # Jitter, so that many models that one event killed do not come back in step.
        await _wait(self._stop_asked, longest * random.uniform(0.5, 1.0))  # noqa: S311

    async def _run_once(self) -> str | None:
        """Run the process to its end; None when that was asked for, else why it ended, with its last words."""
        self._ready_at, self._stats = 0.0, {}
        self._enter("starting")
        try:
            child = launch(self._launched, self._socket_path, self._scratch, self.journal, self._guard, self._sandbox)
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

    async def _conclude(self, child: Child, ended: asyncio.Task[int], watch: asyncio.Task[str]) -> str | None:
        if ended.done():
            return self._with_last_words(describe_exit(ended.result()))
        if watch.done() and not self._stop_asked.is_set():
            self._enter("waiting")  # from now on nobody should send it anything
            await child.stop(0)  # hung or too big: nothing to wait for
            return self._with_last_words(watch.result())
        await child.stop(self._grace_s)
        return None

    def _with_last_words(self, reason: str) -> str:
        return "\n".join([reason, *self.journal.lines()[-_REASON_LINES:]])

    async def _watch(self, child: Child) -> str:
        """Wait for health, then look after it; returns what is wrong with it."""
        if not await self._await_health():
            return f"not healthy within {self.spec.start_timeout_s:g} s"
        self._ready_at = time.monotonic()
        self._enter("ready")
        self._measure(child)
        missed = 0
        while True:
            await asyncio.sleep(self._rules.health_every_s)
            health = await ask_health(str(self._socket_path), self._rules.health_timeout_s, self.spec.health)
            missed = 0 if health.ok else missed + 1
            if missed >= self._rules.health_failures:
                return f"hung: {health.reason}"
            self._measure(child)
            if 0 < self.spec.memory_limit_bytes < self._memory[0]:
                return f"over its memory limit: {self._memory[0]} of {self.spec.memory_limit_bytes} bytes"
            if health.ok and health.stats != self._stats:
                self._stats = health.stats
                self._on_change()

    def _measure(self, child: Child) -> None:
        """Look at the memory of the process tree: too dear (milliseconds for a large process) to do when asked."""
        pids = tree(child.pid)
        self._memory = sum(map(rss_bytes, pids)), sum(map(pss_bytes, pids))

    async def _await_health(self) -> bool:
        deadline = time.monotonic() + self.spec.start_timeout_s
        pause_s = self._rules.start_poll_s
        while (left_s := deadline - time.monotonic()) > 0:
            patience_s = min(left_s, self._rules.health_timeout_s)
            health = await ask_health(str(self._socket_path), patience_s, self.spec.health)
            if health.ok:
                self._stats = health.stats
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

"""All environments of a host: who gets which, how many there may be, and when one has had its time.

Owns the limits (the account's, a function's own), the keeping of free environments by version, starts and their second try, the
watch over what busy ones take, and the reaping of idle ones. How an environment is made is `Maker`'s. It must not know HTTP.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import msgspec

from craton.features.functions.function import Plan
from craton.features.functions.host.instance import InitFailed, Instance, Task, Vanished
from craton.features.functions.host.lines import INIT, INVOKE
from craton.features.functions.host.making import MOST_PROCESSES, Maker, Unable
from craton.features.functions.host.meter import Meter
from craton.features.functions.line import UNHANDLED, Invoked, Refusal

INIT_S: Final = 10.0
WATCH_EVERY_S: Final = 0.1
_SWEEP_EVERY_S: Final = 1.0
_SPARE: Final = timedelta(seconds=45)
"""How much longer than an invocation the credentials must hold."""
_TRIES: Final = 3
_WALL_PROCESSES: Final = 2
_RATE: Final = "Rate Exceeded."

Key = tuple[str, str, str]


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """`concurrency` is an account's limit in a region, `environments` how many there may be in all."""

    concurrency: int
    environments: int
    idle_s: float


class Pool:
    """The environments of a host."""

    def __init__(self, maker: Maker, rules: Rules, now: Callable[[], datetime], meter: Meter | None = None) -> None:
        self._maker = maker
        self._meter = meter
        self._rules = rules
        self._now = now
        self._all: set[Instance] = set()
        self._free: dict[Key, list[Instance]] = {}
        self._ready: dict[tuple[str, str], Plan] = {}
        self._running: Counter[str] = Counter()  # by function
        self._taken: Counter[str] = Counter()  # by account and region
        self._starts = asyncio.Semaphore(max(2, 2 * (os.cpu_count() or 1)))
        self._making = 0  # environments that are not among all of them yet
        self._closing: set[asyncio.Task[None]] = set()
        self._watching: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to watch and to reap."""
        self._watching = [asyncio.create_task(self._watch()), asyncio.create_task(self._sweep())]

    @property
    def instances(self) -> frozenset[Instance]:
        """The environments that there are."""
        return frozenset(self._all)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is here that somebody would miss."""
        return not self._all and not self._closing and not self._ready

    # --- invocations ---

    async def invoke(self, task: Task) -> Invoked:
        """Have an invocation done. Raises Unable where it was not run."""
        plan = task.ask.plan
        place = plan.arn.rpartition(":function:")[0]
        self._admit(plan, place)
        self._running[plan.arn] += 1
        self._taken[place] += 1
        at_once = self._running[plan.arn]
        try:
            done = await self._done(task)
            if self._meter is not None:
                self._meter.ran(plan, done.duration_ms, at_once, failed=bool(done.error))
            return done
        finally:
            for counter, key in ((self._running, plan.arn), (self._taken, place)):
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]

    def _admit(self, plan: Plan, place: str) -> None:
        reason = ""
        if plan.reserved is not None and self._running[plan.arn] >= plan.reserved:
            reason = "ReservedFunctionConcurrentInvocationLimitExceeded"
        elif self._taken[place] >= self._rules.concurrency:
            reason = "ConcurrentInvocationLimitExceeded"
        if reason:
            if self._meter is not None:
                self._meter.throttled(plan)
            raise Unable(_throttled(reason))

    async def _done(self, task: Task) -> Invoked:
        for _ in range(_TRIES):
            try:
                instance = self._reuse(task.ask.plan) or await self._fresh(task.ask.plan)
            except InitFailed as failed:
                version = task.ask.plan.configuration.version
                return Invoked(payload=failed.payload(task.ask.request_id), error=UNHANDLED, version=version)
            instance.give(task)
            try:
                return await task.done
            except Vanished:
                task.renew()
        raise Unable(Refusal(name="ServiceException", message="The function's environments end before they begin."))

    def _reuse(self, plan: Plan) -> Instance | None:
        free = self._free.get(plan.key, [])
        while free:
            instance = free.pop()
            if instance.is_free:
                if self._lasts(instance):
                    instance.idle = False
                    return instance
                self._retire(instance)
        return None

    def _lasts(self, instance: Instance) -> bool:
        return instance.expires_at - self._now() > timedelta(seconds=instance.timeout_s) + _SPARE

    async def _fresh(self, plan: Plan, *, provisioned: bool = False) -> Instance:
        """A new environment, up. Raises InitFailed, Unable."""
        self._retire_older(plan)
        self._make_room()
        try:
            return await self._started(plan, INIT_S, INIT, provisioned=provisioned)
        except InitFailed as failed:
            if failed.told or provisioned:
                raise
            # As on AWS: what did not come up in its own time is begun once more in the invocation's.
            return await self._started(plan, float(plan.configuration.timeout_s), INVOKE)

    async def _started(self, plan: Plan, timeout_s: float, phase: str, *, provisioned: bool = False) -> Instance:
        made: Instance | None = None
        self._making += 1
        try:
            async with self._starts:  # its time to come up begins when it has its turn
                made = await self._maker.make(plan, self._changed, provisioned=provisioned)
                self._making -= 1
                self._all.add(made)
                if made.gone:  # already: nobody heard of it yet
                    self._changed(made)
                await made.up(timeout_s, phase)
                return made
        finally:
            self._making -= made is None

    # --- environments kept ready ---

    async def ready(self, plan: Plan) -> None:
        """Have as many environments of a version up as its plan says. Raises Unable."""
        name = (plan.arn, plan.configuration.version)
        if not plan.provisioned:
            self._ready.pop(name, None)
            return
        self._ready[name] = plan
        try:
            while sum(one.key == plan.key and not one.gone for one in self._all) < plan.provisioned:
                instance = await self._fresh(plan, provisioned=True)
                self._changed(instance)
        except InitFailed as failed:
            raise Unable(
                Refusal(
                    name="ServiceException", message=f"The function does not start: {failed.message or failed.kind}"
                )
            ) from failed

    # --- coming and going ---

    def _changed(self, instance: Instance) -> None:
        """An environment became free or gone."""
        if not instance.gone:
            instance.idle = True
            self._free.setdefault(instance.key, []).append(instance)
            return
        free = self._free.get(instance.key)
        if free is not None:
            if instance in free:
                free.remove(instance)
            if not free:
                del self._free[instance.key]
        if instance in self._all:
            self._all.discard(instance)
            closing = asyncio.create_task(self._close(instance))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _close(self, instance: Instance) -> None:
        """Let go of what it held when its processes have ended, which a kill brings about at once."""
        for _ in range(50):
            if not instance.pid:
                break
            await asyncio.sleep(0.02)
        instance.close()
        if instance.settled is not None:
            await instance.settled()

    def _retire(self, instance: Instance) -> None:
        instance.kill("")

    def _retire_older(self, plan: Plan) -> None:
        """What was made for another revision of the same version is of no use."""
        for instance in [one for one in self._all if one.is_free and _older(one.key, plan.key)]:
            self._retire(instance)

    def _make_room(self) -> None:
        """End the environment that was idle longest where there are too many. Raises Unable where all are busy."""
        while len(self._all) + self._making >= self._rules.environments:
            free = [one for one in self._all if one.is_free]
            if not free:
                raise Unable(_throttled("ConcurrentInvocationLimitExceeded"))
            self._retire(min(free, key=lambda one: one.free_since))

    async def _watch(self) -> None:
        """Look at what busy environments take."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            for instance in [one for one in self._all if one.pid and one.is_working]:
                instance.watched(MOST_PROCESSES + _WALL_PROCESSES)

    async def _sweep(self) -> None:
        """End what has been idle for long, and keep up what is to be kept ready."""
        while True:
            await asyncio.sleep(_SWEEP_EVERY_S)
            oldest = time.monotonic() - self._rules.idle_s
            kept = Counter({plan.key: plan.provisioned for plan in self._ready.values()})
            for instance in sorted(self._all, key=lambda one: -one.free_since):
                if not instance.is_free or (kept[instance.key] and self._lasts(instance)):
                    kept[instance.key] -= instance.is_free
                elif instance.free_since < oldest or not self._lasts(instance):
                    self._retire(instance)
            for plan in list(self._ready.values()):
                with suppress(Unable):
                    await self.ready(plan)

    async def close(self) -> None:
        """End every environment, and send the rest of the logs."""
        for task in self._watching:
            task.cancel()
        self._ready.clear()
        for instance in list(self._all):
            instance.kill("")
        if self._closing:
            await asyncio.wait(self._closing)


def _older(one: Key, other: Key) -> bool:
    return one[:2] == other[:2] and one != other


def _throttled(reason: str) -> Refusal:
    return Refusal(name="TooManyRequestsException", message=_RATE, status=429, reason=reason)

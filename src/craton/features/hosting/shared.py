"""One fleet for several gateways on one store: one of them leads it, the others live by what it says.

Owns who answers what: the leader has the `Fleet`, whose placements it says to all (sealed, for they hold the secrets of
replicas' doors); a follower tells its load and what it asks for with its beat, and waits for what is said. A leader that
goes leaves its replicas running; who takes its place goes on with the placements as they were said last, until its own
fleet has taken those replicas over. It must not know how servers find each other (`Census`) nor where replicas run.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import msgspec

from craton.features.hosting import rows
from craton.features.hosting.deployment import Deployment
from craton.features.hosting.fleet import Fleet, Publish
from craton.features.hosting.loads import LoadRow, Loads, Report, SeatRow
from craton.infra.compute.port import ModelError, ModelFailed, ModelStopped
from craton.infra.gateways.census import Census, Seen
from craton.infra.identities.seal import BadSeal, Sealer
from craton.infra.store.port import StoreError
from craton.models.catalog.hosted import Placement

DUTY = "fleet"
_BOUND = b"placements"
_ASKED_FOR_S = 30.0
_INHERITED_FOR_S = 8.0
"""How long a new leader may take to find the replicas of the old one, before what it has itself is all there is."""


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """What a follower wants of whoever leads: `ensure` or `stop` of a deployment. Numbers rise."""

    number: int
    verb: str
    deployment: str


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What a gateway tells with each beat. `status`: rows of deployments that have replicas, where it leads."""

    number: int
    report: Report
    asked: list[Asked] = []
    status: list[Any] = []


class Counts(msgspec.Struct):
    """What came since the last beat."""

    arrived: int = 0
    refused: int = 0


class SharedFleet:
    """The fleet as one gateway has it (`infra.control.models.Served`).

    Args:
        make: makes the fleet, with a host of its own, when this gateway comes to lead; closing it lets replicas live on.
        sealer: what all gateways on the store seal with.
        alive: this machine's workers, by the names of their reports.
    """

    def __init__(
        self,
        make: Callable[[], Fleet],
        sealer: Callable[[], Sealer],
        alive: Callable[[], Iterable[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.census: Census | None = None
        self.loads = Loads(alive)
        self._make = make
        self._sealer = sealer
        self._alive = alive
        self._clock = clock
        self._desired: dict[str, Deployment] = {}
        self._fleet: Fleet | None = None
        self._publish: Publish | None = None
        self._reports: dict[str, Report] = {}
        self._counts: dict[str, Counts] = {}
        self._heard: dict[str, bytes] = {}
        self._answered: dict[str, int] = {}
        self._asked: list[tuple[float, Asked]] = []
        self._number = 0
        self._said = b""
        self._unsaid = False
        self._placements: dict[str, Placement] = {}
        self._inherited: dict[str, Placement] = {}
        self._leads_since = 0.0
        self._own: list[Placement] = []
        self._status: list[Any] = []
        self._waiters: dict[str, list[asyncio.Future[None]]] = {}
        self._aside: set[asyncio.Task[Any]] = set()

    # --- what the supervisor asks of a fleet ---

    def start(self, publish: Publish) -> None:
        """From now on placements go to this gateway's workers by `publish`."""
        self._publish = publish
        if self._placements:
            self._later(publish(list(self._placements.values())))

    def want(self, deployments: Iterable[Deployment]) -> None:
        """From now on these are to be served, and no others."""
        self._desired = {one.id: one for one in deployments}
        if self._fleet is not None:
            self._fleet.want(self._desired.values())

    async def ensure(self, deployment: str) -> Placement | None:
        """Where its replicas are, once one serves; None if there is no such deployment. Raises ModelError."""
        if self._fleet is not None:
            return await self._fleet.ensure(deployment)
        found = self._desired.get(deployment)
        if found is None:
            return None
        if found.fault:
            raise ModelFailed(found.fault)
        placement = self._placements.get(deployment)
        if placement is None or not placement.seats:
            if placement is not None and placement.standing == "failed":
                raise ModelFailed(placement.error, placement.retry_after_s)
            await self._awaited(deployment)
        return self._placements.get(deployment) or Placement(deployment=deployment)

    def report(self, source: str, told: dict[str, Any]) -> list[Any]:
        """Take up what a worker sees; what all others have under way, at all gateways. Raises ValueError."""
        self.loads.hear(source, told, self._clock())
        report = self._reports[source] = msgspec.convert(told, Report)
        for row in report.loads:
            counts = self._counts.setdefault(row.deployment, Counts())
            counts.arrived += row.arrived
            counts.refused += row.refused
        return self._fleet.report(source, told) if self._fleet is not None else self.loads.others(source)

    def status(self) -> list[Any]:
        """One row per deployment; what a follower cannot see itself is as the leader told it last."""
        if self._fleet is not None:
            return self._fleet.status()
        now = self._clock()
        found: dict[str, Any] = {one.id: rows.row(one, None, self.loads, now) for one in self._desired.values()}
        found.update((row["id"], row) for row in self._status if row["id"] in found)
        return [found[key] for key in sorted(found)]

    async def stop(self, deployment: str) -> bool:
        """End all its replicas at once; False when none ran."""
        if self._fleet is not None:
            return await self._fleet.stop(deployment)
        await self._ask("stop", deployment)
        placement = self._placements.get(deployment)
        return placement is not None and bool(placement.seats)

    def log(self, deployment: str, replica: str = "") -> list[str]:
        """The last lines of a replica, which the leader alone has."""
        if self._fleet is not None:
            return self._fleet.log(deployment, replica)
        leader = self.census.seen.leader if self.census is not None else ""
        return [f"[craton] the log is with the server that leads the fleet: {leader or 'none does now'}"]

    async def close(self) -> None:
        """Stop leading and following; replicas live on."""
        for task in list(self._aside):
            task.cancel()
        await asyncio.gather(*self._aside, return_exceptions=True)
        for deployment in list(self._waiters):
            self._settle(deployment, ModelStopped("the server ends"))
        fleet, self._fleet = self._fleet, None
        if fleet is not None:
            await fleet.close()

    # --- what the census asks ---

    def told(self) -> bytes:
        """What the others are to know of this gateway."""
        now = self._clock()
        self._number += 1
        self._asked = [(at, one) for at, one in self._asked if now - at < _ASKED_FOR_S]
        living = set(self._alive())
        for source in self._reports.keys() - living:
            del self._reports[source]
        status = [row for row in self._fleet.status() if row.replicas] if self._fleet is not None else []
        report = self._summed()
        self._counts.clear()
        return msgspec.msgpack.encode(Told(self._number, report, [one for _, one in self._asked], status))

    async def look(self, seen: Seen) -> None:
        """Take up what was seen of the others: their load, what they ask for, who leads and what he said."""
        now = self._clock()
        if seen.said != self._said:
            self._said = seen.said
            if not seen.leads or self._fleet is None:
                await self._follow(self._opened(seen.said))
        if seen.leads and self._fleet is None:
            self._lead()
        elif not seen.leads and self._fleet is not None:
            fleet, self._fleet = self._fleet, None
            await fleet.close()
        if self._unsaid and self._fleet is not None:
            self._unsaid = False
            await self._say(self._own)
        for name, told in seen.others.items():
            if self._heard.get(name) != told:
                self._heard[name] = told
                self._hear(name, msgspec.msgpack.decode(told, type=Told), now)
        for name in self._heard.keys() - seen.others.keys():
            del self._heard[name]
        self.loads.prune(now)

    # --- leading ---

    def _lead(self) -> None:
        fleet = self._fleet = self._make()
        self._inherited = dict(self._placements)
        self._leads_since = self._clock()
        self._own = []
        fleet.want(self._desired.values())
        self._heard.clear()
        fleet.start(self._say)
        for deployment in {*self._waiters, *(key for key, one in self._inherited.items() if one.seats)}:
            self._later(self._carried(fleet, deployment))
        self._later(self._disinherit())

    async def _say(self, placements: list[Placement]) -> None:
        """Tell all gateways, this one's workers first; the others once the store is there."""
        self._own = placements
        await self._follow(self._with_inherited(placements))
        if self.census is not None:
            said = msgspec.msgpack.encode(list(self._placements.values()))
            self._said = self._sealer().seal(said, _BOUND)
            try:
                await self.census.say(self._said)
            except StoreError:
                self._unsaid = True

    def _with_inherited(self, placements: list[Placement]) -> list[Placement]:
        """Those of the former leader stand until there are as many seats again, or for so long at most."""
        if self._clock() - self._leads_since >= _INHERITED_FOR_S:
            self._inherited.clear()
        mine = {one.deployment: one for one in placements}
        for key, former in list(self._inherited.items()):
            now = mine.get(key)
            if key not in self._desired or (now is not None and len(now.seats) >= len(former.seats)):
                del self._inherited[key]
            elif now is None or now.standing != "failed":
                mine[key] = former
        return [mine[key] for key in sorted(mine)]

    async def _disinherit(self) -> None:
        await asyncio.sleep(_INHERITED_FOR_S)
        if self._fleet is not None and self._inherited:
            await self._say(self._own)

    async def _carried(self, fleet: Fleet, deployment: str) -> None:
        """Have replicas of what was served under the former leader, and tell those who wait."""
        try:
            await fleet.ensure(deployment)
        except ModelError as error:
            self._settle(deployment, error)
        else:
            self._settle(deployment, None)

    def _hear(self, name: str, told: Told, now: float) -> None:
        source = f"gateway/{name}"
        if told.status:
            self._status = told.status
        report = msgspec.to_builtins(told.report)
        with contextlib.suppress(ValueError):
            self.loads.hear(source, report, now)
            if self._fleet is not None:
                self._fleet.report(source, report)
        fleet, answered = self._fleet, self._answered.get(name, 0)
        if fleet is None:
            return
        for one in told.asked:
            if one.number > answered:
                work = fleet.stop(one.deployment) if one.verb == "stop" else self._carried(fleet, one.deployment)
                self._later(work)
                self._answered[name] = one.number

    # --- following ---

    async def _follow(self, placements: list[Placement]) -> None:
        self._placements = {one.deployment: one for one in placements}
        if self._publish is not None:
            await self._publish(placements)
        for deployment in list(self._waiters):
            one = self._placements.get(deployment)
            if one is not None and one.seats:
                self._settle(deployment, None)
            elif one is not None and one.standing == "failed":
                self._settle(deployment, ModelFailed(one.error, one.retry_after_s))

    async def _awaited(self, deployment: str) -> None:
        """Ask the leader, and wait until it has said where, or why not. Raises ModelError."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(deployment, [])
        waiters.append(waiter)
        try:
            if len(waiters) == 1:
                await self._ask("ensure", deployment)
            await waiter
        finally:
            if waiter in waiters:
                waiters.remove(waiter)
            if not waiters and self._waiters.get(deployment) is waiters:
                del self._waiters[deployment]

    async def _ask(self, verb: str, deployment: str) -> None:
        number = self._asked[-1][1].number + 1 if self._asked else time.time_ns()
        self._asked.append((self._clock(), Asked(number, verb, deployment)))
        if self.census is not None:
            with contextlib.suppress(StoreError):  # it goes with the next beat
                await self.census.look(beat=True)

    def _settle(self, deployment: str, error: ModelError | None) -> None:
        for waiter in self._waiters.pop(deployment, []):
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)

    def _summed(self) -> Report:
        """What all workers of this gateway told, as one report."""
        loads: dict[str, LoadRow] = {}
        seats: dict[str, SeatRow] = {}
        for report in self._reports.values():
            for row in report.loads:
                loads[row.deployment] = _together(loads.get(row.deployment), row)
            for seat in report.seats:
                had = seats.get(seat.replica, SeatRow(seat.replica))
                seats[seat.replica] = SeatRow(seat.replica, had.requests + seat.requests, had.tokens + seat.tokens)
        for deployment, counts in self._counts.items():
            row = loads.get(deployment, LoadRow(deployment))
            loads[deployment] = msgspec.structs.replace(row, arrived=counts.arrived, refused=counts.refused)
        return Report(list(loads.values()), [seat for seat in seats.values() if seat.requests or seat.tokens])

    def _opened(self, said: bytes) -> list[Placement]:
        """Placements as they were said; none where they were sealed by another secret."""
        if not said:
            return []
        try:
            return msgspec.msgpack.decode(self._sealer().open(said, _BOUND), type=list[Placement])
        except (BadSeal, msgspec.MsgspecError):
            return []

    def _later(self, work: Coroutine[Any, Any, Any] | Awaitable[Any]) -> None:
        task = asyncio.ensure_future(work)
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)


def _together(one: LoadRow | None, other: LoadRow) -> LoadRow:
    if one is None:
        return msgspec.structs.replace(other, arrived=0, refused=0)
    return LoadRow(
        other.deployment,
        one.outstanding + other.outstanding,
        one.waiting + other.waiting,
        one.tokens + other.tokens,
        0,
        0,
        max(one.oldest_wait_s, other.oldest_wait_s),
        one.tokens_per_s + other.tokens_per_s,
    )

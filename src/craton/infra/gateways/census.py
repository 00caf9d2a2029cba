"""A server's place among those on its store: it says that it lives, sees who else does, and leads when it is its turn.

Owns the rhythm, the memory of beats and the rules of death and succession. A server is dead when its beat stood still
for `silent_s` seconds of this one's own clock, in which this one looked all the time; a duty goes to whoever first finds
its holder dead or gone. While the store is away nobody can take a duty, so whoever has one keeps it. It lives in the
supervisor's loop; the store is asked in the supervisor's thread for it. It must not know what duties are.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from craton.infra.store.port import Store, StoreError

if TYPE_CHECKING:
    from craton.infra.gateways.rows import Gateway

T = TypeVar("T")


class Ask(Protocol):
    """Does work with the store in the supervisor's thread for it. Raises StoreError."""

    def __call__(self, work: Callable[[Store], T], /) -> Awaitable[T]: ...


class Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """How often, in seconds; the tests are less patient."""

    look_s: float = 0.25
    beat_s: float = 1.0
    silent_s: float = 4.0


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The servers on the store as of the last look.

    `others`: what each living one but this has told. `leads`: whether this one has the duty; `leader`: what a person
    calls whoever has. `said`: what was last said for the duty.
    """

    others: dict[str, bytes] = {}
    leads: bool = False
    leader: str = ""
    said: bytes = b""


class Census:
    """One server's end.

    Args:
        duty: what this server is ready to lead; "" for nothing.
        told: gives what the others are to know of this one, at each beat.
    """

    def __init__(self, ask: Ask, duty: str, told: Callable[[], bytes], rhythm: Rhythm | None = None) -> None:
        self.name = secrets.token_hex(8)
        self.seen = Seen()
        self.on_look: Callable[[Seen], Awaitable[None]] = _nothing
        self._ask = ask
        self._duty = duty
        self._told = told
        self._rhythm = rhythm or Rhythm()
        self._about = f"{platform.node()} (process {os.getpid()})"
        self._beats: dict[str, tuple[int, float]] = {}
        self._looked_at = self._beaten_at = -3600.0
        self._number = -1
        self._said = b""
        self._turn = asyncio.Lock()
        self._life: asyncio.Task[None] | None = None

    @property
    def servers(self) -> int:
        """How many live, this one among them."""
        return 1 + len(self.seen.others)

    async def begin(self) -> None:
        """Look once, so that `seen` says how things stand, and from now on."""
        with contextlib.suppress(StoreError):
            await self.look(beat=True)
        self._life = asyncio.create_task(self._live(), name="census")

    async def look(self, *, beat: bool = False) -> None:
        """Say what there is to say and see what there is to see, now. Raises StoreError."""
        async with self._turn:
            now = time.monotonic()
            due = beat or now - self._beaten_at >= self._rhythm.beat_s
            if now - self._looked_at > self._rhythm.silent_s / 2:
                # This one was not looking: it does not know who was silent meanwhile.
                self._beats = {name: (at, now) for name, (at, _) in self._beats.items()}
            told = self._told() if due else b""
            self.seen = await self._ask(lambda store: self._exchange(store, now, told if due else None))
            self._looked_at = now
            if due:
                self._beaten_at = now
        await self.on_look(self.seen)

    async def say(self, said: bytes) -> bool:
        """Say what all are to live by; False if the duty is another's by now. Raises StoreError."""

        def work(store: Store) -> bool:
            from craton.infra.gateways import rows

            with store.transaction() as transaction:
                return transaction.run(lambda c: rows.say(c, self._duty, self.name, said))

        return await self._ask(work)

    async def end(self) -> None:
        """Be gone, so that others need not wait. A store that is away finds out by the silence."""
        life, self._life = self._life, None
        if life is not None:
            life.cancel()
            await asyncio.wait([life])

        def work(store: Store) -> None:
            from craton.infra.gateways import rows

            with store.transaction() as transaction:
                transaction.run(lambda c: rows.leave(c, self.name))

        try:
            async with asyncio.timeout(self._rhythm.beat_s):
                await self._ask(work)
        except (StoreError, TimeoutError):
            return

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(self._rhythm.look_s)
            try:
                await self.look()
            except StoreError:
                continue  # the store's own watch says so; what was seen last holds

    def _exchange(self, store: Store, now: float, told: bytes | None) -> Seen:
        """In the store's thread: one writing transaction per beat or succession, else one read."""
        from craton.infra.gateways import rows

        if told is not None:
            at = datetime.now(UTC)
            with store.transaction() as transaction:
                transaction.run(lambda c: rows.beat(c, self.name, self._about, told, at))
        found, held = store.run(lambda c: (rows.gateways(c), rows.lead(c, self._duty)))
        living = self._living(found, now)
        dead = [(one.name, one.beat) for one in found if one.name not in living]
        orphaned = bool(self._duty) and held.holder not in living
        if dead or orphaned:
            with store.transaction() as transaction:
                for name, beat_seen in dead:
                    transaction.run(lambda c, n=name, b=beat_seen: rows.bury(c, n, b))  # type: ignore[misc]
                if orphaned and transaction.run(lambda c: rows.take(c, self._duty, self.name, held.holder)):
                    held = rows.Lead(self.name, held.number)
        if held.number != self._number:
            self._said, self._number = store.run(lambda c: rows.said(c, self._duty)), held.number
        leader = next((one.about for one in found if one.name == held.holder), "")
        others = {one.name: one.told for one in found if one.name in living and one.name != self.name}
        return Seen(others=others, leads=held.holder == self.name, leader=leader, said=self._said)

    def _living(self, found: Sequence[Gateway], now: float) -> set[str]:
        beats: dict[str, tuple[int, float]] = {}
        for one in found:
            known = self._beats.get(one.name)
            beats[one.name] = known if known is not None and known[0] == one.beat else (one.beat, now)
        self._beats = beats
        return {name for name, (_, since) in beats.items() if now - since < self._rhythm.silent_s} | {self.name}


async def _nothing(_seen: Seen) -> None:
    """Nobody wants to know."""

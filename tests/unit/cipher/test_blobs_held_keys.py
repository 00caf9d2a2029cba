"""Keys that a cipher holds: read once while nothing changes, and never believed after a change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from craton.infra.cipher import rows
from craton.infra.cipher.keyring import Keyring
from craton.infra.cipher.port import KeyUnusable
from craton.infra.cipher.root import RootKey
from craton.infra.cipher.rows import Key, KeyBody, Place
from craton.infra.cipher.stored import StoredCipher
from craton.infra.store.opening import MEMORY, open_store

T = TypeVar("T")
ACCOUNT, REGION = "111122223333", "eu-west-1"
NOW = datetime(2026, 11, 22, tzinfo=UTC)


class Counted:
    """A store without a thread that counts reads. `meanwhile` is done after a read, before its answer arrives."""

    def __init__(self) -> None:
        self.store = open_store(MEMORY)
        self.reads = 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def read(self, work: Callable[[Any], T]) -> T:
        self.reads += 1
        found = work(self.store)
        self.meanwhile()
        return found

    async def write(self, work: Callable[[Any], T]) -> T:
        with self.store.transaction() as transaction:
            return work(transaction)


class World:
    def __init__(self) -> None:
        self.rows = Counted()
        ring = Keyring(lambda: RootKey(bytes(32)))
        self.cipher = StoredCipher(self.rows, ring, lambda: NOW, REGION)
        made = self.rows.store.create(
            rows.new_key(ring, ACCOUNT, REGION, NOW, KeyBody(policy="{}", materials=[])),
        )
        self.key = Key(made, made.read(KeyBody))

    def disable(self) -> None:
        found = rows.find(self.rows.store, Place(ACCOUNT, REGION, f"key/{self.key.row.id}"), NOW)
        self.rows.store.update(rows.changed(found, found.body, NOW, rows.DISABLED))

    def seal(self) -> bytes:
        return asyncio.run(self.cipher.seal(ACCOUNT, "test", self.key.arn, b"content"))

    def open(self, sealed: bytes) -> bytes:
        return asyncio.run(self.cipher.open(ACCOUNT, "test", sealed))


def test_a_held_key_is_read_once() -> None:
    """Sealing and opening many times reads the key one time, as long as nothing changes."""
    world = World()
    world.cipher.follow((1, 0))
    for _ in range(5):
        world.cipher.follow((1, 0))
        assert world.open(world.seal()) == b"content"
    assert world.rows.reads == 1


def test_who_hears_of_no_change_reads_each_time() -> None:
    """Without being told of changes, a cipher holds nothing: a disabled key does nothing from then on."""
    world = World()
    sealed = world.seal()
    world.disable()
    with pytest.raises(KeyUnusable):
        world.open(sealed)
    with pytest.raises(KeyUnusable):
        world.seal()


def test_a_change_lets_go_of_what_is_held() -> None:
    """Once told that keys have changed, a disabled key neither seals nor opens."""
    world = World()
    world.cipher.follow((1, 0))
    sealed = world.seal()
    world.disable()
    world.cipher.follow((2, 0))
    for work in (world.seal, lambda: world.open(sealed)):
        with pytest.raises(KeyUnusable):
            work()


def test_what_was_read_during_a_change_is_not_held() -> None:
    """A key that was read just before it changed, and arrives just after, serves that one call alone."""
    world = World()
    world.cipher.follow((1, 0))

    def change() -> None:
        world.rows.meanwhile = lambda: None
        world.disable()
        world.cipher.follow((2, 0))

    world.rows.meanwhile = change
    world.seal()
    with pytest.raises(KeyUnusable):
        world.seal()


def test_large_bodies_are_sealed_as_they_come() -> None:
    """A stream's sealed pieces leave while its source still gives: nothing is gathered."""
    world = World()
    given, taken = 0, 0

    async def source() -> AsyncGenerator[bytes]:
        nonlocal given
        for _ in range(64):
            given += 100_000
            yield bytes(100_000)

    async def seal() -> int:
        nonlocal taken
        most = 0
        async for piece in world.cipher.seal_stream(ACCOUNT, "test", world.key.arn, source()):
            taken += len(piece)
            most = max(most, given - taken)
        return most

    assert asyncio.run(seal()) < 300_000

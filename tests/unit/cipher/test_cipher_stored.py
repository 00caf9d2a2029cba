"""The cipher over keys in a store: what it seals lives and dies with the customer's key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import pytest

from craton.infra.cipher import rows
from craton.infra.cipher.keyring import Keyring
from craton.infra.cipher.port import KeyUnusable, NoSuchKey, Tampered
from craton.infra.cipher.root import RootKey
from craton.infra.cipher.rows import Key, KeyBody, Place
from craton.infra.cipher.stored import StoredCipher
from craton.infra.store.opening import MEMORY, open_store
from craton.infra.store.port import Query, Store

T = TypeVar("T")
ACCOUNT, REGION = "111122223333", "eu-west-1"
POLICY = "{}"


class Direct:
    """The store without a thread."""

    def __init__(self, store: Store) -> None:
        self.store = store

    async def read(self, work: Callable[[Any], T]) -> T:
        return work(self.store)

    async def write(self, work: Callable[[Any], T]) -> T:
        with self.store.transaction() as transaction:
            return work(transaction)


class World:
    """A store, a keyring, a clock that can be turned."""

    def __init__(self) -> None:
        self.store = open_store(MEMORY)
        self.ring = Keyring(lambda: RootKey(bytes(range(32))))
        self.now = datetime(2026, 11, 22, tzinfo=UTC)
        self.cipher = StoredCipher(Direct(self.store), self.ring, lambda: self.now, REGION)

    def key(self, **more: Any) -> Key:
        row = rows.new_key(self.ring, ACCOUNT, REGION, self.now, KeyBody(policy=POLICY, materials=[], **more))
        made = self.store.create(row)
        return Key(made, made.read(KeyBody))

    def turn(self, key: Key, status: str, **more: Any) -> None:
        found = rows.find(self.store, Place(ACCOUNT, REGION, f"key/{key.row.id}"), self.now)
        body = msgspec.structs.replace(found.body, **more)
        self.store.update(rows.changed(found, body, self.now, status))

    def seal(self, key: str | None, plaintext: bytes = b"content", **context: str) -> bytes:
        return run(self.cipher.seal(ACCOUNT, "test", key, plaintext, context))

    def open(self, sealed: bytes, account: str = ACCOUNT, purpose: str = "test", **context: str) -> bytes:
        return run(self.cipher.open(account, purpose, sealed, context))


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.store.close()


def test_any_name_of_a_key_seals(world: World) -> None:
    """Key id, key ARN, alias and alias ARN lead to the same key."""
    key = world.key()
    world.store.create(rows.new_alias(ACCOUNT, REGION, "alias/mine", key.row.id, world.now))
    alias_arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/mine"
    for name in (key.row.id, key.arn, "alias/mine", alias_arn):
        sealed = world.seal(name, item="1")
        assert b"content" not in sealed
        assert world.open(sealed, item="1") == b"content"


def test_sealed_data_is_bound(world: World) -> None:
    """Another account, purpose or context opens nothing."""
    sealed = world.seal(world.key().row.id, item="1")
    for given in ({"account": "999999999999"}, {"purpose": "other"}, {"item": "2"}):
        with pytest.raises(Tampered):
            world.open(sealed, **{"item": "1", **given})
    with pytest.raises(Tampered):
        world.open(sealed)


def test_without_a_key_the_account_gets_its_own(world: World) -> None:
    """The managed key aws/bedrock is made once, at the first need."""
    one, two = world.seal(None), world.seal(None)
    assert world.open(one) == world.open(two) == b"content"
    listed = world.store.list(Query(kind=rows.KEY)).items
    assert [row.read(KeyBody).manager for row in listed] == ["AWS"]
    assert rows.find(world.store, Place(ACCOUNT, REGION, rows.MANAGED_ALIAS), world.now).alias == "alias/aws/bedrock"


def test_a_disabled_key_closes_its_data(world: World) -> None:
    """Unreadable from the next call on, and readable again once the key is enabled."""
    key = world.key()
    sealed = world.seal(key.row.id)
    world.turn(key, rows.DISABLED)
    with pytest.raises(KeyUnusable, match="is disabled"):
        world.open(sealed)
    with pytest.raises(KeyUnusable):
        world.seal(key.row.id)
    world.turn(key, rows.ENABLED)
    assert world.open(sealed) == b"content"


def test_a_deleted_key_takes_its_data_with_it(world: World) -> None:
    """Unreadable while the deletion is waited for; afterwards the sweep wipes the key, its aliases and all."""
    key = world.key()
    world.store.create(rows.new_alias(ACCOUNT, REGION, "alias/mine", key.row.id, world.now))
    sealed = world.seal("alias/mine")
    world.turn(key, rows.PENDING, deleted_at=world.now + timedelta(days=7))
    with pytest.raises(KeyUnusable, match="pending deletion"):
        world.open(sealed)
    assert rows.sweep(world.store, world.ring, world.now) == 0
    world.now += timedelta(days=7)
    with pytest.raises(NoSuchKey):
        world.open(sealed)
    assert rows.sweep(world.store, world.ring, world.now) == 1
    assert not world.store.list(Query(kind=rows.KEY)).items
    assert not world.store.list(Query(kind=rows.ALIAS)).items


def test_rotation_by_the_calendar(world: World) -> None:
    """New material when it is due, by a use or by the sweep; what was sealed before still opens."""
    key = world.key(rotation_days=90, rotates_at=world.now + timedelta(days=90))
    sealed = world.seal(key.row.id)
    world.now += timedelta(days=91)
    later = world.seal(key.row.id)
    found = rows.find(world.store, Place(ACCOUNT, REGION, f"key/{key.row.id}"), world.now)
    assert [one.rotation for one in found.body.materials] == ["", "AUTOMATIC"]
    assert world.open(sealed) == world.open(later) == b"content"
    assert rows.sweep(world.store, world.ring, world.now) == 0
    world.now += timedelta(days=91)
    assert rows.sweep(world.store, world.ring, world.now) == 1


def test_a_key_that_is_not_there(world: World) -> None:
    """The name is said, and nothing is made."""
    for name in ("11111111-2222-3333-4444-555555555555", "alias/none"):
        with pytest.raises(NoSuchKey, match=name):
            world.seal(name)
    assert not world.store.list(Query(kind=rows.KEY)).items


def test_files_of_any_size(world: World) -> None:
    """The streaming form seals and opens in pieces, and dies with the key as well."""
    key = world.key()
    data = bytes(at % 253 for at in range(300_000))

    async def pieces(whole: bytes) -> AsyncGenerator[bytes]:
        for at in range(0, len(whole), 10_000):
            yield whole[at : at + 10_000]

    async def sealed() -> bytes:
        made = world.cipher.seal_stream(ACCOUNT, "models", key.arn, pieces(data), {"file": "a"})
        return b"".join([piece async for piece in made])

    async def opened(whole: bytes) -> bytes:
        made = world.cipher.open_stream(ACCOUNT, "models", pieces(whole), {"file": "a"})
        return b"".join([piece async for piece in made])

    whole = run(sealed())
    assert data[:64] not in whole
    assert run(opened(whole)) == data
    world.turn(key, rows.DISABLED)
    with pytest.raises(KeyUnusable):
        run(opened(whole))

"""Conversations in a real store: kept, found by their owner alone, forgotten after a day, and safe from two at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.features.rag.generation import sessions
from craton.features.rag.generation.passages import Turn
from craton.infra.store.opening import MEMORY, open_store

START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


class Cipher:
    """Reverses what it seals, and binds it to its account and context."""

    async def seal(self, account: str, purpose: str, key: Any, plain: bytes, context: Any, *, region: str) -> bytes:
        return repr((account, purpose, context)).encode() + b"|" + plain[::-1]

    async def open(self, account: str, purpose: str, sealed: bytes, context: Any) -> bytes:
        bound, _, rest = sealed.partition(b"|")
        assert bound == repr((account, purpose, context)).encode()
        return rest[::-1]


class Storage:
    def __init__(self, store: Any) -> None:
        self.store = store

    async def read(self, work: Any) -> Any:
        return work(self.store)

    async def keep(self, work: Any) -> Any:
        with self.store.transaction() as transaction:
            return work(transaction)


@pytest.fixture(params=["memory", "postgresql"])
def call(request: pytest.FixtureRequest) -> Iterator[Any]:
    store = open_store(MEMORY if request.param == "memory" else request.getfixturevalue("postgresql").store())
    clock = SimpleNamespace(at=START)
    clock.now = lambda: clock.at
    app = SimpleNamespace(clock=clock, cipher=Cipher(), storage=Storage(store))
    yield SimpleNamespace(app=app, account="111111111111", region="us-east-1")
    store.close()


def kept(call: Any, *turns: Turn) -> sessions.Session:
    """A conversation with these turns."""
    session = sessions.new("BASE", "model")
    for turn in turns:
        asyncio.run(sessions.remember(call, session, turn))
        session = resumed(call, session.id)
    return session


def resumed(call: Any, ident: str, base: str = "BASE", model: str = "model") -> sessions.Session:
    return asyncio.run(sessions.resume(call, ident, base, model))


def refused(call: Any, ident: str, **named: str) -> str:
    with pytest.raises(Fault) as caught:
        resumed(call, ident, **named)
    assert caught.value.name == "ValidationException"
    return caught.value.message


def test_turns_are_kept_in_order(call: Any) -> None:
    """Each behind the one before."""
    session = kept(call, Turn("one?", "1"), Turn("two?", "2"))
    assert session.turns == (Turn("one?", "1"), Turn("two?", "2"))


def test_a_stream_begins_with_nothing_said(call: Any) -> None:
    """A conversation that is kept before its first answer can be come back to."""
    session = asyncio.run(sessions.keep(call, sessions.new("BASE", "model")))
    assert resumed(call, session.id).turns == ()
    asyncio.run(sessions.remember(call, session, Turn("one?", "1")))
    assert resumed(call, session.id).turns == (Turn("one?", "1"),)


def test_two_at_once_lose_nothing(call: Any) -> None:
    """Two requests that began on the same state are both remembered."""
    session = kept(call, Turn("one?", "1"))
    asyncio.run(sessions.remember(call, session, Turn("two?", "2")))
    asyncio.run(sessions.remember(call, session, Turn("three?", "3")))
    assert [turn.answer for turn in resumed(call, session.id).turns] == ["1", "2", "3"]


def test_a_day_later_it_is_gone(call: Any) -> None:
    """After a day without a question; the row itself goes when the next conversation begins."""
    session = kept(call, Turn("one?", "1"))
    call.app.clock.at = START + timedelta(hours=23, minutes=59)
    asyncio.run(sessions.remember(call, resumed(call, session.id), Turn("two?", "2")))
    call.app.clock.at += timedelta(hours=23)
    assert len(resumed(call, session.id).turns) == 2
    call.app.clock.at += timedelta(hours=2)
    assert session.id in refused(call, session.id)
    kept(call, Turn("new?", "yes"))
    rows = call.app.storage.store.run(
        lambda connection: connection.exec_driver_sql("SELECT id FROM rag_sessions").all()
    )
    assert len(rows) == 1


def test_it_is_its_owners(call: Any) -> None:
    """Another account or region is told what one is told who invents an id; another model what cannot be changed."""
    session = kept(call, Turn("one?", "1"))
    invented = refused(call, "invented")
    assert refused(call, session.id, model="other") == sessions.CHANGED
    assert refused(call, session.id, base="OTHER") == sessions.CHANGED
    call.region = "eu-west-1"
    assert refused(call, session.id).replace(session.id, "invented") == invented
    call.region, call.account = "us-east-1", "222222222222"
    assert refused(call, session.id).replace(session.id, "invented") == invented


def test_long_conversations_are_shortened(call: Any) -> None:
    """The last turns are kept, as many as fit, and the very last one always."""
    session = kept(call, *(Turn(f"{number}?", "x") for number in range(sessions.MOST_TURNS + 3)))
    assert [turn.question for turn in session.turns] == [f"{number}?" for number in range(3, sessions.MOST_TURNS + 3)]
    asyncio.run(sessions.remember(call, session, Turn("long?", "x" * sessions.MOST_CHARACTERS)))
    assert [turn.question for turn in resumed(call, session.id).turns] == ["long?"]

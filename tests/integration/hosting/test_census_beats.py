"""Servers on one store: how many live, who leads, and that nobody is declared dead by one who was asleep himself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from craton.infra.gateways.census import Census, Rhythm
from craton.infra.store.opening import open_store
from craton.infra.store.port import Store, Unavailable
from tests.integration.hosting.clustered import until
from tests.postgres import PostgreSQL

QUICK = Rhythm(look_s=0.02, beat_s=0.05, silent_s=0.6)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('census') / 'store.db'}"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    yield server.store()


class Server:
    """A census over a store of its own."""

    def __init__(self, url: str, duty: str, tells: bytes = b"") -> None:
        self.store = open_store(url, durable=False)
        self.away = False
        self.census = Census(self._ask, duty, lambda: tells, QUICK)

    async def _ask(self, work: Callable[[Store], Any]) -> Any:
        if self.away:
            raise Unavailable("away")
        return work(self.store)

    def kill(self) -> None:
        if self.census._life is not None:
            self.census._life.cancel()


def test_servers_know_of_each_other_and_hear_what_is_told(url: str) -> None:
    """Two, then one when one has left; the duty is the first one's, then the other's."""

    async def scene() -> None:
        one, two = Server(url, "first", b"of one"), Server(url, "first", b"of two")
        await one.census.begin()
        await two.census.begin()
        await until(lambda: one.census.servers == 2)
        assert one.census.seen.others == {two.census.name: b"of two"}
        assert one.census.seen.leads
        assert not two.census.seen.leads
        assert two.census.seen.leader
        await one.census.end()
        await until(lambda: two.census.seen.leads and two.census.servers == 1)
        await two.census.end()

    asyncio.run(scene())


def test_what_the_leader_says_reaches_the_others(url: str) -> None:
    """Only while it leads."""

    async def scene() -> None:
        one, two = Server(url, "second"), Server(url, "second")
        await one.census.begin()
        await two.census.begin()
        assert await one.census.say(b"this")
        await until(lambda: two.census.seen.said == b"this")
        assert not await two.census.say(b"that")
        one.kill()
        await until(lambda: two.census.seen.leads)
        assert not await one.census.say(b"late")
        assert await two.census.say(b"now")
        await two.census.look()
        assert two.census.seen.said == b"now"
        await two.census.end()

    asyncio.run(scene())


def test_a_silent_server_is_counted_no_more(url: str) -> None:
    """And its row goes."""

    async def scene() -> None:
        one, two = Server(url, ""), Server(url, "")
        await one.census.begin()
        await two.census.begin()
        await until(lambda: one.census.servers == 2)
        two.kill()
        await until(lambda: one.census.servers == 1)
        await one.census.end()

    asyncio.run(scene())


def test_who_was_asleep_declares_nobody_dead(url: str) -> None:
    """A server that could not look for a long time takes the others' old beats for no sign of anything."""

    async def scene() -> None:
        one, two = Server(url, "third"), Server(url, "third")
        await one.census.begin()
        await two.census.begin()
        await until(lambda: two.census.servers == 2)
        two.kill()  # its loop stands still, while the leader goes on
        await asyncio.sleep(2 * QUICK.silent_s)
        one.kill()  # the leader beats no more from here on; it has just been alive
        await two.census.look(beat=True)
        assert not two.census.seen.leads
        await one.census.end()
        await two.census.end()

    asyncio.run(scene())


def test_nobody_leads_anew_while_the_store_is_away(url: str) -> None:
    """The leader keeps its duty, and everybody goes on by what was seen last."""

    async def scene() -> None:
        one, two = Server(url, "fourth"), Server(url, "fourth")
        await one.census.begin()
        await two.census.begin()
        await until(lambda: one.census.servers == 2)
        one.away = two.away = True
        await asyncio.sleep(2 * QUICK.silent_s)
        assert one.census.seen.leads
        one.away = two.away = False
        await asyncio.sleep(0.3)
        assert one.census.seen.leads
        assert not two.census.seen.leads
        await one.census.end()
        await two.census.end()

    asyncio.run(scene())

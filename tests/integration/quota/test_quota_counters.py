"""Both homes of quota buckets keep the same promises; the one in Redis keeps them for several servers together."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from craton.infra.quota.buckets import Buckets
from craton.infra.quota.port import Counter
from craton.infra.quota.redis import RedisBuckets
from tests.redis_server import PASSWORD, RedisServer

Scene = Callable[[Counter], Awaitable[None]]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
def play(request: pytest.FixtureRequest, redis: RedisServer) -> Callable[[Scene], None]:
    """Runs a scene with a counter of either kind, whose buckets are all full."""

    def played(scene: Scene) -> None:
        async def whole() -> None:
            counter: Counter = Buckets() if request.param == "memory" else in_redis(redis)
            await counter.reset()
            try:
                await scene(counter)
            finally:
                await counter.close()

        asyncio.run(whole())

    return played


def in_redis(redis: RedisServer, said: list[str] | None = None, prefix: str = "craton:test:") -> RedisBuckets:
    say = said.append if said is not None else None
    return RedisBuckets(redis.url, prefix, Buckets(), say=say)


def test_a_bucket_gives_what_is_wanted_while_it_is_there(play: Callable[[Scene], None]) -> None:
    """First what is wanted, then what is left if it is enough, then nothing but how long to wait."""

    async def scene(counter: Counter) -> None:
        assert (await counter.lease("a", 60, 1, 40)).granted == 40
        rest = await counter.lease("a", 60, 1, 40)
        assert 20 <= rest.granted < 21
        refused = await counter.lease("a", 60, 5, 40)
        assert refused.granted == 0
        assert 4 < refused.wait_s <= 5

    play(scene)


def test_buckets_are_apart(play: Callable[[Scene], None]) -> None:
    """What one name spends another does not miss."""

    async def scene(counter: Counter) -> None:
        for name in ("requests 0 111111111111 m", "requests 0 222222222222 m"):
            assert (await counter.lease(name, 10, 10, 10)).granted == 10

    play(scene)


def test_what_is_given_back_can_be_had_again(play: Callable[[Scene], None]) -> None:
    """But a bucket never holds more than a minute's worth."""

    async def scene(counter: Counter) -> None:
        await counter.lease("a", 60, 60, 60)
        assert (await counter.lease("a", 60, 0, -30)).granted == -30
        assert 30 <= (await counter.lease("a", 60, 30, 60)).granted < 31
        await counter.lease("a", 60, 0, -1000)
        assert (await counter.lease("a", 60, 1, 1000)).granted == 60

    play(scene)


def test_a_reset_fills_all(play: Callable[[Scene], None]) -> None:
    """As after a first start."""

    async def scene(counter: Counter) -> None:
        await counter.lease("a", 60, 60, 60)
        await counter.reset()
        assert (await counter.lease("a", 60, 60, 60)).granted == 60

    play(scene)


def test_a_bucket_fills_by_the_time(play: Callable[[Scene], None]) -> None:
    """A sixtieth of the rate each second."""

    async def scene(counter: Counter) -> None:
        await counter.lease("a", 6000, 6000, 6000)
        began = time.monotonic()
        await asyncio.sleep(0.2)
        level = (await counter.lease("a", 6000, 1, 6000)).granted
        assert 19 <= level <= 1 + 100 * (time.monotonic() - began + 0.05)

    play(scene)


def test_four_clients_at_two_servers_never_exceed_the_quota(redis: RedisServer) -> None:
    """Each server has its own connection; together they get a minute's worth and what came in meanwhile, no more."""

    async def scene() -> tuple[float, float]:
        servers = [in_redis(redis, prefix="craton:exact:") for _ in range(2)]
        given, began = [0.0], time.monotonic()

        async def client(counter: Counter) -> None:
            while time.monotonic() - began < 1.0:
                granted = (await counter.lease("tokens", 600, 1, 3)).granted
                given[0] += granted

        await asyncio.gather(*(client(servers[number % 2]) for number in range(4)))
        took_s = time.monotonic() - began
        for server in servers:
            await server.close()
        return given[0], took_s

    given, took_s = asyncio.run(scene())
    assert 600 <= given <= 600 + 10 * took_s + 0.001


def test_places_do_not_share(redis: RedisServer) -> None:
    """Two installations on one Redis have prefixes of their own, and a reset of one leaves the other alone."""

    async def scene() -> None:
        one, other = in_redis(redis, prefix="craton:one:"), in_redis(redis, prefix="craton:other:")
        assert (await one.lease("a", 10, 10, 10)).granted == 10
        assert (await other.lease("a", 10, 10, 10)).granted == 10
        await one.reset()
        assert (await one.lease("a", 10, 10, 10)).granted == 10
        assert (await other.lease("a", 10, 10, 10)).granted == 0
        await one.close()
        await other.close()

    asyncio.run(scene())


def test_a_full_bucket_leaves_no_key(redis: RedisServer) -> None:
    """A key goes when the bucket would be full again, and a moment."""

    async def scene() -> float:
        counter = in_redis(redis, prefix="craton:ttl:")
        await counter.lease("a", 60, 10, 10)
        left_ms = await counter._redis.pttl("craton:ttl:a")
        await counter.close()
        return float(left_ms)

    assert 10_000 < asyncio.run(scene()) <= 11_000


def test_while_redis_is_away_each_server_goes_on_with_its_share(redis: RedisServer) -> None:
    """From the level that was there, and one line says so; when it is back, another."""
    said: list[str] = []

    async def scene() -> None:
        share = Buckets()
        share.share(2)
        counter = RedisBuckets(redis.url, "craton:away:", share, say=said.append)
        assert (await counter.lease("a", 60, 1, 20)).granted == 20
        redis.kill(signal.SIGKILL)
        try:
            granted = [(await counter.lease("a", 60, 1, 10)).granted for _ in range(3)]
            assert granted[0] == 10
            assert 20 <= sum(granted) < 21
            assert len(said) == 1
        finally:
            redis.start()
        await asyncio.sleep(1.05)
        assert (await counter.lease("a", 60, 60, 60)).granted == 60  # an empty Redis: all is full
        assert len(said) == 2
        await counter.close()

    asyncio.run(scene())
    assert "split by server" in said[0]


def test_a_wrong_password_is_as_if_it_were_away() -> None:
    """The quota holds by this server's share, and what is said names neither the URL nor the password."""
    said: list[str] = []

    async def scene() -> None:
        with RedisServer(password=True) as server:
            wrong = RedisBuckets(server.url, "c:", Buckets(), password="wrong secret", say=said.append)
            assert (await wrong.lease("a", 10, 10, 10)).granted == 10
            assert (await wrong.lease("a", 10, 10, 10)).granted == 0
            right = RedisBuckets(server.url, "c:", Buckets(), password=PASSWORD, say=said.append)
            assert (await right.lease("a", 10, 10, 10)).granted == 10
            await wrong.close()
            await right.close()

    asyncio.run(scene())
    assert len(said) == 1
    assert "wrong secret" not in said[0]
    assert "craton-redis" not in said[0]

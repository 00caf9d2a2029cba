"""A pool on either loop against a fake upstream; for the tests of this folder."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from craton.models.providers.http import Pool
from craton.models.providers.transport import Limits
from tests.fakes.upstream import FakeUpstream

BODY = b'{"messages": [{"role": "user", "content": "hi"}]}'
EVENT = b"data: " + b"x" * 1000 + b"\n\n"


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request):
    """Run a coroutine on one of the two loops."""
    runner = asyncio.run if request.param == "asyncio" else uvloop.run
    return lambda coroutine: runner(asyncio.wait_for(coroutine, 20))


@pytest.fixture
def up():
    with FakeUpstream() as upstream:
        yield upstream


def soon(seconds: float = 60.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def fetch(pool, path=b"/v1/chat/completions", *, body=BODY, seconds=60.0, **more):
    return await pool.fetch(b"POST", path, (), body, deadline=soon(seconds), **more)


async def request(pool, path=b"/v1/chat/completions", *, body=BODY, seconds=60.0):
    return await pool.request(b"POST", path, (), body, deadline=soon(seconds))


def with_pool(up, test, **limits):
    """A coroutine that gives `test` a pool and closes it."""

    async def main():
        pool = Pool(up.base_url, Limits(**limits))
        try:
            return await test(pool)
        finally:
            await pool.close()

    return main()

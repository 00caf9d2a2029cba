"""A quota holds for all gateways of a place together: exactly with Redis, by parts without."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.acceptance import rawhttp
from tests.acceptance.serving import GPT, HELLO, Served, converse_path, serving
from tests.postgres import PASSWORD, PostgreSQL
from tests.redis_server import PASSWORD as REDIS_PASSWORD
from tests.redis_server import RedisServer

BODY = json.dumps({"messages": HELLO}).encode()
ENVIRONMENT = {"STORE_PASSWORD": PASSWORD, "STORE_SECRET": "x" * 32, "REDIS_PASSWORD": REDIS_PASSWORD}


@contextmanager
def pair(postgresql: PostgreSQL, folder: Path, extra: str) -> Iterator[list[Served]]:
    """Two gateways on a database of their own."""
    name = postgresql.database().rpartition("/")[2]
    url = postgresql.url(name, with_password=False)
    config = f'[store]\nurl = "{url}"\npassword = "env:STORE_PASSWORD"\nsecret = "env:STORE_SECRET"\n{extra}'
    with ExitStack() as stack:
        yield [stack.enter_context(serving(folder / str(number), config, env=ENVIRONMENT)) for number in range(2)]


def passed(gateways: list[Served], seconds: float) -> int:
    """How many requests of four callers, two at each gateway, are not throttled."""
    found = [0] * 4
    end = time.monotonic() + seconds

    def ask(number: int) -> None:
        server = gateways[number % 2].server
        while time.monotonic() < end:
            status = rawhttp.call(server, "POST", converse_path(GPT), BODY).status
            assert status in (200, 429)
            found[number] += status == 200

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(found)


def test_with_redis_four_callers_at_two_gateways_get_the_quota_and_no_more(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    """A minute's worth and what comes in meanwhile; a gateway that had it all leaves nothing to the other."""
    with RedisServer(password=True) as redis:
        extra = f'[redis]\nurl = "{redis.url}"\npassword = "env:REDIS_PASSWORD"\n[[quota.limit]]\nrequests_per_minute = 60\n'
        with pair(postgresql, tmp_path, extra) as gateways:
            began = time.monotonic()
            count = passed(gateways, 3.0)
            most = 60 + (time.monotonic() - began)
            assert 50 <= count <= most
            assert passed(gateways, 0.5) <= 60 + (time.monotonic() - began) - count
            output = "".join(each.server.output() for each in gateways)
            assert REDIS_PASSWORD not in output


def test_without_redis_each_gateway_has_its_part(postgresql: PostgreSQL, tmp_path: Path) -> None:
    """Half of the rate at either, once they know of each other."""
    with pair(postgresql, tmp_path, "[[quota.limit]]\nrequests_per_minute = 1200\n") as gateways:
        time.sleep(1.5)  # the first hears of the second with its beat
        count = passed(gateways, 2.0)
        # Ten a second at each, since they know of each other; far from the 1,200 that one alone would give at once.
        assert 10 <= count <= 400


def test_a_redis_that_is_not_there_is_said_and_not_waited_for(postgresql: PostgreSQL, tmp_path: Path) -> None:
    """Requests are served by the parts."""
    extra = f'[redis]\nurl = "unix://{tmp_path}/nowhere"\n[[quota.limit]]\nrequests_per_minute = 6000\n'
    with pair(postgresql, tmp_path, extra) as gateways:
        time.sleep(1.0)
        assert passed(gateways, 1.0) > 0
        assert "quotas are split by server" in gateways[0].server.output()
        assert "nowhere" not in gateways[0].server.output()

"""Quota buckets that all servers of a place share, in Redis or Valkey: exact, whichever server a request reaches.

Owns the script, the keys and what happens while Redis is away: each server goes on with its share of what was there
(`Buckets`), says so once, and asks again every second. The script is one step for Redis, whose own clock it goes by, so
servers' clocks may differ. A bucket that would be full is forgotten. The client library is loaded when there is one to
make; it needs the extra craton[redis].
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from craton.infra.quota.buckets import Buckets
from craton.infra.quota.port import Lease

_TIMEOUT_S = 1.0
_ASK_AGAIN_S = 1.0

# KEYS: the bucket. ARGV: rate per minute, need, want. Answers granted, seconds to wait, level; as texts, for Redis cuts
# the fractions off numbers. A bucket may owe (an answer cost more than was reserved), so its time to live follows it.
SCRIPT: Final = """
if redis.replicate_commands then pcall(redis.replicate_commands) end
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local rate, need, want = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'level', 'at')
local level, at = tonumber(kept[1] or rate), tonumber(kept[2] or now)
level = math.min(rate, level + math.max(0, now - at) * rate / 60)
local granted, wait = 0, 0
if want < 0 then
  granted = want
  level = math.min(rate, level - want)
elseif level < need then
  wait = (need - level) * 60 / rate
else
  granted = math.max(0, math.min(want, level))
  level = level - granted
end
redis.call('HSET', KEYS[1], 'level', string.format('%.6f', level), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((rate - level) * 60000 / rate) + 1000)
return {string.format('%.6f', granted), string.format('%.6f', wait), string.format('%.6f', level)}
"""


class RedisBuckets:
    """Buckets in the Redis at `url` (`redis://`, `rediss://`, `unix://`), under keys that begin with `prefix`.

    Args:
        share: what to go on with while Redis is away.
        say: takes a line for the operator. Nothing of the URL is ever in it.
    """

    def __init__(
        self, url: str, prefix: str, share: Buckets, *, password: str = "", ca: str = "",
        say: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        """Raises ValueError for a URL that is none, ImportError without the client library."""
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        options: dict[str, Any] = {"password": password} if password else {}
        if ca:
            options["ssl_ca_certs"] = ca
        never: Any = Retry(NoBackoff(), 0)
        self._redis: Any = Redis.from_url(
            url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S, retry=never, **options
        )
        self._script: Any = self._redis.register_script(SCRIPT)
        self._prefix = prefix
        self._share = share
        self._say = say or (lambda line: print(f"craton: {line}", file=sys.stderr, flush=True))
        self._away_until: float | None = None
        self._asking = False

    async def lease(self, name: str, per_minute: float, need: float, want: float) -> Lease:
        """Of the bucket that all share; of this server's own while Redis is away."""
        away = self._away_until
        if away is not None and (self._asking or time.monotonic() < away):
            return self._share.give(name, per_minute, need, want)
        self._asking = away is not None  # one asks whether it is back; the others need not wait for the answer
        try:
            told = await self._script(keys=[f"{self._prefix}{name}"], args=[per_minute, need, want])
        except _away() as error:
            self._lose(error)
            return self._share.give(name, per_minute, need, want)
        finally:
            self._asking = False
        self._regain()
        granted, wait_s, level = (float(each) for each in told)
        self._share.note(name, per_minute, level)
        return Lease(granted, wait_s)

    async def reset(self) -> None:
        """The buckets of this place are full again. While Redis is away, only what is kept here."""
        await self._share.reset()
        try:
            async for key in self._redis.scan_iter(match=f"{self._prefix}*", count=1000):
                await self._redis.unlink(key)
        except _away() as error:
            self._lose(error)

    async def close(self) -> None:
        """Let the connections go."""
        await self._redis.aclose()

    def _lose(self, error: Exception) -> None:
        if self._away_until is None:
            # The error's own words may hold the URL.
            self._say(f"[redis] cannot be used ({type(error).__name__}): quotas are split by server until it can")
        self._away_until = time.monotonic() + _ASK_AGAIN_S

    def _regain(self) -> None:
        if self._away_until is not None:
            self._away_until = None
            self._say("[redis] can be used again: quotas are shared exactly")


def _away() -> tuple[type[Exception], ...]:
    """What says that Redis cannot do it now: gone, slow, loading, read-only, out of memory, another password."""
    from redis.exceptions import RedisError

    return RedisError, OSError, TimeoutError, asyncio.IncompleteReadError

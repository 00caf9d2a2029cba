"""What hosts let a crawler read: their robots.txt, asked for once in a crawl.

Owns the reading of RFC 9309. Where AWS's crawler is stricter it is followed: a host without the file is not crawled,
unless whoever runs this server named the host.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from craton.features.rag.crawling.fetch import FetchError, Hosts, Refused, Reply
from craton.features.rag.crawling.plan import canonical

if TYPE_CHECKING:
    from protego import Protego

MAX_BYTES = 512 * 1024
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_DELAY_S = 30.0


class Ask(Protocol):
    async def __call__(self, address: str, *, limit: int) -> Reply:
        """Fetch an address. Raises FetchError."""
        ...


class Robots:
    """Rules of the hosts of one crawl, for one agent."""

    def __init__(self, ask: Ask, hosts: Hosts, agent: str) -> None:
        self._ask = ask
        self._hosts = hosts
        self._agent = agent
        self._rules: dict[str, Protego | FetchError] = {}

    async def check(self, address: str) -> float:
        """How many seconds the host wants between two pages. Raises FetchError: the page may not be read."""
        parts = urlsplit(address)
        origin = f"{parts.scheme}://{parts.netloc}"
        if origin not in self._rules:
            self._rules[origin] = await self._read(origin)
        rules = self._rules[origin]
        if isinstance(rules, FetchError):
            raise rules
        if not rules.can_fetch(address, self._agent):
            raise FetchError("may not be crawled, as its host's robots.txt says", gone=True)
        return min(float(rules.crawl_delay(self._agent) or 0.0), _MAX_DELAY_S)

    async def _read(self, origin: str) -> Protego | FetchError:
        from protego import Protego

        address = f"{origin}/robots.txt"
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                reply = await self._ask(address, limit=MAX_BYTES)
                if reply.status not in _REDIRECTS:
                    break
                address = canonical(reply.headers.get("location", ""), address) or ""
                if not address:
                    break
        except FetchError as error:
            return FetchError(f"has a host whose robots.txt {error}", gone=isinstance(error, Refused))
        if reply.status == 200:
            return await asyncio.to_thread(Protego.parse, reply.body.decode("utf-8", "replace"))
        if not 400 <= reply.status < 500:
            return FetchError("has a host whose robots.txt could not be read")
        parts = urlsplit(origin)
        if self._hosts.named(parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)):
            return Protego.parse("")
        return FetchError("has a host without robots.txt")

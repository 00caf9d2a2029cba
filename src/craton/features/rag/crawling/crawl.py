"""A crawl: from the seeds along the links, each page once, as fast as it was allowed.

Owns the order, the pace and what is remembered of a page between two crawls (its mark). It must not know what becomes
of the pages. A page that did not change is not read again, and neither is lost what it links to; nor what a page linked
to that cannot be had today.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import msgspec

from craton.features.rag.crawling.fetch import FetchError, Hosts, Reply, fetch
from craton.features.rag.crawling.plan import Bounds, Plan, canonical
from craton.features.rag.crawling.robots import Robots
from craton.features.rag.parsing.kinds import kind_of
from craton.features.rag.pieces import Unreadable
from craton.infra.documents.port import Extractor, UnreadableError, UnsupportedError

MAX_BYTES = 50 * 1024 * 1024
_MAX_MARK = 256 * 1024
_MAX_WAITING = 500_000
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({401, 403, 404, 410, 451})
_OK, _UNCHANGED = 200, 304
_HTML = frozenset({"text/html", "application/xhtml+xml"})


class Mark(msgspec.Struct, omit_defaults=True):
    """What is remembered of a page: how its host names its state, and where it linked to."""

    plan: str
    etag: str = ""
    modified: str = ""
    links: list[str] = []


class Page(msgspec.Struct, frozen=True):
    """A page, or a document that a page links to. `body` is None for one that has not changed. `name` and `mime` say its
    type to `parse`; `mark` is to be kept for the next crawl.
    """

    url: str
    body: bytes | None
    name: str
    mime: str
    mark: str


class Missing(msgspec.Struct, frozen=True):
    """A page that was not had. `gone`: it is none of the source's (any more); else what was had before still stands."""

    url: str
    reason: str
    gone: bool


class TooManyPages(Exception):
    """The crawl passes its plan's maximum; AWS fails the whole sync then."""


class Crawl:
    """One crawl by one plan.

    Args:
        marks: the mark of a page from the crawl before, or "".
        reader: reads HTML for its links.
        clock, pause: seconds, and how to wait for some.
    """

    def __init__(
        self,
        plan: Plan,
        hosts: Hosts,
        reader: Extractor,
        marks: Callable[[str], Awaitable[str]],
        *,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._plan, self._hosts, self._reader, self._marks = plan, hosts, reader, marks
        self._clock, self._pause = clock, pause
        self._bounds = Bounds(plan)
        self._robots = Robots(self._ask, hosts, plan.agent)
        self._waiting: deque[str] = deque()
        self._seen: set[str] = set()
        self._next: dict[str, float] = {}  # host → when it may be asked again

    async def pages(self) -> AsyncIterator[Page | Missing]:
        """Every page of the plan, once. Raises TooManyPages."""
        for seed in self._plan.seeds:
            self._add(seed)
        number = 0
        while self._waiting:
            found = await self._page(self._waiting.popleft())
            if isinstance(found, Page):
                number += 1
                if number > self._plan.max_pages:
                    raise TooManyPages
            if found is not None:
                yield found

    async def _page(self, url: str) -> Page | Missing | None:
        """The page; None for one that only leads to another."""
        before = Mark("")
        try:
            if not await asyncio.to_thread(self._bounds.hold, url):
                return None
            before = await self._mark(url)
            delay = await self._robots.check(url)
            reply = await self._ask(url, limit=MAX_BYTES, before=before, delay_s=delay)
            return await self._judged(url, reply, before)
        except FetchError as error:
            if not error.gone:
                self._follow(before.links)
            return Missing(url, f"The page {error}.", error.gone)
        except TimeoutError:
            return Missing(url, "The page's address takes too long to hold against the filters.", gone=False)

    async def _judged(self, url: str, reply: Reply, before: Mark) -> Page | None:
        if reply.status in _REDIRECTS:
            target = canonical(reply.headers.get("location", ""), url)
            if target is not None:
                self._follow([target])
            return None
        if reply.status == _UNCHANGED and (before.etag or before.modified):
            self._follow(before.links)
            return Page(url, None, "", "", _written(before))
        if reply.status != _OK:
            raise FetchError(f"was answered with the status {reply.status}", gone=reply.status in _GONE)
        mime = reply.headers.get("content-type", "")
        html = mime.partition(";")[0].strip().lower() in _HTML
        links = await self._links(url, reply.body) if html else []
        if not html:
            _check_kind(url, mime, reply.body)
        self._follow(links)
        mark = Mark(self._plan.mark, reply.headers.get("etag", ""), reply.headers.get("last-modified", ""), links)
        # What is sent as HTML is read as HTML, whatever its address ends with.
        return Page(url, reply.body, "page.html" if html else urlsplit(url).path, mime, _written(mark))

    async def _links(self, url: str, body: bytes) -> list[str]:
        """What an HTML page links to, canonical, each once."""
        try:
            found = (await self._reader.extract(body, "html")).links
        except (UnreadableError, UnsupportedError):  # which parsing it will tell again, and why
            return []
        links = filter(None, (canonical(link, url) for link in found))
        return list(dict.fromkeys(link for link in links if link != url))

    async def _ask(self, address: str, *, limit: int, before: Mark | None = None, delay_s: float = 0.0) -> Reply:
        host = urlsplit(address).netloc
        wait = self._next.get(host, 0.0) - self._clock()
        if wait > 0:
            await self._pause(wait)
        self._next[host] = self._clock() + max(60.0 / self._plan.per_minute, delay_s)
        headers = {"user-agent": self._plan.header}
        if before is not None and before.etag:
            headers["if-none-match"] = before.etag
        if before is not None and before.modified:
            headers["if-modified-since"] = before.modified
        return await asyncio.to_thread(fetch, address, self._hosts, headers, limit=limit)

    def _follow(self, links: list[str]) -> None:
        for link in links:
            self._add(link)

    def _add(self, url: str) -> None:
        if url not in self._seen and len(self._seen) < _MAX_WAITING:
            self._seen.add(url)
            self._waiting.append(url)

    async def _mark(self, url: str) -> Mark:
        try:
            found = msgspec.json.decode(await self._marks(url) or "{}", type=Mark)
        except msgspec.DecodeError:
            return Mark(self._plan.mark)
        # By another plan other links were followed, so the page has to be read.
        return found if found.plan == self._plan.mark else Mark(self._plan.mark)


def _check_kind(url: str, mime: str, body: bytes) -> None:
    """Raise FetchError for what is no document."""
    try:
        kind_of(urlsplit(url).path, mime, body[:2048])
    except Unreadable:
        raise FetchError("is of a type that is not read", gone=True) from None


def _written(mark: Mark) -> str:
    """The mark as it is kept; nothing, which means to read the page again, for one with too many links."""
    text = msgspec.json.encode(mark).decode()
    return text if len(text) <= _MAX_MARK else ""

"""One request while it is served: its body as it comes in, and the task that answers it.

What HTTP/1.1 and HTTP/2 have in common; each adds how an answer is written (`send`). Knows ASGI's messages and no
socket. A client that leaves cancels the task; a body that does not come raises `BodyLate` in who waits for it.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# A path up to this long is remembered in plain letters.
_PATH_BYTES = 512
_GONE: dict[str, Any] = {"type": "http.disconnect"}


def http_scope(
    method: str, raw_path: bytes, query: bytes, headers: dict[bytes, bytes], client: tuple[str, int] | None
) -> Scope:
    """What an application is told of a request: ASGI's scope, but for `headers`.

    They are a mapping by lower-case name, repeated ones joined by commas, since all that reads them wants that.
    """
    return {
        "type": "http",
        "method": method,
        "path": (_kept_path if len(raw_path) <= _PATH_BYTES else _path)(raw_path),
        "raw_path": raw_path,
        "query_string": query,
        "headers": headers,
        "client": client,
    }


def https_scope(
    method: str, raw_path: bytes, query: bytes, headers: dict[bytes, bytes], client: tuple[str, int] | None
) -> Scope:
    """The same for what came over TLS. Without it the scheme goes without saying."""
    return {**http_scope(method, raw_path, query, headers, client), "scheme": "https"}


def _path(raw: bytes) -> str:
    path = raw.decode("latin-1")
    return unquote(path) if "%" in path else path


_kept_path = lru_cache(maxsize=1024)(_path)


class BodyLate(Exception):
    """The rest of the body did not come in time."""


class Turn:
    """`body_is_here`: all of the body has come. `over`: the answer is complete, or nobody is there to take it."""

    __slots__ = ("_ended", "_late", "_parts", "_waiter", "body_is_here", "held_bytes", "over", "task")

    def __init__(self) -> None:
        self.body_is_here = False
        self.held_bytes = 0
        self.over = False
        self.task: asyncio.Task[None] | None = None
        self._parts: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False  # the body was given out, or will never be whole
        self._late = False

    # --- what the connection tells ---

    def feed(self, data: bytes) -> None:
        """A piece of the body."""
        self._parts.append(data)
        self.held_bytes += len(data)
        if self._waiter is not None:
            self._wake()

    def complete(self) -> None:
        """The body is whole."""
        self.body_is_here = True
        if self._waiter is not None:
            self._wake()

    def broken(self) -> None:
        """The body will never be whole, but an answer may still be read."""
        self._ended = True
        self._parts.clear()
        self._wake()

    def late(self) -> None:
        """The body took too long."""
        self._late = True
        self._wake()

    def leave(self) -> None:
        """Nobody is there to be answered any more: end what was begun for them."""
        if self.over:
            return
        self.over = self._ended = True
        if self.task is not None:
            self.task.cancel()

    # --- what the application calls ---

    async def receive(self) -> dict[str, Any]:
        """The body, in one message if it is all here. Raises BodyLate."""
        while True:
            if self._late:
                raise BodyLate
            if self._ended:
                break
            if self.body_is_here or self._parts:
                return self._take()
            await self._wait()
        while not self.over and self.body_is_here:
            await self._wait()
        return _GONE

    @abstractmethod
    async def send(self, message: dict[str, Any]) -> None:
        """Write a part of the answer; into the void if the client has left."""

    @abstractmethod
    def unanswered(self) -> None:
        """The application has ended and left the answer incomplete."""

    # --- within ---

    def _take(self) -> dict[str, Any]:
        parts, self._parts = self._parts, []
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        taken, self.held_bytes = self.held_bytes, 0
        self._ended = self.body_is_here
        self.taken(taken)
        return {"type": "http.request", "body": body, "more_body": not self.body_is_here}

    def taken(self, size_bytes: int) -> None:
        """The application took so much of the body: there is room for more."""

    def waits(self) -> None:
        """The application waits for more of the body."""

    async def _wait(self) -> None:
        self.waits()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

"""A fake upstream: one HTTP/1.1 server that answers as OpenAI's chat completions and Anthropic's Messages do.

It runs in a thread of its own and records what it was sent:

    from tests.fakes import scripts
    with FakeUpstream() as up:
        up.play(scripts.openai_stream(["Hel", "lo"], pace_s=0.05), scripts.error_openai(429, {"retry-after": "7"}))
        ... up.openai_url, up.anthropic_url, up.requests[0].json, up.requests[0].closed_at

Each exchange takes the next script; when none is left it answers by the path and the body (`natural`).
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httptools

from tests.fakes.scripts import (
    Cut,
    Hang,
    Headers,
    Repeat,
    Script,
    Sleep,
    anthropic_reply,
    anthropic_stream,
    error_openai,
    openai_reply,
    openai_stream,
    plain,
    reply,
)  # fmt: skip


@dataclass
class Request:
    """What came. `closed_at` (`time.monotonic()`): when the client left before its answer was complete."""

    method: str
    path: str
    headers: Headers
    body: bytes
    connection: int
    at: float = field(default_factory=time.monotonic)
    sent_bytes: int = 0
    answered_at: float | None = None
    closed_at: float | None = None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def natural(request: Request) -> Script:
    """The answer by path and body: an echo of the last user text, whole or as a stream."""
    if request.path.endswith("/health"):
        return reply({"status": "ok"})
    if request.path.endswith("/models"):
        return reply({"object": "list", "data": [{"id": "fake-model", "object": "model", "owned_by": "fake"}]})
    try:
        body = request.json
    except ValueError:
        return error_openai(400)
    if request.path.endswith("/count_tokens"):
        return reply({"input_tokens": 42})
    if request.path.endswith("/tokenize"):
        return reply({"count": 42, "tokens": list(range(42))})
    text = "Echo: " + _last_text(body)
    pieces = [text[at : at + 8] for at in range(0, len(text), 8)]
    if request.path.endswith("/chat/completions"):
        return openai_stream(pieces) if body.get("stream") else openai_reply(text)
    if request.path.endswith("/messages"):
        return anthropic_stream(pieces) if body.get("stream") else anthropic_reply(text)
    return reply({"error": {"message": f"no such path: {request.path}"}}, 404)


def _last_text(body: dict[str, Any]) -> str:
    for message in reversed(body.get("messages", [])):
        content = message.get("content")
        if isinstance(content, str):
            return content
        for part in content or []:
            if isinstance(part, dict) and part.get("type") == "text":
                return str(part["text"])
    return ""


class _Served(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, up: FakeUpstream) -> None:
        self.up = up
        self.number = up.connections = up.connections + 1
        self.parser = httptools.HttpRequestParser(self)
        self.url, self.headers, self.body = "", {}, []
        self.player: asyncio.Task[None] | None = None
        self.request: Request | None = None
        self.flowing = asyncio.Event()
        self.flowing.set()

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(high=64 * 1024)
        self.up.open.add(self)
        if self.up.refuse_next:
            self.up.refuse_next -= 1
            transport.abort()

    def connection_lost(self, exc):
        self.up.open.discard(self)
        if self.request is not None and self.request.answered_at is None:
            self.request.closed_at = time.monotonic()
        if self.player is not None:
            self.player.cancel()

    def pause_writing(self):
        self.flowing.clear()

    def resume_writing(self):
        self.flowing.set()

    def data_received(self, data):
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.write(plain(b"bad request", 400))
            self.transport.close()

    def on_url(self, url):
        self.url += url.decode("latin-1")

    def on_header(self, name, value):
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self):
        if self.up.refuse_bodies:
            self.transport.write(self.up.refuse_bodies)
            self.transport.pause_reading()

    def on_body(self, data):
        self.body.append(data)

    def on_message_complete(self):
        method = self.parser.get_method().decode()
        self.request = Request(method, self.url, self.headers, b"".join(self.body), self.number)
        self.url, self.headers, self.body = "", {}, []
        self.up.requests.append(self.request)
        self.player = asyncio.get_running_loop().create_task(self.play(self.request))

    async def play(self, request):
        script = self.up.scripts.popleft() if self.up.scripts else self.up.fallback(request)
        for step in script:
            await self.take(step, request)
        request.answered_at = time.monotonic()
        if self.up.close_after_each:
            self.transport.close()

    async def take(self, step, request):
        if isinstance(step, bytes):
            await self.send(step, request)
        elif isinstance(step, Sleep):
            await asyncio.sleep(step.seconds)
        elif isinstance(step, Repeat):
            while True:
                await self.send(step.data, request)
                await asyncio.sleep(step.pace_s)
        elif isinstance(step, Hang):
            await asyncio.sleep(3600)
        elif isinstance(step, Cut):
            request.answered_at = time.monotonic()
            self.transport.abort()
        else:
            request.answered_at = time.monotonic()
            self.transport.close()

    async def send(self, data, request):
        await self.flowing.wait()
        self.transport.write(data)
        request.sent_bytes += len(data)


class FakeUpstream:
    """The server. `uds`: listen on a Unix socket instead; `tls`: a server context for https."""

    def __init__(
        self,
        *scripts: Script,
        uds: Path | None = None,
        tls: ssl.SSLContext | None = None,
        fallback: Callable[[Request], Script] = natural,
    ) -> None:
        self.scripts: deque[Script] = deque(scripts)
        self.fallback = fallback
        self.requests: list[Request] = []
        self.connections = 0  # accepted so far
        self.open: set[_Served] = set()
        self.refuse_next = 0  # so many connections are reset when they come
        self.close_after_each = False
        self.refuse_bodies = b""  # what to answer to a head, without reading the body
        self.port = 0
        self._uds = uds
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the fake upstream did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)

    @property
    def base_url(self) -> str:
        """The origin, as providers want it that name the host alone."""
        if self._uds is not None:
            return f"unix:{self._uds}"
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI-shaped clients."""
        return self.base_url + ("|/v1" if self._uds is not None else "/v1")

    @property
    def anthropic_url(self) -> str:
        """The base URL for Anthropic-shaped clients."""
        return self.base_url

    def play(self, *scripts: Script) -> None:
        """Answer the next exchanges so."""
        self.scripts.extend(scripts)

    def drop_connections(self) -> None:
        """Close every connection that is open now."""

        def drop() -> None:
            for served in list(self.open):
                served.transport.close()

        self._loop.call_soon_threadsafe(drop)

    def wait(self, true: Callable[[FakeUpstream], object], timeout_s: float = 60.0) -> None:
        """Return when `true(self)` holds. Raises AssertionError if it never does."""
        end = time.monotonic() + timeout_s
        while not true(self):
            if time.monotonic() > end:
                raise AssertionError("the fake upstream did not come to the state that was waited for")
            time.sleep(0.005)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._ready.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        for served in list(self.open):
            served.transport.abort()
        self._server.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _listen(self) -> None:
        if self._uds is not None:
            self._server = await self._loop.create_unix_server(lambda: _Served(self), str(self._uds), ssl=self._tls)
        else:
            self._server = await self._loop.create_server(lambda: _Served(self), "127.0.0.1", 0, ssl=self._tls)
            self.port = self._server.sockets[0].getsockname()[1]

"""One HTTP/1.1 connection to an upstream: it sends a request and feeds the answer that comes.

Owns: the parser, the timer, pausing, and whether the connection may be used again. Knows nothing of pools (two callbacks tell
its owner that it is free or gone) and nothing of models. All runs on the loop's thread; per read of the socket there
is one parser call and at most one future.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from math import inf
from typing import cast

import httptools

from craton.infra.burst import Burst
from craton.models.providers.answer import Answer
from craton.models.providers.transport import BadReply, ConnectionLost, DeadlineExceeded, Limits, TransportError

_KEPT_FOR = re.compile(rb"timeout=(\d{1,9})")
# A server that tells for how long it keeps an idle connection is left this much earlier.
_MARGIN_S = 1.0


class _SecondAnswerError(Exception):
    """Stops the parser."""


class Connection(asyncio.Protocol):
    """`on_free(connection)`: it may carry the next request; `on_gone(connection)`: it is closed."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        on_free: Callable[[Connection], None],
        on_gone: Callable[[Connection], None],
    ) -> None:
        self.transport: asyncio.Transport | None = None
        self.paused = False
        self.reused = False  # an earlier request was answered on it
        self.idle_until = 0.0
        self.counted = False  # the pool counts it as one of its own
        self.kept_for_s = limits.idle_timeout_s  # or less, as the server says in `Keep-Alive: timeout=N`
        self.loop = loop
        self._limits = limits
        self._on_free = on_free
        self._on_gone = on_gone
        self._answer: Answer | None = None
        # The parser calls these for every header and chunk: a dict's and a list's own methods cost no Python frame.
        self._headers: dict[bytes, bytes] = {}
        self.on_header = self._headers.__setitem__
        self._body: list[bytes] = []
        self.on_body = self._body.append
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        self._deadline = inf

    # --- what the pool does ---------------------------------------------------------------------------------------

    @property
    def usable(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def start(self, request_head: bytes, body: bytes, deadline: float, burst: Burst | None) -> Answer:
        """Send a request, by itself or with others; the answer fills itself."""
        transport = self.transport
        if transport is None:
            raise ConnectionLost(received=False)
        answer = self._answer = Answer(self.loop, self, deadline, self.reused)
        self._headers.clear()  # trailers of the answer before
        self._deadline = deadline
        if deadline < self._timer_at:
            self.watch(deadline)
        if len(body) < 65536:
            if burst is None:
                transport.write(request_head + body)
            else:
                burst.write(transport, request_head + body)
        else:
            transport.write(request_head)
            transport.write(body)
        return answer

    def drain(self, answer: Answer) -> None:
        """Nobody reads `answer` any more: let its end pass by if it is near."""
        if self._answer is answer:
            answer.drain_until = answer.size + self._limits.drain_bytes
            self.resume(self.loop.time() + self._limits.drain_s)

    def abort(self) -> None:
        self._answer = None
        if self.transport is not None:
            self.transport.abort()

    def shut(self) -> None:
        """End the connection; who reads from it is told."""
        self._fail(ConnectionLost(received=self._answer is not None and self._answer.received))

    # --- time and backpressure --------------------------------------------------------------------------------------

    def watch(self, deadline: float) -> None:
        """Set the deadline. The timer is not moved for a later one: when it fires it looks again."""
        self._deadline = deadline
        if deadline < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = deadline
            self._timer = self.loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer, self._timer_at = None, inf
        if self._answer is None or self._deadline == inf:
            return
        if self._deadline > self.loop.time():
            self.watch(self._deadline)
        else:
            self._fail(DeadlineExceeded("the upstream did not answer in time"))

    def pause(self) -> None:
        """The reader is slow: that is not the upstream's silence, so the deadline rests too."""
        if not self.paused and self.usable and self.transport is not None:
            self.paused = True
            self._deadline = inf
            self.transport.pause_reading()

    def resume(self, deadline: float) -> None:
        if self.paused:
            self.paused = False
            if self.usable and self.transport is not None:
                self.transport.resume_reading()
        self.watch(deadline)

    # --- asyncio.Protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        answer, parser = self._answer, self._parser
        if answer is None or parser is None:  # bytes that nobody asked for, such as a server's 408 to an idle client
            self.abort()
            return
        answer.received = True
        broken = False
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            broken = not answer.done  # after the end, bytes too many are only a reason not to use it again
            answer.stray = True
        body = self._body
        if body:
            piece = body[0] if len(body) == 1 else b"".join(body)
            body.clear()
            answer.pieces.append(piece)
            answer.size += len(piece)
            answer.held += len(piece)
            answer.overhead = 0
            if answer.idle_s:
                answer.touch(self)
        else:
            answer.overhead += len(data)
        if broken:
            self._fail(BadReply("the upstream's answer is not valid HTTP"))
        elif answer.done:
            self._finish(answer)
        elif not self._over_limit(answer):
            answer.wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = self._parser = None  # the parser holds our methods: this breaks the cycle
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        answer, self._answer = self._answer, None
        if answer is not None:
            whole = answer.begun and answer.ends_with_connection and exc is None
            answer.end(None if whole else ConnectionLost(received=answer.received))
        self._on_gone(self)

    def _over_limit(self, answer: Answer) -> bool:
        if answer.overhead > self._limits.header_bytes or answer.size > answer.limit:
            self._fail(BadReply("the upstream's answer is too large"))
            return True
        if answer.size > answer.drain_until:
            answer.abort()
            return True
        if answer.held > self._limits.high_water_bytes and not answer.whole and answer.drain_until == inf:
            self.pause()
        return False

    def _finish(self, answer: Answer) -> None:
        self._answer = None
        fits = answer.size <= answer.limit
        answer.end(None if fits else BadReply("the upstream's answer is too large"))
        kept = answer.raw_headers.get(b"Keep-Alive") or answer.raw_headers.get(b"keep-alive")
        if kept:  # another spelling goes unheard: then a connection may turn out dead, and the request is sent anew
            told = _KEPT_FOR.search(kept)
            self.kept_for_s = min(self._limits.idle_timeout_s, float(told[1]) - _MARGIN_S if told else inf)
        transport = self.transport
        # A server that answers before it has read the request, or sends more than one answer, is not used again.
        clean = answer.keep_alive and not answer.stray
        if clean and transport is not None and not transport.is_closing() and not transport.get_write_buffer_size():
            self.reused = True
            if self.paused:
                self.paused = False
                transport.resume_reading()
            self._on_free(self)
        else:
            self.abort()

    def _fail(self, error: TransportError) -> None:
        answer = self._answer
        self.abort()
        if answer is not None:
            answer.end(error)

    # --- httptools ------------------------------------------------------------------------------------------------

    def on_headers_complete(self) -> None:
        parser, answer = self._parser, self._answer
        if parser is None or answer is None:
            return
        if answer.done:  # nothing of a second answer may be taken for the first's
            raise _SecondAnswerError
        headers = self._headers.copy()
        self._headers.clear()
        status = parser.get_status_code()
        if status < 200:
            return
        answer.keep_alive = parser.should_keep_alive()
        answer.status = status
        answer.raw_headers = headers
        answer.begun = True

    def on_message_complete(self) -> None:
        answer = self._answer
        if answer is not None and answer.begun:
            answer.done = True

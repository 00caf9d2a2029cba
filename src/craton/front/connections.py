"""All client connections of one worker: who may come in, how long each may take, and how they end in order.

Owns the limits and the one timer that enforces them; a timer per request would cost more than the request may. Knows
nothing of HTTP's bytes: `http1` and `http2` do, and say by `deadline` until when something must have happened.
"""

from __future__ import annotations

import asyncio
import logging
from email.utils import formatdate
from typing import Protocol

import msgspec

from craton.front.turn import Application, Scope, Turn, http_scope, https_scope
from craton.infra.burst import Burst

_log = logging.getLogger(__name__)
_ROUNDS_PER_LIMIT = 8
_LONGEST_ROUND_S = 1.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds and sizes. `head_s` also ends idle connections, so it is longer than the 60 s that SDKs keep theirs."""

    connections: int = 16_384
    head_s: float = 75.0
    body_s: float = 60.0
    write_stall_s: float = 60.0
    linger_s: float = 1.0
    head_bytes: int = 64 * 1024
    url_bytes: int = 32 * 1024
    headers: int = 100
    held_bytes: int = 256 * 1024
    """Of a body that the application does not take; above it the client is not read."""
    streams: int = 256
    """Of one HTTP/2 connection at a time."""
    body_rate: float = 16 * 1024
    """Bytes a second: a body that comes at least so fast may take longer than `body_s`, as large uploads do."""

    def body_deadline(self, deadline: float, now: float, size_bytes: int) -> float:
        """Until when the rest of a body must have come, now that so much more of it has been taken."""
        return min(now + self.body_s, deadline + size_bytes / self.body_rate)


class Connection(Protocol):
    """What `http1` and `http2` offer here. `deadline` is in seconds of the loop's clock."""

    deadline: float

    def overdue(self, now: float) -> None:
        """The deadline has passed."""
        ...

    def drain(self) -> None:
        """Take no further request; close as soon as nothing is being answered."""
        ...

    def abort(self) -> None: ...


class Connections:
    """Runs requests for its connections: `start` one, and it is counted until its task ends."""

    def __init__(self, app: Application, limits: Limits, *, secure: bool = False) -> None:
        """`secure`: they come over TLS."""
        self.app = app
        self.secure = secure
        self.scope = https_scope if secure else http_scope
        self.limits = limits
        self.loop = asyncio.get_running_loop()
        self.draining = False
        self.open: set[Connection] = set()
        self.busy: set[Turn] = set()
        self.burst = Burst(self.loop)
        self._quiet = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._round_s = min(_LONGEST_ROUND_S, min(limits.body_s, limits.write_stall_s) / _ROUNDS_PER_LIMIT)
        self._date = b""
        self._date_until = 0.0

    # --- for connections ---

    def opened(self, connection: Connection) -> bool:
        """Count a connection in; False if there are too many."""
        if len(self.open) >= self.limits.connections:
            return False
        self.open.add(connection)
        if self._timer is None:
            self._timer = self.loop.call_later(self._round_s, self._round)
        return True

    def closed(self, connection: Connection) -> None:
        self.open.discard(connection)

    def start(self, turn: Turn, scope: Scope) -> None:
        """Serve a request in a task of its own."""
        self.busy.add(turn)
        turn.task = self.loop.create_task(self._serve(turn, scope))

    def date(self) -> bytes:
        """The header line, new every second."""
        now = self.loop.time()
        if now >= self._date_until:
            self._date = b"date: " + formatdate(usegmt=True).encode() + b"\r\n"
            self._date_until = now + 1
        return self._date

    # --- for the worker ---

    async def drain(self, within_s: float) -> None:
        """Let open requests end, at most for `within_s`."""
        self.draining = True
        for connection in list(self.open):
            connection.drain()
        if self.busy:
            self._quiet.clear()
            try:
                await asyncio.wait_for(self._quiet.wait(), within_s)
            except TimeoutError:
                pass

    async def cut_short(self, last_words_s: float) -> None:
        """End what is left: each request gets a moment for its last words."""
        tasks = [turn.task for turn in self.busy if turn.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=last_words_s)
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.sleep(0)  # what was written last leaves now
        for connection in list(self.open):
            connection.abort()

    # --- within ---

    async def _serve(self, turn: Turn, scope: Scope) -> None:
        try:
            await self.app(scope, turn.receive, turn.send)
        except asyncio.CancelledError:
            pass  # by a client that left, or by the end
        except Exception as error:
            # The application answers its own failures; the text of this one may hold a prompt.
            _log.error("the application failed with %s", type(error).__name__)
        finally:
            self.busy.discard(turn)
            if not turn.over:
                turn.unanswered()
            if self.draining and not self.busy:
                self._quiet.set()

    def _round(self) -> None:
        now = self.loop.time()
        for connection in [one for one in self.open if one.deadline <= now]:
            connection.overdue(now)
        self._timer = self.loop.call_later(self._round_s, self._round) if self.open else None

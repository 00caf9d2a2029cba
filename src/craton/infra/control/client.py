"""A worker's end of the control channel: calls, and generations taken up in order.

Owns: one connection that is made again when it is lost, the calls in flight, and the acknowledgement of generations.
Must not know: what methods or generations mean. It lives in one event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from craton.infra.control.wire import (
    Ack,
    ControlFault,
    ControlLost,
    Fault,
    Frame,
    Hello,
    Push,
    Reply,
    Request,
    encode,
    read_frame,
)

_log = logging.getLogger(__name__)
_RETRY_FIRST_S = 0.02
_RETRY_MAX_S = 0.5

OnGeneration = Callable[[int, bytes], Awaitable[None]]
"""Takes up generation `number` holding `payload`; when it returns, no request sees an older one."""


class ControlClient:
    """A connection to the supervisor that mends itself."""

    def __init__(self, path: Path, *, role: str = "worker", index: int = 0) -> None:
        """Speak to the supervisor at `path` as `role`; nothing is connected before `open`."""
        self._path = path
        self._hello = Hello(role, index, os.getpid())
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count(1)
        self._task: asyncio.Task[None] | None = None
        self._newest: Push | None = None
        self._news = asyncio.Event()
        self._taker: asyncio.Task[None] | None = None
        self.generation = 0
        """The generation that this process lives in; 0 before the first."""

    @property
    def is_connected(self) -> bool:
        """False while the supervisor cannot be reached: what this process knows may be old."""
        return self._connected.is_set()

    @property
    def has_subscriber(self) -> bool:
        """Whether somebody takes up generations."""
        return self._taker is not None

    async def open(self, timeout_s: float = 10.0) -> None:
        """Connect.

        Raises:
            ControlLost: there was no supervisor for `timeout_s` seconds.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._stay_connected(), name="control")
        await self._await_connection(timeout_s)

    async def close(self) -> None:
        """End the connection; calls in flight fail."""
        tasks = [task for task in (self._task, self._taker) if task is not None]
        self._task = self._taker = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def subscribe(self, take_up: OnGeneration) -> None:
        """Hand each generation to `take_up`, the current one first, and acknowledge it when that returns.

        Only the newest matters: one that a newer has overtaken is skipped. If `take_up` raises, the generation stays
        unacknowledged, and the supervisor ends this process rather than let it serve what is no longer true.
        """
        if self._taker is not None:
            raise RuntimeError("generations have a subscriber already")
        self._taker = asyncio.create_task(self._take_up(take_up), name="generations")

    async def call(self, method: str, params: Mapping[str, object] | None = None, *, timeout_s: float = 30.0) -> Any:
        """Call a method of the supervisor and return its result as builtins.

        Raises:
            ControlFault: it refused.
            ControlLost: no connection, or it broke before the answer; the method may or may not have run.
            TimeoutError: no answer within `timeout_s` seconds.
        """
        async with asyncio.timeout(timeout_s):
            await self._await_connection(timeout_s)
            number = next(self._ids)
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            self._calls[number] = answer
            try:
                self._send(Request(number, method, dict(params or {})))
                return await answer
            finally:
                self._calls.pop(number, None)

    async def _await_connection(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._connected.wait()
        except TimeoutError:
            raise ControlLost(f"no supervisor at {self._path}") from None

    def _send(self, frame: Frame) -> None:
        if self._writer is None:
            raise ControlLost("no connection to the supervisor")
        self._writer.write(encode(frame))

    async def _stay_connected(self) -> None:
        pause_s = _RETRY_FIRST_S
        while True:
            with contextlib.suppress(ControlLost, OSError):
                await self._live()
                pause_s = _RETRY_FIRST_S
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _RETRY_MAX_S)

    async def _live(self) -> None:
        """Hold one connection from greeting to loss; return when it was a real one."""
        reader, self._writer = await asyncio.open_unix_connection(str(self._path))
        try:
            self._send(self._hello)
            self._connected.set()
            while True:
                self._take(await read_frame(reader))
        except ControlLost:
            return
        finally:
            self._connected.clear()
            self._writer.transport.abort()
            self._writer = None
            for answer in self._calls.values():
                if not answer.done():
                    answer.set_exception(ControlLost("the connection to the supervisor broke"))

    def _take(self, frame: Frame) -> None:
        match frame:
            case Push():
                self._newest = frame
                self._news.set()
            case Reply(number, result):
                if (answer := self._calls.get(number)) and not answer.done():
                    answer.set_result(result)
            case Fault(number, code, message, retry_after_s):
                if (answer := self._calls.get(number)) and not answer.done():
                    answer.set_exception(ControlFault(code, message, retry_after_s))
            case _:
                raise ControlLost("unexpected frame")

    async def _take_up(self, take_up: OnGeneration) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            push = self._newest
            if push is None:
                continue
            try:
                # Also when the number is known: after a reconnection it may be another supervisor's.
                await take_up(push.number, push.payload)
            except Exception:  # the loop must live; see `subscribe` for what follows
                _log.exception("generation %d could not be taken up", push.number)
                continue
            self.generation = push.number
            with contextlib.suppress(ControlLost):
                self._send(Ack(push.number))

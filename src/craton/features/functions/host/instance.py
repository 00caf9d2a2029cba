"""One execution environment: a runtime behind walls that takes one invocation at a time, from its first breath to its last.

Owns its states, the moments that are measured, the deadlines, and what an end means for the invocation under way. The Runtime
API (`runtime_api`) tells it what the runtime says; whoever keeps environments (`pool`) gives it invocations and hears
when it is free or gone. It must not know HTTP, nor how an environment is started.

    starting ── /next ──▶ free ── an invocation ──▶ busy ── answer ──▶ free (delivers once /next has come)
    any of these ── exit, kill, init error ──▶ gone
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Final, Protocol

import msgspec

from craton.features.functions.function import Plan
from craton.features.functions.host import lines, watch
from craton.features.functions.host.journal import Journal
from craton.features.functions.host.lines import Lines, Report
from craton.features.functions.line import UNHANDLED, Ask, Invoked
from craton.infra.compute.process import signal_process

FREEZE_AFTER_S: Final = 0.05
"""Between invocations in a row nothing is stopped: it costs more than it saves."""
MOST_ANSWER_BYTES: Final = 6 * 1024 * 1024 + 100
TOO_LARGE: Final = f"Response payload size exceeded maximum allowed payload size ({MOST_ANSWER_BYTES} bytes)."
_EXIT: Final = "Runtime.ExitError"
_MIB: Final = 1024 * 1024


class Waiter(Protocol):
    """The runtime's question for work (an `http.Exchange`)."""

    def answer(self, status: int, body: bytes = b"", headers: tuple[tuple[bytes, bytes], ...] = ()) -> None: ...


class InitFailed(Exception):
    """The runtime did not come up: what kind of error that is, and the payload where the runtime told of it itself."""

    def __init__(self, kind: str, message: str, payload: bytes = b"") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.told = payload

    def payload(self, request_id: str) -> bytes:
        """What is answered."""
        return self.told or lines.error(self.kind, self.message, request_id)


class Vanished(Exception):
    """The environment went before the invocation reached the runtime: another one can have it."""


class Stream:
    """A function's answer that is handed on while it comes. `slow` is told when the runtime should wait, and when not."""

    _HIGH: Final = 256 * 1024

    def __init__(self, slow: Callable[[bool], None]) -> None:
        self.content_type = "application/octet-stream"
        self._slow = slow
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._held = 0

    def feed(self, data: bytes) -> None:
        self._pieces.put_nowait(data)
        self._held += len(data)
        if self._held > self._HIGH:
            self._slow(True)

    def end(self) -> None:
        self._pieces.put_nowait(None)

    async def pieces(self) -> AsyncGenerator[bytes]:
        """What comes, until the end; to be read by one."""
        while (piece := await self._pieces.get()) is not None:
            yield piece
            self._held -= len(piece)
            if self._held <= self._HIGH < self._held + len(piece):
                self._slow(False)


class Task:
    """One invocation on its way. `done` has what came of it, `begun` a stream as soon as there is one."""

    def __init__(self, ask: Ask) -> None:
        loop = asyncio.get_running_loop()
        self.ask = ask
        self.begun: asyncio.Future[Stream] = loop.create_future()
        self.renew()

    def renew(self) -> None:
        """It was not begun after all."""
        self.done: asyncio.Future[Invoked] = asyncio.get_running_loop().create_future()
        self.started = 0.0
        self.deadline: asyncio.TimerHandle | None = None
        self.stream: Stream | None = None
        self.init_ms: float | None = None


class Instance:
    """One environment.

    Args:
        changed: is called with it whenever it became free or gone.
        expires_at: when its credentials end.
    """

    def __init__(self, plan: Plan, journal: Journal, expires_at: datetime, changed: Callable[[Instance], None]) -> None:
        configuration = plan.configuration
        self.key = plan.key
        self.plan = plan
        self.timeout_s = float(configuration.timeout_s)
        self.memory_bytes = configuration.memory_mb * _MIB
        self.lines = Lines(configuration.logging.get("LogFormat", ""))
        self.journal = journal
        self.expires_at = expires_at
        self.pid = 0
        self.gone = False
        self.idle = False
        """Set while whoever keeps it has it among the free ones."""
        self.task: Task | None = None
        self.free_since = time.monotonic()
        self.init_ms: float | None = None
        self.most_bytes = 0
        self.on_gone: list[Callable[[], None]] = []
        self.settled: Callable[[], Awaitable[None]] | None = None
        self._changed = changed
        self._waiter: Waiter | None = None
        self._delivered = False
        self._pids: list[int] = []
        self._frozen: list[int] = []
        self._freezing: asyncio.TimerHandle | None = None
        self._began = time.monotonic()
        self._up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._killed_for = ""

    # --- coming up ---

    async def up(self, timeout_s: float, phase: str) -> None:
        """Return when the runtime asks for its first invocation. Raises InitFailed; the environment is gone then."""
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self._up)
        except TimeoutError:
            self._say_init("timeout", "Sandbox.Timedout", phase)
            self.kill("")
            raise InitFailed("Sandbox.Timedout", lines.timed_out(timeout_s)) from None
        except InitFailed as failed:
            self._say_init("error", failed.kind, phase)
            self.kill("")
            raise

    def init_error(self, payload: bytes) -> None:
        """The runtime says that it cannot begin."""
        if not self._up.done():
            self._up.set_exception(InitFailed(_kind_of(payload), "", payload or b"{}"))
            self._up.exception()  # whoever waits is told; nobody has to

    def _say_init(self, status: str, kind: str, phase: str) -> None:
        self.journal.take()
        self.journal.say(self.lines.init_report((time.monotonic() - self._began) * 1000, status, kind, phase))

    # --- invocations ---

    @property
    def is_free(self) -> bool:
        """Whether nobody has it, or is about to have it."""
        return self.idle and not self.gone

    @property
    def is_working(self) -> bool:
        """Whether it is up to something: coming up, or with an invocation."""
        return not self.gone and (self.task is not None or not self._up.done())

    def give(self, task: Task) -> None:
        """Have an invocation done: now, or as soon as the runtime asks for it."""
        self.task = task
        self._delivered = False
        if self._freezing is not None:
            self._freezing.cancel()
            self._freezing = None
        if self._frozen:
            watch.thaw(self._frozen)
            self._frozen = []
        if self._waiter is not None:
            self._deliver(task, self._waiter)
        else:  # it says its last words to the invocation before; how long that may take is bounded as well
            task.deadline = asyncio.get_running_loop().call_later(self.timeout_s, self._overdue, task)

    def next(self, waiter: Waiter) -> None:
        """The runtime asks for an invocation."""
        if not self._up.done():
            self.init_ms = (time.monotonic() - self._began) * 1000
            self._up.set_result(None)
        if self.task is not None and not self._delivered:
            if self.task.deadline is not None:
                self.task.deadline.cancel()
            self._deliver(self.task, waiter)
            return
        self._waiter = waiter
        if self.task is None:
            self._freezing = asyncio.get_running_loop().call_later(FREEZE_AFTER_S, self._freeze)

    def left(self, waiter: Waiter) -> None:
        """The runtime no longer waits there: what comes waits for its next question."""
        if self._waiter is waiter:
            self._waiter = None

    def _deliver(self, task: Task, waiter: Waiter) -> None:
        self._waiter, self._delivered = None, True
        ask = task.ask
        self.journal.begin()
        self.journal.say(self.lines.start(ask.request_id, self.plan.configuration.version))
        task.init_ms, self.init_ms = self.init_ms, None
        task.started = time.monotonic()
        ends_ms = int((time.time() + self.timeout_s) * 1000)
        headers = [
            (b"content-type", b"application/json"),
            (b"lambda-runtime-aws-request-id", ask.request_id.encode()),
            (b"lambda-runtime-deadline-ms", b"%d" % ends_ms),
            (b"lambda-runtime-invoked-function-arn", ask.plan.invoked.encode()),
        ]
        headers += [(b"lambda-runtime-trace-id", _header(ask.trace))] if ask.trace else []
        headers += [(b"lambda-runtime-client-context", _header(ask.context))] if ask.context else []
        task.deadline = asyncio.get_running_loop().call_later(self.timeout_s, self._overdue, task)
        waiter.answer(200, ask.payload, tuple(headers))

    def stream(self, request_id: str, content_type: str, slow: Callable[[bool], None]) -> Stream | None:
        """The runtime begins to answer piece by piece; None if nobody waits for pieces of this invocation."""
        task = self._doing(request_id)
        if task is None or task.stream is not None or not task.ask.streamed:
            return None
        task.stream = Stream(slow)
        task.stream.content_type = content_type or task.stream.content_type
        if not task.begun.done():
            task.begun.set_result(task.stream)
        return task.stream

    def answered(self, request_id: str, payload: bytes, content_type: str = "", error: str = "") -> bool:
        """The runtime has answered; False if it does not do this invocation. `error`: what kind of error it told of."""
        task = self._doing(request_id)
        if task is None:
            return False
        self._finish(
            task, payload, UNHANDLED if error else "", content_type, status="error" if error else "", kind=error
        )
        return True

    def _doing(self, request_id: str) -> Task | None:
        task = self.task
        return task if task is not None and self._delivered and task.ask.request_id == request_id else None

    def _overdue(self, task: Task) -> None:
        if self.task is not task:
            return
        said = lines.timed_out(self.timeout_s)
        self.journal.take()
        self.journal.say(self.lines.complaint(f"{task.ask.request_id} {said}"))
        payload = lines.error("Sandbox.Timedout", said, task.ask.request_id)
        self.kill("")
        self._finish(task, payload, UNHANDLED, status="timeout", kind="")

    def _finish(
        self, task: Task, payload: bytes, error: str, content_type: str = "", *, status: str, kind: str
    ) -> None:
        took_ms = min((time.monotonic() - task.started) * 1000, self.timeout_s * 1000) if task.started else 0.0
        if task.deadline is not None:
            task.deadline.cancel()
        self.task = None
        if not self._pids:
            self._pids = watch.look(self.pid).pids
        self.most_bytes = max(self.most_bytes, watch.used(self._pids))
        self.journal.take()
        report = Report(
            request_id=task.ask.request_id,
            duration_ms=took_ms,
            memory_mb=self.plan.configuration.memory_mb,
            used_mb=min(-(-self.most_bytes // _MIB), self.plan.configuration.memory_mb),
            init_ms=task.init_ms,
            status=status,
            error=kind,
        )
        self.journal.say(self.lines.end(task.ask.request_id))
        self.journal.say(self.lines.report(report))
        if task.stream is not None:
            task.stream.end()
        if not task.done.done():
            said = content_type or "application/json"
            version = self.plan.configuration.version
            tail = self.journal.tail
            task.done.set_result(
                Invoked(
                    payload=payload, error=error, log_tail=tail, version=version, content_type=said, duration_ms=took_ms
                )
            )
        self.free_since = time.monotonic()
        if not self.gone:
            self._changed(self)

    # --- standing still, being watched, and going ---

    def _freeze(self) -> None:
        self._freezing = None
        if self.is_free and self.pid and self.task is None:
            self._frozen = watch.freeze(self.pid)

    def watched(self, most_processes: int) -> None:
        """Look at what it takes, and end it where that is too much."""
        taken = watch.look(self.pid)
        self._pids = taken.pids
        self.most_bytes = max(self.most_bytes, taken.bytes_used)
        if taken.bytes_used > self.memory_bytes:
            self.kill("memory")
        elif len(taken.pids) > most_processes:
            self.kill("processes")

    def kill(self, why: str) -> None:
        """End all of it; that it has ended is heard of later."""
        self._killed_for = self._killed_for or why
        if self.pid:
            signal_process(self.pid, signal.SIGKILL)
        if not why:  # nothing more is expected of it
            self._leave()

    def ended(self, status: int) -> None:
        """The processes are gone."""
        self.pid = 0
        if not self._up.done():
            self._up.set_exception(InitFailed(_EXIT, lines.ended(-9 if self._killed_for else status)))
            self._up.exception()
        task = self.task
        if task is not None and not self._delivered:
            self.task = None
            task.done.set_exception(Vanished())
        elif task is not None:
            said = lines.ended(-9 if self._killed_for else status)
            payload = lines.error(_EXIT, said, task.ask.request_id)
            self.journal.take()
            self.journal.say(self.lines.complaint(f"{task.ask.request_id} {_EXIT}: {said}"))
            kind = "Runtime.OutOfMemory" if self._killed_for == "memory" else _EXIT
            self._finish(task, payload, UNHANDLED, status="error", kind=kind)
        self._leave()

    def _leave(self) -> None:
        if self.gone:
            return
        self.gone = True
        if self._freezing is not None:
            self._freezing.cancel()
        self._changed(self)

    def close(self) -> None:
        """Let go of what it held, once its processes are gone; `settled` returns when its log has been sent."""
        for action in self.on_gone:
            with suppress(OSError):
                action()
        self.on_gone = []


def _header(text: str) -> bytes:
    """A value that stays in its line."""
    return text.replace("\r", " ").replace("\n", " ").encode("utf-8", "replace")


def _kind_of(payload: bytes) -> str:
    """The errorType of a payload, "" where it has none."""
    try:
        found = msgspec.json.decode(payload)
    except msgspec.DecodeError:
        return ""
    kind = found.get("errorType") if isinstance(found, dict) else None
    return kind if isinstance(kind, str) else ""


def pipe() -> tuple[int, int]:
    """A pipe whose writing end may be handed down."""
    return os.pipe2(os.O_CLOEXEC)

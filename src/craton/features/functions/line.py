"""The way from a worker to the functions' host of its home: one invocation, or environments made ready beforehand.

Owns what travels on the host's socket and what becomes of a host that dies: an invocation in flight ends as a
ServiceException, since nobody knows how far it came, and the next one has a new host made. Whoever invokes has judged the caller
already and made the `Plan`. It must not know HTTP's outside, nor how functions are run.

The host's socket takes `POST /invoke` and `POST /ready`, whose bodies are `Ask` and `Want` in MessagePack, and answers with
an `Invoked`, or with the header `x-craton-refused` and a `Refusal` where the function was not run. The line of the status
leaves as soon as the request is there, so that no worker takes a broken connection for a request that nobody saw, and
sends it again. A streamed answer is a row of frames, each behind
its length in four bytes (big-endian): an `Invoked` whose payload is empty, once the function has begun to answer; pieces of
the answer; an empty one; and the `Invoked` of the end, with what is known then.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from craton.aws.wire.faults import Fault
from craton.features.functions.function import Plan
from craton.features.functions.host.keeper import SOCKET
from craton.models.providers.transport import Limits, TransportError

if TYPE_CHECKING:
    from craton.models.providers.http import Pool
    from craton.models.providers.transport import Response

INVOKE, READY = b"/invoke", b"/ready"
REFUSED: Final = b"x-craton-refused"
UNHANDLED: Final = "Unhandled"
_LONGEST_S = 900.0
_WAIT_S = 60.0
"""What an invocation may take besides the function's own time: a place to run, a start, a second start."""
_ANSWER_BYTES = 16 * 1024 * 1024
_BROKEN = "The service encountered an internal error and could not finish the invocation. Try your request again."


class Ask(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One invocation. `trace` is the X-Ray header that the function sees, `context` the client context's JSON."""

    plan: Plan
    request_id: str
    payload: bytes
    streamed: bool = False
    trace: str = ""
    context: str = ""


class Want(msgspec.Struct, frozen=True, kw_only=True):
    """So many environments of a version are to be kept ready (`plan.provisioned`)."""

    plan: Plan


class Invoked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of it. `error` is "" or the X-Amz-Function-Error; `log_tail` the last 4 KB of the invocation's log.

    `content_type` is what a custom runtime or a stream said of its answer.
    """

    payload: bytes = b""
    error: str = ""
    log_tail: bytes = b""
    version: str = ""
    content_type: str = "application/json"
    duration_ms: float = 0.0


class Refusal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why the function was not run: an AWS error of Lambda's API."""

    name: str
    message: str
    status: int = 500
    reason: str = ""

    def fault(self) -> Fault:
        fields = {"Type": "User" if self.status < 500 else "Service"} | ({"Reason": self.reason} if self.reason else {})
        return Fault(self.name, self.message, fields=fields, status=self.status)


class FunctionsLine:
    """A worker's end.

    Args:
        sockets: the folder of the home's sockets (`RunDir.sockets`).
    """

    def __init__(self, sockets: Path) -> None:
        self._path = sockets / SOCKET
        self._pool: Pool | None = None

    async def invoke(
        self, plan: Plan, payload: bytes, *, request_id: str, trace: str = "", context: str = ""
    ) -> Invoked:
        """Run the function and return what it answered.

        Raises:
            Fault: TooManyRequestsException, ServiceException, AccessDeniedException (the role cannot be assumed),
                KMSAccessDeniedException and the like: the function was not run, or the host died while it ran.
        """
        ask = Ask(plan=plan, request_id=request_id, payload=payload, trace=trace, context=context)
        return msgspec.msgpack.decode(await self._post(INVOKE, msgspec.msgpack.encode(ask), plan), type=Invoked)

    async def stream(
        self, plan: Plan, payload: bytes, *, request_id: str, trace: str = "", context: str = ""
    ) -> AsyncGenerator[bytes | Invoked]:
        """Run the function and give out its answer as it comes: an `Invoked` first and last, pieces between.

        Raises as `invoke` does, before the first; after that a broken host ends the row without the last `Invoked`.
        """
        ask = Ask(plan=plan, request_id=request_id, payload=payload, streamed=True, trace=trace, context=context)
        deadline = asyncio.get_running_loop().time() + _LONGEST_S + _WAIT_S
        try:
            answer = await self._opened().request(b"POST", INVOKE, (), msgspec.msgpack.encode(ask), deadline=deadline)
            if REFUSED in answer.headers:
                raise _refused(await answer.read(_ANSWER_BYTES))
        except TransportError as error:
            raise broken() from error
        try:
            async for piece in _frames(answer):
                yield piece
        except TransportError:
            return
        finally:
            answer.release()

    async def ready(self, plan: Plan) -> None:
        """Have `plan.provisioned` environments kept ready; returns once they are, or raises what kept them from it."""
        await self._post(READY, msgspec.msgpack.encode(Want(plan=plan)), plan)

    def wake(self) -> None:
        """Have a host made if there is none, without waiting: who makes a function will invoke it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.setblocking(False)
            with contextlib.suppress(OSError):
                line.connect(str(self._path))

    async def close(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    async def _post(self, path: bytes, body: bytes, plan: Plan) -> bytes:
        deadline = asyncio.get_running_loop().time() + plan.configuration.timeout_s + _WAIT_S
        try:
            whole = await self._opened().fetch(b"POST", path, (), body, deadline=deadline, limit=_ANSWER_BYTES)
        except TransportError as error:
            raise broken() from error
        if REFUSED in whole.headers:
            raise _refused(whole.body)
        return whole.body

    def _opened(self) -> Pool:
        if self._pool is None:
            from craton.models.providers.http import Pool

            self._pool = Pool(f"unix:{self._path}", Limits(idle_timeout_s=20.0))
        return self._pool


def broken() -> Fault:
    """The host died, or could not be reached: nobody knows whether the function ran."""
    return Refusal(name="ServiceException", message=_BROKEN).fault()


def _refused(body: bytes) -> Fault:
    try:
        return msgspec.msgpack.decode(body, type=Refusal).fault()
    except msgspec.DecodeError:
        return broken()


async def _frames(answer: Response) -> AsyncGenerator[bytes | Invoked]:
    """The frames of a streamed answer, told apart by their place in the row."""
    held, first, ended = bytearray(), True, False
    answer.idle_after(_LONGEST_S)
    while chunk := await answer.next_chunk():
        held += chunk
        while len(held) >= 4 and len(held) >= 4 + (size := int.from_bytes(held[:4], "big")):
            frame = bytes(held[4 : 4 + size])
            del held[: 4 + size]
            if first or ended:
                yield msgspec.msgpack.decode(frame, type=Invoked)
                first = False
            elif frame:
                yield frame
            else:
                ended = True


def frame(content: bytes) -> bytes:
    """One frame of a streamed answer."""
    return len(content).to_bytes(4, "big") + content

"""The transport to a deployment's replicas: a seat for each request, and another one where a replica died.

Owns the ports by which a provider reaches replicas (`Replicas`, `Line`, `Seat`), what is tried again elsewhere, and that
a seat is given back whatever happens. An inference changes nothing, so a whole answer that was cut is asked for again; a
stream is, until the first bytes of its body are here. It must not know how a seat is chosen, nor what a replica is.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from math import inf
from typing import Any, Protocol, TypeVar

import msgspec

from craton.aws.wire.faults import model_not_ready
from craton.models.providers.ranks import DEFAULT
from craton.models.providers.transport import (
    BadReply,
    ConnectError,
    ConnectionLost,
    Headers,
    Response,
    Transport,
    TransportError,
    Whole,
)

Got = TypeVar("Got", Whole, "SeatedResponse")

MOST_TRIES = 3
MOST_DEATHS = 2
"""Replicas that one request may see die: it may be the request itself that kills them."""
WAIT_S = 1.0
"""How long a caller should wait for a model that is starting."""

_OK, _LOADING = 200, 503
# An ill replica, or a full one: another may well answer.
_ELSEWHERE = frozenset({429, 500, 502, _LOADING, 504})
_DEAD = (ConnectError, ConnectionLost)

_LIMIT = re.compile(rb'"max_tokens":(\d{1,7})')
_LIMIT_WITHIN = 256  # it stands behind the messages, mostly with little after it
_BYTES_PER_TOKEN = 16  # a token of a prompt has about 4, and is a quarter of the work of one of an answer
_UNTOLD = 256  # tokens of an answer whose request names no limit
_MOST = 512  # limits are more often wishes than needs


class Terms(msgspec.Struct, frozen=True):
    """How a request comes to a seat. `adapter` must be loaded there (empty: none); `rank` says who goes first (`ranks`);
    after `waits_s` seconds without any replica the model is not ready.
    """

    adapter: str = ""
    rank: int = DEFAULT
    waits_s: float = inf


class Want(msgspec.Struct, frozen=True):
    """What one request asks of its next seat."""

    tokens: int
    body: bytes
    deadline: float


class Seat(Protocol):
    """A replica that was taken for one request. `leave` must follow, once, with the same tokens."""

    @property
    def transport(self) -> Transport: ...

    def leave(self, tokens: int) -> None:
        """The request is over."""
        ...

    def shun(self) -> None:
        """It does not answer: nobody else need find that out."""
        ...


class Line(Protocol):
    """One deployment, and who waits for its replicas."""

    def take(self, tokens: int, body: bytes, terms: Terms, but: tuple[Seat, ...] = ()) -> Seat | None:
        """A seat that is free now, if there is one other than `but`. `tokens` estimates the work."""
        ...

    async def wait(self, tokens: int, body: bytes, terms: Terms, deadline: float) -> Seat:
        """A seat when there is one, in turn. Raises ModelNotReadyException, ThrottlingException."""
        ...


class Replicas(Protocol):
    """All deployments, as one worker sees them."""

    def line(self, deployment: str) -> Line:
        """The same object for the same deployment, whether or not there is anything to it yet."""
        ...


def work(body: bytes) -> int:
    """An estimate in tokens of an answer of what a body asks for, prompt and answer; near and quick, no tokenizer."""
    size = len(body)
    told = _LIMIT.search(body, size - _LIMIT_WITHIN)
    return size // _BYTES_PER_TOKEN + (min(int(told[1]), _MOST) if told is not None else _UNTOLD)


class SeatedTransport:
    """A `Transport` to one deployment on the same terms. Raises what that does, and what `Line.wait` raises."""

    def __init__(self, line: Line, terms: Terms) -> None:
        self._line = line
        self._terms = terms

    async def fetch(
        self,
        method: bytes,
        path: bytes,
        headers: Headers = (),
        body: bytes = b"",
        *,
        deadline: float,
        limit: int | None = None,
    ) -> Whole:
        """Send to a replica and wait for the whole answer."""
        tokens = work(body)
        seat = self._line.take(tokens, body, self._terms)
        if seat is None:
            seat = await self._line.wait(tokens, body, self._terms, deadline)
        # Written out, for every request passes here; `_fetched` is the same for who comes a second time.
        outcome: Whole | TransportError
        try:
            outcome = await seat.transport.fetch(method, path, headers, body, deadline=deadline, limit=limit)
            if outcome.status not in _ELSEWHERE:
                return outcome
        except TransportError as error:
            outcome = error
        finally:
            seat.leave(tokens)
        again = partial(_fetched, tokens, method, path, headers, body, deadline, limit)
        return await self._elsewhere(seat, outcome, again, Want(tokens, body, deadline))

    async def request(
        self, method: bytes, path: bytes, headers: Headers = (), body: bytes = b"", *, deadline: float
    ) -> Response:
        """Send to a replica and wait for the first bytes of a stream; of any other answer, for its head."""
        tokens = work(body)
        seat = self._line.take(tokens, body, self._terms)
        if seat is None:
            seat = await self._line.wait(tokens, body, self._terms, deadline)
        begin = partial(_begun, tokens, method, path, headers, body, deadline)
        outcome = await begin(seat)
        if isinstance(outcome, SeatedResponse) and outcome.status not in _ELSEWHERE:
            return outcome
        return await self._elsewhere(seat, outcome, begin, Want(tokens, body, deadline))

    async def close(self) -> None:
        """The connections are the replicas', not this transport's."""

    async def _elsewhere(
        self,
        seat: Seat,
        outcome: Got | TransportError,
        again: Callable[[Seat], Coroutine[Any, Any, Got | TransportError]],
        want: Want,
    ) -> Got:
        """What another replica answers; where none is left to ask, what the last one did. Raises as `fetch`."""
        tried: list[Seat] = []
        deaths = 0
        while True:
            tried.append(seat)
            if isinstance(outcome, TransportError):
                died = isinstance(outcome, _DEAD)
                if not died and not isinstance(outcome, BadReply):
                    raise outcome  # its time is over
                deaths += isinstance(outcome, ConnectionLost)
            else:
                died = False
            if died or (not isinstance(outcome, TransportError) and outcome.status == _LOADING):
                seat.shun()
            if len(tried) >= MOST_TRIES or deaths >= MOST_DEATHS:
                return last_word(outcome)
            another = self._line.take(want.tokens, want.body, self._terms, tuple(tried))
            if another is None and died:
                another = await self._line.wait(want.tokens, want.body, self._terms, want.deadline)
            if another is None:  # whoever only was refused need not wait for a second opinion
                return last_word(outcome)
            _discard(outcome)
            seat = another
            outcome = await again(seat)
            if not isinstance(outcome, TransportError) and outcome.status not in _ELSEWHERE:
                return outcome


async def _fetched(
    tokens: int,
    method: bytes,
    path: bytes,
    headers: Headers,
    body: bytes,
    deadline: float,
    limit: int | None,
    seat: Seat,
) -> Whole | TransportError:
    """The whole answer of a replica, whose seat is given back."""
    try:
        return await seat.transport.fetch(method, path, headers, body, deadline=deadline, limit=limit)
    except TransportError as error:
        return error
    finally:
        seat.leave(tokens)


async def _begun(
    tokens: int, method: bytes, path: bytes, headers: Headers, body: bytes, deadline: float, seat: Seat
) -> SeatedResponse | TransportError:
    """An answer that has begun and holds its seat until it ends."""
    response: Response | None = None
    try:
        response = await seat.transport.request(method, path, headers, body, deadline=deadline)
        first = await response.next_chunk() if response.status == _OK else b""
    except BaseException as error:
        if response is not None:
            response.abort()
        seat.leave(tokens)
        if isinstance(error, TransportError):
            return error
        raise
    return SeatedResponse(response, first, seat, tokens)


def _discard(outcome: Whole | SeatedResponse | TransportError) -> None:
    if isinstance(outcome, SeatedResponse):
        outcome.abort()


def last_word(outcome: Got | TransportError) -> Got:
    """What the caller gets of the last try. Raises what it raised, and ModelNotReadyException."""
    if isinstance(outcome, ConnectError):
        raise model_not_ready(retry_after_s=WAIT_S) from outcome
    if isinstance(outcome, TransportError):
        raise outcome
    if outcome.status == _LOADING:
        _discard(outcome)
        raise model_not_ready(retry_after_s=WAIT_S)
    return outcome


class SeatedResponse:
    """A `Response` that keeps its seat until `release` or `abort`. `first`: what was read ahead of its body.

    After the first piece `next_chunk` is the inner answer's own: a stream's pieces pay nothing for the seat.
    """

    __slots__ = ("_first", "_inner", "_seat", "_tokens", "next_chunk", "status")

    def __init__(self, inner: Response, first: bytes, seat: Seat, tokens: int) -> None:
        self.status = inner.status
        self._inner = inner
        self._first = first
        self._seat: Seat | None = seat
        self._tokens = tokens
        self.next_chunk: Callable[[], Coroutine[Any, Any, bytes]] = self._begin if first else inner.next_chunk

    @property
    def headers(self) -> dict[bytes, bytes]:
        """Names in lower case."""
        return self._inner.headers

    async def read(self, limit: int) -> bytes:
        """The whole body."""
        first, self._first = self._first, b""
        return first + await self._inner.read(limit)

    def chunks(self, idle_s: float) -> AsyncIterator[bytes]:
        """The body as it comes."""
        self.idle_after(idle_s)
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self.next_chunk():
            yield chunk

    async def _begin(self) -> bytes:
        first, self._first = self._first, b""
        self.next_chunk = self._inner.next_chunk
        return first

    def idle_after(self, idle_s: float) -> None:
        """From here on only silence of so many seconds ends it."""
        self._inner.idle_after(idle_s)

    def release(self) -> None:
        """Done."""
        self._inner.release()
        self._leave()

    def abort(self) -> None:
        """End it now."""
        self._inner.abort()
        self._leave()

    def _leave(self) -> None:
        seat, self._seat = self._seat, None
        if seat is not None:
            seat.leave(self._tokens)

"""What all HTTP providers share: one exchange with the upstream, whole or as a stream of server-sent events.

Owns the order of things (send, look at the status, read, translate) and that every failure leaves as a Fault: before
the caller's first byte as one that has a status, after it as one that a Bedrock stream can carry. Leaving a stream
early ends the upstream connection at once. It knows no vendor: path, headers, body and the reader are given.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from typing import Any, Protocol, TypeVar

from craton.aws.wire.faults import Fault, model_error, model_stream_error
from craton.models.canon.reply import ConverseReply
from craton.models.dialects.dialect import Dialect, Outgoing
from craton.models.providers import faults, sse
from craton.models.providers.provider import Attempt, Upstream
from craton.models.providers.transport import Headers, Response, Transport, TransportError, Whole

Item = TypeVar("Item")
Got = TypeVar("Got")

_ERROR_LIMIT_BYTES = 256 * 1024
ERROR_WITHIN = 48  # of an error that comes with a 200, the member that says so stands near the front

# The members that the event streams of ConverseStream and InvokeModelWithResponseStream both have.
_STREAMED = frozenset(
    {
        "InternalServerException",
        "ModelStreamErrorException",
        "ServiceUnavailableException",
        "ThrottlingException",
        "ValidationException",
    }
)

# A stream is also told by its absence: some servers leave the type out or call it plain text.
_NOT_A_STREAM = (b"application/json", b"text/html", b"application/problem+json")


def json_headers(*further: tuple[bytes, bytes]) -> tuple[tuple[bytes, bytes], ...]:
    """Headers of a JSON request whose answer comes as it is, not compressed."""
    return (
        (b"content-type", b"application/json"),
        (b"accept", b"application/json, text/event-stream"),
        (b"accept-encoding", b"identity"),
        (b"user-agent", b"craton"),
        *further,
    )


class Sink(Protocol[Item]):
    """Takes the data of each event and gives what it makes of it: a dialect's StreamReader, or native chunks."""

    def feed(self, data: bytes, event: str = "") -> list[Item]: ...

    def close(self) -> list[Item]:
        """The upstream ended. Raises Fault if its stream was not complete."""
        ...


class Framing(Protocol):
    """Bytes of a stream → its events: (type or "", data). What came before a Fault in `data` is given out first."""

    def feed(self, data: bytes) -> Iterable[sse.Event]: ...


class Exchange:
    """Exchanges with one upstream.

    Args:
        end_data, end_event: the data, or the type, of the event after which the upstream has nothing more to say.
        framing: how its streams are cut into events.
        refusal: the Fault of an answer that is no success; what `faults.from_status` takes and gives.
        error_within: in how many bytes a 200 may say that it is an error; 0 where `error` is a member of good answers.
    """

    def __init__(
        self,
        transport: Transport,
        upstream: Upstream,
        *,
        end_data: bytes = b"[DONE]",
        end_event: str = "[none]",
        framing: Callable[[], Framing] = sse.Parser,
        refusal: Callable[..., Fault] = faults.from_status,
        error_within: int = ERROR_WITHIN,
    ) -> None:
        self._framing = framing
        self._fault_of = refusal
        self._error_within = error_within
        self._transport = transport
        self._secret = upstream.api_key
        self._quirks = upstream.quirks
        self._idle_s = upstream.timeout_s
        self._end_data = end_data
        self._end_event = end_event

    def outgoing(self, attempt: Attempt, *, stream: bool) -> Outgoing:
        """What a dialect is told: the attempt's quirks win over the upstream's."""
        quirks = {**self._quirks, **attempt.quirks} if self._quirks else attempt.quirks
        return Outgoing(attempt.model, stream, attempt.ledger, attempt.max_tokens, quirks)

    def post(self, path: bytes, headers: Headers, body: bytes, attempt: Attempt) -> Coroutine[Any, Any, bytes]:
        """The body of the answer to a POST. Raises Fault for all but success."""
        return self._ask(path, headers, body, attempt, bytes)

    def converse(
        self, dialect: Dialect, path: bytes, headers: Headers, body: bytes, attempt: Attempt
    ) -> Coroutine[Any, Any, ConverseReply]:
        """A whole reply, read by its dialect."""
        return self._ask(path, headers, body, attempt, dialect.read_reply)

    async def _ask(
        self, path: bytes, headers: Headers, body: bytes, attempt: Attempt, read: Callable[[bytes], Got]
    ) -> Got:
        """What `read` makes of the answer to a POST. Raises Fault for all but success."""
        if attempt.carried:
            headers = (*headers, *attempt.carried)
        try:
            whole = await self._transport.fetch(b"POST", path, headers, body, deadline=attempt.deadline)
        except TransportError as error:
            raise faults.from_transport(error, model=attempt.model) from error
        if whole.status != 200:
            raise self._fault_of(whole.status, whole.headers, whole.body, model=attempt.model, secret=self._secret)
        if whole.body.find(b'"error"', 0, self._error_within) >= 0:
            told = faults.from_error_body(whole.body, model=attempt.model, secret=self._secret)
            if told is not None:
                raise told
        try:
            return read(whole.body)
        except Fault as fault:
            told = faults.from_error_body(whole.body, model=attempt.model, secret=self._secret)
            if told is not None:
                raise told from fault
            raise

    async def whole(self, path: bytes, headers: Headers, body: bytes, attempt: Attempt) -> Whole:
        """The answer to a POST, for callers that need its headers too. Raises Fault for all but success."""
        if attempt.carried:
            headers = (*headers, *attempt.carried)
        try:
            whole = await self._transport.fetch(b"POST", path, headers, body, deadline=attempt.deadline)
        except TransportError as error:
            raise faults.from_transport(error, model=attempt.model) from error
        if whole.status != 200:
            raise self._fault_of(whole.status, whole.headers, whole.body, model=attempt.model, secret=self._secret)
        if whole.body.find(b'"error"', 0, self._error_within) >= 0:
            told = faults.from_error_body(whole.body, model=attempt.model, secret=self._secret)
            if told is not None:
                raise told
        return whole

    async def stream(
        self, path: bytes, headers: Headers, body: bytes, attempt: Attempt, sink: Sink[Item]
    ) -> AsyncGenerator[list[Item]]:
        """What `sink` makes of the answer's events: one list per read of the socket, none of them empty."""
        response = await self._open(path, headers, body, attempt)
        parser = self._framing()
        ended = shown = finished = False
        try:
            while not ended and (data := await response.next_chunk()):
                items: list[Item] = []
                failure: Exception | None = None
                try:
                    ended = self._feed(parser, data, sink, items)
                except (Fault, sse.TooLong) as error:  # what came before it is still given out
                    failure = error
                if items:
                    shown = True
                    yield items
                if failure is not None:
                    raise failure
            last = sink.close()
            finished = True
            response.release()
            if last:
                yield last
        except TransportError as error:
            raise faults.from_transport(error, model=attempt.model, streaming=shown) from error
        except sse.TooLong as error:
            raise (model_stream_error() if shown else faults.unreadable(attempt.model)) from error
        except Fault as fault:
            told = faults.without_secret(fault, self._secret)
            raise (_within(told) if shown else _ahead(told, attempt.model)) from fault
        finally:
            if not finished:
                response.abort()

    def _feed(self, parser: Framing, data: bytes, sink: Sink[Item], items: list[Item]) -> bool:
        """Add to `items` what `data` brings; whether the upstream's last event was there."""
        for event, payload in parser.feed(data):
            items += sink.feed(payload, event)
            if payload == self._end_data or event == self._end_event:
                return True
        return False

    async def _open(self, path: bytes, headers: Headers, body: bytes, attempt: Attempt) -> Response:
        if attempt.carried:
            headers = (*headers, *attempt.carried)
        try:
            response = await self._transport.request(b"POST", path, headers, body, deadline=attempt.deadline)
        except TransportError as error:
            raise faults.from_transport(error, model=attempt.model) from error
        if response.status != 200 or response.headers.get(b"content-type", b"").lower().startswith(_NOT_A_STREAM):
            raise await self._refusal(response, attempt.model)
        response.idle_after(self._idle_s)
        return response

    async def _refusal(self, response: Response, model: str) -> Fault:
        """Why there is no stream: an error's status, or an error (or something else) in the body of a 200."""
        try:
            body = await response.read(_ERROR_LIMIT_BYTES)
        except TransportError as error:
            if response.status == 200:
                return faults.from_transport(error, model=model)
            body = b""  # the status tells enough
        finally:
            response.abort()
        if response.status != 200:
            return self._fault_of(response.status, response.headers, body, model=model, secret=self._secret)
        return faults.from_error_body(body, model=model, secret=self._secret) or faults.unreadable(model)


def _within(fault: Fault) -> Fault:
    """A fault after the caller's first byte: only what a Bedrock stream has a member for."""
    if fault.name in _STREAMED:
        return fault
    status = fault.fields.get("originalStatusCode")
    return model_stream_error(fault.message, original_status=status if isinstance(status, int) else None)


def _ahead(fault: Fault, model: str) -> Fault:
    """A fault before the caller's first byte: there is no stream yet that could have failed."""
    if fault.name != "ModelStreamErrorException":
        return fault
    status = fault.fields.get("originalStatusCode")
    original = status if isinstance(status, int) else None
    return model_error(fault.message, original_status=original, resource_name=model)

"""What the providers with replicas share: from an attempt to whatever asks its deployment, on the attempt's terms.

Owns what of a target and a call says how a replica is to be asked (quirks `adapter` and `waits_s`, the caller's tier) and
the methods that are the same whichever way a replica is spoken to. `attempt.model` is the id of the deployment. Where
replicas are, and what happens when one dies, is `seats`'.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from math import inf
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest, ServiceTier
from craton.models.canon.rerank import RerankReply, RerankRequest
from craton.models.providers.provider import Attempt
from craton.models.providers.ranks import rank_of
from craton.models.providers.seats import Replicas, SeatedTransport, Terms

_MOST_KEPT = 4096


class Asking(Protocol):
    """A provider of one upstream, as far as it is the same for all."""

    def converse(self, request: ConverseRequest, attempt: Attempt) -> Coroutine[Any, Any, ConverseReply]: ...

    def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]: ...

    def invoke(self, body: bytes, attempt: Attempt) -> Coroutine[Any, Any, bytes]: ...

    def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]: ...

    def rerank(self, request: RerankRequest, attempt: Attempt) -> Coroutine[Any, Any, RerankReply]: ...


P = TypeVar("P", bound=Asking)


def named(attempt: Attempt) -> Attempt:
    """The attempt with the name by which a replica knows what is wanted of it: the adapter's, where there is one."""
    adapter = attempt.quirks.get("adapter")
    return msgspec.structs.replace(attempt, model=str(adapter)) if adapter else attempt


def terms_of(attempt: Attempt, rank: int) -> Terms:
    """How an attempt comes to a seat."""
    waits_s = attempt.quirks.get("waits_s")
    return Terms(
        adapter=str(attempt.quirks.get("adapter") or ""),
        rank=rank,
        waits_s=waits_s if isinstance(waits_s, (int, float)) else inf,
    )


class Deployed(Generic[P]):
    """Models by their deployments. A subclass makes what asks one of them (`_asking`)."""

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas
        self._made: dict[tuple[object, ...], P] = {}

    def converse(self, request: ConverseRequest, attempt: Attempt) -> Coroutine[Any, Any, ConverseReply]:
        """A whole reply. Raises Fault."""
        return self._reached(attempt, request.service_tier).converse(request, named(attempt))

    def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        """Canonical events, one list per read of the socket. Raises Fault."""
        return self._reached(attempt, request.service_tier).converse_stream(request, named(attempt))

    def invoke(self, body: bytes, attempt: Attempt) -> Coroutine[Any, Any, bytes]:
        """A native body to a native reply."""
        return self._reached(attempt).invoke(body, named(attempt))

    def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        """A native body to native chunks."""
        return self._reached(attempt).invoke_stream(body, named(attempt))

    def rerank(self, request: RerankRequest, attempt: Attempt) -> Coroutine[Any, Any, RerankReply]:
        """A ranking. Raises Fault."""
        return self._reached(attempt).rerank(request, named(attempt))

    async def close(self) -> None:
        """The connections are the replicas'."""

    def _reached(self, attempt: Attempt, tier: ServiceTier | None = None) -> P:
        """What asks this deployment on these terms; kept, so that most requests make nothing."""
        quirks = attempt.quirks
        rank = rank_of(attempt.headers, tier)
        key = (attempt.model, quirks.get("adapter"), quirks.get("waits_s"), quirks.get("schema"), rank)
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= _MOST_KEPT:
                self._made.clear()
            transport = SeatedTransport(self._replicas.line(attempt.model), terms_of(attempt, rank))
            found = self._made[key] = self._asking(transport, attempt)
        return found

    def _asking(self, transport: SeatedTransport, attempt: Attempt) -> P:
        raise NotImplementedError

"""The search itself: the index opened, the question's vector made where it is needed, the chunks that fit best.

Owns which way of searching is taken and what is done when a version of the index is gone: the newest is opened, once more.
It must not know models beyond that vector, nor what becomes of chunks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from craton.aws.wire.faults import Fault, internal
from craton.context import Call
from craton.features.rag.resources import SHOWN_BASE, KnowledgeBase, embedding_model
from craton.features.rag.retrieval.acting import Base
from craton.features.rag.retrieval.query import Mode, Query
from craton.features.rag.retrieval.question import vector_of
from craton.infra.vectors.port import Filter, Found, Gone, Reach, Shape, Shelf, Vector, VectorsError, Version

DEFAULT_MODE: Mode = "HYBRID"
"""Where the caller leaves it to the service. Words find what vectors pass over (names, numbers, codes) and the other way
round, and no store of ours lacks the index for it."""
_TRIES = 3


Embed = Callable[[Call, Base, str, str, Shape], Awaitable[Vector]]


async def search(
    call: Call, base: Base, query: Query, where: Filter | None, embed: Embed = vector_of
) -> tuple[Version, list[Found]]:
    """The `query.limit` chunks that fit best, and the version of the index that they are of.

    Raises ResourceNotFoundException (deleted meanwhile), InternalServerException (the store cannot now), and what the
    embedding model raises.
    """
    version = base.body.index
    assert version is not None  # noqa: S101 - who has nothing does not search
    if query.start is not None:
        version = msgspec.structs.replace(version, number=query.start.version)
    reach = Reach(where=where, user=query.user)
    vector = await embed(call, base, embedding_model(base.body), query.text, version.shape)
    for _ in range(_TRIES):
        try:
            shelf = await call.app.vectors.open(version)
            return version, await _found(shelf, query, vector, reach)
        except Gone:
            newest = await _visible(call, base)
            if newest is None:
                return version, []
            if newest.shape != version.shape:
                vector = await embed(call, base, embedding_model(base.body), query.text, newest.shape)
            version = newest
        except VectorsError as error:
            raise _away(call, error) from None
    raise internal()


async def _found(shelf: Shelf, query: Query, vector: Vector, reach: Reach) -> list[Found]:
    if (query.mode or DEFAULT_MODE) == "HYBRID":
        return await shelf.hybrid(vector, query.text, query.limit, reach)
    return await shelf.nearest(vector, query.limit, reach)


async def _visible(call: Call, base: Base) -> Version | None:
    """The version that is visible now."""
    from craton.infra.store.port import StoreError

    try:
        row = await call.app.storage.read(lambda store: store.get(base.arn))
    except StoreError as error:
        raise internal() from error
    if row is None:
        raise Fault("ResourceNotFoundException", f"The {SHOWN_BASE} with id {base.id} does not exist.")
    return row.read(KnowledgeBase).index


def _away(call: Call, error: VectorsError) -> Fault:
    call.report(error)
    return internal()

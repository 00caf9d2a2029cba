"""What the tests of retrieval share: a server with fake models, and an index filled straight through the vector store.

The models' vectors are made of words (`tests.fakes.embedders`), so that it is known what is near to what.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from craton import config
from craton.features.rag.documents import Document, key_of, location_of
from craton.features.rag.ledger import settle
from craton.features.rag.resources import KnowledgeBase, base_arn
from craton.infra.store.opening import open_store
from craton.infra.store.port import amend
from craton.infra.vectors.opening import open_vectors
from craton.infra.vectors.port import Access, Entry, Shape, Value, Version
from craton.storing import store_url
from tests.acceptance.knowledge import Knowledge
from tests.fakes import embedders
from tests.fakes.scripts import Script, openai_reply
from tests.fakes.upstream import FakeUpstream, Request, natural
from tests.running import Running, model_config

TITAN, COHERE, RERANK = "amazon.titan-embed-text-v2:0", "cohere.embed-multilingual-v3", "cohere.rerank-v3-5:0"
PLANNER = "openai.gpt-oss-20b-1:0"
ARN = "arn:aws:bedrock:us-east-1::foundation-model/"
SIZE = 1024
Embed = Callable[[str], Sequence[float]]
_EMBEDS = ("/embeddings", "/v2/embed", "/v2/rerank")


@dataclass
class Chunk:
    """A chunk to be put into an index; `document` is an `s3://` URI or (kind CUSTOM) an id."""

    document: str
    text: str
    metadata: Mapping[str, Value] = field(default_factory=dict)
    source: str = ""
    start: int = 0
    page: int | None = None
    parent: str = ""
    parent_id: str = ""
    access: Access | None = None
    kind: Any = "S3"


@dataclass
class Retrieving:
    """The server and the vendor behind its models."""

    server: Running
    up: FakeUpstream
    talk: deque[Script]
    """What the model for conversations answers next; an echo where there is nothing."""

    def fill(self, known: Knowledge, chunks: Sequence[Chunk]) -> Version:
        """Have exactly these chunks found in a knowledge base from now on."""
        return fill(self.server, known, chunks)


def _vector(text: str) -> list[float]:
    return embedders.vector(text, SIZE)


def called(name: str, arguments: dict[str, Any]) -> Script:
    """A model's reply that calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return openai_reply("", "tool_calls", tool_calls=[{"id": "call_1", "type": "function", "function": function}])


@contextmanager
def retrieving(home: Path, more: str = "") -> Iterator[Retrieving]:
    """A server whose models for embeddings, rankings and conversations are fakes."""

    talk: deque[Script] = deque()

    def answer(request: Request) -> Script:
        if request.path.endswith(_EMBEDS):
            return embedders.natural(request)
        return talk.popleft() if talk else natural(request)

    with FakeUpstream(fallback=answer) as up:
        models = [
            model_config(TITAN, "openai", up.openai_url, model="text-embedding-3-small"),
            model_config(COHERE, "cohere", up.base_url, model="embed-multilingual-v3.0"),
            model_config(RERANK, "cohere", up.base_url),
            model_config(PLANNER, "openai", up.openai_url),
        ]
        with Running(home, more + "".join(models)) as server:
            yield Retrieving(server, up, talk)


def fill(server: Running, known: Knowledge, chunks: Sequence[Chunk], embed: Embed = _vector) -> Version:
    """Write an index beside the server and make it the visible one, as a sync's last step does.

    `embed` makes vectors as the knowledge base's model does, of 1,024 dimensions.
    """
    settings = config.load(home=str(server.home))
    arn = base_arn(settings.account, "us-east-1", known.base)
    store = open_store(store_url(settings), durable=True)
    try:
        row = store.get(arn)
        assert row is not None
        before = row.read(KnowledgeBase).index
        version = asyncio.run(_written(settings, known, chunks, embed, before))
        documents = {
            one.document: Document(
                base=arn, source=one.source or known.source, identifier=one.document, kind=one.kind, status="INDEXED"
            )
            for one in chunks
        }

        def visible(found: Any) -> Any:
            body = msgspec.structs.replace(found.read(KnowledgeBase), index=version)
            return msgspec.structs.replace(found, body=msgspec.json.encode(body))

        amend(store, arn, visible)
        with store.transaction() as transaction:
            for source in {one.source for one in documents.values()}:
                mine = [one for one in documents.values() if one.source == source]
                transaction.run(lambda connection, mine=mine: settle(connection, mine, []))
    finally:
        store.close()
    return version


async def _written(
    settings: config.Settings, known: Knowledge, chunks: Sequence[Chunk], embed: Embed, before: Version | None
) -> Version:
    vectors = open_vectors(settings.file.vectors, settings.home_path)
    try:
        draft = await vectors.draft(known.base.lower(), Shape(SIZE), before)
        for source in {one.source or known.source for one in chunks}:
            await draft.remove_source(source)
        numbers = itertools.count()
        await draft.put([_entry(one, known, f"chunk-{next(numbers)}", embed) for one in chunks])
        return await draft.finish()
    finally:
        await vectors.close()


def _entry(one: Chunk, known: Knowledge, ident: str, embed: Embed) -> Entry:
    import numpy as np

    source = one.source or known.source
    return Entry(
        id=ident,
        document=key_of(source, one.document),
        source=source,
        text=one.text,
        vector=np.asarray(embed(one.text), dtype=np.float32),
        location=msgspec.json.encode(location_of(one.kind, one.document)),
        start=one.start,
        end=one.start + len(one.text),
        page=one.page,
        parent=one.parent,
        parent_id=one.parent_id,
        metadata=one.metadata,
        access=one.access,
    )

"""An encoder's paths: `/v1/embeddings` or `/v1/rerank`, by the directory's kind, and `/tokenize`.

Owns the way of a request from its body to the reply. Texts and vectors never reach a log.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from craton.engine.application import Handler, check_model
from craton.engine.backend import Busy, ModelSpec, Stats
from craton.engine.embeddings import bodies
from craton.engine.embeddings.batches import Batches
from craton.engine.embeddings.beside import Beside, Yielding, has_room
from craton.engine.embeddings.directory import CARD, GRAPH, EncoderDirectory, describe
from craton.engine.embeddings.tokens import Row, TextEncoder, TooLong
from craton.engine.http import Reply, Request
from craton.engine.modeldir import verify
from craton.engine.openai_request import BadRequest, decode

if TYPE_CHECKING:
    from craton.engine.embeddings.session import Results

# A larger body is cut into tokens in a thread: below this it takes about a millisecond.
THREADED_BYTES = 64 << 10
# A request takes milliseconds here and seconds in a chat, which the option's default is meant for.
WAITING_FOR_ONE = 16


class Encoder:
    """A loaded encoder: see application.Serving. `beside` computes what nobody waits for; None: it comes last."""

    def __init__(
        self, found: EncoderDirectory, texts: TextEncoder, batches: Batches, beside: Beside | None, max_waiting: int
    ) -> None:
        self.found = found
        self.model_id = found.card.id
        self.context_tokens = texts.context_tokens
        self._texts = texts
        self._batches = batches
        self._beside = beside
        self._max_waiting = max_waiting
        answers = {"embedding": ("/v1/embeddings", self._embed), "rerank": ("/v1/rerank", self._rerank)}
        path, handler = answers[found.card.kind]
        self.routes: dict[str, tuple[str, Handler]] = {path: ("POST", handler), "/tokenize": ("POST", self._tokenize)}

    def stats(self) -> Stats:
        """See application.Serving."""
        stats = self._batches.look()
        return self._beside.added(stats) if self._beside is not None else stats

    def close(self) -> None:
        """See application.Serving."""
        self._batches.stop(1.0)
        if self._beside is not None:
            self._beside.stop(1.0)

    async def _embed(self, request: Request, reply: Reply, name: str) -> None:
        asked = decode(bodies.EmbeddingsRequest, request.body)
        check_model(asked.model, name, self.model_id)
        texts = bodies.texts_of(asked, self.found.card.dimensions)
        lead = self.found.card.prompts.get(asked.input_type or "", "")

        def cut() -> list[Row]:
            return [self._texts.one(lead + text, asked.truncate) for text in texts]

        queue = self._queue_of(asked.priority, len(texts))
        self._check_room(queue)
        try:
            rows = cut() if len(request.body) < THREADED_BYTES else await asyncio.to_thread(cut)
        except TooLong as fault:
            raise BadRequest(str(fault), "input", "context_length_exceeded") from None
        found = await queue.submit(rows, unhurried=asked.priority == "batch")
        await reply.send(200, bodies.embeddings(found, name, _tokens(rows), asked.encoding_format))

    async def _rerank(self, request: Request, reply: Reply, name: str) -> None:
        asked = decode(bodies.RerankRequest, request.body)
        check_model(asked.model, name, self.model_id)
        documents = bodies.documents_of(asked)

        def cut() -> list[Row]:
            query = self._texts.cut(asked.query)
            return [self._texts.two(query, document) for document in documents]

        self._check_room(self._batches)
        rows = cut() if len(request.body) < THREADED_BYTES else await asyncio.to_thread(cut)
        found: Results = await self._batches.submit(rows)
        await reply.send(200, bodies.ranking(found, name, _tokens(rows), asked.top_n))

    async def _tokenize(self, request: Request, reply: Reply, name: str) -> None:
        """Count a text as the model would read it if it had no end; special tokens included."""
        asked = decode(bodies.CountRequest, request.body)
        check_model(asked.model, name, self.model_id)
        ids = self._texts.template.build(self._texts.cut(asked.prompt)).ids
        told = {"count": len(ids), "tokens": ids, "max_model_len": self.context_tokens}
        await reply.send(200, bodies.encode(told))

    def _queue_of(self, priority: str, texts: int) -> Batches | Beside:
        beside = self._beside if priority == "batch" else None
        return beside if beside is not None and beside.takes(texts) else self._batches

    def _check_room(self, queue: Batches | Beside) -> None:
        waiting = queue.look().waiting
        if waiting >= self._max_waiting:
            raise Busy(f"{waiting} requests are waiting already")


def _tokens(rows: list[Row]) -> int:
    return sum(len(row.ids) for row in rows)


def open_encoder(spec: ModelSpec, loop: asyncio.AbstractEventLoop) -> Encoder:
    """Read and open an encoder's directory. Blocking; raises EngineFault with the reason."""
    from craton.engine.embeddings.session import Session
    from craton.engine.embeddings.unconverted import open_unconverted

    def again() -> Session:
        """Another session of the same model, that computes in the thread that asks."""
        if (spec.path / CARD).is_file():
            return Session(spec.path / GRAPH, 1)
        return open_unconverted(spec.path, 1)[1]

    if (spec.path / CARD).is_file():
        found = describe(spec.path)
        verify(found)
        session = Session(spec.path / GRAPH, spec.threads)
    else:
        found, session = open_unconverted(spec.path, spec.threads)
    texts = TextEncoder(spec.path / "tokenizer.json", min(found.card.context_tokens, spec.context_tokens or 1 << 30))
    batches = Batches(session.run, session.width, spec.threads, loop)
    batches.stats.kind = f"onnxruntime, {found.card.kind}"
    batches.stats.context_tokens = texts.context_tokens
    batches.start()
    beside = Beside(Yielding(again, session), session.width, spec.threads, loop) if has_room(spec.path) else None
    if beside is not None:
        beside.start()
    return Encoder(found, texts, batches, beside, spec.max_waiting * WAITING_FOR_ONE)

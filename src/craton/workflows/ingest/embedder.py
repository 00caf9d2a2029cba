"""Texts to vectors for one run: nothing twice, as many calls at once as help, bodies as full as the model takes them.

Owns the queue between documents and the model, and what counts as the same text. One call is made as soon as there is a
text; another beside it only for a body that is worth a call, since twenty texts in one body are less work for the model,
and for everybody on the way, than twenty bodies. Patience with a busy model is the
batch's (`workflows.batch.asking`). It must not know documents, nor where vectors go.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from craton.features.rag.embedding import Embedding, NotVectors, dimensions_of
from craton.infra.vectors.port import Vector
from craton.workflows.batch.asking import Asking, message_of, passing
from craton.workflows.ingest.journal import Journal
from craton.workflows.workflow import JobFailed

if TYPE_CHECKING:
    from craton.workflows.ingest.writing import Writing

_GOOD = 200
# What may be the fault of one text, even if no other was embedded yet.
_TEXTS_OWN = frozenset({400, 413, 422})
_ROUNDS = 3
WORTH = 48
"""Texts that are worth a call while another is under way: enough for a model to compute them together."""


class CannotEmbed(Exception):
    """The model refuses a document's text; the message is the document's status reason."""


class Embedder:
    """`shape` is what all vectors must be; the first one says so where nobody has."""

    def __init__(self, asking: Asking, embedding: Embedding, journal: Journal, writing: Writing, at_once: int) -> None:
        self._asking = asking
        self._embedding = embedding
        self._journal = journal
        self._writing = writing
        self._queue: deque[tuple[str, str]] = deque()
        self._results: dict[str, asyncio.Future[Vector]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_once = at_once
        self._worth = min(WORTH, embedding.per_call)
        self._served = False
        self.asked = 0
        """Calls of the model, for tests and measurements."""

    async def vectors(self, texts: Sequence[str]) -> dict[str, Vector]:
        """The texts' vectors, by `content_of` each. Raises CannotEmbed, JobFailed."""
        wanted = {content_of(text): text for text in texts}
        found = await self._journal.find(wanted)
        for vector in found.values():
            self._writing.check(dimensions_of(vector, self._embedding.kind))
        missing = [content for content in wanted if content not in found]
        if missing:
            known: Mapping[str, Vector] = await self._writing.vectors_of(missing)
            found.update(known)
        asked = {content: self._ask(content, wanted[content]) for content in missing if content not in found}
        if asked:
            await asyncio.wait(asked.values())
            found.update((content, future.result()) for content, future in asked.items())
        return found

    def _ask(self, content: str, text: str) -> asyncio.Future[Vector]:
        """The vector to come; one that another document waits for already is not asked for twice."""
        future = self._results.get(content)
        if future is None:
            future = self._results[content] = asyncio.get_running_loop().create_future()
            self._queue.append((content, text))
            self._begin()
        return future

    def _begin(self) -> None:
        """Ask for what waits as far as that is worth a call; the rest has its turn when one of them is over."""
        while self._queue and (not self._tasks or self._is_worth_another()):
            batch = [self._queue.popleft() for _ in range(min(self._embedding.per_call, len(self._queue)))]
            task = asyncio.create_task(self._work(batch))
            self._writing.prepare()
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _is_worth_another(self) -> bool:
        return len(self._queue) >= self._worth and len(self._tasks) < self._at_once

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            self._begin()

    async def _work(self, batch: Sequence[tuple[str, str]]) -> None:
        """One call, and what becomes of its texts."""
        try:
            results = await self._results_of([text for _, text in batch])
        except asyncio.CancelledError:
            for content, _ in batch:
                self._results.pop(content).cancel()
            raise
        except Exception as error:  # it is raised where the vectors are awaited
            results = [error] * len(batch)
        found = {content: one for (content, _), one in zip(batch, results, strict=True)}
        self._journal.keep({content: one for content, one in found.items() if not isinstance(one, Exception)})
        for content, one in found.items():
            self._settle(content, one)

    def _settle(self, content: str, result: Vector | Exception) -> None:
        future = self._results.pop(content)
        if future.done():
            return
        if isinstance(result, Exception):
            future.set_exception(result)
            future.exception()  # whoever awaited it may be gone
        else:
            future.set_result(result)

    async def _results_of(self, texts: Sequence[str]) -> list[Vector | Exception]:
        """What becomes of each text. Raises JobFailed for what concerns every text."""
        status, reply = await self._answer(self._embedding.body(texts))
        if status == _GOOD:
            return [*self._vectors(reply, len(texts))]
        told = message_of(reply)
        if status not in _TEXTS_OWN and not self._served:
            raise JobFailed(f"The embedding model {self._embedding.model} failed: {told}")
        if len(texts) > 1:  # one bad text must not cost the others
            return [one for text in texts for one in await self._results_of([text])]
        return [CannotEmbed(f"The embedding model refused the text: {told}")]

    async def _answer(self, body: bytes) -> tuple[int, bytes]:
        """The answer that counts, after more tries than `Asking` makes alone: of 10,000 texts each has to get through."""
        for _ in range(_ROUNDS):
            self.asked += 1
            answer = await self._asking.answer(body)
            if not passing(answer):
                break
        return answer[0], answer[2]

    def _vectors(self, reply: bytes, count: int) -> list[Vector]:
        try:
            vectors = self._embedding.vectors(reply, count)
        except NotVectors as error:
            raise JobFailed(str(error)) from None
        for vector in vectors:
            self._writing.check(dimensions_of(vector, self._embedding.kind))
        self._served = True
        return vectors

    async def close(self) -> None:
        """Give up what is under way."""
        self._queue.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for future in self._results.values():
            future.cancel()
        self._results.clear()


def content_of(text: str) -> str:
    """What stands for a text that is embedded (`Entry.content`)."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:40]

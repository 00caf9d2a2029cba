"""What knowledge bases were asked, by the minute: Bedrock's own metrics of them, gathered in a worker and kept now and then.

Owns the table of metrics, what a request counts as, and the moments of keeping; how samples are kept is given. A request
belongs to the minute in which it ended. What was not kept when a worker is killed is lost: some seconds. Source: Bedrock's
user guide, "Observability for managed knowledge bases".
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Final

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.store.port import StoreError

if TYPE_CHECKING:
    from craton.features.rag.retrieval.acting import Base
    from craton.infra.series.metrics_index import Sample

NAMESPACE: Final = "AWS/Bedrock/KnowledgeBases"
KEEP_EVERY_S: Final = 5.0
_MOST_WAITING: Final = 20_000
"""Numbers of one minute and metric; while the store is away for so long, further ones are not counted."""
_MINUTE_S: Final = 60
_SEVERAL: Final = frozenset({"AgenticRetrieveStream"})
"""Operations over several knowledge bases: none is named, and the caller's account is told."""

Key = tuple[int, str, str, tuple[tuple[str, str], ...], str]
"""Minute, account, region, dimensions, name."""


class Counting:
    """Counts of one worker. `keep` writes samples in one transaction and raises StoreError where it cannot."""

    def __init__(self, keep: Callable[[list[Sample]], Awaitable[None]], now: Callable[[], datetime]) -> None:
        self._keep = keep
        self._now = now
        self._found: dict[Key, Counter[float]] = {}
        self._keeping: asyncio.Task[None] | None = None

    def add(self, account: str, region: str, dimensions: tuple[tuple[str, str], ...], values: dict[str, float]) -> None:
        """A sample of each of these metrics, now."""
        minute_s = int(self._now().timestamp()) // _MINUTE_S * _MINUTE_S
        for name, value in values.items():
            key = (minute_s, account, region, dimensions, name)
            if key not in self._found and len(self._found) >= _MOST_WAITING:
                return
            self._found.setdefault(key, Counter())[value] += 1
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._run(), name="knowledge base metrics")

    async def write(self) -> None:
        """Keep what there is. What cannot be kept now is kept the next time."""
        found, self._found = self._found, {}
        if not found:
            return
        try:
            await self._keep(_samples(found))
        except StoreError:
            for key, counts in found.items():
                self._found.setdefault(key, Counter()).update(counts)

    def forget(self) -> None:
        self._found = {}

    async def close(self) -> None:
        """Keep the rest, and end."""
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        await self.write()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(KEEP_EVERY_S)
            await self.write()


class Asking:
    """One request. It counts once, when it is over, and only if its knowledge base was found: `base`."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.base: Base | None = None
        self._over = False

    @contextmanager
    def begun(self) -> Iterator[None]:
        """A part of the request: if it fails, the request has failed."""
        try:
            yield
        except BaseException as error:
            self.over(error)
            raise

    def over(self, error: BaseException | None = None, iterations: int | None = None) -> None:
        """The request is over: as it should (None), by a fault, by any other error, or because its reader left."""
        call, counting = self._call, self._call.app.counting
        several = call.operation.name in _SEVERAL
        if self._over or counting is None or (self.base is None and not several):
            return
        self._over = True
        values = {"Invocations": 1.0, **dict.fromkeys(_failure(call, error), 1.0)}
        if iterations is not None and error is None:
            values["TotalIterationCount"] = float(iterations)
        dimensions: tuple[tuple[str, str], ...] = (("Operation", call.operation.name),)
        account = call.account
        if self.base is not None:
            dimensions = (("KnowledgeBaseId", f"knowledge-base/{self.base.id}"), *dimensions)
            account = self.base.account
        counting.add(account, call.region, dimensions, values)


def _failure(call: Call, error: BaseException | None) -> Iterator[str]:
    """As what metric a failure counts. A reader who leaves, or a server that ends, is none."""
    if isinstance(error, Fault):
        status = error.http_status(call.operation.errors)
        yield "Throttles" if status == 429 else "ServerErrors" if status >= 500 else "ClientErrors"
    elif isinstance(error, Exception):
        yield "ServerErrors"


def _samples(found: dict[Key, Counter[float]]) -> list[Sample]:
    from craton.infra.series.metrics_index import Metric, Sample
    from craton.infra.series.metrics_summary import of_values

    return [
        Sample(
            Metric(account, region, NAMESPACE, name, dimensions, "Count"), minute_s,
            of_values((value, float(count)) for value, count in counts.items()),
        )
        for (minute_s, account, region, dimensions, name), counts in found.items()
    ]  # fmt: skip

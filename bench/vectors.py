"""The vector store by itself: how well it finds, how fast, how large it is. No network, no model.

`python -m bench.vectors` takes about two minutes for 100,000 chunks of 384 dimensions on two cores; `--chunks` and
`--dimensions` change that. Prints the table of docs/knowledge-bases.md. Two sets of vectors: `clusters` (500 tight ones,
and a filter that keeps 1 % of each, so that what is sought lies in many cells) and `manifold` (32 directions that matter
out of all, clusters of very different sizes, as embeddings of text are). Recall is held against numpy's exact search.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from craton.infra.vectors.lance import LanceVectors, Place
from craton.infra.vectors.port import Compare, Entry, Found, Reach, Shape, Version

CALLERS, SEARCHES, JUDGED, LIMIT = 8, 400, 60, 10
TENANTS = 100
WORDS = 20_000
LENGTH = 120
_BATCH = 4096

Floats = NDArray[np.float32]


class Timed(msgspec.Struct):
    """Of one kind of search with `CALLERS` at once: milliseconds, searches per second, CPU milliseconds a search."""

    name: str
    p50_ms: float
    p99_ms: float
    per_s: float
    cpu_ms: float


def clusters(chance: np.random.Generator, count: int, dimensions: int) -> Floats:
    centres = chance.normal(size=(500, dimensions))
    return (centres[chance.integers(0, 500, count)] + 0.6 * chance.normal(size=(count, dimensions))).astype(np.float32)


def manifold(chance: np.random.Generator, count: int, dimensions: int) -> Floats:
    directions = chance.normal(size=(32, dimensions))
    centres = chance.normal(size=(2000, 32))
    sizes = 1 / np.arange(1, 2001)
    which = chance.choice(2000, count, p=sizes / sizes.sum())
    inner = centres[which] + 0.5 * chance.normal(size=(count, 32))
    return (inner @ directions + 0.3 * chance.normal(size=(count, dimensions))).astype(np.float32)


KINDS: dict[str, Callable[[np.random.Generator, int, int], Floats]] = {"clusters": clusters, "manifold": manifold}


class Bench:
    """One set of vectors in a store of its own."""

    def __init__(self, folder: Path, kind: str, count: int, dimensions: int) -> None:
        self.chance = np.random.default_rng(7)
        self.folder, self.kind, self.count = folder, kind, count
        self.matrix = KINDS[kind](self.chance, count, dimensions)
        self.unit = self.matrix / np.linalg.norm(self.matrix, axis=1, keepdims=True)
        self.tenants = self.chance.integers(0, TENANTS, count)
        self.shape = Shape(dimensions)
        self.vectors = LanceVectors(Place(str(folder)))

    def entry(self, number: int) -> Entry:
        words = self.chance.zipf(1.3, LENGTH) % WORDS
        return Entry(
            id=str(number), document=f"d{number // 10}", source="SOURCE", vector=self.matrix[number % self.count],
            text=" ".join(f"w{word}" for word in words), location=b'{"s3Location":{"uri":"s3://bucket/key"}}',
            content=f"h{number}", metadata={"tenant": f"t{self.tenants[number % self.count]}", "n": float(number % 1000)},
        )  # fmt: skip

    async def build(self) -> Version:
        began = time.perf_counter()
        draft = await self.vectors.draft("bench", self.shape, None)
        for start in range(0, self.count, _BATCH):
            await draft.put([self.entry(number) for number in range(start, min(start + _BATCH, self.count))])
        written = time.perf_counter()
        version = await draft.finish()
        print(f"  written in {written - began:.1f} s, its structures built in {time.perf_counter() - written:.1f} s")
        size = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
        print(f"  {size / 2**20:.0f} MiB on disk, {size / self.count:.0f} bytes a chunk")
        return version

    async def one_more(self, version: Version) -> Version:
        """What one further document costs."""
        began = time.perf_counter()
        draft = await self.vectors.draft("bench", self.shape, version)
        await draft.put([self.entry(self.count + at) for at in range(10)])
        version = await draft.finish()
        print(f"  a document of ten chunks more in {time.perf_counter() - began:.2f} s")
        return version

    def question(self) -> Floats:
        """Near a chunk, not at it."""
        one = self.matrix[self.chance.integers(self.count)]
        noise = self.chance.normal(size=one.shape) * np.linalg.norm(one) * 0.4 / np.sqrt(len(one))
        asked: Floats = (one + noise).astype(np.float32)
        return asked

    async def recall(self, search: Callable[[Floats, Reach], Awaitable[list[Found]]], *, filtered: bool) -> float:
        hits = 0
        for _ in range(JUDGED):
            asked, tenant = self.question(), int(self.chance.integers(TENANTS))
            scores = self.unit @ asked
            if filtered:
                scores = np.where(self.tenants == tenant, scores, -np.inf)
            best = set(np.argsort(-scores)[:LIMIT])
            reach = Reach(Compare("equals", "tenant", f"t{tenant}")) if filtered else Reach()
            hits += len(best & {int(one.id) for one in await search(asked, reach)})
        return hits / (JUDGED * LIMIT)

    def reach(self) -> Reach:
        return Reach(Compare("equals", "tenant", f"t{self.chance.integers(TENANTS)}"))

    def words(self) -> str:
        return " ".join(f"w{word}" for word in self.chance.zipf(1.3, 6) % WORDS)


async def timed(name: str, search: Callable[[], Awaitable[object]]) -> Timed:
    """Callers who ask again as soon as they have their answer."""
    for _ in range(CALLERS):
        await search()
    took: list[float] = []
    left = iter(range(SEARCHES))

    async def caller() -> None:
        for _ in left:
            began = time.perf_counter()
            await search()
            took.append((time.perf_counter() - began) * 1000)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    wall, used = time.perf_counter() - began, time.process_time() - cpu
    p50, p99 = np.percentile(took, [50, 99])
    return Timed(name, float(p50), float(p99), SEARCHES / wall, used / SEARCHES * 1000)


async def bench(kind: str, count: int, dimensions: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = Bench(Path(folder), kind, count, dimensions)
        print(f"{kind}: {count} chunks of {dimensions} dimensions")
        shelf = await made.vectors.open(await made.one_more(await made.build()))
        for filtered in (False, True):
            found = await made.recall(lambda asked, reach: shelf.nearest(asked, LIMIT, reach), filtered=filtered)
            print(f"  recall@{LIMIT} {found:.3f} {'under a filter that keeps 1 %' if filtered else 'of all'}")
        rows = [
            await timed("vector", lambda: shelf.nearest(made.question(), LIMIT, Reach())),
            await timed("vector, filter 1 %", lambda: shelf.nearest(made.question(), LIMIT, made.reach())),
            await timed("words", lambda: shelf.matching(made.words(), LIMIT, Reach())),
            await timed("words, filter 1 %", lambda: shelf.matching(made.words(), LIMIT, made.reach())),
            await timed("hybrid", lambda: shelf.hybrid(made.question(), made.words(), LIMIT, Reach())),
            await timed("hybrid, filter 1 %", lambda: shelf.hybrid(made.question(), made.words(), LIMIT, made.reach())),
        ]
        print(f"| {CALLERS} callers | p50 ms | p99 ms | searches/s | CPU ms |\n|---|---|---|---|---|")
        for row in rows:
            print(f"| {row.name} | {row.p50_ms:.1f} | {row.p99_ms:.1f} | {row.per_s:.0f} | {row.cpu_ms:.2f} |")
        await made.vectors.close()
    print(f"  at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB in memory\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--dimensions", type=int, default=384)
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS))
    given = parser.parse_args()
    for kind in given.kinds:
        asyncio.run(bench(kind, given.chunks, given.dimensions))


if __name__ == "__main__":
    main()

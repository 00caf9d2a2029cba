"""Adapters by name: each request computes with its own, whatever else is loaded, forgotten or exchanged meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from craton.engine.adapters import Adapters
from craton.engine.backend import AdapterRefused, AdapterUnknown, Generation
from craton.engine.rows_backend import RowsBackend
from tests.unit.engine.fake_rows import FakeRows, following
from tests.unit.engine.test_engine_scheduler import collect, serving


def expected(prompt: list[int], count: int, vocabulary: int, adapter: int | None) -> list[int]:
    history = list(prompt)
    for _ in range(count):
        history.append(following([*history, *([1000 + adapter] if adapter is not None else [])], vocabulary))
    return history[len(prompt) :]


def run(body: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(body, 60))


def test_rows_of_many_adapters_decode_together() -> None:
    """Sixty requests with one of five adapters or none, and alike beginnings, each get their own model's answer."""
    rows = FakeRows()
    draw = random.Random(2)
    shared = [draw.randrange(1, 50) for _ in range(40)]

    async def one(backend: RowsBackend) -> None:
        await asyncio.sleep(draw.random() * 0.1)
        adapter = draw.choice([None, 0, 1, 2, 3, 4])
        prompt = [*shared, draw.randrange(1, 50)] if draw.random() < 0.5 else [draw.randrange(1, 50)] * 3
        count = draw.randrange(1, 20)
        name = None if adapter is None else f"a{adapter}"
        tokens, _ = await collect(backend, Generation(prompt, count, adapter=name))
        assert tokens == expected(prompt, count, rows.vocabulary, adapter)

    async def body(backend: RowsBackend) -> None:
        for number in range(5):
            await backend.load_adapter(f"a{number}", Path(str(number)))
        await asyncio.gather(*(one(backend) for _ in range(60)))
        assert backend.stats().adapters == 5
        assert max(rows.widths) == 4

    serving(rows, body)


def test_an_adapter_that_is_forgotten_serves_its_last_request() -> None:
    """Unloading disturbs nobody: who computes with it goes on, who asks for it afterwards is refused."""
    rows = FakeRows(step_s=0.002)

    async def body(backend: RowsBackend) -> None:
        await backend.load_adapter("a", Path("7"))
        running = asyncio.create_task(collect(backend, Generation([3], 60, adapter="a")))
        while not rows.widths:
            await asyncio.sleep(0.002)
        await backend.unload_adapter("a")
        await backend.load_adapter("a", Path("8"))
        other, _ = await collect(backend, Generation([3], 5, adapter="a"))
        tokens, _ = await running
        assert tokens == expected([3], 60, rows.vocabulary, 7)
        assert other == expected([3], 5, rows.vocabulary, 8)
        await backend.unload_adapter("a")
        with pytest.raises(AdapterUnknown):
            await backend.submit(Generation([3], 5, adapter="a"))

    serving(rows, body)


def test_beginnings_are_shared_by_one_adapter_only() -> None:
    """The same prompt under another adapter is computed again, under the same one it is not."""
    rows = FakeRows()
    prompt = list(range(1, 41))

    async def body(backend: RowsBackend) -> None:
        await backend.load_adapter("a", Path("1"))
        cached = [
            (await collect(backend, Generation(prompt, 3, adapter=name)))[1].cached_tokens for name in (None, "a", "a")
        ]
        assert cached == [0, 0, 39]

    serving(rows, body)


def test_names_are_taken_once() -> None:
    """A second adapter of one name is refused, unless it is to take the first one's place."""

    async def body() -> None:
        found = Adapters(lambda name, path: (name, path), 4)
        await found.load("a", Path("1"), replace=False)
        with pytest.raises(AdapterRefused, match="already been loaded"):
            await found.load("a", Path("2"), replace=False)
        await found.load("a", Path("2"), replace=True)
        assert await found.get("a") == ("a", Path("2"))
        assert found.paths == {"a": Path("2")}

    run(body())


def test_those_used_longest_ago_leave_memory() -> None:
    """Beyond the limit an adapter stays known, and its files are read again when it is asked for."""
    read: list[str] = []

    def reading(name: str, path: Path) -> object:
        read.append(name)
        return path

    async def body() -> None:
        found = Adapters(reading, 2)
        for name in ("a", "b"):
            await found.load(name, Path(name), replace=False)
        await found.get("a")
        await found.load("c", Path("c"), replace=False)
        assert list(found.paths) == ["a", "b", "c"]
        await asyncio.gather(*(found.get("b") for _ in range(5)))
        await found.get("c")
        assert read == ["a", "b", "c", "b"]

    run(body())


def test_an_adapter_whose_files_are_gone_is_not_served_by_the_base() -> None:
    """It is refused in words."""
    there = True

    def reading(name: str, path: Path) -> object:
        if not there:
            raise FileNotFoundError(path)
        return path

    async def body() -> None:
        nonlocal there
        found = Adapters(reading, 1)
        await found.load("a", Path("a"), replace=False)
        await found.load("b", Path("b"), replace=False)
        there = False
        with pytest.raises(AdapterRefused, match="gone"):
            await found.get("a")

    run(body())

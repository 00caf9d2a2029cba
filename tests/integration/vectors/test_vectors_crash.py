"""A draft that is killed: the visible version is as it was, and the next draft does its work."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from craton.infra.vectors.port import Compare, Reach, Version
from tests.integration.vectors.chunks import FORWARD, chunk, filled, ids, store
from tests.integration.vectors.writing import SIZES, STEPS, steps

KILLS = [
    *((step, 0.0) for step in STEPS),
    *(("finish", delay_ms) for delay_ms in (3.0, 10.0, 25.0, 50.0, 80.0, 100.0, 120.0, 140.0)),
]


async def _seen(folder: Path, version: Version) -> tuple[object, ...]:
    """What every kind of search of a version tells."""
    shelf = await store(folder).open(version)
    nearest = await shelf.nearest(FORWARD, 100, Reach())
    words = await shelf.matching("words", 100, Reach())
    tagged = await ids(shelf, Reach(Compare("equals", "tagged", "yes")))
    return nearest, {one.id for one in words}, tagged, await shelf.document("doc2 moved"), await shelf.document("doc0")


async def _finished(folder: Path, visible: Version) -> Version:
    versions = [version async for _, version in steps(folder, visible)]
    assert versions[-1] is not None
    return versions[-1]


def _kill(visible: Version, folders: list[Path]) -> None:
    """A draft in each folder, killed at its moment."""
    arguments = [sys.executable, "-m", "tests.integration.vectors.writing", msgspec.json.encode(visible).decode()]
    lines = [f"{folder}\t{step}\t{delay_ms}\n" for folder, (step, delay_ms) in zip(folders, KILLS, strict=True)]
    said = subprocess.run(arguments, input="".join(lines), stdout=subprocess.PIPE, text=True, check=True, timeout=120)
    assert [int(line) for line in said.stdout.split()] == [signal.SIGKILL] * len(KILLS)


def test_a_killed_draft_changes_nothing_and_hinders_nobody(tmp_path: Path) -> None:
    """At every step of it, and at moments within its last: the result of the next one equals an undisturbed one."""

    async def scenario() -> None:
        first = tmp_path / "first"
        entries = [chunk(number, f"doc{number // 4}", "some words") for number in range(40)]
        visible = await filled(store(first, sizes=SIZES), *entries, chunk(99, "doc99", source="GONE"))
        folders = [tmp_path / f"{step} {delay_ms}" for step, delay_ms in KILLS]
        for folder in folders:
            shutil.copytree(first, folder)
        before = await _seen(first, visible)
        after = await _seen(first, await _finished(first, visible))
        assert before != after
        await asyncio.to_thread(_kill, visible, folders)
        for folder in folders:
            assert await _seen(folder, visible) == before
            assert await _seen(folder, await _finished(folder, visible)) == after

    asyncio.run(scenario())

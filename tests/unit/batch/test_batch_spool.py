"""The scratch of a batch: what it gives back after an end that nobody prepared."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from craton.features.batch.records import NOWHERE, Outcome, Place
from craton.workflows.batch.spool import Spool, sweep
from tests.fakes.batches import PlainCipher

LINE = b'{"recordId":"secret"}\n'


def spool(folder: Path, job: str = "arn:job") -> Spool:
    return Spool(folder, PlainCipher(), "000000000000", {"job": job})  # type: ignore[arg-type]


def answer(file: int, number: int) -> Outcome:
    return Outcome(file, number, number * 10, LINE, True, 1, 2)


async def filled(folder: Path, *places: Place) -> Spool:
    made = spool(folder)
    await made.open(NOWHERE)
    for place in places:
        made.add(answer(*place))
    return made


async def found(folder: Path, after: Place = NOWHERE, job: str = "arn:job") -> set[Place]:
    again = spool(folder, job)
    known = await again.open(after)
    await again.close(remove=False)
    return set(known)


def test_it_gives_back_what_was_added(tmp_path: Path) -> None:
    """Answers come back whole, those behind a place alone if that is asked."""

    async def story() -> None:
        made = await filled(tmp_path / "job", (0, 1), (0, 2), (1, 1))
        await made.close(remove=False)
        again = spool(tmp_path / "job")
        assert (await again.open(NOWHERE))[0, 2] == answer(0, 2)
        await again.close(remove=False)
        assert await found(tmp_path / "job", (0, 1)) == {(0, 2), (1, 1)}

    asyncio.run(story())


def test_answers_are_on_the_disk_shortly_after(tmp_path: Path) -> None:
    """Without any close, what was added a moment ago is there for the next worker."""

    async def story() -> None:
        made = await filled(tmp_path / "job", (0, 1))
        await asyncio.sleep(0.3)
        made.add(answer(0, 2))
        await asyncio.sleep(0.3)
        assert await found(tmp_path / "job") == {(0, 1), (0, 2)}

    asyncio.run(story())


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """Files are private and sealed: neither a line of an answer nor its id stands there in the clear."""

    async def story() -> None:
        await (await filled(tmp_path / "job", (0, 1))).close(remove=False)

    asyncio.run(story())
    (path,) = (tmp_path / "job").glob("*.spool")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert b"secret" not in path.read_bytes()


def test_a_frame_that_was_cut(tmp_path: Path) -> None:
    """A last write that the machine did not live to finish costs itself alone, whatever is left of it."""

    async def story() -> None:
        made = await filled(tmp_path / "job", (0, 1))
        await asyncio.sleep(0.2)
        (path,) = (tmp_path / "job").glob("*.spool")
        size = path.stat().st_size
        made.add(answer(0, 2))
        await made.close(remove=False)
        whole = path.read_bytes()
        for cut in (size, size + 3, size + 5, len(whole) - 1):
            for old in (tmp_path / "job").glob("*.spool"):
                old.unlink()
            path.write_bytes(whole[:cut])
            assert await found(tmp_path / "job") == {(0, 1)}
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        assert await found(tmp_path / "job") == {(0, 1)}

    asyncio.run(story())


def test_another_jobs_scratch_is_none(tmp_path: Path) -> None:
    """What was sealed for one job opens for no other; it is as if nothing were there."""

    async def story() -> None:
        await (await filled(tmp_path / "job", (0, 1))).close(remove=False)
        assert await found(tmp_path / "job", job="arn:other") == set()

    asyncio.run(story())


def test_what_is_in_the_output_goes(tmp_path: Path) -> None:
    """As parts are kept, files whose answers are all in them are removed, while others are added to."""

    async def story() -> None:
        made = await filled(tmp_path / "job")
        for number in range(1, 41):
            made.add(answer(0, number))
            if number % 10 == 0:
                await asyncio.sleep(0.15)
                await made.settled((0, number - 3))
        await made.close(remove=False)
        assert await found(tmp_path / "job", (0, 37)) == {(0, 38), (0, 39), (0, 40)}
        assert len(list((tmp_path / "job").glob("*.spool"))) <= 4
        last = await filled(tmp_path / "job")
        await last.close(remove=True)
        assert not (tmp_path / "job").exists()

    asyncio.run(story())


def test_a_full_disk_is_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be written, the job goes on without its scratch."""

    async def story() -> None:
        made = await filled(tmp_path / "job")

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fdatasync", full)
        made.add(answer(0, 1))
        await asyncio.sleep(0.2)
        made.add(answer(0, 2))
        await made.settled((0, 1))
        await made.close(remove=True)

    asyncio.run(story())


def test_scratch_that_nobody_came_back_for(tmp_path: Path) -> None:
    """A folder that is older than any job can be is removed; a young one stays."""
    import os

    for name, age_s in (("old", 9 * 86400), ("young", 3600)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.spool").write_bytes(b"")
        seconds = (tmp_path / name).stat().st_mtime - age_s
        os.utime(tmp_path / name, (seconds, seconds))
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["young"]

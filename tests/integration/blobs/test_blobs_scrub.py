"""`craton blobs scrub` as a person types it, on a home with damage and with orphans."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from craton.cli.main import cli
from craton.infra.blobs.files import FileBlobs
from craton.infra.blobs.orphans import Swept, sweep
from craton.infra.objects import index
from craton.infra.store.opening import open_store


async def pieces(data: bytes) -> AsyncGenerator[bytes]:
    yield data


class Home:
    """A home with blobs; `named` are noted in its store."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir()

    def blob(self, data: bytes, *, named: bool, old: bool) -> tuple[str, Path]:
        made = asyncio.run(FileBlobs(self.place / "blobs").write(pieces(data)))
        [path] = self.place.rglob(f"{made.id}.blob")
        if named:
            store = open_store(f"sqlite:///{self.place / 'craton.db'}")
            with store.transaction() as transaction:
                transaction.run(lambda connection: index.take(connection, [made.id]))
            store.close()
        if old:
            os.utime(path, (time.time() - 7200,) * 2)
        return made.id, path

    def scrub(self, *options: str) -> Result:
        return CliRunner().invoke(cli, ["blobs", "scrub", "--home", str(self.place), *options])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_a_sound_home_is_told(home: Home) -> None:
    """What was read is counted, and the command ends with 0."""
    home.blob(b"content", named=True, old=True)
    found = home.scrub()
    assert (found.exit_code, found.stdout) == (0, "1 blobs, 0.0 MiB read, 0 damaged\n")


def test_damage_is_named_and_ends_with_1(home: Home) -> None:
    """The damaged blob is named with the place of the damage, the sound one is not."""
    bad, path = home.blob(b"content", named=True, old=False)
    good, _ = home.blob(b"other", named=True, old=False)
    path.write_bytes(b"C" + path.read_bytes()[1:])
    found = home.scrub()
    assert found.exit_code == 1
    assert f"DAMAGED  {bad}  bytes 0 and following" in found.stdout
    assert good not in found.stdout


def test_orphans_are_told_and_removed_when_asked(home: Home) -> None:
    """Old blobs that nothing leads to are listed; with the option they go, and nothing else does."""
    lost, lost_path = home.blob(b"lost", named=False, old=True)
    _, young = home.blob(b"perhaps about to be named", named=False, old=False)
    _, kept = home.blob(b"kept", named=True, old=True)
    assert f"orphan   {lost}" in home.scrub().stdout
    assert lost_path.exists()
    assert "removed 1 orphans" in home.scrub("--delete-orphans").stdout
    assert [path.exists() for path in (lost_path, young, kept)] == [False, True, True]


def test_a_store_that_knows_little_of_a_place_removes_nothing(monkeypatch: pytest.MonkeyPatch, home: Home) -> None:
    """A sweep leaves all where most of many blobs are unknown: the store may be the wrong one."""
    monkeypatch.setattr("craton.infra.blobs.orphans._FEW", 3)
    for number in range(5):
        home.blob(b"%d" % number, named=False, old=True)

    async def nobody(idents: list[str]) -> set[str]:
        return set()

    async def swept(*, doubt: bool) -> Swept:
        return await sweep(FileBlobs(home.place / "blobs"), nobody, datetime.now(UTC), doubt=doubt)

    assert asyncio.run(swept(doubt=True)) == Swept(seen=5, doubted=5)
    assert asyncio.run(swept(doubt=False)) == Swept(seen=5, removed=5)

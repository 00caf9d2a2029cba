"""Disks that are full and folders that cannot be used: an error that says so, and nothing lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from craton.infra.vectors.faults import faults
from craton.infra.vectors.port import Gone, VectorsError
from craton.infra.vectors.structures import Sizes
from tests.integration.vectors.chunks import SHAPE, chunk, filled, ids, store

# Files of this process can grow to 64 KiB and no further, as on a disk that is full.
_FULL = """
import asyncio, resource, signal, sys
from pathlib import Path
import msgspec
from craton.infra.vectors.port import VectorsError, Version
from craton.infra.vectors.structures import Sizes
from tests.integration.vectors.chunks import SHAPE, chunk, store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
async def main():
    draft = await store(Path(sys.argv[1])).draft("kb", SHAPE, msgspec.json.decode(sys.argv[2], type=Version))
    try:
        await draft.put([chunk(number, text="secret" * 500) for number in range(10, 400)])
        await draft.finish()
    except VectorsError as error:
        print(error)
asyncio.run(main())
"""


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    """The draft fails, with no text of a chunk in its message; the visible version stays and the next draft works."""
    import msgspec

    async def scenario() -> None:
        version = await filled(store(tmp_path), chunk(1))
        arguments = [sys.executable, "-c", _FULL, str(tmp_path), msgspec.json.encode(version).decode()]
        said = await asyncio.to_thread(subprocess.run, arguments, capture_output=True, text=True, check=True)
        assert said.stdout.strip() == "The disk is full"
        assert await ids(await store(tmp_path).open(version)) == {"c1"}
        draft = await store(tmp_path).draft("kb", SHAPE, version)
        await draft.put([chunk(2)])
        assert await ids(await store(tmp_path).open(await draft.finish())) == {"c1", "c2"}

    asyncio.run(scenario())


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """A file is in its place: a draft says so, and a version in it is gone."""

    async def scenario() -> None:
        version = await filled(store(tmp_path / "good"), chunk(1))
        (tmp_path / "file").write_text("")
        with pytest.raises(VectorsError, match="cannot be used"):
            await store(tmp_path / "file" / "below").draft("kb", SHAPE, None)
        with pytest.raises(Gone):
            await store(tmp_path / "nowhere").open(version)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        ("LanceError(IO): No space left on device (os error 28)", VectorsError, "The disk is full"),
        ("Read-only file system (os error 30)", VectorsError, "The folder of the vector store cannot be written"),
        ("Not found: data/x.lance", Gone, "Files of the version are gone"),
        ("SQL near 'secret'", VectorsError, "The vector store failed"),
    ],
)
def test_what_the_store_says_is_not_passed_on(said: str, kind: type[VectorsError], message: str) -> None:
    """Its words are told apart, not repeated."""
    with pytest.raises(VectorsError) as caught, faults():
        raise RuntimeError(said)
    assert (type(caught.value), str(caught.value)) == (kind, message)


def test_everything_is_for_the_owner_alone(tmp_path: Path) -> None:
    """No folder that the store makes can be entered, and no file read, by anybody else."""

    async def scenario() -> None:
        await filled(store(tmp_path / "home" / "vectors", sizes=Sizes(indexed_from=1)), chunk(1))
        made = [tmp_path / "home" / "vectors", *(tmp_path / "home" / "vectors").rglob("*")]
        assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o700}
        assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}

    asyncio.run(scenario())

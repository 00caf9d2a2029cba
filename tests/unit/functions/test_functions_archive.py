"""A function's zip: what it may hold, and what becomes of it on the disk."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from craton.features.functions import archive
from craton.features.functions.archive import BadArchive, measured, unpack


def zipped(*entries: tuple[str, bytes, int]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, content)
    return target.getvalue()


def test_files_are_measured_and_unpacked_read_only(tmp_path: Path) -> None:
    """Files lie in the folder as they were, and nobody may write to them; only what ran before may run."""
    data = zipped(("app.py", b"x = 1\n", 0o100644), ("bin/bootstrap", b"#!/bin/sh\n", 0o100755))
    assert measured(data) == 16
    folder = tmp_path / "code"
    unpack(io.BytesIO(data), folder)
    assert (folder / "app.py").read_bytes() == b"x = 1\n"
    assert stat.S_IMODE((folder / "app.py").stat().st_mode) == 0o444
    assert stat.S_IMODE((folder / "bin" / "bootstrap").stat().st_mode) == 0o555
    assert [path.name for path in tmp_path.iterdir()] == ["code"]


@pytest.mark.parametrize(
    "name", ["../evil.py", "a/../../evil.py", "/etc/passwd", "a/..", "x" * 300, "/".join(["d"] * 80) + "/f"]
)
def test_a_path_that_leads_out_or_is_too_long_is_refused(name: str, tmp_path: Path) -> None:
    """Neither looking through nor unpacking lets such a name by."""
    data = zipped((name, b"x", 0o100644))
    with pytest.raises(BadArchive, match="path"):
        measured(data)
    with pytest.raises(BadArchive):
        unpack(io.BytesIO(data), tmp_path / "code")
    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_or_device_is_refused() -> None:
    """Only plain files and folders."""
    for mode in (0o120777, 0o060600, 0o010600):
        with pytest.raises(BadArchive, match="symbolic link"):
            measured(zipped(("link", b"/etc/passwd", mode)))


def test_a_bomb_is_refused_without_being_unpacked() -> None:
    """By what it says it unpacks to, in all and by its ratio."""
    with pytest.raises(BadArchive, match="times its size"):
        measured(zipped(("zeros", b"\x00" * (40 * 1024 * 1024), 0o100644)))
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w", zipfile.ZIP_DEFLATED) as made:
        for number in range(6):
            made.writestr(f"{number}.bin", b"\x00" * (48 * 1024 * 1024))
    with pytest.raises(BadArchive, match=str(archive.MOST_UNPACKED)):
        measured(many.getvalue())


def test_a_size_that_lies_is_found_out() -> None:
    """An entry that holds more than its header says fails its checksum."""
    data = bytearray(zipped(("a.txt", b"a" * 1000, 0o100644)))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    with pytest.raises(BadArchive):
        measured(bytes(data))


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x05\x06" + b"\x00" * 18])
def test_what_is_no_zip_or_empty_is_refused(data: bytes) -> None:
    """With AWS's words."""
    with pytest.raises(BadArchive):
        measured(data)


def test_a_file_and_a_folder_of_one_name_are_refused() -> None:
    """The folder could not be made."""
    with pytest.raises(BadArchive, match="one name"):
        measured(zipped(("a", b"1", 0o100644), ("a/b", b"2", 0o100644)))


def test_the_last_of_one_name_counts(tmp_path: Path) -> None:
    """As unzip does it."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped(("a", b"1", 0o100644), ("a", b"2", 0o100644))
    unpack(io.BytesIO(data), tmp_path / "code")
    assert (tmp_path / "code" / "a").read_bytes() == b"2"

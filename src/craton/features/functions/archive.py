"""A function's zip: looked through before it is kept, and unpacked into a folder.

Owns what such a file may hold: plain files below its own root, so many and so large. Pure but for the folder that
`unpack` fills. It must not know whose it is. Source: AWS Lambda developer guide, "Lambda quotas".
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

MOST_UNPACKED: Final = 262_144_000
MOST_ENTRIES: Final = 100_000
_MOST_DEPTH: Final = 64
_MOST_NAME: Final = 255
# A file that unpacks to so many times its size is made to fill disks; text packs to a tenth or so.
_MOST_RATIO: Final = 500
_RATIO_FROM: Final = 32 * 1024 * 1024
_PIECE: Final = 1024 * 1024
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
NOT_A_ZIP: Final = "Could not unzip uploaded file. Please check your file, then try to upload again."
TOO_LARGE: Final = f"Unzipped size must be smaller than {MOST_UNPACKED} bytes"
EMPTY: Final = "Uploaded file must be a non-empty zip"


class BadArchive(Exception):
    """The file cannot be a function's code; the message says why, for whoever sent it."""


def measured(data: bytes) -> int:
    """What a zip unpacks to in bytes, after every byte of it was looked at. Raises BadArchive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = _checked(archive, len(data))
            total = 0
            for entry in entries:
                with archive.open(entry) as file:
                    total += sum(len(piece) for piece in _pieces(file))
    except _UNREADABLE:
        raise BadArchive(NOT_A_ZIP) from None
    return total


def unpack(archive: Path | IO[bytes], folder: Path) -> None:
    """Fill a new folder with the files, which nobody may write to. A folder that is there already is left as it is.

    The folder appears whole or not at all. Raises BadArchive, OSError.
    """
    if folder.exists():
        return
    draft = folder.with_name(f"{folder.name}.{os.getpid()}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o755, parents=True)
    try:
        with zipfile.ZipFile(archive) as opened:
            for entry in _checked(opened, None):
                _write(opened, entry, draft)
        try:
            draft.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    except _UNREADABLE:
        raise BadArchive(NOT_A_ZIP) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


_UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError)


def _checked(archive: zipfile.ZipFile, size: int | None) -> list[zipfile.ZipInfo]:
    """The files of an archive whose names and sizes may stand. Raises BadArchive."""
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise BadArchive(f"The zip file holds more than {MOST_ENTRIES} files")
    files: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    for entry in entries:
        parts = _parts(entry)
        folders.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
        if entry.is_dir():
            folders.add("/".join(parts))
        else:
            files["/".join(parts)] = entry
    if not files:
        raise BadArchive(EMPTY)
    twice = folders & files.keys()
    if twice:
        raise BadArchive(f"The zip file holds a file and a folder of one name: {min(twice)[:200]}")
    total = sum(entry.file_size for entry in files.values())
    if total >= MOST_UNPACKED:
        raise BadArchive(TOO_LARGE)
    if size is not None and total > _RATIO_FROM and total > _MOST_RATIO * size:
        raise BadArchive(f"The zip file unpacks to more than {_MOST_RATIO} times its size")
    return list(files.values())


def _parts(entry: zipfile.ZipInfo) -> tuple[str, ...]:
    """The steps of an entry's path. Raises BadArchive for one that leads out, or is more than a file or folder."""
    name, shown = entry.filename, entry.filename[:200]
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\x00" in entry.orig_filename:
        raise BadArchive(f"The zip file holds a path that leads out of it: {shown}")
    if len(path.parts) > _MOST_DEPTH or any(len(part.encode()) > _MOST_NAME for part in path.parts):
        raise BadArchive(f"The zip file holds a path that is too long: {shown}")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadArchive(f"The zip file holds a symbolic link or a special file: {shown}")
    if entry.flag_bits & 0x1 or entry.compress_type not in _METHODS:
        raise BadArchive(f"The zip file holds an entry that is encrypted or packed in an unknown way: {shown}")
    return path.parts


def _write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, root: Path) -> None:
    target = root.joinpath(*PurePosixPath(entry.filename).parts)
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    runs = (entry.external_attr >> 16) & 0o111
    target.unlink(missing_ok=True)  # the last of one name counts
    with archive.open(entry) as source, target.open("xb") as file:
        for piece in _pieces(source):
            file.write(piece)
    target.chmod(0o555 if runs else 0o444)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece

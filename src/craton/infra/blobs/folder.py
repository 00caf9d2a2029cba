"""The folder where blobs lie as files: their names, and how one comes to be whole or not at all.

    ROOT/ab/abcdef….blob       a blob, under the first two of its id's 32 hexadecimal digits
    ROOT/ab/abcdef….draft      one that is being written, or whose writer died

Owns the names and every system call that makes, lists or removes a file; blocking, for threads. A blob's file is on the
disk before it has its name, and its folder before it is told of, unless nothing is to survive. Names are plain strings:
as `Path`s they would cost a small blob as much as its system calls. It must not know sheets or loops.
"""
# ruff: noqa: PTH104, PTH108

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from craton.infra.blobs.port import BlobError, BlobsFull, BlobsUnavailable, NoSuchBlob
from craton.infra.blobs.sheet import Summing

_ID = re.compile(r"[0-9a-f]{32}")
_BLOB, _DRAFT = ".blob", ".draft"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Folder:
    """The names under a root. `durable`: what was acknowledged survives the loss of power."""

    def __init__(self, root: Path, *, durable: bool) -> None:
        self.root = str(root)
        self.durable = durable

    def path(self, ident: str) -> str:
        """Where the blob lies. Raises NoSuchBlob for what is no id."""
        return self._named(ident, _BLOB)

    def draft(self, ident: str) -> str:
        """Where it lies while it is being written."""
        return self._named(ident, _DRAFT)

    def _named(self, ident: str, suffix: str) -> str:
        if not _ID.fullmatch(ident):
            raise NoSuchBlob(ident)
        return f"{self.root}/{ident[:2]}/{ident}{suffix}"

    def shards(self) -> list[str]:
        """The folders that there are."""
        try:
            return sorted(name for name in os.listdir(self.root) if len(name) == 2)  # noqa: PTH208
        except FileNotFoundError:
            return []

    def listed(self, shard: str, suffix: str = _BLOB) -> list[tuple[str, datetime]]:
        """Of one folder's files of a kind the ids, and when each was written."""
        found = []
        with os.scandir(f"{self.root}/{shard}") as entries:
            for entry in entries:
                if entry.name.endswith(suffix):
                    with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                        found.append((entry.name.removesuffix(suffix), entry.stat().st_mtime))
        return [(ident, datetime.fromtimestamp(at, UTC)) for ident, at in found if _ID.fullmatch(ident)]

    def delete(self, idents: tuple[str, ...]) -> None:
        """Not synchronised: a file that comes back with the power is swept again."""
        for ident in idents:
            with contextlib.suppress(NoSuchBlob, FileNotFoundError):
                os.unlink(self.path(ident))

    def tidy(self, before: datetime) -> int:
        """Remove drafts that were last written before a moment; how many."""
        removed = 0
        for shard in self.shards():
            for ident, at in self.listed(shard, _DRAFT):
                if at < before:
                    with contextlib.suppress(FileNotFoundError):  # finished meanwhile
                        os.unlink(self.draft(ident))
                        removed += 1
        return removed


class Draft:
    """A blob in the making. Its calls come from any thread, `drop` also while another runs."""

    def __init__(self, folder: Folder) -> None:
        self.id = secrets.token_hex(16)
        self._folder = folder
        self._path = folder.path(self.id)
        self._draft = folder.draft(self.id)
        self._summing: Summing | None = None
        self._file = -1
        self._lock = Lock()
        self._dropped = False

    def write(self, pieces: list[bytes]) -> None:
        """Append. Raises BlobsFull, BlobsUnavailable."""
        with self._lock, _words():
            data = b"".join(pieces)
            self._begun().update(data)
            _write(self._file, data)

    def finish(self, pieces: list[bytes]) -> int:
        """Append the last, and give the blob its name; its size in bytes. Raises BlobsFull, BlobsUnavailable."""
        with self._lock, _words():
            summing, data = self._begun(), b"".join(pieces)
            summing.update(data)
            _write(self._file, data + summing.end(self.id))
            if self._folder.durable:
                os.fsync(self._file)
            self._close()
            os.rename(self._draft, self._path)
            if self._folder.durable:
                _sync(os.path.dirname(self._path))  # noqa: PTH120
            return summing.size

    def drop(self) -> None:
        """Leave nothing, also of a blob that was finished but never told of."""
        with self._lock:
            self._dropped = True
            self._close()
            for path in (self._draft, self._path):
                with contextlib.suppress(OSError):
                    os.unlink(path)

    def _begun(self) -> Summing:
        if self._dropped:
            raise BlobsUnavailable("the writing was given up")
        if self._summing is None:
            self._summing = Summing()
            self._file = self._opened()
        return self._summing

    def _opened(self) -> int:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        try:
            return os.open(self._draft, flags, 0o600)
        except FileNotFoundError:
            self._make_folders()
            return os.open(self._draft, flags, 0o600)

    def _make_folders(self) -> None:
        root, mine = Path(self._folder.root), Path(self._path).parent
        for folder in (root, mine):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if self._folder.durable:
                    _sync(str(folder.parent))

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def worded(error: OSError) -> BlobError:
    """The port's error for what the system said."""
    if error.errno in _FULL:
        return BlobsFull("there is no room left for blobs")
    return BlobsUnavailable(f"the folder of blobs cannot be used: {error.strerror}")


@contextlib.contextmanager
def _words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise worded(error) from error


def _write(file: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def _sync(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

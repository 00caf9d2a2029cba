"""A cassette's file: JSON Lines, mode 0600, versioned, append-only, whole after a crash.

An episode is written in one go under a lock, and on the disk before the caller has its answer's end; an episode that a
crash cut short is not read, and is cut off by the next writer. Several processes may append to one file. Owns the file
and its first line; what an episode holds is `episode`'s.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from craton.infra.cipher.port import Tampered
from craton.models.providers.cassettes.episode import CallLine, EndLine, Episode, Frame, lines
from craton.models.providers.cassettes.sealing import ALGORITHM, VARIABLE, BadKey, Seal, of_environment

VERSION = 1
NOTE = "Recorded calls: prompts and answers in clear text, no credentials."
SEALED_NOTE = "Recorded calls: prompts and answers, sealed; no credentials."
_HEAD = msgspec.json.encode({"craton_cassette": VERSION, "note": NOTE}) + b"\n"
_SEALED_HEAD = msgspec.json.encode({"craton_cassette": VERSION, "note": SEALED_NOTE, "sealed": ALGORITHM}) + b"\n"
_LONGEST_HEAD = 4096


class BadCassette(Exception):
    """The file is no cassette that can be read; the message says where and why, and quotes nothing of it."""


class _Head(msgspec.Struct):
    craton_cassette: int
    sealed: str = ""


_VERSION = msgspec.json.Decoder(_Head)
_CALL = msgspec.json.Decoder(CallLine)
_FRAME = msgspec.json.Decoder(Frame)
_END = msgspec.json.Decoder(EndLine)
_BAD_LINE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Stamp = tuple[int, int, int]
NOWHERE: Stamp = (0, 0, 0)


class Tape:
    """The file at `path`; `secrets` are never written to it."""

    def __init__(self, path: str, secrets: Collection[str] = ()) -> None:
        self.path = Path(path)
        self._secrets = secrets
        self._left = (0, 0)

    def stamp(self) -> Stamp:
        """Changes whenever the file does; NOWHERE if there is none."""
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return NOWHERE
        return found.st_ino, found.st_size, found.st_mtime_ns

    def read(self) -> list[Episode]:
        """All whole episodes, in the order of recording. Raises BadCassette, OSError."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return _read(data, self.path)[0]

    def append(self, episode: Episode) -> None:
        """Add an episode; it is on the disk when this returns. Raises BadCassette, OSError."""
        with self._locked() as handle:
            size = os.fstat(handle).st_size
            if self._left != (os.fstat(handle).st_ino, size):  # else it ends as this process left it
                size = self._mend(handle, size)
            # What is there decides: a cassette in the clear stays one.
            seal = self._seal_of(handle) if size else _seal(self.path)
            self._write(handle, episode, seal, head=size == 0)
            found = os.fstat(handle)
            self._left = (found.st_ino, found.st_size)

    def _seal_of(self, handle: int) -> Seal | None:
        head = os.pread(handle, _LONGEST_HEAD, 0).partition(b"\n")[0]
        return _sealed_with(_checked(head, self.path), self.path)

    def _mend(self, handle: int, size: int) -> int:
        """Cut off what a crash left, and give a last line its newline; the size then."""
        data = os.pread(handle, size, 0)
        end = _read(data, self.path)[1] if data else 0
        if end > size:
            os.write(handle, b"\n")
        elif end < size:
            os.ftruncate(handle, end)
        return end

    def start_anew(self, episode: Episode) -> None:
        """Let the file hold this episode alone; the old one stays until the new one is on the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        handle = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        try:
            self._write(handle, episode, _seal(self.path), head=True)
        finally:
            os.close(handle)
        draft.replace(self.path)
        self._sync_folder()

    def _write(self, handle: int, episode: Episode, seal: Seal | None, *, head: bool) -> None:
        parts: Iterable[bytes] = lines(episode, self._secrets)
        first = _HEAD
        if seal is not None:
            first = _SEALED_HEAD
            parts = [seal.close(line, first) + b"\n" for line in b"".join(parts).splitlines()]
        data = memoryview(b"".join([first, *parts] if head else parts))
        while data:
            data = data[os.write(handle, data) :]
        os.fsync(handle)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        # O_NOFOLLOW is left out on purpose: people link their cassettes. O_APPEND: two writers never overlap.
        handle = os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)
        if is_new:
            self._sync_folder()

    def _sync_folder(self) -> None:
        """A new name is safe only when its folder is on the disk as well."""
        handle = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read(data: bytes, path: Path) -> tuple[list[Episode], int]:
    """The whole episodes, and where the last of them ends. Raises BadCassette."""
    head, newline, rest = data.partition(b"\n")
    if not newline:
        if _HEAD.startswith(data) or _SEALED_HEAD.startswith(data):
            return [], 0  # the first line itself was cut short
        raise BadCassette(f"{path} is not a cassette")
    seal = _sealed_with(_checked(head, path), path)
    episodes: list[Episode] = []
    offset = whole_to = len(head) + 1
    call: CallLine | None = None
    frames: list[Frame] = []
    begins = 0
    for number, line in enumerate(rest.split(b"\n"), 2):
        is_last = offset + len(line) >= len(data)
        offset += len(line) + 1
        try:
            if not line.strip():
                continue
            if seal is not None:
                line = seal.open(line, _SEALED_HEAD)
            if line.startswith(b'{"call"'):
                call, frames, begins = _CALL.decode(line), [], number
            elif line.startswith(b'{"end"'):
                if call is None:
                    raise BadCassette(f"{path}, line {number}: the end of an episode that has no beginning")
                episodes.append(Episode(call, frames, _END.decode(line), begins))
                call, whole_to = None, offset
            else:
                frames.append(_FRAME.decode(line))
        except (*_BAD_LINE, Tampered) as error:
            if is_last:
                break
            raise BadCassette(f"{path}, line {number}: cannot be read ({type(error).__name__})") from None
    return episodes, whole_to


def _checked(head: bytes, path: Path) -> _Head:
    try:
        found = _VERSION.decode(head[:_LONGEST_HEAD])
    except _BAD_LINE:
        raise BadCassette(f"{path} is not a cassette") from None
    if found.craton_cassette != VERSION:
        raise BadCassette(f"{path} has the format {found.craton_cassette}; this version of Craton reads {VERSION}")
    return found


def _sealed_with(head: _Head, path: Path) -> Seal | None:
    """What opens the lines; None for a cassette in the clear."""
    if not head.sealed:
        return None
    seal = _seal(path)
    if seal is None or head.sealed != ALGORITHM:
        raise BadCassette(f"{path} is sealed: set {VARIABLE} to the key that it was recorded with")
    return seal


def _seal(path: Path) -> Seal | None:
    try:
        return of_environment()
    except BadKey as error:
        raise BadCassette(f"{path}: {error}") from None

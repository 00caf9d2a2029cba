"""The audit log as it lies in its folder: segments by name, the head, and the bytes of both.

Owns names and modes (folder 0700, files 0600). It must not know what makes a chain good, nor when to write.
"""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from craton.infra.audit.chain import Head

HEAD: Final = "head"
_HEAD_BYTES: Final = 512  # written in place: one block, so that it is never half of each
_SEGMENT: Final = re.compile(r"([0-9]{12})-([0-9]{4}-[0-9]{2}-[0-9]{2})\.jsonl")


class BadHead(ValueError):
    """The head cannot be read."""


def segment_name(sequence: int, day: date) -> str:
    """The segment that begins with this sequence on this day; names sort as their records do."""
    return f"{sequence:012d}-{day.isoformat()}.jsonl"


def first_of(name: str) -> int:
    """The sequence that a segment's name says it begins with."""
    return int(name.partition("-")[0])


def day_of(name: str) -> date:
    """The day of a segment's records."""
    return date.fromisoformat(name[13:23])


def segments(folder: Path) -> list[str]:
    """The names of all segments, oldest first."""
    try:
        return sorted(name for name in os.listdir(folder) if _SEGMENT.fullmatch(name))  # noqa: PTH208 - names alone
    except FileNotFoundError:
        return []


def read_head(folder: Path) -> Head | None:
    """The head, None where there is none. Raises BadHead, OSError."""
    try:
        data = (folder / HEAD).read_bytes()
    except FileNotFoundError:
        return None
    if not data.strip():
        return None
    try:
        return msgspec.json.decode(data, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadHead(f"{folder / HEAD} is damaged") from None


def write_head(handle: int, head: Head) -> None:
    """Put the head into its open file. Raises OSError."""
    os.pwrite(handle, msgspec.json.encode(head).ljust(_HEAD_BYTES - 1) + b"\n", 0)


def open_file(path: Path, flags: int) -> int:
    """A handle of a file that is ours alone. Raises OSError."""
    return os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def make(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Make names that were added or removed durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""The folder of a spool: which segments wait in it, how much they take, and what was lost or delivered so far.

Owns names and the small files beside the segments. Several processes look into it at once: workers write segments, one
process empties them. Blocking. It must not know what segments hold.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import TypeVar

import msgspec

from craton.infra.spool.port import Losses
from craton.infra.spool.segment import SUFFIX

DELIVERED = "delivered.json"
_LOST = "lost"
T = TypeVar("T")


class Waiting(msgspec.Struct, frozen=True):
    """What a spool holds. `oldest_at`: when its oldest segment was begun, seconds since 1970; 0 for none."""

    segments: int
    size_bytes: int
    oldest_at: float


def make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def new_name(account: str, region: str) -> str:
    """A segment's file, `TIME_ACCOUNT_REGION_RANDOM.spool`: names sort by their time, and no two are alike."""
    return f"{time.time_ns():020d}_{account}_{region}_{secrets.token_hex(8)}{SUFFIX}"


def segments(folder: Path, account: str = "*", region: str = "*") -> list[Path]:
    """All segments of an account in a region, oldest first."""
    return sorted(folder.glob(f"*_{account}_{region}_*{SUFFIX}")) if folder.is_dir() else []


def owners(folder: Path) -> set[tuple[str, str]]:
    """The accounts and regions of which there are segments."""
    return {(account, region) for _, account, region, _ in (path.name.split("_", 3) for path in segments(folder))}


def waiting(folder: Path) -> Waiting:
    """How many segments there are, and their size."""
    count = size = 0
    oldest = ""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return Waiting(0, 0, 0.0)
    for entry in entries:
        if not entry.name.endswith(SUFFIX):
            continue
        try:
            size += entry.stat().st_size
        except FileNotFoundError:
            continue
        count += 1
        oldest = min(oldest or entry.name, entry.name)
    began = oldest.partition("_")[0]
    return Waiting(count, size, int(began) / 1e9 if began.isdigit() else 0.0)


def write_losses(folder: Path, losses: Losses) -> None:
    """What this process has lost so far; each process has its own file."""
    replace(folder / f"{_LOST}-{os.getpid()}.json", losses)


def read_losses(folder: Path) -> Losses:
    """What all processes have lost since the files were last removed."""
    found = Losses()
    for path in folder.glob(f"{_LOST}-*.json"):
        one = read(path, Losses)
        if one is not None:
            found.memory += one.memory
            found.budget += one.budget
            found.unwritten += one.unwritten
    return found


def replace(path: Path, value: object) -> None:
    """Write a small file whole or not at all."""
    beside = path.with_suffix(f".{os.getpid()}.tmp")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.encode(value))
    beside.replace(path)


def read(path: Path, shape: type[T]) -> T | None:
    """What `replace` wrote; None if there is nothing that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except (OSError, msgspec.DecodeError):
        return None

"""Whether there is room for one more replica, what is missing if not, and who may be asked to make room.

Owns the arithmetic of memory and accelerators. It must not know how a replica is started or stopped.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from craton.features.hosting.deployment import Deployment
from craton.infra.compute.port import ModelSpec, ReplicaStatus, Room

FILES_SHARE = 1.3
"""What a model needs beyond its files, where nothing better is known."""
_MOST_FILES = 2000


class Peaks:
    """What replicas of each spec really took, as long as this process lives."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._guessed: dict[str, int] = {}

    def see(self, digest: str, row: ReplicaStatus) -> None:
        """Note a replica's memory."""
        taken = row.pss_bytes or row.rss_bytes
        if taken > self._seen.get(digest, 0):
            self._seen[digest] = taken

    def expected_bytes(self, digest: str, spec: ModelSpec) -> int:
        """What one more will take: what earlier ones took, else what its spec says, else by the size of its files."""
        known = self._seen.get(digest) or spec.memory_bytes
        if known:
            return known
        if digest not in self._guessed:
            self._guessed[digest] = int(FILES_SHARE * sum(map(_files_bytes, spec.reads)))
        return self._guessed[digest]

    def keep_only(self, digests: Iterable[str]) -> None:
        """Forget specs that nobody wants any more."""
        kept = set(digests)
        for table in (self._seen, self._guessed):
            for digest in table.keys() - kept:
                del table[digest]


class Budget:
    """What one pass of the fleet may still give away.

    Args:
        room: what the host has free.
        reserved_bytes: what is to stay free.
        promised_bytes: what replicas that start now will yet take.
        coming_bytes: what replicas that go will give back.
    """

    def __init__(self, room: Room, reserved_bytes: int, promised_bytes: int = 0, coming_bytes: int = 0) -> None:
        self.free_bytes = room.memory_bytes - reserved_bytes - promised_bytes
        self.coming_bytes = coming_bytes
        self.gpus = room.gpus

    def missing_bytes(self, wanted_bytes: int) -> int:
        """How much memory is missing for a replica; 0 if it fits."""
        return max(0, wanted_bytes - max(0, self.free_bytes)) if wanted_bytes else 0

    def lacks(self, wanted_bytes: int, gpus: float) -> str:
        """What is missing for a replica, in words; empty if it fits."""
        if gpus > self.gpus:
            return f"it needs {gpus:g} accelerators, and {self.gpus:g} are free"
        if missing := self.missing_bytes(wanted_bytes):
            free = max(0, self.free_bytes)
            return (
                f"it needs about {_size(wanted_bytes)} of memory, {_size(free)} are free: {_size(missing)} are missing"
            )
        return ""

    def take(self, wanted_bytes: int, gpus: float) -> None:
        """Note that a replica starts."""
        self.free_bytes -= wanted_bytes
        self.gpus -= gpus


class Sleeper(msgspec.Struct, frozen=True):
    """A replica that nobody uses now: whose it is, when it was last used, what it holds."""

    replica: str
    used_at: float
    memory_bytes: int
    gpus: float = 0.0


def evicted(sleepers: Sequence[Sleeper], missing_bytes: int, missing_gpus: float = 0.0) -> list[str]:
    """Who is to go so that as much gets free, the longest unused first; nobody if all together are not enough."""
    chosen: list[str] = []
    for sleeper in sorted(sleepers, key=lambda one: one.used_at):
        if missing_bytes <= 0 and missing_gpus <= 0:
            break
        if (missing_bytes > 0 and sleeper.memory_bytes) or (missing_gpus > 0 and sleeper.gpus):
            chosen.append(sleeper.replica)
            missing_bytes -= sleeper.memory_bytes
            missing_gpus -= sleeper.gpus
    return chosen if missing_bytes <= 0 and missing_gpus <= 0 else []


def may_evict(mine: Deployment, other: Deployment, others_replicas: int) -> bool:
    """Whether a deployment's idle replica may go for mine: one above its least, or any of a lower priority."""
    if other.priority < mine.priority:
        return True
    return other.priority == mine.priority and others_replicas > other.scale.least


def _files_bytes(folder: str) -> int:
    total = seen = 0
    for place, _, names in os.walk(folder):
        for name in names:
            seen += 1
            if seen > _MOST_FILES:
                return total
            try:
                total += (Path(place) / name).stat().st_size
            except OSError:
                continue
    return total


def _size(count: int) -> str:
    return f"{count / (1 << 20):.0f} MiB"

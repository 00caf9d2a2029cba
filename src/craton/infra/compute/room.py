"""What of this machine is left: memory that is really free, and accelerators that nobody has.

Owns: reading `/proc` and the control groups (both versions) for it, and which accelerator each replica sees. Must not
know: what needs it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

UNKNOWN_BYTES = 1 << 62
"""What free memory counts as where nothing tells it."""

_GROUPS = Path("/sys/fs/cgroup")


def free_memory_bytes() -> int:
    """What can still be allocated without swapping: the machine's, and within every control group above this process."""
    return min(_machine_bytes(Path("/proc/meminfo")), *(_left(folder) for folder in _groups()), UNKNOWN_BYTES)


def _machine_bytes(file: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in file.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return UNKNOWN_BYTES


def _groups() -> list[Path]:
    """The folders of this process's memory group and of those above it."""
    found: list[Path] = []
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds not in ("", "memory"):
                continue
            root = _GROUPS / "memory" if kinds else _GROUPS
            own = root / path.lstrip("/")
            found += [folder for folder in (own, *own.parents) if folder.is_relative_to(root)]
    return found


def _left(folder: Path) -> int:
    """What a group has left; pages of files that it can drop at once count as free, as they do for the machine."""
    for limit, used, page in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        with contextlib.suppress(OSError, ValueError):
            most = int((folder / limit).read_text())  # "max" is no number: no limit here
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            return max(0, most - int((folder / used).read_text()) + int(stat.get(page, 0)))
    return UNKNOWN_BYTES


class Accelerators:
    """Which replica has how much of which accelerator. One that asks for none sees none."""

    def __init__(self, devices: list[str] | None = None) -> None:
        """Found in the environment and in `/proc`, unless they are given."""
        found = _devices() if devices is None else devices
        self._free = dict.fromkeys(found, 1.0)
        self._taken: dict[str, dict[str, float]] = {}

    @property
    def free(self) -> float:
        """How many are free, shares of used ones included."""
        return round(sum(self._free.values()), 3)

    def take(self, replica: str, wanted: float) -> dict[str, str]:
        """What the replica's environment must say. More than is free is not refused here: it sees what there is."""
        if not self._free:
            return {}
        whole, share = int(wanted), wanted - int(wanted)
        most = sorted(self._free, key=lambda device: -self._free[device])
        shares = dict.fromkeys(most[:whole], 1.0)
        if share:
            # The fullest that it fits on, so that whole ones stay free.
            fitting = [device for device in reversed(most) if device not in shares and self._free[device] >= share]
            shares.update(dict.fromkeys(fitting[:1] or most[:1], share))
        for device, part in shares.items():
            self._free[device] -= part
        self._taken[replica] = shares
        return {"CUDA_VISIBLE_DEVICES": ",".join(shares)}

    def give_back(self, replica: str) -> None:
        """What a replica had is free again."""
        for device, part in self._taken.pop(replica, {}).items():
            self._free[device] += part


def _devices() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [word for word in named.replace(" ", "").split(",") if word and word != "-1"]
    if sys.platform != "linux":
        return []
    try:
        return [str(index) for index, _ in enumerate(sorted(Path("/proc/driver/nvidia/gpus").iterdir()))]
    except OSError:
        return []

"""What a killed run goes on from: the trained weights, the optimiser's memory, the place in the data.

Written beside and renamed, the data flushed to the disk before: a kill or a full disk in the middle leaves the last
one whole. Read with torch's safe loader alone.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import msgspec
import torch

from craton.features.tuning.progress import TuningFault

_NAME = "checkpoint.pt"


class Progress(msgspec.Struct):
    """Counters that travel with the weights. `best` and `bad` are of early stopping."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    loss: float = 0.0
    best: float = float("inf")
    bad: int = 0
    validation: float | None = None
    reward: float | None = None


def keep(folder: Path, progress: Progress, weights: dict[str, Any], optimiser: dict[str, Any], key: str) -> None:
    """Write a checkpoint for the run `key`. Raises TuningFault when the disk is full."""
    partial = folder / f"{_NAME}.partial"
    state = {"progress": msgspec.to_builtins(progress), "weights": weights, "optimiser": optimiser, "key": key}
    try:
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / _NAME)
    except (OSError, RuntimeError) as fault:  # torch's zip writer makes a RuntimeError of a write that failed
        partial.unlink(missing_ok=True)
        full = isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "the disk is full" if full else str(fault).splitlines()[0]
        raise TuningFault("disk", f"the checkpoint of step {progress.step} cannot be written: {what}") from fault


def kept(folder: Path, key: str) -> tuple[Progress, dict[str, Any], dict[str, Any]] | None:
    """The last checkpoint of the run `key`: its counters, weights and optimiser; None if there is none."""
    file = folder / _NAME
    if not file.is_file():
        return None
    state = torch.load(file, weights_only=True)
    if state["key"] != key:
        return None
    return msgspec.convert(state["progress"], Progress), state["weights"], state["optimiser"]

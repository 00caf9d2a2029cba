"""Processes that make the text, for a device that learns faster than one process can write.

Each has a seed of its own and hands over whole batches; what is drawn more because it still goes wrong stands in a file
that each reads before every pool. This file owns the processes and what passes between them. It must not know the network.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer

from recipes.chat import batches
from recipes.chat.draw import Draw

AHEAD = 4
"""Batches that wait for the device, for each process."""
Packed = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]


def write_need(path: Path, need: dict[str, float]) -> None:
    """Whole or not at all: a process may be reading."""
    path.with_suffix(".tmp").write_text(json.dumps(need))
    path.with_suffix(".tmp").replace(path)


@contextmanager
def made(
    count: int, vocabulary: Path, seed: str, phase: str, tokens: int, pool: int, need: Path
) -> Iterator[Iterator[batches.Batch]]:
    """Batches of `count` processes, in the order in which they come; they end with the block."""
    context = multiprocessing.get_context("spawn")
    queue: Queue[Packed] = context.Queue(count * AHEAD)
    options = (vocabulary, phase, tokens, pool, need)
    processes = [
        context.Process(target=_make, args=(queue, f"{seed}-{at}", *options), daemon=True) for at in range(count)
    ]
    for process in processes:
        process.start()
    try:
        yield _unpacked(queue)
    finally:
        for process in processes:
            process.kill()
            process.join()


def _make(queue: Queue[Packed], seed: str, vocabulary: Path, phase: str, tokens: int, pool: int, need: Path) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # there is a process for each core already
    torch.set_num_threads(1)
    tokenizer, draw = Tokenizer.from_file(str(vocabulary)), Draw(seed)
    while True:
        wanted: dict[str, float] = json.loads(need.read_text())
        for batch in batches.pool(tokenizer, draw, phase, tokens, wanted, pool):
            ids, positions = batch.ids.numpy().astype(np.uint16), batch.positions.numpy().astype(np.uint16)
            queue.put((ids, positions, batch.weights.numpy()))


def _unpacked(queue: Queue[Packed]) -> Iterator[batches.Batch]:
    while True:
        ids, positions, weights = queue.get()
        yield batches.Batch(
            torch.from_numpy(ids.astype(np.int64)),
            torch.from_numpy(positions.astype(np.int64)),
            torch.from_numpy(weights),
        )

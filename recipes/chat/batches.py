"""From conversations to tensors: token ids, positions, and how much each token counts. Must not know the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer
from torch import Tensor

from recipes.chat import mix
from recipes.chat.draw import Draw
from recipes.chat.turns import Chat, segments

POOL = 1500
LONGEST = 1100


@dataclass(frozen=True, slots=True)
class Batch:
    """ids, positions: (batch, time) int64; weights: (batch, time) float32, how much each token's loss counts: nothing
    for what is not an answer. Rows are padded at the right with token 0.
    """

    ids: Tensor
    positions: Tensor
    weights: Tensor
    tasks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    task: str
    ids: list[int]
    weights: list[float]
    positions: list[int]


def encode(tokenizer: Tokenizer, chats: list[Chat], draw: Draw) -> list[Row]:
    """Tokenize piece by piece, so that a mask ends where an answer ends. One row in six gets a gap in its positions."""
    parts = [segments(chat) for chat in chats]
    flat = tokenizer.encode_batch([text for pieces in parts for text, _ in pieces])
    rows, at = [], 0
    for chat, pieces in zip(chats, parts, strict=True):
        ids: list[int] = []
        weights: list[float] = []
        positions: list[int] = []
        offset, seam = 0, draw.number(1, len(pieces) - 1) if draw.chance(0.16) else -1
        for index, (_, wanted) in enumerate(pieces):
            if index == seam:
                # Distances never seen in short rows must not be strange later: the gap stands for text left out.
                offset = draw.number(1, 1000)
            here = flat[at].ids
            positions += range(len(ids) + offset, len(ids) + offset + len(here))
            ids += here
            # A one-word answer must not drown among long ones: an answer counts as the root of its length.
            weights += [len(here) ** -0.5 if wanted else 0.0] * len(here)
            at += 1
        rows.append(Row(chat.task, ids, weights, positions))
    return [row for row in rows if len(row.ids) <= LONGEST]


def pack(rows: list[Row]) -> Batch:
    longest = max(len(row.ids) for row in rows)
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    positions = torch.zeros_like(ids)
    weights = torch.zeros((len(rows), longest))
    for at, row in enumerate(rows):
        size = len(row.ids)
        ids[at, :size] = torch.tensor(row.ids)
        positions[at, :size] = torch.tensor(row.positions)
        weights[at, :size] = torch.tensor(row.weights)
    return Batch(ids, positions, weights, tuple(row.task for row in rows))


def stream(
    tokenizer: Tokenizer, draw: Draw, phase: str, tokens: int, need: Mapping[str, float] | None = None, size: int = POOL
) -> Iterator[Batch]:
    """Batches without end; `need` is read anew for each pool."""
    while True:
        yield from pool(tokenizer, draw, phase, tokens, need, size)


def pool(
    tokenizer: Tokenizer, draw: Draw, phase: str, tokens: int, need: Mapping[str, float] | None, size: int
) -> Iterator[Batch]:
    """Batches of about `tokens` tokens out of `size` conversations; rows of like length together, so little is padding.

    `need` is how much more (or less) than its share of the mix each maker is drawn.
    """
    rows = encode(tokenizer, [mix.one(draw, phase, need) for _ in range(size)], draw)
    rows.sort(key=lambda row: len(row.ids))
    groups: list[list[Row]] = [[]]
    for row in rows:
        if groups[-1] and (len(groups[-1]) + 1) * len(row.ids) > tokens:
            groups.append([])
        groups[-1].append(row)
    draw.random.shuffle(groups)
    for group in groups:
        yield pack(group)

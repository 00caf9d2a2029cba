"""Keys and values of all rows in one table per layer, as transformers' models fill and read it.

Owns the tables and the masks. A model asks its cache to take up new keys and hands the whole to its attention: here the
new ones go to each row's own next column, so that rows of different age decode in one call. Row r, position p lie at
[r, :, p]; what a row may look at is said by the mask alone.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache

from craton.engine.memory import lazy_pages

FULL, SLIDING, CHUNKED = "full_attention", "sliding_attention", "chunked_attention"
KINDS = frozenset((FULL, SLIDING, CHUNKED))


class RowTable:
    """One layer: keys and values of shape (rows, heads, positions, head size), made by the first update."""

    is_initialized = True
    is_sliding = False
    is_compileable = False

    def __init__(self, rows: int, positions: int) -> None:
        self._rows, self._positions = rows, positions
        self.keys: Any = None
        self.values: Any = None

    def make(self, like: Any) -> Any:
        """Zeros for as many rows and positions, of the type and place of `like` (…, heads, …, size)."""
        shape = (self._rows, like.shape[1], self._positions, like.shape[3])
        if like.device.type != "cpu":
            return torch.zeros(shape, dtype=like.dtype, device=like.device)
        count = shape[0] * shape[1] * shape[2] * shape[3]
        return torch.frombuffer(lazy_pages(count * like.element_size()), dtype=like.dtype).view(shape)


class RowCache(Cache):  # type: ignore[misc]  # torch's and transformers' types are not followed
    """All layers. `filling` and `stepping` say what the next call of the model computes."""

    def __init__(self, layers: int, rows: int, positions: int) -> None:
        super().__init__(layers=[RowTable(rows, positions) for _ in range(layers)])
        self._first = self._end = self._begin = self._length = 0
        self._rows: Any = None
        self._columns: Any = None

    def filling(self, row: int, start: int, count: int) -> None:
        """Next: `count` tokens of one row, from position `start`."""
        self._first, self._end, self._begin, self._length = row, row + 1, start, start + count
        self._columns = None

    def stepping(self, columns: Any, length: int) -> None:
        """Next: one token of each of rows 0..n-1, at `columns` (n,) int64; `length` is the largest of them, plus one."""
        count = columns.shape[0]
        if self._rows is None or self._rows.shape[0] != count:
            self._rows = torch.arange(count, device=columns.device)
        self._first, self._end, self._columns, self._length = 0, count, columns, length

    def update(self, key_states: Any, value_states: Any, layer_idx: int, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Take up (n, heads, new, size) and give back everything that these rows hold."""
        table = self.layers[layer_idx]
        if table.keys is None:
            table.keys, table.values = table.make(key_states), table.make(value_states)
        first, end, length = self._first, self._end, self._length
        for kept, new in ((table.keys, key_states), (table.values, value_states)):
            if self._columns is None:
                kept[first, :, self._begin : length] = new[0]
            else:
                kept[self._rows, :, self._columns] = new[:, :, 0]
        return table.keys[first:end, :, :length], table.values[first:end, :, :length]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """How many positions were there before this call, where a model asks."""
        return self._begin if self._columns is None else self._length - 1

    def copy(self, source: int, target: int, length: int) -> None:
        """Make the first `length` positions of a row those of another."""
        for table in self.layers:
            for kept in (table.keys, table.values):
                kept[target, :, :length] = kept[source, :, :length]

    def swap(self, one: int, other: int, length: int) -> None:
        """Exchange the first `length` positions of two rows."""
        for table in self.layers:
            for kept in (table.keys, table.values):
                held = kept[one, :, :length].clone()
                kept[one, :, :length] = kept[other, :, :length]
                kept[other, :, :length] = held


class Masks:
    """What each new token may look at: everything before it, or as much of it as the architecture's windows show."""

    def __init__(self, config: Any, positions: int, device: Any) -> None:
        kinds = list(dict.fromkeys(getattr(config, "layer_types", None) or ()))
        window = getattr(config, "sliding_window", None)
        if not kinds:
            kinds = [SLIDING if window else FULL]
        self.unknown = sorted(set(kinds) - KINDS)
        self._kinds = kinds
        self._window = window or 1 << 30
        self._chunk = getattr(config, "attention_chunk_size", None) or 1 << 30
        self._columns = torch.arange(positions, device=device)

    def of(self, queries: Any, length: int) -> Any:
        """Masks (n, 1, new, length) of booleans for queries at positions (n, new): one, or one by kind of layer."""
        asked = queries[:, None, :, None]
        columns = self._columns[:length]
        before = columns <= asked
        made = {kind: self._shown(kind, columns, asked, before) for kind in self._kinds}
        return made if len(made) > 1 else next(iter(made.values()))

    def _shown(self, kind: str, columns: Any, asked: Any, before: Any) -> Any:
        if kind == SLIDING:
            return before & (columns > asked - self._window)
        if kind == CHUNKED:
            return before & (columns // self._chunk == asked // self._chunk)
        return before

"""The seam between the scheduler and a model runtime: a table of rows, one per request, each with its own cache.

Owns the protocol only. A runtime knows nothing of requests, text or sampling; the scheduler nothing of tensors' names.
Rows 0 to n-1 are decoded together; the others keep what their last request left, so that a prompt which begins alike
need not be computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from craton.engine.backend import AdapterUnsupported

Logits = NDArray[np.float32]
# Pieces of prompts where a runtime can go on from any position.
PIECE_TOKENS = 128
UNSUPPORTED = "this model serves no adapters"


class Rows(Protocol):
    """A loaded model. Called from one thread only; every call computes before it returns."""

    kind: str
    capacity: int
    context_tokens: int
    vocabulary: int
    # Whether `copy` works; without it only a row's own past can be reused.
    copies: bool
    # How much of a prompt is computed at a time, so that the other rows need not wait for all of it.
    piece_tokens: int
    # Whether `wear` works; without it every row is computed with the model's own weights.
    adapts: bool

    def prefill(self, row: int, tokens: Sequence[int], start: int) -> Logits:
        """Append `tokens` to `row` whose first `start` positions are valid; the logits (vocabulary,) after the last."""

    def decode(self, tokens: NDArray[np.int64], lengths: NDArray[np.int64]) -> Logits:
        """Append one token to each of rows 0..n-1, holding `lengths` positions each; logits (n, vocabulary), writable.

        The array is valid until the next call.
        """

    def copy(self, source: int, target: int, length: int) -> None:
        """Make the first `length` positions of `target` those of `source`."""

    def swap(self, one: int, other: int, length_one: int, length_other: int) -> None:
        """Exchange two rows that hold that many valid positions."""

    def wear(self, row: int, adapter: object) -> None:
        """Compute this row with an adapter from now on, as the runtime's own loader made it; None: without one.

        What the row holds was computed with another one and is no longer valid. `swap` takes adapters along.
        """

    def read_adapter(self, name: str, path: Path) -> object:
        """Read an adapter's directory for `wear`; from any thread. Raises AdapterRefused, FileNotFoundError."""


class OwnWeightsOnly:
    """The part of `Rows` about adapters, for runtimes that compute with the model's own weights."""

    adapts = False

    def wear(self, row: int, adapter: object) -> None:
        """See Rows."""
        raise AdapterUnsupported(UNSUPPORTED)

    def read_adapter(self, name: str, path: Path) -> object:
        """See Rows."""
        raise AdapterUnsupported(UNSUPPORTED)

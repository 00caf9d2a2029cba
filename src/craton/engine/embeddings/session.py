"""An encoder's graph, opened: rows of token ids in, an array with one result for each out.

Owns the padding and the runtime's settings. Several threads may compute with one at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from craton.engine.backend import EngineFault
from craton.engine.embeddings.tokens import Row

Results = NDArray[np.float32]


class Session:
    """A loaded graph. `width` is the length of a result: the dimensions of an embedding, 1 for a score."""

    def __init__(self, path: Path, threads: int) -> None:
        """Open the graph and compute one row. Raises EngineFault with the reason."""
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Every batch has another shape: a plan kept for each of them would only grow.
        options.enable_mem_pattern = False
        # A spinning pool burns the cores of everyone else on the machine between two batches.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            self._segments = any(each.name == "token_type_ids" for each in self._session.get_inputs())
            first = self.run([Row([0, 0], [0, 0])])
        except _faults(state) as fault:
            reason = (str(fault).splitlines() or [type(fault).__name__])[0][:300]
            raise EngineFault(f"the model cannot be opened: {reason}") from fault
        if first.ndim != 2 or not np.isfinite(first).all():
            raise EngineFault("the model's first result is not a number: its files are damaged")
        self.width = int(first.shape[1])

    def run(self, rows: Sequence[Row]) -> Results:
        """Compute rows together: (rows, width). Shorter ones are padded, which changes no result."""
        longest = max(len(row.ids) for row in rows)
        shape = (len(rows), longest)
        ids, mask, segments = np.zeros(shape, np.int32), np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        for at, row in enumerate(rows):
            length = len(row.ids)
            ids[at, :length] = row.ids
            mask[at, :length] = 1
            segments[at, :length] = row.segments
        values = {"input_ids": ids, "attention_mask": mask, **({"token_type_ids": segments} if self._segments else {})}
        results: Results = self._session.run(None, values)[0]
        return results


def _faults(state: ModuleType) -> tuple[type[Exception], ...]:
    """What opening or computing may raise; the runtime's own exceptions share no ancestor of their own."""
    own = tuple(each for each in vars(state).values() if isinstance(each, type) and issubclass(each, Exception))
    return (*own, RuntimeError, OSError, ValueError)

"""Hugging Face directories on transformers: in a table of rows where the architecture allows, else in turn.

Owns that choice. Knows no requests. torch is imported once the files were found to be whole.
"""

from __future__ import annotations

from craton.engine.backend import EngineFault, ModelSpec
from craton.engine.rows import Rows
from craton.engine.torch_open import open_model


def open_rows(spec: ModelSpec) -> Rows:
    """Open a directory. Blocking; raises EngineFault with the reason."""
    opened = open_model(spec.path, spec.threads, spec.device)
    from craton.engine.torch_rows import UNSUITED, TorchRows, Unsuited
    from craton.engine.torch_turns import TorchTurns

    context = spec.context_tokens or 1 << 20
    try:
        return TorchRows(opened, spec.max_batch, context)
    except Unsuited:
        pass
    try:
        rows = TorchTurns(opened, spec.max_batch, context)
        rows.prefill(0, [1, 2], 0)
    except UNSUITED as fault:
        raise EngineFault(f"the model cannot compute: {' '.join(str(fault).split())[:300]}") from fault
    return rows

"""Model directories in ONNX Runtime GenAI's format: the faster of the two runtimes that can open one.

Owns that choice. Knows no requests.
"""

from __future__ import annotations

from craton.engine.backend import EngineFault, ModelSpec
from craton.engine.onnx_batch import OnnxBatch, Unsuited
from craton.engine.rows import Rows


def open_rows(spec: ModelSpec) -> Rows:
    """Open a model directory with the faster runtime that can serve it. Raises EngineFault with the reason."""
    try:
        return OnnxBatch(spec.path, spec.threads, spec.max_batch, spec.context_tokens)
    except Unsuited:
        pass
    except (EngineFault, RuntimeError, OSError, KeyError, ValueError) as fault:
        raise EngineFault(f"the model cannot be opened: {_first_line(fault)}") from fault
    from craton.engine.onnx_genai import OnnxGenai

    try:
        return OnnxGenai(spec.path, spec.threads, spec.max_batch, spec.context_tokens)
    except (RuntimeError, OSError, KeyError, ValueError) as fault:
        raise EngineFault(f"the model cannot be opened: {_first_line(fault)}") from fault


def _first_line(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0][:300]

"""Which runtime opens a model's directory.

Each is imported only when it is chosen: torch alone takes a second.
"""

from __future__ import annotations

from pathlib import Path

from craton.engine.backend import ModelSpec
from craton.engine.rows import Rows


def backend_of(directory: Path, named: str) -> str:
    """The backend named, else the one whose files are there; ONNX graphs go first."""
    if named != "auto":
        return named
    return "transformers" if not (directory / "genai_config.json").is_file() else "onnx"


def open_rows(spec: ModelSpec) -> Rows:
    """Open a directory. Blocking; raises EngineFault with the reason."""
    if backend_of(spec.path, spec.backend) == "onnx":
        from craton.engine import onnx_backend

        return onnx_backend.open_rows(spec)
    from craton.engine import torch_backend

    return torch_backend.open_rows(spec)

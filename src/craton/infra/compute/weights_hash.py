"""The hash of a model's weights, by which what was made of a model knows it again; and a stamp that spares computing it.

Owns both. It must not know what is trained or served.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

_KEPT = 256


def weights_hash(directory: Path) -> str:
    """The SHA-256 over the names and hashes of a model's weights. Raises OSError."""
    whole = hashlib.sha256()
    for file in sorted(directory.glob("*.safetensors")):
        with file.open("rb") as opened:
            whole.update(f"{file.name} {hashlib.file_digest(opened, 'sha256').hexdigest()}\n".encode())
    return whole.hexdigest()


def weights_stamp(directory: Path) -> str:
    """Names, sizes and times of the weights' files; empty where there are none. Raises OSError."""
    if not directory.is_dir():
        return ""
    found = ((file.name, file.stat()) for file in sorted(directory.glob("*.safetensors")))
    return " ".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in found)


@lru_cache(maxsize=_KEPT)
def hash_of_stamp(directory: Path, _stamp: str) -> str:
    """The hash of weights that had this stamp when they were looked at: it is computed once. Raises OSError."""
    return weights_hash(directory)

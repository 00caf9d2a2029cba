"""Several layers as one folder: what environments see at /opt.

Owns the merging, in order, later layers over earlier ones, by links to the same files, so that nothing lies twice. It must not
know where layers come from.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path


def merged(layers: Sequence[Path], root: Path) -> Path:
    """One folder with all of them, made whole or not at all, on the file system that they are on. Raises OSError."""
    name = hashlib.sha256("\n".join(map(str, layers)).encode()).hexdigest()
    folder = root / name
    if folder.exists():
        return folder
    draft = root / f"{name}.{secrets.token_hex(4)}.draft"
    draft.mkdir(parents=True, mode=0o755)
    try:
        for layer in layers:
            _lay(layer, draft)
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft, ignore_errors=True)
        if not folder.exists():  # else somebody made it at the same time
            raise
    return folder


def _lay(layer: Path, over: Path) -> None:
    for place, folders, files in os.walk(layer):
        here = over / os.path.relpath(place, layer)
        for name in folders:
            target = here / name
            if not target.is_dir():
                target.unlink(missing_ok=True)
                target.mkdir(mode=0o755)
        for name in files:
            target = here / name
            if target.is_dir():
                shutil.rmtree(target)
            target.unlink(missing_ok=True)
            os.link(Path(place, name), target)

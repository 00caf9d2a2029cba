"""Small secret files of the home: written once, whole, readable by their owner alone.

Owns how such a file comes to be, also when several processes start at once, and the home's own random secrets. It must
not know what the secrets are for.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

FILE_NAME = "secret"
_SECRET_BYTES = 32


def read_or_create(path: Path, content: bytes) -> bytes:
    """The file's bytes, after making it with `content` (mode 0600, its folder 0700) if there was none.

    The file appears whole under its name or not at all; of several makers one wins and all get the winner's bytes.
    A file that others may read is closed to them. Raises OSError.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _publish(path, content)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    return path.read_bytes()


def home_secret(home: Path, purpose: str) -> bytes:
    """32 bytes that are the same for every process of a home and for each purpose different. Raises OSError."""
    return derived(root_secret(home), purpose)


def root_secret(home: Path) -> bytes:
    """The home's own secret, from which those for purposes are derived; made now if there is none. Raises OSError."""
    return read_or_create(home / FILE_NAME, secrets.token_bytes(_SECRET_BYTES))


def derived(root: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose, from a secret that serves several."""
    return hmac.new(root, purpose.encode(), hashlib.sha256).digest()


def _publish(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        # link(2) never replaces a file, unlike rename(2): the second maker fails and takes the first one's bytes.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

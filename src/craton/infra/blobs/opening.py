"""Which place for blobs the configuration names.

Owns the reading of `[blobs]`: files in the home, files elsewhere, or an outside S3. It must not know who keeps what.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from craton.config import ConfigError
from craton.config_places import fault_of
from craton.config_tables import BlobsTable
from craton.infra.blobs.files import FileBlobs
from craton.infra.blobs.port import Blobs

FOLDER = "blobs"


def open_blobs(table: BlobsTable, home: Path, *, ephemeral: bool = False) -> Blobs:
    """The place; nothing is made or asked before the first blob. An ephemeral server has its home alone.

    Raises ConfigError.
    """
    check_blobs(table)
    url = urlsplit(table.url)
    if ephemeral or not table.url:
        return FileBlobs(home / FOLDER, durable=not ephemeral)
    if url.scheme == "file":
        return FileBlobs(Path(unquote(url.path)))
    from craton.infra.blobs.outside import OutsideBlobs, Place  # loads only where the configuration has one

    return OutsideBlobs(Place.of(table))


def check_blobs(table: BlobsTable) -> None:
    """A place that is known, and keys that stand elsewhere. Raises ConfigError."""
    fault = fault_of(table)
    if fault is not None:
        raise ConfigError(f"[blobs] {fault}")

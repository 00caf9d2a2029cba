"""Which place for blobs the configuration names.

Owns the reading of `[blobs]`: files in the home, files elsewhere, or an outside S3. It must not know who keeps what.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from craton.config import ConfigError
from craton.config_tables import BlobsTable
from craton.infra.blobs.files import FileBlobs
from craton.infra.blobs.port import Blobs

FOLDER = "blobs"
_REFERENCES = ("env:", "file:")
_OUTSIDE = ("endpoint_url", "region", "access_key", "secret_key", "session_token")


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
    url = urlsplit(table.url)
    given = [name for name in _OUTSIDE if getattr(table, name)]
    if table.url and not (url.scheme == "file" and not url.netloc and url.path.startswith("/") and len(url.path) > 1):
        if url.scheme != "s3" or not url.netloc or url.query or url.fragment:
            raise ConfigError("[blobs] url is neither file:///FOLDER nor s3://BUCKET/PREFIX")
    elif given:
        raise ConfigError(f"[blobs] {given[0]} belongs to a url of S3")
    for name in ("access_key", "secret_key", "session_token"):
        if getattr(table, name) and not getattr(table, name).startswith(_REFERENCES):
            raise ConfigError(f"[blobs] {name} must name where it lies, as env:NAME or file:PATH")
    if bool(table.access_key) != bool(table.secret_key):
        raise ConfigError("[blobs] access_key and secret_key belong together")
    if table.endpoint_url and not table.endpoint_url.startswith(("https://", "http://")):
        raise ConfigError("[blobs] endpoint_url must begin with http:// or https://")

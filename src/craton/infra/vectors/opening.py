"""Which place for vectors the configuration names.

Owns the reading of `[vectors]`: a folder in the home or elsewhere, or a prefix of an S3 bucket. It must not know indices.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from craton.config import ConfigError, secret
from craton.config_places import fault_of
from craton.config_tables import VectorsTable

if TYPE_CHECKING:
    from craton.infra.vectors.lance import LanceVectors

FOLDER = "vectors"
_MIB = 1024 * 1024


def open_vectors(table: VectorsTable, home: Path, *, ephemeral: bool = False) -> LanceVectors:
    """The store; nothing is loaded, made or asked before the first index. An ephemeral server has its home alone.

    Raises ConfigError.
    """
    from craton.infra.vectors.lance import LanceVectors, Place  # with all that reads and writes an index

    check_vectors(table)
    url = urlsplit(table.url)
    if ephemeral or not table.url:
        place = Place(str(home / FOLDER))
    elif url.scheme == "file":
        place = Place(unquote(url.path))
    else:
        place = Place(table.url.rstrip("/"), _options(table))
    return LanceVectors(place, keep_s=table.keep_s, cache_bytes=table.cache_mib * _MIB)


def check_vectors(table: VectorsTable) -> None:
    """A place that is known, and keys that stand elsewhere. Raises ConfigError."""
    fault = fault_of(table)
    if fault is not None:
        raise ConfigError(f"[vectors] {fault}")


def _options(table: VectorsTable) -> dict[str, str]:
    """As Lance's object store calls them; without keys it finds those of the environment or of the machine."""
    region = table.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    # Always named: the environment's AWS_ENDPOINT_URL may well be this server's own.
    endpoint = table.endpoint_url.rstrip("/") or f"https://s3.{region}.amazonaws.com"
    options = {
        "aws_endpoint": endpoint, "aws_region": region, "aws_virtual_hosted_style_request": "false",
        "aws_access_key_id": secret(table.access_key), "aws_secret_access_key": secret(table.secret_key),
        "aws_session_token": secret(table.session_token),
        "allow_http": "true" if endpoint.startswith("http://") else "",
    }  # fmt: skip
    return {name: value for name, value in options.items() if value}

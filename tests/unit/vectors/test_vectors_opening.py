"""What the configuration says of the place for vectors."""

from __future__ import annotations

from pathlib import Path

import pytest

from craton.config import ConfigError
from craton.config_tables import VectorsTable
from craton.infra.vectors.opening import check_vectors, open_vectors


@pytest.mark.parametrize(
    "table",
    [
        VectorsTable(url="http://host/x"),
        VectorsTable(url="file://host/x"),
        VectorsTable(url="s3://"),
        VectorsTable(url="s3://bucket/x?y"),
        VectorsTable(endpoint_url="http://127.0.0.1:1"),
        VectorsTable(url="s3://bucket", access_key="AKIA", secret_key="file:/x"),
        VectorsTable(url="s3://bucket", access_key="env:ID"),
        VectorsTable(url="s3://bucket", endpoint_url="127.0.0.1:1"),
    ],
)
def test_what_makes_no_sense_is_refused(table: VectorsTable) -> None:
    """Before anything is opened, and without a word of a key."""
    with pytest.raises(ConfigError, match=r"^\[vectors\]"):
        check_vectors(table)


@pytest.mark.parametrize("url", ["", "file:///srv/vectors", "s3://bucket/some/where"])
def test_nothing_is_made_before_the_first_index(tmp_path: Path, url: str) -> None:
    """Opening neither asks nor writes; an ephemeral server has its home alone."""
    open_vectors(VectorsTable(url=url), tmp_path)
    open_vectors(VectorsTable(url=url), tmp_path, ephemeral=True)
    assert list(tmp_path.iterdir()) == []

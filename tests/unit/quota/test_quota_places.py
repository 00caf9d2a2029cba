"""Where a server's quota buckets are, by its configuration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from craton.config import ConfigError, Settings
from craton.config_tables import ConfigFile
from craton.infra.quota.buckets import Buckets
from craton.infra.quota.redis import RedisBuckets
from craton.sharing import open_counter


def settings(home: Path, *, ephemeral: bool = False, limited: bool = True, **redis: Any) -> Settings:
    limits = {"quota": {"limit": [{"requests_per_minute": 5}]}} if limited else {}
    file = msgspec.convert({**limits, "redis": redis}, ConfigFile)
    return Settings(home=str(home), file=file, ephemeral=ephemeral)


def test_without_redis_they_are_in_memory(tmp_path: Path) -> None:
    """As for an ephemeral server, and where there is no limit to count for."""
    buckets = Buckets()
    assert open_counter(settings(tmp_path), buckets) is buckets
    assert open_counter(settings(tmp_path, ephemeral=True, url="redis://h"), buckets) is buckets
    assert open_counter(settings(tmp_path, limited=False, url="redis://h"), buckets) is buckets


@pytest.mark.parametrize("url", ["redis://h:1/2", "rediss://h", "unix:///run/redis"])
def test_with_redis_they_are_there(tmp_path: Path, url: str) -> None:
    """By any of its URLs; nothing is asked before there is something to count."""
    assert isinstance(open_counter(settings(tmp_path, url=url), Buckets()), RedisBuckets)


def test_the_url_may_be_a_secret_itself(tmp_path: Path) -> None:
    """It can hold a password."""
    (tmp_path / "url").write_text("redis://:word@h:1\n")
    assert isinstance(open_counter(settings(tmp_path, url=f"file:{tmp_path / 'url'}"), Buckets()), RedisBuckets)


def test_a_url_of_another_kind_is_a_mistake(tmp_path: Path) -> None:
    """Said without the URL, which may hold a password."""
    with pytest.raises(ConfigError, match="redis://") as caught:
        open_counter(settings(tmp_path, url="http://user:word@h"), Buckets())
    assert "word" not in str(caught.value)


def test_the_supervisor_loads_neither_ray_nor_redis() -> None:
    """They are heavy, and most servers need neither."""
    heavy = ("ray", "redis", "sqlalchemy", "cryptography")
    code = f"import sys, craton.supervision; print([name for name in {heavy} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"

"""Where rows are kept, as the configuration says it, and what is told when it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from craton.config import ConfigError, Settings, check_store
from craton.config_tables import ConfigFile, StoreTable
from craton.infra.store.opening import MEMORY, open_store
from craton.storing import check_shared_secret, shared_secret, store_url

REMOTE = "postgresql://craton@db.example:5432/main"
LONG = "0123456789abcdef0123456789abcdef"


def settings(home: Path, *, ephemeral: bool = False, **store: str) -> Settings:
    return Settings(home=str(home), file=ConfigFile(store=StoreTable(**store)), ephemeral=ephemeral)


def test_the_home_keeps_a_file_unless_told_otherwise(tmp_path: Path) -> None:
    """An ephemeral server never touches what is configured."""
    own = f"sqlite:///{tmp_path / 'craton.db'}"
    assert store_url(settings(tmp_path)) == own
    assert store_url(settings(tmp_path, url=REMOTE)) == REMOTE
    assert store_url(settings(tmp_path, url=REMOTE, ephemeral=True)) == own


def test_a_password_is_put_into_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever letters it has; it may come from a file, and so may the whole url."""
    (tmp_path / "word").write_text("a:b@c/d?é\n")
    url = store_url(settings(tmp_path, url=REMOTE, password=f"file:{tmp_path / 'word'}"))
    assert url == "postgresql://craton:a%3Ab%40c%2Fd%3F%C3%A9@db.example:5432/main"
    monkeypatch.setenv("WHERE", REMOTE)
    assert store_url(settings(tmp_path, url="env:WHERE")) == REMOTE


@pytest.mark.parametrize("url", ["postgresql://db.example/main", "postgresql://craton:word@db.example/main"])
def test_a_password_needs_a_user_without_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The refusal repeats neither."""
    monkeypatch.setenv("WORD", "hush-hush")
    with pytest.raises(ConfigError, match="names a user") as refused:
        store_url(settings(tmp_path, url=url, password="env:WORD"))
    assert "hush" not in str(refused.value)
    assert "word@" not in str(refused.value)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"url": "mysql://root:hush@h/n"}, "neither sqlite"),
        ({"url": "sqlite:///a.db", "password": "env:WORD"}, "belongs to a url of PostgreSQL"),
        ({"url": REMOTE, "password": "hush"}, "must name where it lies"),
        ({"url": REMOTE, "secret": "hush"}, "must name where it lies"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(table: dict[str, str], words: str) -> None:
    """At the start, without what may be secret in it."""
    with pytest.raises(ConfigError, match=words) as refused:
        check_store(StoreTable(**table))
    assert "hush" not in str(refused.value)


def test_homes_share_secrets_only_by_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own, for each purpose another; with `[store] secret` all have the same, and no file is made."""
    monkeypatch.setenv("SHARED", LONG)
    one, two = tmp_path / "one", tmp_path / "two"
    assert shared_secret(settings(one), "a") != shared_secret(settings(two), "a")
    assert shared_secret(settings(one), "a") == shared_secret(settings(one), "a")
    assert shared_secret(settings(one), "a") != shared_secret(settings(one), "b")
    three, four = (settings(tmp_path / name, url=REMOTE, secret="env:SHARED") for name in ("three", "four"))
    assert shared_secret(three, "a") == shared_secret(four, "a")
    assert not (tmp_path / "three").exists()


def test_a_short_secret_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without repeating it."""
    monkeypatch.setenv("SHARED", "too-short")
    with pytest.raises(ConfigError, match="fewer than 32") as refused:
        shared_secret(settings(tmp_path, url=REMOTE, secret="env:SHARED"), "a")
    assert "too-short" not in str(refused.value)


def test_a_store_is_of_one_secret(tmp_path: Path) -> None:
    """The first server leaves a mark that the secret can be told by, and not be found by; another secret is refused."""
    store = open_store(MEMORY)
    one, two = settings(tmp_path / "one"), settings(tmp_path / "two")
    check_shared_secret(store, one)
    check_shared_secret(store, one)
    with pytest.raises(ConfigError, match="another secret"):
        check_shared_secret(store, two)
    store.close()

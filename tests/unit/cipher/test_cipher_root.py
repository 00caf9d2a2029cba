"""Where the root key may lie, and what is refused."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from craton.config import ConfigError
from craton.config_tables import KmsTable
from craton.infra.cipher.port import RootUnavailable, Tampered
from craton.infra.cipher.root import RootKey, check_table, load_root

TEXT = base64.b64encode(bytes(range(32))).decode()


def test_a_home_makes_its_own(tmp_path: Path) -> None:
    """A first start writes a file for its owner alone, and every later one finds the same key."""
    first = load_root(tmp_path, KmsTable())
    file = tmp_path / "root.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_root(tmp_path, KmsTable()).ident == first.ident


def test_from_the_environment(tmp_path: Path) -> None:
    """`env:NAME`; nothing is written then."""
    found = load_root(tmp_path, KmsTable(root_key="env:ROOT"), {"ROOT": TEXT})
    assert found.ident == RootKey(bytes(range(32))).ident
    assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match="ROOT is not set"):
        load_root(tmp_path, KmsTable(root_key="env:ROOT"), {})


def test_from_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    """`file:PATH`; a file that others may read is refused, and its text never shown."""
    file = tmp_path / "key"
    file.write_text(TEXT)
    file.chmod(0o600)
    table = KmsTable(root_key=f"file:{file}")
    assert load_root(tmp_path, table).ident == RootKey(bytes(range(32))).ident
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="0600") as refused:
        load_root(tmp_path, table)
    assert TEXT not in str(refused.value)


@pytest.mark.parametrize("text", ["", "short", TEXT[:-4], "!" * 44])
def test_what_is_no_key(tmp_path: Path, text: str) -> None:
    """32 bytes in base64, else the start ends; the text itself is not shown."""
    with pytest.raises(ConfigError, match="32 bytes") as refused:
        load_root(tmp_path, KmsTable(root_key="env:ROOT"), {"ROOT": text})
    assert not text or text not in str(refused.value)


def test_what_is_sealed_is_bound_to_its_use() -> None:
    """Sealed for one use or place, it opens under no other; another root key is named as such."""
    root = RootKey(bytes(range(32)))
    sealed = root.seal("one", b"secret", b"here")
    assert root.open("one", sealed, b"here") == b"secret"
    for use, place in (("two", b"here"), ("one", b"there")):
        with pytest.raises(Tampered):
            root.open(use, sealed, place)
    with pytest.raises(RootUnavailable):
        RootKey(bytes(32)).open("one", sealed, b"here")


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (KmsTable(root_key=TEXT), "env:NAME or file:PATH"),
        (KmsTable(endpoint_url="https://kms"), "needs key_id"),
        (KmsTable(endpoint_url="http://kms.example.com", key_id="k"), "https://"),
        (KmsTable(key_id="k"), "belong to an endpoint_url"),
        (KmsTable(endpoint_url="https://kms", root_key="env:X"), "exclude"),
        (
            KmsTable(endpoint_url="https://kms", key_id="k", access_key_id="AKIA", secret_access_key="x"),
            "access_key_id",
        ),
    ],
)
def test_contradictions_end_the_start(table: KmsTable, told: str) -> None:
    """A configuration that names two places, half a place, or a literal secret."""
    with pytest.raises(ConfigError, match=told):
        check_table(table)

"""The home's secret and the root key exchanged: what was sealed opens afterwards, also if the exchange was cut off."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from craton.config import ConfigError, Settings
from craton.config_tables import ConfigFile, KmsTable, StoreTable
from craton.infra.cipher import rows
from craton.infra.cipher.port import Tampered
from craton.infra.cipher.resealing import earlier
from craton.infra.cipher.rows import KeyBody
from craton.infra.identities import records
from craton.infra.identities.records import Key
from craton.infra.identities.seal import ACCESS_KEYS, Sealer
from craton.infra.store.opening import open_store
from craton.infra.store.port import GLOBAL, Resource
from craton.rotating import HOME, Resealed, finish, rotate_root, rotate_secret
from craton.storing import check_shared_secret, shared_secret, store_url
from craton.supervision import open_keyring

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ACCOUNT, REGION = "111122223333", "eu-west-1"
SHARED = {"SHARED_ONE": "first-shared-secret-" * 2, "SHARED_TWO": "second-shared-secret-" * 2}
# The child dies by SIGKILL when it comes to the function that is named.
CUT = """
import os, signal, sys, msgspec
from craton import rotating
from craton.infra.store.session import SqlSession
from craton.config import Settings
def die(*given):
    os.kill(os.getpid(), signal.SIGKILL)
done = []
update = SqlSession.update
def second(self, row):
    done.append(row)
    return update(self, row) if len(done) < 2 else die()
if sys.argv[2] == "update":
    SqlSession.update = second
else:
    setattr(rotating, sys.argv[2], die)
settings = msgspec.json.decode(sys.argv[1], type=Settings)
getattr(rotating, sys.argv[3])(settings)
"""


def settings_of(home: Path, **tables: object) -> Settings:
    return Settings(home=str(home), file=ConfigFile(**tables))  # type: ignore[arg-type]


def sealed_in(settings: Settings, count: int = 3) -> bytes:
    """Fill the home's store with access keys and a KMS key; what the key encrypted."""
    sealer, keyring = Sealer(shared_secret(settings, ACCESS_KEYS)), open_keyring(settings)
    store = open_store(store_url(settings))
    for number in range(count):
        ident = f"AKIA{number}"
        body = Key(user_id="AIDA", sealed=sealer.seal(f"secret {number}".encode(), ident.encode()))
        store.create(
            Resource(
                account=ACCOUNT, region=GLOBAL, kind=records.ACCESS_KEY, id=ident, status=records.ACTIVE,
                arn=records.key_arn(ACCOUNT, ident), created_at=NOW, updated_at=NOW, body=msgspec.json.encode(body),
            )
        )  # fmt: skip
    for _ in range(count - 1):
        store.create(rows.new_key(keyring, ACCOUNT, REGION, NOW, KeyBody(policy="{}", materials=[])))
    row = store.create(rows.new_key(keyring, ACCOUNT, REGION, NOW, KeyBody(policy="{}", materials=[])))
    blob = keyring.encrypt(row.arn, row.read(KeyBody).materials[-1], b"kept", {})
    store.close()
    return blob


def opens(settings: Settings, blob: bytes, count: int = 3) -> None:
    """Everything is there under the secrets of now."""
    sealer, keyring = Sealer(shared_secret(settings, ACCESS_KEYS)), open_keyring(settings)
    store = open_store(store_url(settings))
    found = list(records.rows(store, records.ACCESS_KEY))
    told = [sealer.open(row.read(Key).sealed, row.id.encode()).decode() for row in found]
    assert told == [f"secret {number}" for number in range(count)]
    keyring.earlier = earlier(store, keyring.root)
    row = store.get(keyring.named(blob).key_arn)
    assert row is not None
    assert keyring.decrypt(row.read(KeyBody).materials, blob, {}) == b"kept"
    store.close()


def test_the_homes_secret_is_exchanged(tmp_path: Path) -> None:
    """Access keys open under the new secret; the file is another, private, and nothing is left beside it."""
    settings = settings_of(tmp_path)
    blob = sealed_in(settings)
    before = (tmp_path / "secret").read_bytes()
    assert rotate_secret(settings) == Resealed(access_keys=3)
    assert (tmp_path / "secret").read_bytes() != before
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.glob("*.next")) == []
    opens(settings, blob)


def test_the_root_key_is_exchanged_again_and_again(tmp_path: Path) -> None:
    """What was encrypted under the first root key opens after each exchange; a forged ciphertext never does."""
    settings = settings_of(tmp_path)
    blob = sealed_in(settings)
    for _ in range(3):
        before = (tmp_path / "root.key").read_bytes()
        assert rotate_root(settings) == Resealed(kms_keys=3)
        assert (tmp_path / "root.key").read_bytes() != before
        opens(settings, blob)
    with pytest.raises(Tampered):
        opens(settings, blob[:-1] + bytes((blob[-1] ^ 1,)))


@pytest.mark.parametrize("rotate", ["rotate_secret", "rotate_root"])
@pytest.mark.parametrize("at", ["_changed", "update", "_take_place"])
def test_a_kill_in_the_middle_loses_nothing(tmp_path: Path, rotate: str, at: str) -> None:
    """Before the rows change, between two of them, and after: the next start finds secret and rows fit together."""
    settings = settings_of(tmp_path)
    blob = sealed_in(settings)
    given = [msgspec.json.encode(settings).decode(), at, rotate]
    child = subprocess.run([sys.executable, "-c", CUT, *given], check=False, timeout=60)
    assert child.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob("*.next"))) == 1
    finish(settings)
    assert list(tmp_path.glob("*.next")) == []
    opens(settings, blob)


def test_a_shared_secret_is_exchanged_with_the_root_key_that_follows_from_it(
    place: str | Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On both databases, done twice it is done once; servers with the old secret are refused from then on."""
    for name, value in SHARED.items():
        monkeypatch.setenv(name, value)
    url = place if isinstance(place, str) else f"sqlite:///{place}"
    first = settings_of(tmp_path, store=StoreTable(url=url, secret="env:SHARED_ONE"))
    second = settings_of(tmp_path, store=StoreTable(url=url, secret="env:SHARED_TWO"))
    blob = sealed_in(first)
    store = open_store(url)
    check_shared_secret(store, first)
    assert rotate_secret(second, "env:SHARED_ONE") == Resealed(3, 3)
    assert rotate_secret(second, "env:SHARED_ONE") == Resealed()
    opens(second, blob)
    check_shared_secret(store, second)
    with pytest.raises(ConfigError, match="another secret"):
        check_shared_secret(store, first)
    store.close()
    with pytest.raises(ConfigError, match="follows from"):
        rotate_root(second)


def test_a_wrong_previous_secret_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told without any secret in the words; so is one that is missing or the same."""
    for name, value in SHARED.items():
        monkeypatch.setenv(name, value)
    home = settings_of(tmp_path)
    blob = sealed_in(home)
    shared = settings_of(tmp_path, store=StoreTable(secret="env:SHARED_TWO"), kms=KmsTable())
    for previous, words in [
        ("env:SHARED_ONE", "not sealed under the previous secret; nothing was changed .*AKIA0"),
        ("env:SHARED_TWO", "is the one that is configured"),
        ("", "say where the old one is"),
    ]:
        with pytest.raises(ConfigError, match=words) as told:
            rotate_secret(shared, previous)
        assert SHARED["SHARED_ONE"] not in str(told.value)
    with pytest.raises(ConfigError, match="needs no --previous"):
        rotate_secret(home, HOME)
    opens(home, blob)


def test_a_root_key_moves_out_of_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From HOME/root.key to one in the environment."""
    home = settings_of(tmp_path)
    blob = sealed_in(home)
    monkeypatch.setenv("OUTER_ROOT", "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=")
    outer = settings_of(tmp_path, kms=KmsTable(root_key="env:OUTER_ROOT"))
    assert rotate_root(outer, HOME) == Resealed(kms_keys=3)
    opens(outer, blob)

"""The root key's file and its neighbours: made once, private, the same for all who start at once."""

from __future__ import annotations

import re
import stat
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from craton.infra.keys.private import home_secret, read_or_create
from craton.infra.keys.root import BadRootKey, RootKey, fixed_root_key, load_root_key, new_root_key, root_credentials

ACCOUNT = "000000000000"
FIXED = {"CRATON_ROOT_ACCESS_KEY_ID": "test", "CRATON_ROOT_SECRET_ACCESS_KEY": "test"}


def test_first_start_makes_a_key_that_stays(tmp_path: Path) -> None:
    """AKIA and 16 letters, a secret of 40; the next start finds the same; file 0600, home 0700, no drafts left."""
    home = tmp_path / "home"
    key = load_root_key(home, {}, ACCOUNT)
    assert re.fullmatch(r"AKIA[A-Z2-7]{16}", key.access_key_id)
    assert re.fullmatch(r"[A-Za-z0-9+/]{40}", key.secret_access_key)
    assert load_root_key(home, {}, ACCOUNT) == key
    assert stat.S_IMODE((home / "credentials").stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert [each.name for each in home.iterdir()] == ["credentials"]
    assert new_root_key(ACCOUNT) != new_root_key(ACCOUNT)


def test_file_is_one_that_aws_tools_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_SHARED_CREDENTIALS_FILE may point at it."""
    key = load_root_key(tmp_path, {}, ACCOUNT)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    found = boto3.Session().get_credentials()
    assert found is not None
    assert (found.access_key, found.secret_key) == (key.access_key_id, key.secret_access_key)


def test_environment_fixes_the_key_and_writes_nothing(tmp_path: Path) -> None:
    """With both variables set the home is not touched."""
    assert load_root_key(tmp_path / "home", FIXED, "111122223333") == RootKey("111122223333", "test", "test")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", FIXED)
def test_half_a_fixed_key_is_refused(name: str) -> None:
    """One variable without the other is told by name, without the value."""
    with pytest.raises(BadRootKey, match="set both or neither") as refused:
        fixed_root_key({name: "hushhush"}, ACCOUNT)
    assert name in str(refused.value)
    assert "hushhush" not in str(refused.value)


@pytest.mark.parametrize(
    ("account", "access_key_id", "secret"),
    [
        ("123", "AKIA", "hushhush"),
        ("12345678901٠", "AKIA", "hushhush"),
        (ACCOUNT, "a/b", "hushhush"),
        (ACCOUNT, "", "hushhush"),
        (ACCOUNT, "AKIA", "hush hush"),
        (ACCOUNT, "AKIA", ""),
        (ACCOUNT, "AKIA", "hushhush\n"),
    ],
)
def test_malformed_keys_are_refused(account: str, access_key_id: str, secret: str) -> None:
    """What could not be signed with is refused at the start; the secret is not repeated."""
    with pytest.raises(BadRootKey) as refused:
        root_credentials([RootKey(account, access_key_id, secret)])
    assert "hush" not in str(refused.value)


def test_further_accounts_have_roots_of_their_own() -> None:
    """Each key leads to its account; one id for two accounts is refused."""
    keys = root_credentials([RootKey(ACCOUNT, "A1", "s1"), RootKey("111122223333", "A2", "s2")])
    found = keys.secret_of("A2")
    assert found is not None
    assert (found[0], found[1].arn) == ("s2", "arn:aws:iam::111122223333:root")
    assert keys.accounts() == {ACCOUNT, "111122223333"}
    with pytest.raises(BadRootKey, match="two accounts"):
        root_credentials([RootKey(ACCOUNT, "A1", "s1"), RootKey("111122223333", "A1", "s2")])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[default]\naws_access_key_id = AKIA\n",
        b"[other]\naws_access_key_id = AKIA\naws_secret_access_key = hushhush\n",
        b"\xff\xfe rubbish",
        b"[default]\naws_access_key_id = A B\naws_secret_access_key = hushhush\n",
    ],
)
def test_broken_file_is_told_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """A file that a person spoilt is not replaced by another key behind their back."""
    (tmp_path / "credentials").write_bytes(content)
    with pytest.raises(BadRootKey) as refused:
        load_root_key(tmp_path, {}, ACCOUNT)
    assert "hush" not in str(refused.value)
    assert (tmp_path / "credentials").read_bytes() == content


def test_file_edited_by_hand_is_read(tmp_path: Path) -> None:
    """Comments, blanks, further sections and an equals sign in the secret are what AWS's files have."""
    (tmp_path / "credentials").write_text(
        "; mine\n\n[other]\naws_access_key_id=no\n[default]\n# x\n aws_access_key_id=AKIA1\naws_secret_access_key = a=b\n"
    )
    assert load_root_key(tmp_path, {}, ACCOUNT) == RootKey(ACCOUNT, "AKIA1", "a=b")


def test_open_file_is_closed_to_others(tmp_path: Path) -> None:
    """A file that others may read gets mode 0600 when it is next used."""
    key = load_root_key(tmp_path, {}, ACCOUNT)
    (tmp_path / "credentials").chmod(0o644)
    assert load_root_key(tmp_path, {}, ACCOUNT) == key
    assert stat.S_IMODE((tmp_path / "credentials").stat().st_mode) == 0o600


def test_starts_at_once_get_the_same_key(tmp_path: Path) -> None:
    """Of several processes that make the file one wins, and all of them use its key."""
    script = (
        "import sys; from pathlib import Path; from craton.infra.keys.root import load_root_key;"
        "sys.stdin.read(1); print(load_root_key(Path(sys.argv[1]), {}, '000000000000').access_key_id)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "home")]
    starts = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(4)]
    for start in starts:
        assert start.stdin is not None
        start.stdin.close()
    told = set()
    for start in starts:
        assert start.stdout is not None
        told.add(start.stdout.read())
        start.stdout.close()
        assert start.wait() == 0
    assert told == {load_root_key(tmp_path / "home", {}, ACCOUNT).access_key_id.encode() + b"\n"}


def test_second_maker_takes_the_firsts_bytes(tmp_path: Path) -> None:
    """What is there is never replaced."""
    assert read_or_create(tmp_path / "x", b"first") == b"first"
    assert read_or_create(tmp_path / "x", b"second") == b"first"


def test_home_has_a_secret_for_each_purpose(tmp_path: Path) -> None:
    """The same purpose gives the same 32 bytes in every process, another purpose or home gives others."""
    first = home_secret(tmp_path / "a", "pages")
    assert len(first) == 32
    assert home_secret(tmp_path / "a", "pages") == first
    assert home_secret(tmp_path / "a", "other") != first
    assert home_secret(tmp_path / "b", "pages") != first
    assert stat.S_IMODE((tmp_path / "a" / "secret").stat().st_mode) == 0o600


def test_records_do_not_show_secrets() -> None:
    """A printed key has its id only."""
    assert repr(RootKey(ACCOUNT, "AKIA1", "hushhush")) == "RootKey('000000000000', 'AKIA1')"

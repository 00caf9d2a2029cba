"""Session tokens and sealed secrets: what one process seals every process of the home opens, and nobody else."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.aws.access.credentials import AccessKey, Credentials, Principal, root_principal
from craton.infra.identities.seal import BadSeal, Sealer
from craton.infra.identities.secrets import access_key_id, account_of
from craton.infra.identities.sessions import Sessions

KEY, OTHER = b"k" * 32, b"o" * 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/artists"
ARTIST = Principal(
    account=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/artists/ann",
    kind="assumed-role",
    user_id="AROAEXAMPLE:ann",
    role_arn=ROLE,
    session_policies=('{"Version":"2012-10-17","Statement":[]}',),
    session_tags={"team": "art"},
    transitive_tags=("team",),
    issued_at=NOW,
    source_identity="ann",
)


def sessions(key: bytes = KEY) -> Sessions:
    return Sessions(lambda: key)


def known(issuers: dict[str, str] | None = None, key: bytes = KEY) -> Credentials:
    root = AccessKey.of("AKIAROOT", "secret", root_principal(ACCOUNT, "AKIAROOT"))
    return Credentials.of([root], (), {"AROAEXAMPLE": ROLE} if issuers is None else issuers, sessions(key).open)


def test_a_token_carries_the_whole_session() -> None:
    """Another process of the home reads everything from the token, and the principal has the new key's id."""
    made, token = sessions().issue(ARTIST, "AROAEXAMPLE", NOW + timedelta(hours=1))
    read = sessions().open(token)
    assert read == made
    assert read is not None
    assert read.principal.access_key_id == made.access_key_id
    assert made.access_key_id.startswith("ASIA")
    assert account_of(made.access_key_id) == ACCOUNT


def test_a_verifier_gets_the_secret_and_the_end() -> None:
    """Key and token together give the secret; the key of one session with the token of another gives nothing."""
    made, token = sessions().issue(ARTIST, "AROAEXAMPLE", NOW)
    found = known().session(made.access_key_id, token)
    assert found is not None
    assert (found.secret_access_key, found.session_token, found.expires_at) == (made.secret, token, NOW)
    assert known().session_owner(made.access_key_id, token) == made.principal
    assert known().session("ASIAOTHER", token) is None
    assert known().session_owner("ASIAOTHER", token) is None


@pytest.mark.parametrize("issuers", [{}, {"AROAOTHER": ROLE}, {"AROAEXAMPLE": "arn:aws:iam::123456789012:role/x"}])
def test_a_session_ends_with_its_role(issuers: dict[str, str]) -> None:
    """Deleted, made again under its name, or renamed: the session is over."""
    made, token = sessions().issue(ARTIST, "AROAEXAMPLE", NOW)
    assert known(issuers).session(made.access_key_id, token) is None


def test_roots_session_ends_with_its_account() -> None:
    """A session of root lives while the account has a root key here."""
    made, token = sessions().issue(root_principal(ACCOUNT), ACCOUNT, NOW)
    assert known().session(made.access_key_id, token) is not None
    assert Credentials(open_token=sessions().open).session(made.access_key_id, token) is None


def test_another_homes_token_is_nothing() -> None:
    """The seal is the home's."""
    made, token = sessions(OTHER).issue(ARTIST, "AROAEXAMPLE", NOW)
    assert known().session(made.access_key_id, token) is None


def test_no_byte_of_a_token_can_be_changed() -> None:
    """Each byte, turned, makes a token that is nobody's."""
    _, token = sessions().issue(ARTIST, "AROAEXAMPLE", NOW)
    sealed = bytearray(base64.b64decode(token))
    for at in range(len(sealed)):
        sealed[at] ^= 1
        assert sessions().open(base64.b64encode(bytes(sealed)).decode()) is None
        sealed[at] ^= 1


@given(st.text(max_size=200))
def test_junk_is_no_token(junk: str) -> None:
    """Any text at all."""
    assert sessions().open(junk) is None


def test_junk_leaves_nothing_behind() -> None:
    """What is no token is not remembered, and what is one is in a bounded number."""
    mine = sessions()
    for at in range(5000):
        mine.open(f"junk{at}")
    assert len(mine._kept) == 0
    for _ in range(2100):
        mine.open(mine.issue(root_principal(ACCOUNT), ACCOUNT, NOW)[1])
    assert len(mine._kept) <= 2048


def test_a_session_has_a_size() -> None:
    """Policies that no header could carry are refused when the session is made."""
    noise = base64.b64encode(bytes(range(256)) * 400).decode()
    with pytest.raises(ValueError, match="too large"):
        large = Principal(account=ACCOUNT, arn="a", kind="user", user_id="u", session_policies=(noise,))
        sessions().issue(large, "u", NOW)


def test_secrets_do_not_show() -> None:
    """Neither in a repr nor in a sealed form."""
    made, token = sessions().issue(ARTIST, "AROAEXAMPLE", NOW)
    assert made.secret not in repr(made)
    assert made.secret not in repr(known().session(made.access_key_id, token))
    assert b"very secret" not in Sealer(KEY).seal(b"very secret", b"x")
    assert "kkk" not in repr(Sealer(KEY))


def test_a_seal_is_bound_to_its_place() -> None:
    """A sealed secret moved to another key's row does not open."""
    sealed = Sealer(KEY).seal(b"secret", b"AKIA1")
    assert Sealer(KEY).open(sealed, b"AKIA1") == b"secret"
    for key, bound in ((KEY, b"AKIA2"), (OTHER, b"AKIA1")):
        with pytest.raises(BadSeal):
            Sealer(key).open(sealed, bound)
    with pytest.raises(BadSeal):
        Sealer(KEY).open(b"short", b"AKIA1")


@given(st.integers(min_value=0, max_value=10**12 - 1), st.sampled_from(["AKIA", "ASIA"]))
def test_an_id_carries_its_account(number: int, prefix: str) -> None:
    """Twenty letters of A–Z2–7 that tell the account."""
    ident = access_key_id(prefix, f"{number:012d}")
    assert len(ident) == 20
    assert ident.startswith(prefix)
    assert account_of(ident) == f"{number:012d}"


@pytest.mark.parametrize("ident", ["", "AKIA", "AKIAIOSFODNN7EXAMPLE1", "AKIA!!!!!!!!!!!!!!!!", "AKIA" + "ä" * 16])
def test_what_is_no_id_has_no_account(ident: str) -> None:
    """Malformed ids are told apart, not guessed at."""
    assert account_of(ident) is None

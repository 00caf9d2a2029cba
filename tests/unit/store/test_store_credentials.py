"""The snapshot of all keys: found by id and by token, immutable, and able to travel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from craton.aws.access.credentials import (
    AccessKey,
    BearerKey,
    Credentials,
    Principal,
    digest_of,
    root_principal,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = root_principal("111122223333", "AKIAROOT")
USER = Principal(
    account="111122223333", arn="arn:aws:iam::111122223333:user/ana", kind="user", user_id="AIDAANA", name="ana"
)
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "ABSKexample"


def some() -> Credentials:
    """One root key and one bearer key that ends in a day."""
    bearer = BearerKey(digest_of(TOKEN), "ACCA1", USER.through("bearer"), NOW + timedelta(days=1))
    return Credentials.of([AccessKey.of("AKIAROOT", SECRET, ROOT)], [bearer])


def test_root_principal_is_awss() -> None:
    """The root user's ARN ends in :root and its user id is the account."""
    assert ROOT.arn == "arn:aws:iam::111122223333:root"
    assert ROOT.user_id == "111122223333"
    assert ROOT.is_root
    assert not USER.is_root


def test_access_key_gives_secret_and_owner() -> None:
    """A known id is answered, any other is not, to the letter."""
    assert some().secret_of("AKIAROOT") == (SECRET, ROOT)
    assert some().secret_of("akiaroot") is None
    assert some().secret_of("") is None


def test_bearer_token_gives_its_owner_until_its_end() -> None:
    """The end itself is too late; the key can still be told from an unknown one."""
    keys = some()
    found = keys.bearer(TOKEN, NOW)
    assert found is not None
    assert (found.arn, found.auth) == (USER.arn, "bearer")
    assert keys.bearer(TOKEN, NOW + timedelta(days=1)) is None
    late = keys.bearer_key(TOKEN)
    assert late is not None
    assert late.expired(NOW + timedelta(days=1))
    assert not late.expired(NOW)


@pytest.mark.parametrize("token", ["", "ABSK", TOKEN + " ", TOKEN.lower(), "ABSK\ud800", "x" * 100_000])
def test_other_tokens_are_nobodys(token: str) -> None:
    """Near misses and rubbish find nothing and raise nothing."""
    assert some().bearer(token, NOW) is None


def test_accounts_are_those_with_a_root_key() -> None:
    """A user's key alone makes no account."""
    other = Principal(account="444455556666", arn="arn", kind="user", user_id="AIDA")
    keys = [AccessKey.of("AKIAROOT", SECRET, ROOT), AccessKey.of("AKIA2", "s", other)]
    assert Credentials.of(keys).accounts() == {"111122223333"}


def test_secrets_do_not_show() -> None:
    """What a log or a traceback prints of the records names keys by id only."""
    bearer = BearerKey(digest_of(TOKEN), "ACCA1", USER)
    shown = f"{some()!r} {AccessKey.of('AKIAROOT', SECRET, ROOT)!r} {bearer!r} {some()!s}"
    assert SECRET not in shown
    assert TOKEN not in shown
    assert digest_of(TOKEN).hex() not in shown
    assert "AKIAROOT" in shown


def test_principals_do_not_change() -> None:
    """Another proof makes another record."""
    short = ROOT.through("bearer-short")
    assert (short.auth, ROOT.auth) == ("bearer-short", "sigv4")
    with pytest.raises(AttributeError):
        ROOT.account = "x"  # type: ignore[misc]
    assert msgspec.structs.replace(short, auth="sigv4") == ROOT

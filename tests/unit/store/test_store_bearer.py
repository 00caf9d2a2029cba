"""Long-term bearer keys: made, listed, switched and removed, and what of them reaches the snapshot."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from craton.aws.access.credentials import Credentials, Principal, root_principal
from craton.infra.keys.bearer import (
    ACTIVE,
    EXPIRED,
    INACTIVE,
    KIND,
    KeyRefused,
    TooManyKeys,
    active_key,
    create_bearer_key,
    delete_bearer_key,
    list_bearer_keys,
    of_roots,
    set_bearer_status,
)
from craton.infra.keys.root import RootKey, root_credentials
from craton.infra.store.mirror import Mirror
from craton.infra.store.opening import MEMORY, open_store
from craton.infra.store.port import NotFound, Query, Store

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ACCOUNT = "000000000000"
ROOT = root_principal(ACCOUNT, "AKIAROOT")
ANA = Principal(account=ACCOUNT, arn=f"arn:aws:iam::{ACCOUNT}:user/ana", kind="user", user_id="AIDAANA", name="ana")


def clock() -> datetime:
    """Noon of the first of January."""
    return NOW


def snapshot(store: Store, roots: Credentials) -> Credentials:
    """The roots' keys and all bearer keys that count."""
    mirror = Mirror()
    mirror.look(store)
    found = [key for key in mirror.read(store, KIND, active_key) if key is not None]
    return Credentials.of(roots.secrets.values(), of_roots(found, roots.accounts()))


def roots() -> Credentials:
    """The root key of the account."""
    return root_credentials([RootKey(ACCOUNT, "AKIAROOT", "secret")])


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty store."""
    made = open_store(MEMORY)
    yield made
    made.close()


def test_key_looks_like_awss(store: Store) -> None:
    """ABSK and base64 of alias:random; the id is ACCA and 17 letters; the lengths are those that scanners know."""
    record, secret = create_bearer_key(store, ROOT, clock=clock)
    assert re.fullmatch(r"ABSK[A-Za-z0-9+/]{109,269}={0,2}", secret)
    alias, _, random = base64.b64decode(secret[4:]).decode().partition(":")
    assert alias == record.alias == f"root-at-{ACCOUNT}"
    assert len(base64.b64decode(random)) == 48
    assert re.fullmatch(r"ACCA[A-Z2-7]{17}", record.credential_id)
    assert (record.user_name, record.user_arn, record.service_name) == ("root", ROOT.arn, "bedrock.amazonaws.com")
    assert (record.status, record.created_at, record.expires_at) == (ACTIVE, NOW, None)


def test_key_works_from_the_next_snapshot_on(store: Store) -> None:
    """The token leads to its owner, come in by bearer and without an access key."""
    before = snapshot(store, roots())
    _record, secret = create_bearer_key(store, ROOT, clock=clock)
    found = snapshot(store, roots()).bearer(secret, NOW)
    assert before.bearer(secret, NOW) is None
    assert found is not None
    assert (found.arn, found.auth, found.access_key_id, found.is_root) == (ROOT.arn, "bearer", None, True)
    assert snapshot(store, roots()).secret_of("AKIAROOT") is not None


def test_key_itself_is_not_kept(store: Store) -> None:
    """Neither the key nor its random part is in the row."""
    record, secret = create_bearer_key(store, ROOT, clock=clock)
    row = store.get_by_id(ACCOUNT, "", KIND, record.credential_id)
    assert row is not None
    random = base64.b64decode(secret[4:]).partition(b":")[2]
    assert secret.encode() not in row.body
    assert random not in row.body


@pytest.mark.parametrize("age_days", [0, -1, 36_601])
def test_age_has_bounds(store: Store, age_days: int) -> None:
    """IAM's CredentialAgeDays is 1 to 36600."""
    with pytest.raises(KeyRefused, match="1 to 36600"):
        create_bearer_key(store, ROOT, age_days=age_days, clock=clock)


@pytest.mark.parametrize("age_days", [1, 36_600])
def test_key_with_an_age_ends(store: Store, age_days: int) -> None:
    """It works until its end, then counts as expired and is listed so."""
    record, secret = create_bearer_key(store, ROOT, age_days=age_days, clock=clock)
    end = NOW + timedelta(days=age_days)
    keys = snapshot(store, roots())
    late = keys.bearer_key(secret)
    assert record.expires_at == end
    assert keys.bearer(secret, end - timedelta(seconds=1)) is not None
    assert keys.bearer(secret, end) is None
    assert late is not None
    assert late.expired(end)
    assert [each.status for each in list_bearer_keys(store, ACCOUNT, now=end)] == [EXPIRED]


def test_inactive_key_is_unknown_until_it_is_active_again(store: Store) -> None:
    """Switching is seen by the next snapshot."""
    record, secret = create_bearer_key(store, ROOT, clock=clock)
    off = set_bearer_status(store, ACCOUNT, record.credential_id, INACTIVE, clock=clock)
    assert off.status == INACTIVE
    assert snapshot(store, roots()).bearer_key(secret) is None
    set_bearer_status(store, ACCOUNT, record.credential_id, ACTIVE, clock=clock)
    assert snapshot(store, roots()).bearer_key(secret) is not None
    with pytest.raises(KeyRefused):
        set_bearer_status(store, ACCOUNT, record.credential_id, EXPIRED, clock=clock)


def test_deleted_key_is_gone(store: Store) -> None:
    """It neither works nor is listed, and a second delete finds nothing."""
    record, secret = create_bearer_key(store, ROOT, clock=clock)
    delete_bearer_key(store, ACCOUNT, record.credential_id)
    assert snapshot(store, roots()).bearer_key(secret) is None
    assert list_bearer_keys(store, ACCOUNT, now=NOW) == ()
    with pytest.raises(NotFound):
        delete_bearer_key(store, ACCOUNT, record.credential_id)


def test_keys_of_other_accounts_are_out_of_reach(store: Store) -> None:
    """Another account neither sees, switches nor deletes a key."""
    record, _secret = create_bearer_key(store, ROOT, clock=clock)
    other = "111122223333"
    assert list_bearer_keys(store, other, now=NOW) == ()
    with pytest.raises(NotFound):
        delete_bearer_key(store, other, record.credential_id)
    with pytest.raises(NotFound):
        set_bearer_status(store, other, record.credential_id, INACTIVE, clock=clock)


def test_users_have_two_keys_at_most_and_root_any_number(store: Store) -> None:
    """IAM's quota counts per user; deleting makes room."""
    made = [create_bearer_key(store, ANA, clock=clock)[0] for _ in range(2)]
    with pytest.raises(TooManyKeys):
        create_bearer_key(store, ANA, clock=clock)
    for _ in range(3):
        create_bearer_key(store, ROOT, clock=clock)
    delete_bearer_key(store, ACCOUNT, made[0].credential_id)
    assert create_bearer_key(store, ANA, clock=clock)[0].alias == f"ana-at-{ACCOUNT}"
    assert len(list_bearer_keys(store, ACCOUNT, now=NOW)) == 5
    assert len(list_bearer_keys(store, ACCOUNT, user_arn=ANA.arn, now=NOW)) == 2


def test_snapshot_reads_more_keys_than_a_page_holds(store: Store) -> None:
    """No key is lost at a page's end."""
    secrets = [create_bearer_key(store, ROOT, clock=clock)[1] for _ in range(501)]
    keys = snapshot(store, roots())
    assert all(keys.bearer(secret, NOW) is not None for secret in secrets)
    assert store.list(Query(kind=KIND, limit=500)).after is not None


def test_root_keys_of_accounts_that_are_gone_do_not_count(store: Store) -> None:
    """When an account is taken out of the settings its root's bearer keys end with it; a user's are IAM's matter."""
    _record, roots_secret = create_bearer_key(store, ROOT, clock=clock)
    _record, anas_secret = create_bearer_key(store, ANA, clock=clock)
    other = root_credentials([RootKey("111122223333", "AKIAOTHER", "secret")])
    assert snapshot(store, other).bearer_key(roots_secret) is None
    assert snapshot(store, other).bearer_key(anas_secret) is not None

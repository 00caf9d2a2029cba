"""From rows to what servers judge from: who stands under which policies, and whose keys count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from craton.aws.access.credentials import AccessKey, Credentials, root_principal
from craton.aws.access.identities import Identities
from craton.infra.identities import records
from craton.infra.identities.everybody import Everybody
from craton.infra.identities.managed import aws_policies
from craton.infra.identities.records import Group, Key, ManagedPolicy, Role, User, Version
from craton.infra.identities.seal import Sealer
from craton.infra.identities.snapshot import Directory
from craton.infra.keys import bearer
from craton.infra.store.opening import MEMORY, open_store
from craton.infra.store.port import GLOBAL, Resource, Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ACCOUNT = "123456789012"
SEALER = Sealer(b"k" * 32)
ROOTS = Credentials.of([AccessKey.of("AKIAROOT", "s", root_principal(ACCOUNT, "AKIAROOT"))])
READ_ONLY = "arn:aws:iam::aws:policy/AmazonBedrockReadOnly"


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store(MEMORY)
    yield opened
    opened.close()


def keep(store: Store, kind: str, body: msgspec.Struct) -> Resource:
    return store.create(records.row_of(kind, ACCOUNT, body, NOW))


def managed(name: str, document: str) -> ManagedPolicy:
    return ManagedPolicy(name=name, versions=[Version(id="v1", document=document, created_at=NOW)])


def with_key(store: Store, ident: str, user: Resource, *, sealer: Sealer = SEALER, status: str = "Active") -> Resource:
    body = Key(user_id=user.id, sealed=sealer.seal(b"the secret", ident.encode()))
    row = Resource(
        account=ACCOUNT,
        region=GLOBAL,
        kind=records.ACCESS_KEY,
        id=ident,
        arn=records.key_arn(ACCOUNT, ident),
        status=status,
        created_at=NOW,
        updated_at=NOW,
        body=msgspec.json.encode(body),
    )
    return store.create(row)


def credentials(store: Store, directory: Directory | None = None) -> Credentials:
    return arrived(store, Everybody(), directory or Directory()).credentials(ROOTS.secrets.values(), lambda _: None)


def identities(store: Store) -> Identities:
    """Everybody joined, and so every text known."""
    made = arrived(store, Everybody(), Directory()).identities()
    assert [made.identities[arn].arn for arn in made.identities] == list(made.identities)
    return made


def arrived(store: Store, everybody: Everybody, directory: Directory) -> Everybody:
    """What a worker knows after it has taken up what there is now."""
    known = directory.known(store, lambda: SEALER)
    contents = {name: content for packing in directory.packings for name, content in packing.contents.items()}
    everybody.take(known, {name: contents[name] for name in everybody.wanted(known)})
    return everybody


def test_a_user_stands_under_its_own_and_its_groups_policies(store: Store) -> None:
    """Inline ones, attached ones, those of AWS's names, and those of groups; each text is there once."""
    policy = keep(store, records.POLICY, managed("p", "{own}"))
    user = keep(
        store,
        records.USER,
        User(name="ann", inline={"in": "{inline}"}, attached=[policy.arn, READ_ONLY], tags={"a": "b"}),
    )
    keep(store, records.GROUP, Group(name="g", attached=[policy.arn], inline={"in": "{group}"}, members=[user.id]))
    made = identities(store)
    (ann,) = made.identities.values()
    texts = made.policies
    assert ann.arn == f"arn:aws:iam::{ACCOUNT}:user/ann"
    assert ann.tags == {"a": "b"}
    assert [texts[ident].document for ident in ann.policies] == [
        "{inline}", "{own}", aws_policies()[READ_ONLY].document, "{group}", "{own}",
    ]  # fmt: skip
    assert len(made.policies) == 4
    assert texts[ann.policies[1]].arn == policy.arn
    assert texts[ann.policies[0]].arn is None


def test_a_role_has_its_boundary(store: Store) -> None:
    """The boundary's text in force, by its id."""
    policy = keep(store, records.POLICY, managed("p", "{bound}"))
    keep(store, records.ROLE, Role(name="r", trust="{}", boundary=policy.arn))
    made = identities(store)
    (role,) = made.identities.values()
    assert role.kind == "role"
    assert role.boundary == f"{policy.id}/v1"
    assert made.policies[role.boundary].document == "{bound}"


def test_an_id_changes_whenever_its_text_does(store: Store) -> None:
    """A new inline text, a new default version, and a policy that was made again under its ARN."""
    policy = keep(store, records.POLICY, managed("p", "{1}"))
    user = keep(store, records.USER, User(name="ann", inline={"in": "{1}"}, attached=[policy.arn]))
    before = next(iter(identities(store).identities.values())).policies
    store.update(records.rewritten(user, User(name="ann", inline={"in": "{2}"}, attached=[policy.arn]), NOW))
    store.delete(policy.arn)
    keep(store, records.POLICY, managed("p", "{2}"))
    after = next(iter(identities(store).identities.values())).policies
    assert not set(before) & set(after)


def test_a_policy_that_is_gone_is_not_forgotten(store: Store) -> None:
    """Its id stays, with a text that cannot be read: who judges then refuses, for it may have held a Deny."""
    keep(store, records.USER, User(name="ann", attached=[f"arn:aws:iam::{ACCOUNT}:policy/gone"]))
    (text,) = identities(store).policies.values()
    assert text.document == ""


def test_keys_belong_to_who_the_user_is_now(store: Store) -> None:
    """A renamed user's keys name the new ARN, and the unique id stays."""
    user = keep(store, records.USER, User(name="ann"))
    with_key(store, "AKIA1", user)
    row, secret = bearer.new_key(credentials(store).owner("AKIA1") or root_principal(ACCOUNT), age_days=None, now=NOW)
    store.create(row)
    with store.transaction() as transaction:
        records.moved(transaction, user, User(name="bea", path="/x/"), NOW)
    found = credentials(store)
    owner = found.owner("AKIA1")
    assert owner is not None
    assert (owner.arn, owner.user_id) == (f"arn:aws:iam::{ACCOUNT}:user/x/bea", user.id)
    assert found.secret_of("AKIA1") == ("the secret", owner)
    by_bearer = found.bearer(secret, NOW + timedelta(days=1))
    assert by_bearer is not None
    assert by_bearer.arn == owner.arn
    assert found.issuers == {user.id: owner.arn}


def test_keys_that_do_not_count(store: Store) -> None:
    """Switched off, of a user that is gone, sealed by another home: nobody's."""
    user = keep(store, records.USER, User(name="ann"))
    gone = keep(store, records.USER, User(name="bob"))
    with_key(store, "AKIAOFF", user, status="Inactive")
    with_key(store, "AKIAGONE", gone)
    with_key(store, "AKIAOTHER", user, sealer=Sealer(b"o" * 32))
    row, secret = bearer.new_key(root_principal("999999999999"), age_days=None, now=NOW)
    store.create(row)
    store.delete(gone.arn)
    found = credentials(store)
    assert [found.owner(key) for key in ("AKIAOFF", "AKIAGONE", "AKIAOTHER")] == [None, None, None]
    assert found.bearer(secret, NOW) is None
    assert found.owner("AKIAROOT") is not None


def test_what_did_not_change_is_not_packed_again(store: Store) -> None:
    """The same names come back until a row of a kind that matters changes; nobody's are nobody again after a reset."""
    directory, everybody = Directory(), Everybody()
    assert not arrived(store, everybody, directory).identities().identities
    user = keep(store, records.USER, User(name="ann"))
    assert arrived(store, everybody, directory).identities().identities[user.arn].arn == user.arn
    known = directory.known(store, lambda: SEALER)
    assert directory.known(store, lambda: SEALER) == known
    assert not everybody.wanted(known)
    store.update(records.rewritten(user, User(name="ann", tags={"a": "b"}), NOW))
    assert arrived(store, everybody, directory).identities().identities[user.arn].tags == {"a": "b"}
    store.reset()
    assert not arrived(store, everybody, directory).identities().identities


@pytest.mark.parametrize("change", ["user", "policy", "group", "key"])
def test_a_change_leaves_everybody_else_the_same_objects(store: Store, change: str) -> None:
    """Of a thousand users, one that is new, or a policy that nobody has yet, moves a parcel or two."""
    policy = keep(store, records.POLICY, managed("p", "{}"))
    users = [
        keep(store, records.USER, User(name=f"u{at}", attached=[policy.arn], inline={"i": "{}"})) for at in range(600)
    ]
    keep(store, records.GROUP, Group(name="g", members=[user.id for user in users], inline={"x": "{}"}))
    directory, everybody = Directory(), Everybody()
    arrived(store, everybody, directory)
    made = {
        "user": lambda: keep(store, records.USER, User(name="new")),
        "policy": lambda: keep(store, records.POLICY, managed("q", "{}")),
        "group": lambda: keep(store, records.GROUP, Group(name="h", members=[users[0].id], attached=[policy.arn])),
        "key": lambda: with_key(store, "AKIANEW", users[0]),
    }
    made[change]()
    assert len(everybody.wanted(directory.known(store, lambda: SEALER))) <= 2


def test_the_policies_of_the_beginning_can_be_read() -> None:
    """Each of them is a document that the evaluator takes."""
    from craton.aws.access.policy import parse

    assert len(aws_policies()) == 4
    for arn, policy in aws_policies().items():
        assert parse(policy.document, "identity", arn).statements
        assert len(policy.id) == 21

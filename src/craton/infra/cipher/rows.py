"""KMS keys and aliases as rows of the store: how they are found by whatever names them, and what time does to them.

Owns the rows' bodies, the rules of names and ARNs, the managed keys that an account gets by itself, and the two things
that happen by the calendar: a rotation that is due, a deletion whose waiting time is over. It must not know policies'
meaning or the form of any answer. Everything works on a reader or transaction of the store.
"""

from __future__ import annotations

import re
import uuid
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from craton.infra.cipher.keyring import Keyring, Material, key_arn
from craton.infra.cipher.port import KeyUnusable, NoSuchKey
from craton.infra.store.port import Conflict, NotFound, Query, Reader, Resource, Store, Transaction

KEY, ALIAS, GRANT = "kms-key", "kms-alias", "kms-grant"
ENABLED, DISABLED, PENDING = "Enabled", "Disabled", "PendingDeletion"
MANAGED_ALIAS = "alias/aws/bedrock"
"""The key that Bedrock's data has where nobody names one; AWS makes it when it is first needed, and so do we."""
_ARN = re.compile(r"arn:aws[a-z0-9-]*:kms:([a-z0-9-]+):([0-9]{12}):((?:key|alias)/.+)")
_PAGE = 200


class KeyBody(msgspec.Struct, kw_only=True):
    """`materials` oldest first, the last one in use. `on_demand` counts rotations by request, which have a limit."""

    policy: str
    materials: list[Material]
    description: str = ""
    manager: Literal["CUSTOMER", "AWS"] = "CUSTOMER"
    tags: dict[str, str] = {}
    deleted_at: datetime | None = None
    pending_days: int | None = None
    rotation_days: int | None = None
    rotates_at: datetime | None = None
    on_demand: int = 0


class AliasBody(msgspec.Struct):
    """`target` is the key's id, in the alias's own account and region."""

    target: str


class Key(msgspec.Struct, frozen=True):
    """A key as it was read. `alias` is the name by which it was asked for, if that was one."""

    row: Resource
    body: KeyBody
    alias: str = ""

    @property
    def arn(self) -> str:
        return self.row.arn

    @property
    def material(self) -> Material:
        """The generation that encrypts."""
        return self.body.materials[-1]

    def usable(self) -> Key:
        """Itself. Raises KeyUnusable in every state but Enabled."""
        if self.row.status != ENABLED:
            raise KeyUnusable(self.arn, self.row.status)
        return self

    def due(self, now: datetime) -> bool:
        """Whether the calendar asks for new material."""
        at = self.body.rotates_at
        return at is not None and at <= now and self.row.status == ENABLED


class Place(msgspec.Struct, frozen=True):
    """Where a name leads: an account, a region, and `key/…` or `alias/…`."""

    account: str
    region: str
    resource: str

    @property
    def arn(self) -> str:
        return f"arn:aws:kms:{self.region}:{self.account}:{self.resource}"


def place_of(name: str, account: str, region: str) -> Place:
    """What a key id, key ARN, alias or alias ARN names, seen from an account and region."""
    found = _ARN.fullmatch(name)
    if found is not None:
        return Place(found[2], found[1], found[3])
    return Place(account, region, name if name.startswith("alias/") else f"key/{name}")


def find(reader: Reader, place: Place, now: datetime) -> Key:
    """The key there, by itself or by an alias. Raises NoSuchKey, also when its deletion is over."""
    alias = ""
    if place.resource.startswith("alias/"):
        alias = place.resource
        row = reader.get(place.arn)
        if row is None or row.kind != ALIAS:
            raise NoSuchKey(place.arn)
        place = Place(place.account, place.region, f"key/{row.read(AliasBody).target}")
    row = reader.get(place.arn)
    if row is None or row.kind != KEY:
        raise NoSuchKey(place.arn)
    body = row.read(KeyBody)
    if body.deleted_at is not None and body.deleted_at <= now:
        raise NoSuchKey(place.arn)
    return Key(row, body, alias)


def new_key(keyring: Keyring, account: str, region: str, now: datetime, body: KeyBody) -> Resource:
    """The row of a new key; `body.materials` is filled here."""
    ident = str(uuid.uuid4())
    arn = key_arn(account, region, ident)
    full = msgspec.structs.replace(body, materials=[keyring.new_material(arn, now)])
    return Resource(
        account=account, region=region, kind=KEY, id=ident, arn=arn, status=ENABLED,
        created_at=now, updated_at=now, body=msgspec.json.encode(full),
    )  # fmt: skip


def new_alias(account: str, region: str, name: str, target: str, now: datetime) -> Resource:
    """The row of an alias."""
    return Resource(
        account=account, region=region, kind=ALIAS, id=name, arn=Place(account, region, name).arn, name=name,
        created_at=now, updated_at=now, body=msgspec.json.encode(AliasBody(target)),
    )  # fmt: skip


def managed(transaction: Transaction, keyring: Keyring, account: str, region: str, now: datetime) -> Key:
    """The account's own key for Bedrock in a region, made if there is none."""
    place = Place(account, region, MANAGED_ALIAS)
    if transaction.get(place.arn) is None:
        body = KeyBody(
            policy=managed_policy(account, region), materials=[], manager="AWS", rotation_days=365,
            description="Default key that protects my Bedrock data when no other key is defined",
            rotates_at=now + timedelta(days=365),
        )  # fmt: skip
        row = transaction.create(new_key(keyring, account, region, now, body))
        transaction.create(new_alias(account, region, MANAGED_ALIAS, row.id, now))
    return find(transaction, place, now)


def rotated(keyring: Keyring, key: Key, now: datetime, how: Literal["AUTOMATIC", "ON_DEMAND"]) -> Resource:
    """The key's row with new material; everything encrypted before still decrypts."""
    body = msgspec.structs.replace(key.body, materials=[*key.body.materials, keyring.new_material(key.arn, now, how)])
    if how == "ON_DEMAND":
        body.on_demand += 1
    elif body.rotation_days is not None:
        body.rotates_at = now + timedelta(days=body.rotation_days)
    return changed(key, body, now)


def renewed(transaction: Transaction, keyring: Keyring, key: Key, now: datetime) -> Key:
    """The key after the rotation that is due, or as it is."""
    if not key.due(now):
        return key
    row = transaction.update(rotated(keyring, key, now, "AUTOMATIC"))
    return Key(row, row.read(KeyBody), key.alias)


def changed(key: Key, body: KeyBody, now: datetime, status: str | None = None) -> Resource:
    """The row with another body, and perhaps another state."""
    status = key.row.status if status is None else status
    return msgspec.structs.replace(key.row, body=msgspec.json.encode(body), status=status, updated_at=now)


def sweep(store: Store, keyring: Keyring, now: datetime) -> int:
    """Wipe the keys whose deletion is over, with their aliases and grants, and rotate those that are due; how many."""
    done = 0
    for row in _all(store, Query(kind=KEY, limit=_PAGE)):
        body = row.read(KeyBody)
        is_over = body.deleted_at is not None and body.deleted_at <= now
        if is_over or Key(row, body).due(now):
            # Several servers on one store sweep it; whoever comes second finds it done.
            with suppress(Conflict, NotFound), store.transaction() as transaction:
                done += _settle(transaction, keyring, row.arn, now)
    return done


def _settle(transaction: Transaction, keyring: Keyring, arn: str, now: datetime) -> bool:
    """Do for one key what the calendar says, unless it was done or called off meanwhile."""
    row = transaction.get(arn)
    if row is None:
        return False
    key = Key(row, row.read(KeyBody))
    if key.body.deleted_at is not None and key.body.deleted_at <= now:
        _wipe(transaction, row)
        return True
    return renewed(transaction, keyring, key, now) is not key


def _wipe(transaction: Transaction, row: Resource) -> None:
    transaction.delete(row.arn)
    here = Query(kind=ALIAS, account=row.account, region=row.region, limit=_PAGE)
    for alias in _all(transaction, here):
        if alias.read(AliasBody).target == row.id:
            transaction.delete(alias.arn)
    for grant in _all(transaction, Query(kind=GRANT, account=row.account, region=row.region, id_prefix=f"{row.id}/")):
        transaction.delete(grant.arn)


def _all(reader: Reader, query: Query) -> list[Resource]:
    found: list[Resource] = []
    while True:
        page = reader.list(query)
        found += page.items
        if page.after is None:
            return found
        query = msgspec.structs.replace(query, after=page.after)


def managed_policy(account: str, region: str) -> str:
    """The policy of a managed key: whoever may use Bedrock in the account uses it through Bedrock, nobody directly."""
    through = {"StringEquals": {"kms:CallerAccount": account, "kms:ViaService": f"bedrock.{region}.amazonaws.com"}}
    uses = [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncrypt*",
        "kms:GenerateDataKey*",
        "kms:CreateGrant",
        "kms:DescribeKey",
    ]
    document = {
        "Version": "2012-10-17",
        "Id": "auto-bedrock-1",
        "Statement": [
            {
                "Sid": "Allow access through Bedrock for all principals in the account that are authorized to use Bedrock",
                "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": uses, "Resource": "*", "Condition": through,
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"], "Resource": "*",
            },
        ],
    }  # fmt: skip
    return msgspec.json.encode(document).decode()

"""From the KeyId of a request to the key, allowed and in a state to be used: the way of nearly every operation.

Owns which forms of a name an operation takes, the order of the checks (found, allowed, state), and that another
account's key which is not there looks like one that is not for the caller. It must not know what is then done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

import msgspec

from craton.aws.access.variables import Value
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.cipher import rows
from craton.infra.cipher.port import NoSuchKey
from craton.infra.cipher.rows import Key, Place, place_of
from craton.infra.store.port import After, BadPageToken, Reader, Transaction
from craton.services import stored
from craton.services.kms import access, grant_rows
from craton.services.kms.faults import as_faults, bad_id, bad_marker, bad_state, disabled, not_found
from craton.services.kms.grant_rows import Grant

T = TypeVar("T")
Items = TypeVar("Items")
ANY_STATE: Collection[str] = ()
NOT_PENDING = (rows.ENABLED, rows.DISABLED)
ONLY_ENABLED = (rows.ENABLED,)
MANAGED_STAYS = "{arn} is an AWS managed key: only AWS can change it."


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What must hold before an operation may go on.

    `states` in which the key may be, none for all; `aliases` whether an alias may name it; `context` the encryption
    context of a cryptographic operation; `given` more condition keys; `own` whether it must be the caller's account's;
    `changes` whether it is changed, which managed keys never are; `via` the service that asks in the caller's name;
    `covers` says which grants reach far enough.
    """

    action: str
    states: Collection[str] = ANY_STATE
    aliases: bool = False
    context: Mapping[str, str] | None = None
    given: Mapping[str, Value] = {}
    own: bool = False
    changes: bool = False
    via: str | None = None
    covers: Callable[[Grant], bool] = lambda _: True


def place(call: Call, name: str, need: Need) -> Place:
    """Where the name leads. Raises NotFoundException for a form that the operation does not take."""
    where = place_of(name, call.account, call.region)
    is_alias = where.resource.startswith("alias/")
    if is_alias and not need.aliases:
        raise bad_id(name)
    if where.region != call.region:
        raise not_found(f"Invalid arn {where.region}")
    if need.own and where.account != call.account:
        raise access.hidden(call, need.action)
    if not is_alias and "/" in where.resource.removeprefix("key/"):
        raise bad_id(name)
    return where


async def usable(call: Call, name: str, need: Need) -> Key:
    """The key that a request names, for the caller to do what it needs to. For operations that change nothing."""
    where = place(call, name, need)
    with as_faults():
        if need.aliases and access.is_managed(name) and where.account == call.account:
            await made_managed(call, where)
        return await call.app.storage.read(lambda reader: found(call, reader, where, need))


async def change(call: Call, name: str, need: Need, work: Callable[[Transaction, Key], T]) -> T:
    """Find, check and change in one transaction."""
    where = place(call, name, need)

    def run(transaction: Transaction) -> T:
        return work(transaction, found(call, transaction, where, need))

    with as_faults():
        return await call.app.storage.write(run)


def found(call: Call, reader: Reader, where: Place, need: Need) -> Key:
    """The key at a place, checked. Raises NotFoundException, AccessDeniedException, and for its state."""
    try:
        key = rows.find(reader, where, call.now())
    except NoSuchKey:
        if where.account != call.account:
            raise access.hidden(call, need.action) from None
        call.authorize(need.action, where.arn)
        raise
    return checked(call, reader, key, need)


def checked(call: Call, reader: Reader, key: Key, need: Need) -> Key:
    """The key, if the caller may do what it needs to and the key's state allows it."""

    def grants() -> list[Grant]:
        return [one for one in grant_rows.of_key(reader, key.row) if need.covers(one)]

    access.judge(call, need.action, key, need.given, grants=grants, context=need.context, via=need.via)
    if need.changes and key.body.manager == "AWS":
        raise Fault("UnsupportedOperationException", MANAGED_STAYS.format(arn=key.arn))
    if need.states and key.row.status not in need.states:
        state = key.row.status
        cryptographic = need.states is ONLY_ENABLED and state == rows.DISABLED
        raise disabled(key.arn) if cryptographic else bad_state(key.arn, state)
    return key


async def made_managed(call: Call, where: Place) -> None:
    """Make the account's managed key, if it is not there yet."""
    storage, keyring = call.app.storage, call.app.cipher.keyring
    if await storage.read(lambda reader: reader.get(where.arn)) is None:
        now = call.now()
        await storage.write(lambda tx: rows.managed(tx, keyring, where.account, where.region, now))


# --- listings: KMS pages by Marker ---


def opened(call: Call, marker: str | None, *filters: object) -> After | None:
    """The position in a Marker. Raises InvalidMarkerException."""
    try:
        return call.app.storage.pages.open(stored.listing(call, *filters), marker)
    except BadPageToken:
        raise bad_marker() from None


def paged(call: Call, after: After | None, *filters: object) -> dict[str, object]:
    """NextMarker and Truncated of a page's answer."""
    marker = stored.issued(call, stored.listing(call, *filters), after)
    return {"Truncated": False} if marker is None else {"Truncated": True, "NextMarker": marker}


def sliced(items: Sequence[Items], limit: int, after: After | None) -> tuple[Sequence[Items], After | None]:
    """One page of a short list that is at hand as a whole; its position is a number."""
    start = int(after[0]) if after is not None else 0
    end = start + limit
    return items[start:end], ((end, "") if end < len(items) else None)

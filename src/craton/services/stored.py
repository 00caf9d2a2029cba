"""Resources as the control plane's operations keep them: made once, found, listed by page, and the errors of all that.

Owns what is the same for every noun: the row of a new resource, idempotency by client token, quotas, page tokens, and
how the store's errors look to a caller of AWS. It must not know any noun: texts and kinds are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from craton.aws.wire.faults import Fault, conflict, internal, not_found, quota_exceeded, validation
from craton.context import Call
from craton.infra.store.ids import lower_id
from craton.infra.store.pages import Listing
from craton.infra.store.port import (
    After,
    AlreadyExists,
    BadPageToken,
    ClientToken,
    Conflict,
    NotFound,
    Page,
    Query,
    Reader,
    Resource,
    StoreError,
    TokenReused,
    Transaction,
    fingerprint,
    made_before,
)

DEFAULT_PAGE = 100
BAD_TOKEN = "The provided nextToken is invalid."  # noqa: S105 - a message
OTHER_REQUEST = "The client request token was already used with different request parameters."

T = TypeVar("T")


class Noun(msgspec.Struct, frozen=True):
    """A kind of resource. `shown` is its name in messages, `quota` how many an account may have in a region."""

    kind: str
    shown: str
    quota: int


def new_row(call: Call, noun: Noun, arn_of: Callable[[str, str, str], str], name: str, body: object) -> Resource:
    """The row of a resource of the caller's account and region; `arn_of` takes account, region and the new id."""
    now, made = call.app.clock.now(), lower_id()
    return Resource(
        account=call.account,
        region=call.region,
        kind=noun.kind,
        id=made,
        arn=arn_of(call.account, call.region, made),
        name=name,
        status="ACTIVE",
        created_at=now,
        updated_at=now,
        body=msgspec.json.encode(body),
    )


async def create(
    call: Call,
    noun: Noun,
    row: Resource,
    *,
    token: str | None,
    request: object,
    check: Callable[[Reader], None] = lambda _: None,
) -> Resource:
    """Keep a new row, or find the one that the same token made. When it returns, every worker lives by it.

    `request` is what the token is held against, `check` looks at other rows in the same transaction. Raises
    ConflictException (name taken, token of another request), ServiceQuotaExceededException, and what `check` raises.
    """
    claim = claimed(call, token, request)

    def work(transaction: Transaction) -> Resource:
        earlier = made_before(transaction, row, claim)
        if earlier is not None:
            return earlier
        check(transaction)
        check_room(call, transaction, noun)
        return transaction.create(row)

    with faults(noun.shown):
        return await call.app.storage.write(work)


def check_room(call: Call, store: Reader, noun: Noun, coming: int = 0) -> None:
    """Raise ServiceQuotaExceededException where the caller's account may have no more; `coming` are on their way."""
    if store.count(call.account, call.region, noun.kind) + coming >= noun.quota:
        raise quota_exceeded(
            f"You have reached the limit of {noun.quota} {noun.shown}s for this account in this Region. "
            f"Delete {noun.shown}s that you no longer need, and try again."
        )


def claimed(call: Call, token: str | None, request: object) -> ClientToken | None:
    """A caller's token for this operation, with what it is held against."""
    if token is None:
        return None
    return ClientToken(
        account=call.account,
        region=call.region,
        operation=call.operation.name,
        token=token,
        request_hash=fingerprint(request),
    )


async def own(call: Call, arn: str, noun: Noun) -> Resource:
    """The caller's row with this ARN. Raises ResourceNotFoundException."""
    with faults(noun.shown):
        row = await call.app.storage.read(lambda store: store.get(arn))
    if row is None or not belongs(call, row) or row.kind != noun.kind:
        raise missing(noun.shown)
    return row


def belongs(call: Call, row: Resource) -> bool:
    """Whether the row is of the caller's account and of the region that was called."""
    return row.account == call.account and row.region == call.region


def missing(shown: str) -> Fault:
    return not_found(f"The requested {shown} could not be found.")


async def page(call: Call, noun: Noun, limit: int, after: After | None) -> Page:
    """The caller's rows of a kind, oldest first."""
    query = Query(kind=noun.kind, account=call.account, region=call.region, limit=limit, after=after)
    with faults(noun.shown):
        return await call.app.storage.read(lambda store: store.list(query))


def listing(call: Call, *filters: object) -> Listing:
    """What a page token of this operation and these filters belongs to."""
    return Listing(call.account, call.region, call.operation.name, fingerprint(filters))


def opened(call: Call, shape: Listing, token: str | None) -> After | None:
    """The position in a nextToken. Raises ValidationException for one that this listing did not issue."""
    try:
        return call.app.storage.pages.open(shape, token)
    except BadPageToken:
        raise validation(BAD_TOKEN) from None


def issued(call: Call, shape: Listing, after: After | None) -> str | None:
    return call.app.storage.pages.issue(shape, after)


@contextmanager
def faults(shown: str) -> Iterator[None]:
    """The store's errors in AWS's words; what the store cannot do is the server's fault, and safe to try again."""
    try:
        yield
    except TokenReused:
        raise conflict(OTHER_REQUEST) from None
    except AlreadyExists as error:
        if error.field != "name":
            raise internal() from error
        raise conflict(f"The {shown} name already exists in this account and Region. Use a different name.") from None
    except NotFound:
        raise missing(shown) from None
    except Conflict:
        raise conflict(f"The {shown} was changed by another request. Try your request again.") from None
    except StoreError as error:
        raise internal() from error

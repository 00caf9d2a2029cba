"""The store's port: what a resource row is and what may be done with rows.

Owns the records, the error tree and the two Protocols that callers see. It must not know any database, so it imports no
SQL toolkit (20 MiB, 0.3 s): a server that has nothing stored runs without one. Everything here is synchronous; callers
run it in the supervisor or in a thread, never in the path of an inference request.

Errors::

    StoreError
    ├── NotFound        no such row
    ├── AlreadyExists   an id, ARN or name is taken (`field` says which)
    ├── Conflict        the row changed since it was read (compare-and-swap lost)
    ├── TokenReused     a client token came back with another request
    ├── BadPageToken    a nextToken that was not issued for this listing
    ├── TooNew          the database or a row was written by a newer Craton
    └── Unavailable     locked for too long, disk full, server gone; worth another try
        ├── Interrupted the connection was lost before the commit: nothing happened, the work may be run again
        └── InDoubt     the connection was lost in the commit: it happened or not, and nobody could say which
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

import msgspec

if TYPE_CHECKING:
    from sqlalchemy import Connection

GLOBAL = ""
"""The region of rows that belong to no region (IAM's)."""

T = TypeVar("T")
SortKey = Literal["created_at", "updated_at", "name", "id"]
After = tuple[int | str, str]
"""Where a page ended: the last row's sort value (times in integer µs since 1970) and its ARN."""


class StoreError(Exception):
    """Something the store refuses or cannot do."""


class NotFound(StoreError):
    """No such row."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"there is no resource {arn}")
        self.arn = arn


class AlreadyExists(StoreError):
    """A value that must be unique is taken; `field` is "arn", "id" or "name", `arn` the row that has it."""

    def __init__(self, field: str, arn: str) -> None:
        super().__init__(f"the {field} is taken by {arn}")
        self.field = field
        self.arn = arn


class Conflict(StoreError):
    """The row's version is not the one the caller had read."""

    def __init__(self, arn: str, expected: int, found: int) -> None:
        super().__init__(f"{arn} is at version {found}, not {expected}")
        self.arn = arn
        self.expected = expected
        self.found = found


class TokenReused(StoreError):
    """The client token was used for a different request; `arn` is what the first request made."""

    def __init__(self, operation: str, arn: str) -> None:
        super().__init__(f"the client token was used for another {operation} request")
        self.operation = operation
        self.arn = arn


class BadPageToken(StoreError):
    """The nextToken is damaged, forged, or from another caller's or another listing."""

    def __init__(self) -> None:
        super().__init__("the pagination token is not valid for this request")


class TooNew(StoreError):
    """Written by a newer Craton than this one; nothing was changed."""


class Unavailable(StoreError):
    """The database did not answer in time or could not write; the transaction did not happen (but see InDoubt)."""


class Interrupted(Unavailable):
    """The database went away, or could not be reached, before a commit was asked for: nothing happened."""


class Full(Unavailable):
    """The database's disk has no room left: nothing happened, and nothing will until somebody makes room."""


class InDoubt(Unavailable):
    """The database went away while it committed. To run the work again could make it happen twice."""


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One row. Frozen: a change is `msgspec.structs.replace(row, ...)` given to `update`.

    Texts hold no NUL: creating one that does raises ValueError, looking for one finds nothing.
    `account` 12 digits; `region` as in the signature, or GLOBAL; `kind` a noun such as "guardrail"; `id` unique per
    account, region and kind; `arn` unique in the store; `name` unique per account, region and kind unless None.
    `version` is 0 before the row is stored, 1 after `create`, one more after each `update`. `schema` is set by the
    store: the format number of `body`, always the current one in rows that were read. Times are aware UTC datetimes
    from the caller's clock. `body` is JSON.
    """

    account: str
    region: str
    kind: str
    id: str
    arn: str
    created_at: datetime
    updated_at: datetime
    name: str | None = None
    status: str = ""
    version: int = 0
    schema: int = 0
    body: bytes = b"{}"

    def read(self, shape: type[T]) -> T:
        """The body decoded as `shape`; raises msgspec.ValidationError when it does not fit."""
        return msgspec.json.decode(self.body, type=shape)


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows, in which order, from where. None means no restriction.

    The time bounds are exclusive, `name_contains` and `id_prefix` are case-sensitive, `limit` is at least 1. Rows
    without a name sort as the empty name; equal sort values are ordered by ARN.
    """

    kind: str
    account: str | None = None
    region: str | None = None
    status: str | None = None
    name_contains: str | None = None
    id_prefix: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    sort: SortKey = "created_at"
    descending: bool = False
    limit: int = 100
    after: After | None = None


class Page(msgspec.Struct, frozen=True):
    """Rows of one page; `after` is None on the last page, else what the next Query passes on."""

    items: tuple[Resource, ...]
    after: After | None


class Changes(msgspec.Struct, frozen=True):
    """The rows of a kind that were written after some stamp, oldest first, and how many rows the kind has in `total`."""

    rows: tuple[Resource, ...]
    total: int


class ClientToken(msgspec.Struct, frozen=True, kw_only=True):
    """A caller's idempotency token for one operation, with the `fingerprint` of the request that carried it."""

    account: str
    region: str
    operation: str
    token: str
    request_hash: str


class Reader(Protocol):
    """What can be read, inside a transaction or outside of one."""

    def get(self, arn: str) -> Resource | None:
        """The row with this ARN."""
        ...

    def get_by_id(self, account: str, region: str, kind: str, id: str) -> Resource | None:
        """The row with this id."""
        ...

    def get_by_name(self, account: str, region: str, kind: str, name: str) -> Resource | None:
        """The row with this name, which is compared exactly."""
        ...

    def list(self, query: Query) -> Page:
        """One page of rows."""
        ...

    def count(self, account: str, region: str, kind: str) -> int:
        """How many rows of a kind there are, for quotas."""
        ...

    def run(self, work: Callable[[Connection], T]) -> T:
        """The result of work with tables of another part of `infra`, in this transaction if there is one."""
        ...


class Writer(Protocol):
    """What can be written."""

    def create(self, resource: Resource) -> Resource:
        """Store a new row and return it as stored (version 1). Raises AlreadyExists."""
        ...

    def update(self, resource: Resource) -> Resource:
        """Write name, status, body and updated_at if the stored version is still `resource.version`.

        Returns the row with its new version. Raises NotFound, Conflict, AlreadyExists (name).
        """
        ...

    def delete(self, arn: str, *, version: int | None = None) -> None:
        """Remove a row and the client tokens that led to it. Raises NotFound; Conflict when `version` is given."""
        ...


class Transaction(Reader, Writer, Protocol):
    """Reads and writes that happen together or not at all."""

    def claim(self, token: ClientToken, arn: str, at: datetime) -> str | None:
        """Take a client token for the resource `arn`; None means that it was free.

        A token already taken by the same request gives the ARN of that first result; by another request raises
        TokenReused. Tokens are forgotten after a day, or when the resource is deleted.
        """
        ...


class Store(Reader, Writer, Protocol):
    """The whole port. Safe to use from several threads and by several processes at once."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """All or nothing: commits at the end of the block, rolls back when it raises. Must not be nested."""
        ...

    def reading(self) -> AbstractContextManager[Reader]:
        """Reads over one connection, which costs more than most of them. They need not see one moment."""
        ...

    def stamp(self, *kinds: str) -> int:
        """A number that rises with every committed change of these kinds (of any kind when none is given)."""
        ...

    def stamps(self) -> dict[str, int]:
        """The stamp of each kind that ever changed."""
        ...

    def changes(self, kind: str, since: int) -> Changes:
        """What was written after the kind's stamp was `since`; -1 for everything. Removed rows only lessen the total."""
        ...

    def arns(self, kind: str) -> frozenset[str]:
        """The ARNs of all rows of a kind, in all accounts and regions."""
        ...

    def reset(self) -> None:
        """Remove every row of every table, as after a first start; the stamps go on rising."""
        ...

    def close(self) -> None:
        """Let the connections go. The store must not be used afterwards."""
        ...


def fingerprint(value: object) -> str:
    """A SHA-256 (hex) of any value that msgspec can encode, independent of the order of its keys."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


def create_once(store: Store, resource: Resource, token: ClientToken | None) -> tuple[Resource, bool]:
    """Create the row unless the same client token made one already; the flag says whether it is new.

    Raises AlreadyExists and TokenReused.
    """
    with store.transaction() as transaction:
        earlier = made_before(transaction, resource, token)
        return (transaction.create(resource), True) if earlier is None else (earlier, False)


def made_before(transaction: Transaction, resource: Resource, token: ClientToken | None) -> Resource | None:
    """Take the token for a row about to be created; the row that the token made already, if it did.

    Raises TokenReused.
    """
    first = transaction.claim(token, resource.arn, resource.created_at) if token is not None else None
    if first is None:
        return None
    earlier = transaction.get(first)
    if earlier is None:
        raise NotFound(first)
    return earlier


def amend(store: Store, arn: str, change: Callable[[Resource], Resource]) -> Resource:
    """Read, change and write one row in one transaction. Raises NotFound and whatever `change` raises."""
    with store.transaction() as transaction:
        found = transaction.get(arn)
        if found is None:
            raise NotFound(arn)
        return transaction.update(change(found))


def select(store: Reader, query: Query, keep: Callable[[Resource], bool]) -> Page:
    """One page of the rows that `keep` accepts: for filters that look into the body.

    Reads on until `query.limit` rows are found, so a page is full unless it is the last one.
    """
    chosen: list[Resource] = []
    cursor = query.after
    while True:
        page = store.list(msgspec.structs.replace(query, after=cursor))
        for row in page.items:
            if keep(row):
                if len(chosen) == query.limit:
                    return Page(tuple(chosen), sort_position(query.sort, chosen[-1]))
                chosen.append(row)
        if page.after is None:
            return Page(tuple(chosen), None)
        cursor = page.after


def sort_position(sort: SortKey, row: Resource) -> After:
    """Where a row stands in a listing sorted by `sort`."""
    value = getattr(row, sort)
    if isinstance(value, datetime):
        return microseconds(value), row.arn
    return value or "", row.arn


def microseconds(moment: datetime) -> int:
    """Integer µs since 1970 of an aware datetime; raises TypeError for a naive one."""
    return (moment - EPOCH) // _MICROSECOND


def moment_of(elapsed_us: int) -> datetime:
    """The aware UTC datetime of integer µs since 1970."""
    return EPOCH + timedelta(microseconds=elapsed_us)


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

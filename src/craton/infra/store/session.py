"""What one transaction can do: the port's operations as SQL that SQLite and PostgreSQL both understand.

Owns the statements. It must not know how connections are opened, how transactions begin, or which database is at the
other end. Inserts that may collide run in a savepoint: in PostgreSQL a failed statement ends its transaction otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    inspect,
    or_,
    select,
    table,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError

from craton.infra.store import statements
from craton.infra.store.port import (
    AlreadyExists,
    Changes,
    ClientToken,
    Conflict,
    NotFound,
    Page,
    Query,
    Resource,
    TokenReused,
    microseconds,
    sort_position,
)
from craton.infra.store.tables import CHANGES, CLIENT_TOKENS, RESOURCES, resource_of, row_of
from craton.infra.store.upgrade import Upgrader

TOKEN_LIFE_US = 24 * 3600 * 1_000_000
"""How long a client token is remembered. AWS gives no figure for Bedrock; EC2 documents 24 hours at least."""

_NUL = "\0"
"""The one letter that PostgreSQL's text cannot hold: nothing is called by it, in either database."""

_COLUMNS = RESOURCES.c
_BY_ARN = select(RESOURCES).where(_COLUMNS.arn == bindparam("of_arn"))
T = TypeVar("T")
_LASTING = {"schema_versions", CHANGES.name}
_MUTABLE = ("name", "status", "version", "schema", "updated_at", "body", "stamp")


class SqlSession:
    """The port's Transaction over one open connection."""

    __slots__ = ("_connection", "_stamps", "_upgrader")

    def __init__(self, connection: Connection, upgrader: Upgrader) -> None:
        self._connection = connection
        self._upgrader = upgrader
        self._stamps: dict[str, int] = {}

    def get(self, arn: str) -> Resource | None:
        if _NUL in arn:
            return None
        row = statements.row(self._connection, _BY_ARN, {"of_arn": arn})
        return None if row is None else self._upgrader.upgraded(resource_of(row))

    def get_by_id(self, account: str, region: str, kind: str, id: str) -> Resource | None:
        return None if _NUL in id else self._one(_within(account, region, kind) & (_COLUMNS.id == id))

    def get_by_name(self, account: str, region: str, kind: str, name: str) -> Resource | None:
        return None if _NUL in name else self._one(_within(account, region, kind) & (_COLUMNS.name == name))

    def list(self, query: Query) -> Page:
        if _NUL in f"{query.name_contains}{query.id_prefix}{query.status}":
            return Page((), None)
        found = self._connection.execute(_listing(query)).all()
        rows = tuple(self._upgrader.upgraded(resource_of(row)) for row in found[: query.limit])
        return Page(rows, sort_position(query.sort, rows[-1]) if len(found) > query.limit else None)

    def count(self, account: str, region: str, kind: str) -> int:
        counted = select(func.count()).select_from(RESOURCES).where(_within(account, region, kind))
        return int(self._connection.execute(counted).scalar_one())

    def run(self, work: Callable[[Connection], T]) -> T:
        return work(self._connection)

    def create(self, resource: Resource) -> Resource:
        _check_text(resource)
        schema = self._upgrader.schema_of(resource.kind)
        stored = msgspec.structs.replace(resource, version=1, schema=schema)
        try:
            with self._raising(resource.kind) as stamp:
                self._connection.execute(insert(RESOURCES).values(row_of(stored, stamp)))
        except IntegrityError:
            raise self._collision(resource) from None
        return stored

    def update(self, resource: Resource) -> Resource:
        _check_text(resource)
        schema = self._upgrader.schema_of(resource.kind)
        stored = msgspec.structs.replace(resource, version=resource.version + 1, schema=schema)
        mine = (_COLUMNS.arn == resource.arn) & (_COLUMNS.version == resource.version)
        try:
            with self._raising(resource.kind) as stamp:
                row = row_of(stored, stamp)
                changes = {name: row[name] for name in _MUTABLE}
                if self._connection.execute(update(RESOURCES).where(mine).values(changes)).rowcount == 0:
                    raise self._missed(resource.arn, resource.version)
        except IntegrityError:
            raise self._collision(resource) from None
        return stored

    def delete(self, arn: str, *, version: int | None = None) -> None:
        if _NUL in arn:
            raise NotFound(arn)
        kind = self._connection.execute(select(_COLUMNS.kind).where(_COLUMNS.arn == arn)).scalar_one_or_none()
        mine = _COLUMNS.arn == arn
        if version is not None:
            mine &= _COLUMNS.version == version
        if kind is None:
            raise NotFound(arn)
        with self._raising(kind):
            if self._connection.execute(delete(RESOURCES).where(mine)).rowcount == 0:
                raise self._missed(arn, version)
        self._connection.execute(delete(CLIENT_TOKENS).where(CLIENT_TOKENS.c.arn == arn))

    def claim(self, token: ClientToken, arn: str, at: datetime) -> str | None:
        now_us = microseconds(at)
        self._connection.execute(delete(CLIENT_TOKENS).where(CLIENT_TOKENS.c.made_at < now_us - TOKEN_LIFE_US))
        row = {**msgspec.structs.asdict(token), "arn": arn, "made_at": now_us}
        try:
            with self._connection.begin_nested():
                self._connection.execute(insert(CLIENT_TOKENS).values(row))
        except IntegrityError:
            return self._claimed(token)
        return None

    def stamp(self, kinds: tuple[str, ...]) -> int:
        """The sum of the stamps, which rises when any of them does."""
        total = select(func.coalesce(func.sum(CHANGES.c.stamp), 0))
        if kinds:
            total = total.where(CHANGES.c.kind.in_(kinds))
        return int(self._connection.execute(total).scalar_one())

    def stamps(self) -> dict[str, int]:
        return {kind: stamp for kind, stamp in self._connection.execute(select(CHANGES.c.kind, CHANGES.c.stamp))}  # noqa: C416 - rows are no pairs

    def changes(self, kind: str, since: int) -> Changes:
        mine = _COLUMNS.kind == kind
        written = select(RESOURCES).where(mine, _COLUMNS.stamp > since).order_by(_COLUMNS.created_at, _COLUMNS.arn)
        rows = tuple(self._upgrader.upgraded(resource_of(row)) for row in self._connection.execute(written))
        total = self._connection.execute(select(func.count()).select_from(RESOURCES).where(mine)).scalar_one()
        return Changes(rows, int(total))

    def arns(self, kind: str) -> frozenset[str]:
        return frozenset(self._connection.execute(select(_COLUMNS.arn).where(_COLUMNS.kind == kind)).scalars())

    def clear(self) -> None:
        """Remove all rows of all tables, those of other parts too; every kind ever seen counts as changed."""
        for name in inspect(self._connection).get_table_names():
            if name not in _LASTING:
                self._connection.execute(delete(table(name)))
        self._connection.execute(update(CHANGES).values(stamp=CHANGES.c.stamp + 1))

    @contextmanager
    def _raising(self, kind: str) -> Iterator[int]:
        """A savepoint for one change of a kind, which raises the kind's stamp unless this transaction has done so.

        Writers exclude each other, so the stamp that a row is written with is the one its kind has after the commit.
        """
        with self._connection.begin_nested():
            stamp = self._stamps.get(kind) or self._raised(kind)
            yield stamp
        self._stamps[kind] = stamp

    def _raised(self, kind: str) -> int:
        mine = CHANGES.c.kind == kind
        raised = update(CHANGES).where(mine).values(stamp=CHANGES.c.stamp + 1).returning(CHANGES.c.stamp)
        stamp = self._connection.execute(raised).scalar_one_or_none()
        if stamp is None:
            stamp = 1
            self._connection.execute(insert(CHANGES).values(kind=kind, stamp=stamp))
        return int(stamp)

    def _one(self, condition: ColumnElement[bool]) -> Resource | None:
        row = self._connection.execute(select(RESOURCES).where(condition)).one_or_none()
        return None if row is None else self._upgrader.upgraded(resource_of(row))

    def _collision(self, resource: Resource) -> AlreadyExists:
        """Which of the unique values is taken, and by whom; the row itself does not count."""
        beside = _within(resource.account, resource.region, resource.kind)
        if resource.version:
            beside &= _COLUMNS.arn != resource.arn
        for field in ("id", "name"):
            value = getattr(resource, field)
            if value is None:
                continue
            holder = self._connection.execute(select(_COLUMNS.arn).where(beside, _COLUMNS[field] == value)).scalar()
            if holder is not None:
                return AlreadyExists(field, holder)
        return AlreadyExists("arn", resource.arn)

    def _missed(self, arn: str, expected: int | None) -> NotFound | Conflict:
        found = self._connection.execute(select(_COLUMNS.version).where(_COLUMNS.arn == arn)).scalar_one_or_none()
        return NotFound(arn) if found is None or expected is None else Conflict(arn, expected, found)

    def _claimed(self, token: ClientToken) -> str:
        keys = CLIENT_TOKENS.c
        mine = tuple_(keys.account, keys.region, keys.operation, keys.token) == tuple_(
            token.account, token.region, token.operation, token.token
        )
        request_hash, arn = self._connection.execute(select(keys.request_hash, keys.arn).where(mine)).one()
        if request_hash != token.request_hash:
            raise TokenReused(token.operation, arn)
        return str(arn)


def _check_text(resource: Resource) -> None:
    if _NUL in f"{resource.arn}{resource.id}{resource.name}{resource.status}":
        msg = "a resource's id, ARN, name and status hold no NUL"
        raise ValueError(msg)


def _within(account: str, region: str, kind: str) -> ColumnElement[bool]:
    return and_(_COLUMNS.account == account, _COLUMNS.region == region, _COLUMNS.kind == kind)


def _listing(query: Query) -> Select[Any]:
    """The statement of one page, with one row more than asked for to tell whether another page follows."""
    if query.limit < 1:
        msg = "a page holds at least one row"
        raise ValueError(msg)
    key: ColumnElement[Any] = func.coalesce(_COLUMNS.name, "") if query.sort == "name" else _COLUMNS[query.sort]
    statement = select(RESOURCES).where(*_conditions(query))
    if query.after is not None:
        value, arn = query.after
        beyond, level = (key < value, _COLUMNS.arn < arn) if query.descending else (key > value, _COLUMNS.arn > arn)
        statement = statement.where(or_(beyond, and_(key == value, level)))
    order = (key.desc(), _COLUMNS.arn.desc()) if query.descending else (key, _COLUMNS.arn)
    return statement.order_by(*order).limit(query.limit + 1)


def _conditions(query: Query) -> list[ColumnElement[bool]]:
    """The filters; "contains" is said by REPLACE, since LIKE minds the case in one database and not in the other."""
    conditions: list[ColumnElement[bool]] = [_COLUMNS.kind == query.kind]
    for name, wanted in (("account", query.account), ("region", query.region), ("status", query.status)):
        if wanted is not None:
            conditions.append(_COLUMNS[name] == wanted)
    if query.name_contains:
        conditions.append(func.replace(_COLUMNS.name, query.name_contains, "") != _COLUMNS.name)
    if query.id_prefix:
        conditions.append(func.substr(_COLUMNS.id, 1, len(query.id_prefix)) == query.id_prefix)
    if query.created_after is not None:
        conditions.append(_COLUMNS.created_at > microseconds(query.created_after))
    if query.created_before is not None:
        conditions.append(_COLUMNS.created_at < microseconds(query.created_before))
    return conditions

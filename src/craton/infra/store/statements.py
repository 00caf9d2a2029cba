"""Statements that every request runs, handed to the driver as they are: a tenth of what the toolkit's own way costs.

Owns nothing but the shortcut. Statements are still written in the toolkit's terms and compiled by it, once for each
database. What the driver raises becomes the toolkit's own error, and a lost connection is marked as lost. It must not
know any table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Dialect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement

Row = tuple[Any, ...]


def rows(connection: Connection, statement: ClauseElement, values: Mapping[str, Any]) -> Sequence[Row]:
    """All rows of a query."""
    said, fixed, order = _compiled(statement, connection.dialect)
    given = {**fixed, **values}
    bound: Any = given if order is None else [given[name] for name in order]
    try:
        cursor = connection.connection.cursor()
        try:
            cursor.execute(said, bound)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            cursor.close()
    except connection.dialect.loaded_dbapi.Error as error:
        raise _translated(connection, said, error) from error


def _translated(connection: Connection, said: str, error: Exception) -> BaseException:
    """The driver's error as the toolkit's, with what it means for the connection."""
    dialect: Any = connection.dialect
    lost = bool(dialect.is_disconnect(error, connection.connection, None))
    if lost:
        connection.invalidate(error)
    return DBAPIError.instance(
        said, None, error, dialect.loaded_dbapi.Error, True, connection_invalidated=lost, dialect=dialect
    )


def row(connection: Connection, statement: ClauseElement, values: Mapping[str, Any]) -> Row | None:
    """The only row of a query, if there is one."""
    found = rows(connection, statement, values)
    return found[0] if found else None


@lru_cache(maxsize=64)
def _compiled(statement: ClauseElement, dialect: Dialect) -> tuple[str, Mapping[str, Any], tuple[str, ...] | None]:
    """The text, the values that stand in the statement itself, and the order of values where they go by position."""
    compiled: Any = statement.compile(dialect=dialect)
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    return compiled.string, fixed, tuple(compiled.positiontup) if compiled.positional else None


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """What happens in the block happens wholly or not at all, within the transaction that is under way."""
    rows(connection, _SAVE, {})
    try:
        yield
    except BaseException:
        if not connection.invalidated:
            rows(connection, _UNDO, {})
            rows(connection, _RELEASE, {})
        raise
    rows(connection, _RELEASE, {})


_SAVE, _UNDO, _RELEASE = text("SAVEPOINT work"), text("ROLLBACK TO SAVEPOINT work"), text("RELEASE SAVEPOINT work")

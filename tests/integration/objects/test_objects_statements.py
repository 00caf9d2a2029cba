"""Statements handed straight to the driver, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, insert, literal_column, select
from sqlalchemy.exc import IntegrityError

from craton.infra.objects import index
from craton.infra.objects.tables import BLOBS_IN_USE
from craton.infra.store import statements
from craton.infra.store.port import Store, Unavailable

TAKE = insert(BLOBS_IN_USE)


def test_a_failure_is_the_toolkits(store: Store) -> None:
    """What the driver refuses is raised as the toolkit raises it, so callers of the store hear its own error."""

    def twice(connection: Connection) -> None:
        statements.rows(connection, TAKE, {"blob": "a"})
        with pytest.raises(IntegrityError), statements.savepoint(connection):
            statements.rows(connection, TAKE, {"blob": "a"})
        statements.rows(connection, TAKE, {"blob": "b"})

    with store.transaction() as transaction:
        transaction.run(twice)
    assert store.run(index.blob_ids) == ["a", "b"]
    with pytest.raises(Unavailable), store.transaction() as transaction:
        transaction.run(lambda connection: statements.rows(connection, TAKE, {"blob": "a"}))


def test_a_savepoint_undoes_its_block(store: Store) -> None:
    """What was written in a block that raises is gone, what was before it stays."""

    def work(connection: Connection) -> None:
        statements.rows(connection, TAKE, {"blob": "before"})
        with pytest.raises(KeyError), statements.savepoint(connection):
            statements.rows(connection, TAKE, {"blob": "within"})
            raise KeyError

    with store.transaction() as transaction:
        transaction.run(work)
    assert store.run(index.blob_ids) == ["before"]


def test_values_in_the_statement_itself_count(store: Store) -> None:
    """A limit, or a value that was written into a query, is bound as well."""

    def work(connection: Connection) -> list[object]:
        for blob in ("a", "b", "c"):
            statements.rows(connection, TAKE, {"blob": blob})
        query = select(BLOBS_IN_USE.c.blob, literal_column("1")).where(BLOBS_IN_USE.c.blob != "a").limit(1)
        return list(statements.rows(connection, query.order_by(BLOBS_IN_USE.c.blob), {}))

    with store.transaction() as transaction:
        assert transaction.run(work) == [("b", 1)]

"""The tables as the current code sees them, and how a row of them becomes a Resource.

Owns names and types of columns. The tables are made and changed by migrate.py alone; a test holds the two together.
It must not know how statements are run.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Row, String, Table

from craton.infra.store.port import Resource, microseconds, moment_of

Text = String().with_variant(String(collation="C"), "postgresql")
"""Text compared byte by byte, so that both databases sort names alike and page positions stay exact."""

METADATA = MetaData()

RESOURCES = Table(
    "resources",
    METADATA,
    Column("arn", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("name", Text),
    Column("status", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("schema", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("stamp", BigInteger, nullable=False),
)

CLIENT_TOKENS = Table(
    "client_tokens",
    METADATA,
    Column("account", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("operation", Text, primary_key=True),
    Column("token", Text, primary_key=True),
    Column("request_hash", Text, nullable=False),
    Column("arn", Text, nullable=False),
    Column("made_at", BigInteger, nullable=False),
)

CHANGES = Table(
    "changes",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("stamp", BigInteger, nullable=False),
)


def row_of(resource: Resource, stamp: int) -> dict[str, Any]:
    """The column values of a Resource that is written with this stamp of its kind."""
    return {
        "arn": resource.arn,
        "account": resource.account,
        "region": resource.region,
        "kind": resource.kind,
        "id": resource.id,
        "name": resource.name,
        "status": resource.status,
        "version": resource.version,
        "schema": resource.schema,
        "created_at": microseconds(resource.created_at),
        "updated_at": microseconds(resource.updated_at),
        "body": resource.body,
        "stamp": stamp,
    }


def resource_of(row: Row[Any] | tuple[Any, ...]) -> Resource:
    """The Resource of a full row of RESOURCES, its body still in the format it was written in."""
    arn, account, region, kind, ident, name, status, version, schema, created_us, updated_us, body, _ = tuple(row)
    return Resource(
        account=account,
        region=region,
        kind=kind,
        id=ident,
        arn=arn,
        name=name,
        status=status,
        version=version,
        schema=schema,
        created_at=moment_of(created_us),
        updated_at=moment_of(updated_us),
        body=body,
    )

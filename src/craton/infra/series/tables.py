"""The tables of series, and what a row of them is.

Owns names and types of columns; they are made by the store's migrations alone. It must not know how statements are run.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Table

from craton.infra.store.tables import METADATA, Text

SERIES = Table(
    "series",
    METADATA,
    Column("space", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("first_ms", BigInteger),
    Column("last_ms", BigInteger),
    Column("kept_ms", BigInteger),
    Column("size_bytes", BigInteger, nullable=False),
)

# `data` is a sealed block. It stands last, so that SQLite finds the other columns without walking through it.
CHUNKS = Table(
    "series_chunks",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("space", Text, nullable=False),
    Column("series", Text, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("batch", BigInteger, nullable=False),
    Column("level", BigInteger, nullable=False),
    Column("plain_bytes", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# The data keys of a space, each sealed under the KMS key that the space had then.
KEYS = Table(
    "series_keys",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("space", Text, nullable=False),
    Column("kms_key", Text, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

BATCHES = Table(
    "series_batches",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("taken", BigInteger, nullable=False),
)

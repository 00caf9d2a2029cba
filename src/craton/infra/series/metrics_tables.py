"""The tables of metrics: which there are, and what was measured, an hour of one metric to a row.

Owns names and types of columns; they are made by the store's migrations alone. It must not know how statements are run.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, LargeBinary, Table

from craton.infra.store.tables import METADATA, Text

# `id` is made of everything that tells a metric from others, its unit included, and `ident` of the same without it.
# `first_s` and `last_s`: the minutes of its oldest and newest samples, in seconds since 1970.
METRICS = Table(
    "metrics",
    METADATA,
    Column("id", LargeBinary, primary_key=True),
    Column("ident", LargeBinary, nullable=False),
    Column("account", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("dimensions", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("first_s", BigInteger, nullable=False),
    Column("last_s", BigInteger, nullable=False),
)

# `hour` counts hours since 1970; `step_s` is how long each part of it in `data` is, longer the older the hour is.
# The columns between are the hour's own sums. `data` stands last, so that SQLite finds the others without it.
HOURS = Table(
    "metric_hours",
    METADATA,
    Column("metric", LargeBinary, primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    Column("step_s", BigInteger, nullable=False),
    Column("samples", Double, nullable=False),
    Column("total", Double, nullable=False),
    Column("least", Double, nullable=False),
    Column("most", Double, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

# The last batch that each writer has kept: one whose end was in doubt is not kept twice.
WRITERS = Table(
    "metric_writers",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("at_s", BigInteger, nullable=False),
)

"""The tables of runs as the current code sees them.

Owns names and types of columns; the tables are made by `infra.store.migrate` alone. It must not know how statements are
run. All times are µs since 1970 of the clock of whoever wrote them; nothing is decided by comparing two machines'
clocks (see `lease.py`).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Table

from craton.infra.store.tables import METADATA, Text

RUNS = Table(
    "job_runs",
    METADATA,
    Column("arn", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("place", Text, nullable=False),  # the home that alone may run it; "" for any
    Column("format", BigInteger, nullable=False),  # of the workflow that began it; 0: not begun
    Column("state", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("patience", BigInteger, nullable=False),  # µs; a due_at further ahead than this is a clock that went back
    Column("owner", Text, nullable=False),  # the worker that has it; "" while it waits
    Column("woken", BigInteger, nullable=False),  # asked for once more while it ran
    Column("attempts", BigInteger, nullable=False),  # how often it was taken up
    Column("crashes", BigInteger, nullable=False),  # workers that died with it since its last step
    Column("failures", BigInteger, nullable=False),  # errors since its last step
    Column("stop_asked", BigInteger, nullable=False),
    Column("progress", Text, nullable=False),  # JSON of `runs.Progress`; "" before the first
    Column("error", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
)

STEPS = Table(
    "job_steps",
    METADATA,
    Column("arn", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("result", LargeBinary, nullable=False),
    Column("stored_at", BigInteger, nullable=False),
)

WORKERS = Table(
    "job_workers",
    METADATA,
    Column("owner", Text, primary_key=True),
    Column("beat", BigInteger, nullable=False),
    Column("about", Text, nullable=False),  # host and process, for people
    Column("started_at", BigInteger, nullable=False),
)

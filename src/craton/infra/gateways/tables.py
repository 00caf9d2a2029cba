"""The tables by which servers on one store know of each other.

Owns names and types of columns; the tables are made by `infra.store.migrate` alone. It must not know how statements are
run. Nothing is decided by comparing two machines' clocks: beats are counted, and watched by each with its own.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Table

from craton.infra.store.tables import METADATA, Text

GATEWAYS = Table(
    "gateways",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("beat", BigInteger, nullable=False),
    Column("about", Text, nullable=False),  # host and process, for people
    Column("told", LargeBinary, nullable=False),  # what the others are to know of it: its load
    Column("started_at", BigInteger, nullable=False),
)

LEADS = Table(
    "gateway_leads",
    METADATA,
    Column("duty", Text, primary_key=True),
    Column("holder", Text, nullable=False),  # the gateway that has the duty; "" while nobody does
    Column("number", BigInteger, nullable=False),  # rises with each saying
    Column("said", LargeBinary, nullable=False),  # what all are to live by
)

"""What was used of models: a row for each hour, account, region, model and use, that only grows while the hour lasts.

Owns the table, its statements, and in which order rows are locked (by hour and id, so that writers of several servers
wait for each other). Each function works on one connection inside the caller's transaction; who adds sees to it that
nothing is added twice. Hours begin at UTC's. It must not know prices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, Table, delete, func, select, text

from craton.features.metering.record import Record, Row, Tallied
from craton.infra.store.tables import METADATA, Text

HOUR_S: Final = 3600
NAMES: Final = ("account", "region", "model", "principal", "served", "profile", "tags", "metadata")
COUNTS: Final = (
    "invocations",
    "errors",
    "throttles",
    "images",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "latency_ms",
)
_ID_BYTES = 16

# `hour` counts hours since 1970, `id` is made of all names; these are as `record.Row` and `record.Use` have them.
HOURS = Table(
    "usage_hours",
    METADATA,
    Column("hour", BigInteger, primary_key=True),
    Column("id", LargeBinary, primary_key=True),
    *(Column(name, Text, nullable=False) for name in NAMES),
    *(Column(name, BigInteger, nullable=False) for name in COUNTS),
)
_COLUMNS = ("hour", "id", *NAMES, *COUNTS)
_ADDED = text(
    f"INSERT INTO usage_hours ({', '.join(_COLUMNS)}) "  # noqa: S608 - the names stand above
    f"VALUES ({', '.join(':' + name for name in _COLUMNS)}) "
    f"ON CONFLICT (hour, id) DO UPDATE SET "
    + ", ".join(f"{name} = usage_hours.{name} + excluded.{name}" for name in COUNTS)
)


class Used(msgspec.Struct, frozen=True):
    """A sum of usage. `hour` counts hours since 1970; a name that was not asked for is ""."""

    hour: int
    counts: dict[str, int]
    account: str = ""
    region: str = ""
    model: str = ""
    principal: str = ""
    served: str = ""
    profile: str = ""
    tags: str = ""
    metadata: str = ""


def add(connection: Connection, rows: Iterable[Row]) -> None:
    """Add what rows count to their hours."""
    found: dict[tuple[int, bytes], dict[str, Any]] = {}
    for row in rows:
        named = (row.account, row.region, row.model, *(getattr(row.use, name) for name in NAMES[3:]))
        key = (row.minute_s // HOUR_S, sha256(msgspec.msgpack.encode(named)).digest()[:_ID_BYTES])
        counts = counted(row.record)
        into = found.get(key)
        if into is None:
            found[key] = {"hour": key[0], "id": key[1], **dict(zip(NAMES, named, strict=True)), **counts}
        else:
            for name, count in counts.items():
                into[name] += count
    if found:
        connection.execute(_ADDED, [row for _, row in sorted(found.items())])


def counted(record: Record) -> dict[str, int]:
    """The counts of a record by the names of COUNTS."""
    return {
        "invocations": record.invocations,
        "errors": record.client_errors + record.server_errors,
        "throttles": record.throttles,
        "images": record.images,
        **{name: _sum(getattr(record, name)) for name in COUNTS[4:]},
    }


def _sum(tallied: Tallied) -> int:
    return sum(number * count for number, count in tallied.items())


def read(
    connection: Connection, names: Sequence[str], start_s: int, stop_s: int, *, account: str = "", region: str = ""
) -> Iterator[Used]:
    """Sums by hour and `names` (of NAMES) of the hours that begin in a span of time; "": of every account, region."""
    columns = [HOURS.c.hour, *(HOURS.c[name] for name in names)]
    asked = select(*columns, *(func.sum(HOURS.c[name]) for name in COUNTS))
    asked = asked.where(HOURS.c.hour >= -(-start_s // HOUR_S), HOURS.c.hour < -(-stop_s // HOUR_S))
    if account:
        asked = asked.where(HOURS.c.account == account)
    if region:
        asked = asked.where(HOURS.c.region == region)
    for row in connection.execute(asked.group_by(*columns).order_by(*columns)):
        values = tuple(row)
        counts = {name: int(count) for name, count in zip(COUNTS, values[len(columns) :], strict=True)}
        yield Used(values[0], counts, **dict(zip(names, values[1 : len(columns)], strict=True)))


def expire(connection: Connection, before_s: int) -> None:
    """Give up hours that ended before a moment."""
    connection.execute(delete(HOURS).where(HOURS.c.hour < before_s // HOUR_S))

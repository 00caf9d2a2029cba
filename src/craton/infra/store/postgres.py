"""PostgreSQL's own side: how a connection is made, how long it waits, and what a lost one means.

Owns everything that SQLite does not have: timeouts, the lock by which writers take turns, and the question what became
of a transaction whose commit was never answered. It must not know the tables.

Writers exclude each other from their first statement on, as SQLite's do, by an advisory lock of the database that ends
with their transaction. So a count, a look at other rows and the write that follows from them are one step, whichever
server makes it, and stamps rise in the order of commits. A control plane writes some times a second; this carries
hundreds.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from craton.infra.store.port import Unavailable

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 15
IDLE_TIMEOUT_S = 20
"""How long the server waits for the next statement of a transaction: a server of ours that froze must let go."""
OUTCOME_WITHIN_S = 10.0
"""How long a lost commit is asked after: a database that was killed needs some seconds to come back."""

_LOCK = 0x63_72_61_74_6F_6E
"""Our advisory lock, "craton" in ASCII; such locks belong to one database."""
_POOL, _MORE = 1, 7
_ASK_EVERY_S = 0.1

_SETTINGS = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_S}s",
    "lock_timeout": f"{STATEMENT_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": f"{IDLE_TIMEOUT_S}s",
    # What a caller was told is kept must be on the disk, whatever the database's own default is.
    "synchronous_commit": "on",
    "client_min_messages": "warning",
}
_CONNECTION = {
    "connect_timeout": str(CONNECT_TIMEOUT_S),
    "application_name": "craton",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    # A peer that went without a word is noticed by what was sent and never acknowledged (Linux; ms).
    "tcp_user_timeout": "15000",
}


def postgres_engine(url: URL) -> Engine:
    """An engine with few connections, each tried before it is used again.

    What stands in the URL's query (`sslmode`, `target_session_attrs`, `options`, …) goes to libpq and wins. Raises
    Unavailable when the driver is not installed.
    """
    given = {name: value for name, value in url.query.items() if name != "options"}
    options = [f"-c {name}={value}" for name, value in _SETTINGS.items()]
    asked = url.query.get("options", ())
    options += [asked] if isinstance(asked, str) else asked
    place = url.set(drivername="postgresql+psycopg", query={**_CONNECTION, **given, "options": " ".join(options)})
    try:
        engine = create_engine(
            place,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=_POOL,
            max_overflow=_MORE,
            pool_timeout=STATEMENT_TIMEOUT_S,
            pool_recycle=3600,
        )
    except ImportError as error:
        msg = f"the driver for PostgreSQL is not installed ({error.name or error}): pip install 'craton[postgres]'"
        raise Unavailable(msg) from error
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """Writers take their turn, and learn the number by which the transaction can be asked after."""
    if connection.get_execution_options().get("writes", False):
        # The lock is waited for in one statement; the next ones see what its last holder committed.
        turn = connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK}), txid_current()")
        connection.info["transaction"] = turn.one()[1]


def number(connection: Connection) -> int | None:
    """The number of the writing transaction that this connection has begun; None in a database that needs none."""
    found: int | None = connection.info.get("transaction")
    return found


def outcome(engine: Engine, transaction: int, within_s: float = OUTCOME_WITHIN_S) -> bool | None:
    """Whether a transaction was committed; None if nobody can say in time.

    A database that crashed calls what it had not committed aborted (its documentation of `txid_status`).
    """
    until = time.monotonic() + within_s
    while True:
        status = _status(engine, transaction)
        if status in _OUTCOMES or time.monotonic() > until:
            return _OUTCOMES.get(status)
        time.sleep(_ASK_EVERY_S)


_OUTCOMES: dict[str | None, bool] = {"committed": True, "aborted": False}


def _status(engine: Engine, transaction: int) -> str | None:
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            found: str | None = connection.exec_driver_sql(f"SELECT txid_status({transaction:d})").scalar()
            return found
    except DBAPIError:
        return None

"""Conversations with a knowledge base: what was asked and answered, kept sealed until nobody comes back for a day.

A conversation belongs to one account, region, knowledge base and model; it is kept under the customer's key or the
account's own. Owns their life, and how much of one is remembered. Who may use a key is decided before. It must not know
prompts, nor HTTP.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec

from craton.aws.wire.faults import Fault, internal, validation
from craton.context import Call
from craton.features.rag.generation.passages import Turn
from craton.infra.cipher.faults import unreadable
from craton.infra.store.port import Reader, StoreError, Transaction, microseconds

if TYPE_CHECKING:
    from sqlalchemy import Connection

IDLE = timedelta(hours=24)
"""How long a conversation is kept after its last question (observed of Bedrock: about a day)."""
MOST_TURNS = 10
MOST_CHARACTERS = 24_000
_PURPOSE = "rag-session"
_SHOWN = "conversation"
_TRIES = 5
CHANGED = "Knowledge base configurations cannot be modified for an ongoing session."


class Session(msgspec.Struct, frozen=True):
    """A conversation as one request sees it. `kms_key` is a key's ARN, "" for the account's own; `turns` oldest first.

    `version` is 0 while it is not kept, and one more after each turn.
    """

    id: str
    base: str
    model: str
    kms_key: str = ""
    version: int = 0
    turns: tuple[Turn, ...] = ()


class Row(msgspec.Struct, frozen=True):
    """`base` is the knowledge base's id, "" for a document of the request; `kms_key` "" the account's own key.

    `used_at` is in µs since 1970.
    """

    id: str
    account: str
    region: str
    base: str
    model: str
    kms_key: str
    version: int
    used_at: int
    sealed: bytes


def unknown(ident: str) -> Fault:
    """The fault of a conversation that is not there, has ended, or is somebody else's; which of them is not told."""
    return validation(f"Session with Id {ident} is not valid. Please check and try again.")


def new(base: str, model: str, kms_key: str = "") -> Session:
    """A conversation that begins; nobody can come back to it before it was kept."""
    return Session(str(uuid.uuid4()), base, model, kms_key)


async def keep(call: Call, session: Session) -> Session:
    """Keep a conversation that has begun, with what was said so far."""
    kept = msgspec.structs.replace(session, version=1)
    row = await _sealed(call, kept)
    oldest = microseconds(call.app.clock.now() - IDLE)

    def add(connection: Connection) -> None:
        rows = _rows()
        rows.forget(connection, oldest)
        rows.add(connection, row)

    try:
        await call.app.storage.keep(lambda transaction: transaction.run(add))
    except StoreError as error:
        raise internal() from error
    return kept


async def resume(call: Call, ident: str, base: str, model: str) -> Session:
    """The conversation with this id. Raises ValidationException: unknown, or with another knowledge base or model."""
    row = await _row(call, ident)
    if (row.base, row.model) != (base, model):
        raise validation(CHANGED)
    return await _opened(call, row)


async def remember(call: Call, session: Session, turn: Turn) -> None:
    """Keep a turn of a conversation, behind those that other requests kept meanwhile."""
    if not session.version:
        await keep(call, msgspec.structs.replace(session, turns=_latest((turn,))))
        return
    for _ in range(_TRIES):
        longer = msgspec.structs.replace(session, version=session.version + 1, turns=_latest((*session.turns, turn)))
        row = await _sealed(call, longer)
        try:
            kept = await call.app.storage.keep(partial(_replace, row))
        except StoreError as error:
            raise internal() from error
        if kept:
            return
        session = await _opened(call, await _row(call, session.id))
    raise internal()


def _latest(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    """The last turns, as many as are remembered."""
    kept: list[Turn] = []
    room = MOST_CHARACTERS
    for turn in reversed(turns[-MOST_TURNS:]):
        room -= len(turn.question) + len(turn.answer)
        if room < 0 and kept:
            break
        kept.append(turn)
    return tuple(reversed(kept))


def _rows() -> ModuleType:
    """The statements; called in the store's thread, since the SQL toolkit takes its time to load."""
    from craton.features.rag.generation import session_rows

    return session_rows


def _replace(row: Row, transaction: Transaction) -> bool:
    return bool(transaction.run(lambda connection: _rows().replace(connection, row)))


def _find(ident: str, store: Reader) -> Row | None:
    found: Row | None = store.run(lambda connection: _rows().find(connection, ident))
    return found


async def _row(call: Call, ident: str) -> Row:
    try:
        found = await call.app.storage.read(partial(_find, ident))
    except StoreError as error:
        raise internal() from error
    oldest = microseconds(call.app.clock.now() - IDLE)
    if found is None or (found.account, found.region) != (call.account, call.region) or found.used_at < oldest:
        raise unknown(ident)
    return found


async def _opened(call: Call, row: Row) -> Session:
    with unreadable(_SHOWN):
        plain = await call.app.cipher.open(call.account, _PURPOSE, row.sealed, {"session": row.id})
    turns = msgspec.msgpack.decode(plain, type=tuple[Turn, ...])
    return Session(row.id, row.base, row.model, row.kms_key, row.version, turns)


async def _sealed(call: Call, session: Session) -> Row:
    plain = msgspec.msgpack.encode(session.turns)
    with unreadable(_SHOWN):
        sealed = await call.app.cipher.seal(
            call.account, _PURPOSE, session.kms_key or None, plain, {"session": session.id}, region=call.region
        )
    return Row(
        session.id, call.account, call.region, session.base, session.model, session.kms_key, session.version,
        microseconds(call.app.clock.now()), sealed,
    )  # fmt: skip

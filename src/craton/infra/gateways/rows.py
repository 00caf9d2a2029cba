"""What a server does with those tables, each function a part of one transaction.

Owns the beat and the fence: what is said for a duty is written only while the writer holds it. Writers of the store
exclude each other, so a check and the write after it are one. It must not know what is told or said.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from craton.infra.gateways.tables import GATEWAYS, LEADS
from craton.infra.store.port import microseconds

_G, _L = GATEWAYS.c, LEADS.c


class Gateway(msgspec.Struct, frozen=True):
    """A server as its row has it."""

    name: str
    beat: int
    about: str
    told: bytes


class Lead(msgspec.Struct, frozen=True):
    """Who has a duty, and how often something was said for it."""

    holder: str = ""
    number: int = 0


def beat(connection: Connection, name: str, about: str, told: bytes, now: datetime) -> None:
    """Say that the server lives, and what it has to tell; also after others took it for dead."""
    mine = update(GATEWAYS).where(_G.name == name).values(beat=_G.beat + 1, told=told)
    if connection.execute(mine).rowcount == 0:
        row = {"name": name, "beat": 1, "about": about, "told": told, "started_at": microseconds(now)}
        connection.execute(insert(GATEWAYS).values(row))


def gateways(connection: Connection) -> list[Gateway]:
    """All that have a row."""
    found = select(_G.name, _G.beat, _G.about, _G.told).order_by(_G.name)
    return [Gateway(name, at, about, bytes(told)) for name, at, about, told in connection.execute(found)]


def bury(connection: Connection, name: str, beat_seen: int) -> bool:
    """Remove a server whose beat still is the one seen so long ago."""
    return connection.execute(delete(GATEWAYS).where(_G.name == name, _G.beat == beat_seen)).rowcount > 0


def leave(connection: Connection, name: str) -> None:
    """Remove the own row, and let go of all duties."""
    connection.execute(delete(GATEWAYS).where(_G.name == name))
    connection.execute(update(LEADS).where(_L.holder == name).values(holder=""))


def lead(connection: Connection, duty: str) -> Lead:
    """Who has the duty."""
    row = connection.execute(select(_L.holder, _L.number).where(_L.duty == duty)).one_or_none()
    return Lead() if row is None else Lead(row[0], row[1])


def take(connection: Connection, duty: str, name: str, former: str) -> bool:
    """Take a duty that `former` had ("": nobody); False if somebody was quicker."""
    if connection.execute(select(_L.duty).where(_L.duty == duty)).one_or_none() is None:
        connection.execute(insert(LEADS).values(duty=duty, holder=name, number=0, said=b""))
        return True
    mine = update(LEADS).where(_L.duty == duty, _L.holder == former).values(holder=name)
    return connection.execute(mine).rowcount > 0


def say(connection: Connection, duty: str, name: str, said: bytes) -> bool:
    """Say what all are to live by; False, and nothing is written, if the duty is another's by now."""
    mine = update(LEADS).where(_L.duty == duty, _L.holder == name).values(said=said, number=_L.number + 1)
    return connection.execute(mine).rowcount > 0


def said(connection: Connection, duty: str) -> bytes:
    """What was said last; empty before the first."""
    found = connection.execute(select(_L.said).where(_L.duty == duty)).scalar_one_or_none()
    return bytes(found) if found is not None else b""

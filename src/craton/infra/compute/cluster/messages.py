"""What a gateway's supervisor, its Ray agent and the keepers on the nodes tell each other: lines of JSON over pipes.

Owns the records and their form. It imports nothing of Ray: the supervisor and the keepers run without.

    supervisor ── Start, Stop ──> agent ── Ray's calls ──> actor ── Assignment, a stop ──> keeper
    supervisor <── Found, Row, Stopped, Space, Lost ── agent <── News ── actor <── News ── keeper
"""

from __future__ import annotations

import sys

import msgspec

from craton.infra.compute.port import ModelSpec, ReplicaStatus, Room

PYTHON = "{python}"
"""Stands in a command for the interpreter that runs Craton on the node: it may lie elsewhere there."""
MAX_LINE_BYTES = 4 << 20


class Start(msgspec.Struct, frozen=True, tag=True):
    """Begin to keep a replica; one with this digest that nobody keeps is taken over instead."""

    replica: str
    spec: ModelSpec
    digest: str


class Stop(msgspec.Struct, frozen=True, tag=True):
    """End a replica."""

    replica: str
    grace_s: float


class Found(msgspec.Struct, frozen=True, tag=True):
    """A replica that an earlier agent of the place left running, kept by this one from now on, and how it is made."""

    order: Start


class Row(msgspec.Struct, frozen=True, tag=True):
    """How a replica is doing, and its last lines where they are others than before."""

    status: ReplicaStatus
    log: list[str] | None = None


class Stopped(msgspec.Struct, frozen=True, tag=True):
    """A replica has been ended."""

    replica: str


class Space(msgspec.Struct, frozen=True, tag=True):
    """What the cluster has left, and how many of its nodes live."""

    room: Room
    nodes: int


class Lost(msgspec.Struct, frozen=True, tag=True):
    """The cluster cannot be asked, and why; the agent goes on trying."""

    reason: str


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """What an actor is to keep, as it was when it was made; Ray gives it again wherever it starts the actor anew."""

    replica: str
    spec: ModelSpec
    digest: str
    secret: str
    sandbox: str
    hidden: str


class Seating(msgspec.Struct, frozen=True, kw_only=True):
    """Where a keeper runs: the address of its node, and what the node is called."""

    assignment: Assignment
    host: str
    node: str


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What a keeper says of its replica."""

    status: ReplicaStatus
    log: list[str]


Order = Start | Stop
Report = Found | Row | Stopped | Space | Lost
ORDERS: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
REPORTS: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def line(message: msgspec.Struct) -> bytes:
    """A message as one line."""
    return msgspec.json.encode(message) + b"\n"


def portable(spec: ModelSpec) -> ModelSpec:
    """The spec with this machine's interpreter left open."""
    command = tuple(PYTHON if word == sys.executable else word for word in spec.command)
    return msgspec.structs.replace(spec, command=command)


def settled(spec: ModelSpec) -> ModelSpec:
    """The spec with this machine's interpreter put in."""
    command = tuple(sys.executable if word == PYTHON else word for word in spec.command)
    return msgspec.structs.replace(spec, command=command)

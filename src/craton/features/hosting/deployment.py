"""What is to be served: a deployment is one model's replicas, how each is run and how many there may be.

Owns the two records; where they come from is `desired`'s, who makes it so is `fleet`.
"""

from __future__ import annotations

import msgspec

from craton.infra.compute.port import ModelSpec


class Scale(msgspec.Struct, frozen=True, kw_only=True):
    """Between how many replicas a deployment moves, and by what.

    `target` is how many requests one replica is to have at a time, running and waiting; above it more are started, in
    one step. They go again one by one after `down_after_s` seconds in which fewer had been enough; the last
    `idle_timeout_s` seconds after the last request, if `least` is 0 (0 seconds: never).
    """

    least: int = 0
    most: int = 1
    target: float = 8.0
    down_after_s: float = 120.0
    idle_timeout_s: float = 900.0
    queue: int = 64


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is a model id or an ARN. Replicas of another `spec` are exchanged for new ones, which serve before they go.

    `origin` says in a word where it comes from (`box`, `registered`, `container`, `imported`, `provisioned` …), `note`
    what a person may want to know of how it is run. `fault` says why it cannot be run at all: then nothing is started.

    `adapters` maps the name of each adapter that every replica has loaded to its directory: they come and go without
    a new replica. `slots` is how many requests a replica computes together. `priority`: who keeps its replicas where
    memory does not suffice for all; provisioned ones are above those on demand.
    """

    id: str
    spec: ModelSpec
    scale: Scale = Scale()
    adapters: dict[str, str] = {}
    slots: int = 0
    priority: int = 0
    origin: str = ""
    note: str = ""
    fault: str = ""

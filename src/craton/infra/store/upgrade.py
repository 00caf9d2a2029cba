"""Bodies of older formats are brought up to date when they are read.

Owns the rule: a kind's formats are numbered from 1, and step *n* turns format *n* into *n + 1*. The steps are given at
construction, as data; nothing registers itself. A row keeps its old body in the database until it is next written.
It must not know where rows are kept or what the bodies mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from craton.infra.store.port import Resource, TooNew

Step = Callable[[dict[str, Any]], dict[str, Any]]
"""Turns a decoded body of one format into the next one; may change its argument."""

Upgrades = Mapping[str, Sequence[Step]]
"""The steps of each kind, oldest first. Kinds that are not named have one format."""


class Upgrader:
    """Applies a set of steps; `schema_of` says which format is current."""

    __slots__ = ("_steps",)

    def __init__(self, steps: Upgrades) -> None:
        self._steps = {kind: tuple(each) for kind, each in steps.items()}

    def schema_of(self, kind: str) -> int:
        """The number of a kind's current format."""
        return len(self._steps.get(kind, ())) + 1

    def upgraded(self, row: Resource) -> Resource:
        """The row with a body of the current format. Raises TooNew for a row from a newer Craton."""
        current = self.schema_of(row.kind)
        if row.schema == current:
            return row
        if row.schema > current:
            msg = f"{row.arn} has format {row.schema}; this Craton knows {row.kind} up to format {current}"
            raise TooNew(msg)
        body: dict[str, Any] = msgspec.json.decode(row.body)
        for step in self._steps[row.kind][row.schema - 1 :]:
            body = step(body)
        return msgspec.structs.replace(row, body=msgspec.json.encode(body), schema=current)

"""A function's row changed in one transaction, as it is at that moment.

Owns that, and how what a function holds by qualifier is exchanged. Changes that are held against a revision, or that reach
other rows, have transactions of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from craton.context import Call
from craton.features.functions.function import Function
from craton.infra.store.port import Resource, Transaction
from craton.services.lambda_ import versions
from craton.services.lambda_.faults import as_faults

T = TypeVar("T")


async def change(call: Call, row: Resource, changed: Callable[[Function], Function]) -> Function:
    """Change a function in one transaction, as it is at that moment; what it is then. Raises ResourceNotFoundException."""

    def work(transaction: Transaction) -> Function:
        now = versions.current(transaction, row)
        body = changed(now.read(Function))
        transaction.update(msgspec.structs.replace(now, body=msgspec.json.encode(body)))
        return body

    with as_faults():
        return await call.app.storage.keep(work)


def with_one(held: Mapping[str, T], key: str, one: T | None) -> dict[str, T]:
    """What a function holds by qualifier with this one in its place, or (None) without it."""
    others = {name: other for name, other in held.items() if name != key}
    return others if one is None else {**others, key: one}

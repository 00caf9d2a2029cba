"""The program of a child process that searches blocks: sealed blocks with their keys in, the wanted points out.

Owns the form of what goes over its two pipes: a length (u32, little-endian) and msgpack, a `Task` in, an `Answer` out.
It ends when its parent closes the pipe, or is gone. It runs at a lower priority: a search may wait, a caller of a model
should not. It must not know the store.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import BinaryIO

import msgspec

from craton.infra.cipher import gcm
from craton.infra.cipher.port import Tampered
from craton.infra.series.block import Block, Damaged, expand
from craton.infra.series.port import Entry, Recipe, Sieve, Where

LENGTH_BYTES = 4
_NICE = 5


class Sealed(msgspec.Struct, array_like=True):
    """A sealed block and the key that was derived for it alone."""

    series: str
    batch: int
    key: bytes
    belongs: bytes
    data: bytes

    def __repr__(self) -> str:
        return f"Sealed({self.series!r})"


class Task(msgspec.Struct, array_like=True):
    """What is to be searched, and for what. No msgpack holds an ident, so that `beyond` comes as text."""

    blocks: list[Sealed]
    where: Where
    beyond: str
    recipe: Recipe | None


class Answer(msgspec.Struct, array_like=True):
    """What was found, the idents as text."""

    found: list[tuple[str, int, int, str, bytes]]
    is_damaged: bool = False


def select(blocks: list[Sealed], where: Where, sieve: Sieve | None) -> list[Entry]:
    """The wanted points of sealed blocks, in no order. Raises Tampered."""
    found: list[Entry] = []
    for one in blocks:
        try:
            block = Block(expand(gcm.opened(one.key, one.data, one.belongs)), one.batch)
        except Damaged:
            raise Tampered from None
        found += block.select(one.series, where, sieve)
    return found


def made(recipe: Recipe) -> Sieve | None:
    """The sieve that another process has as well."""
    module, _, function = recipe.maker.partition(":")
    sieve: Sieve | None = getattr(import_module(module), function)(recipe.text)
    return sieve


def answer(task: Task) -> Answer:
    sieve = None if task.recipe is None else made(task.recipe)
    try:
        beyond = int(task.beyond) if task.beyond else None
        found = select(task.blocks, msgspec.structs.replace(task.where, beyond=beyond), sieve)
    except Tampered:
        return Answer([], is_damaged=True)
    return Answer([(str(one.ident), one.at_ms, one.kept_ms, one.series, one.data) for one in found])


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer until the pipe is closed."""
    tasks = msgspec.msgpack.Decoder(Task)
    while len(length := source.read(LENGTH_BYTES)) == LENGTH_BYTES:
        body = msgspec.msgpack.encode(answer(tasks.decode(source.read(int.from_bytes(length, "little")))))
        sink.write(len(body).to_bytes(LENGTH_BYTES, "little") + body)
        sink.flush()


if __name__ == "__main__":
    os.nice(_NICE)
    serve(sys.stdin.buffer, sys.stdout.buffer)

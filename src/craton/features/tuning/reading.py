"""Reads a training file line by line, whatever its size, and keeps account of what is wrong in it.

Owns the limits of a line and the list of faults (the first hundred, by line number). What a line may be is `records`'.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from craton.features.tuning.plan import Form
from craton.features.tuning.records import BadRecord, Record, read

LINE_BYTES = 8 << 20
FAULTS = 100
_BOM = b"\xef\xbb\xbf"


class FaultyLine(msgspec.Struct, frozen=True):
    """What is wrong with line `line` (the first is 1) of a file."""

    line: int
    why: str


class Account(msgspec.Struct):
    """What a file holds. `faults` are the first; `faulty` counts all."""

    records: int = 0
    faulty: int = 0
    faults: list[FaultyLine] = []
    alike: bool = True
    """Whether every record is the same line; true of none and of one."""

    def complaint(self, name: str) -> str:
        """In one text what is wrong with the file, empty if nothing is."""
        if self.faulty:
            shown = "; ".join(f"line {fault.line}: {fault.why}" for fault in self.faults)
            more = f"; and {self.faulty - len(self.faults)} more" if self.faulty > len(self.faults) else ""
            return f"{name}: {self.faulty} of {self.faulty + self.records} lines cannot be used: {shown}{more}"
        if not self.records:
            return f"{name} holds no records"
        return f"{name}: all {self.records} records are the same" if self.alike and self.records > 1 else ""


def records(
    path: Path,
    forms: tuple[Form, ...],
    account: Account,
    most: int = 0,
    judge: Callable[[Record], str] = lambda _: "",
) -> Iterator[Record]:
    """The good records of a file, in order, noting the others in `account`; stops after `most` of them (0: all).

    `judge` says what else is wrong with a record. Raises OSError if the file cannot be read. Blank lines are no records.
    """
    first = b""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LINE_BYTES + 1):
            number += 1
            if len(line) > LINE_BYTES:
                while line and not line.endswith(b"\n"):
                    line = file.readline(LINE_BYTES)
                _note(account, number, f"it is longer than {LINE_BYTES} bytes")
                continue
            line = line.removeprefix(_BOM).strip() if number == 1 else line.strip()
            if not line:
                continue
            try:
                record = read(line, forms)
            except BadRecord as fault:
                _note(account, number, str(fault))
                continue
            if why := judge(record):
                _note(account, number, why)
                continue
            account.records += 1
            digest = hashlib.blake2b(line, digest_size=16).digest()
            account.alike, first = account.alike and first in (b"", digest), first or digest
            yield record
            if most and account.records >= most:
                return


def _note(account: Account, line: int, why: str) -> None:
    account.faulty += 1
    if len(account.faults) < FAULTS:
        account.faults.append(FaultyLine(line, why))

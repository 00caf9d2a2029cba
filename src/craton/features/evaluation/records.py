"""The lines of a prompt dataset: what each must have, and what is wrong with those that do not.

Owns Bedrock's form of such a line (user guide, "Use prompt datasets for model evaluation"): `prompt`, and where they are
wanted `referenceResponse`, `category` and `modelResponses`. Other members are kept for the output and mean nothing. It
must not know where lines come from. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import msgspec

MAX_FAULTS = 100
"""More bad lines than these are counted, and not told."""


class Response(msgspec.Struct, frozen=True, rename="camel"):
    """An answer that was made before, by whom."""

    response: str
    model_identifier: str


class Record(msgspec.Struct, frozen=True, rename="camel"):
    """One prompt. `line` counts from 1; `raw` is the line as it stands in the file."""

    prompt: str
    reference_response: str | None = None
    category: str | None = None
    model_responses: tuple[Response, ...] = ()
    line: int = 0
    raw: msgspec.Raw = msgspec.Raw(b"{}")

    def answered_by(self, identifier: str) -> str | None:
        """The answer that the line brings along from this source."""
        return next((one.response for one in self.model_responses if one.model_identifier == identifier), None)


class _Line(msgspec.Struct, rename="camel"):
    prompt: str
    reference_response: str | None = None
    category: str | None = None
    model_responses: tuple[Response, ...] = ()


class BadDataset(Exception):
    """A dataset that cannot be used; `faults` say why, a line of the file each, never with anything of its content."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


class Needs(msgspec.Struct, frozen=True):
    """What beside the prompt every line must have: a reference, an answer of each of these sources."""

    reference: bool = False
    sources: tuple[str, ...] = ()


_LINE = msgspec.json.Decoder(_Line)


One = TypeVar("One")
Judged = Callable[[int, bytes], tuple[str, One | None]]
"""The record of a numbered line; else what is wrong with it, and None."""


def read(lines: Iterable[tuple[int, bytes]], needs: Needs) -> list[Record]:
    """The prompts of numbered lines. Raises BadDataset with every bad one."""
    return judged(lines, lambda number, data: read_line(number, data, needs))


def judged(lines: Iterable[tuple[int, bytes]], judge: Judged[One]) -> list[One]:
    """The records of numbered lines, of any kind. Raises BadDataset with every bad one."""
    found, faults, bad = list[One](), list[str](), 0
    for number, data in lines:
        fault, record = judge(number, data)
        if record is not None:
            found.append(record)
            continue
        bad += 1
        if len(faults) < MAX_FAULTS:
            faults.append(f"line {number}: {fault}")
    if bad > len(faults):
        faults.append(f"and {bad - len(faults)} further lines")
    if faults:
        raise BadDataset(faults)
    if not found:
        raise BadDataset(["it holds no records"])
    return found


def read_line(number: int, data: bytes, needs: Needs) -> tuple[str, Record | None]:
    """The record of a line; else what is wrong with it, and None."""
    try:
        line = _LINE.decode(data)
    except msgspec.ValidationError as error:
        return str(error), None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "it is not JSON in UTF-8", None
    record = Record(
        line.prompt, line.reference_response, line.category, line.model_responses, number, msgspec.Raw(data.strip())
    )
    if not line.prompt.strip():
        return "`prompt` is empty", None
    if needs.reference and not (line.reference_response or "").strip():
        return "`referenceResponse` is missing, which Builtin.Accuracy compares answers with", None
    missing = [one for one in needs.sources if record.answered_by(one) is None]
    if missing:
        return f"`modelResponses` has no response of {missing[0]}", None
    return "", record

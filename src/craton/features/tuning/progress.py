"""What a training process says while it runs: one JSON object a line on its standard output.

Owns the events and their encoding. The reader knows a finished run by `Done` and a failed one by `Failed`; a process
that ends without either was killed.
"""

from __future__ import annotations

import sys
from typing import Any, Literal

import msgspec

from craton.features.tuning.plan import Settings

FaultKind = Literal["data", "base", "memory", "disk", "settings", "grader"]


class Read(msgspec.Struct, tag="read", frozen=True, kw_only=True):
    """A file was read: its records, tokens, and how many records were cut to what a row holds."""

    name: str
    records: int
    tokens: int
    learned: int
    cut: int
    longest: int


class Began(msgspec.Struct, tag="began", frozen=True, kw_only=True):
    """Training begins, or goes on at `step` of `steps`, after so many `tokens`; `weights` are being trained."""

    step: int
    steps: int
    weights: int
    all_weights: int
    settings: Settings
    tokens: int = 0


class Stepped(msgspec.Struct, tag="step", frozen=True, kw_only=True):
    """A step was taken. `loss` is per learned token, or what the method lowers; `reward` is of reinforcement.

    `tokens` are those of all steps so far.
    """

    step: int
    epoch: int
    loss: float
    tokens: int
    rate: float
    reward: float | None = None


class Validated(msgspec.Struct, tag="validation", frozen=True, kw_only=True):
    """The mean loss of the validation file after `step` steps."""

    step: int
    epoch: int
    loss: float


class Kept(msgspec.Struct, tag="checkpoint", frozen=True, kw_only=True):
    """What was learned until `step` survives this process."""

    step: int


class Asked(msgspec.Struct, tag="grade", frozen=True, kw_only=True):
    """Answers that a grader outside is to score, no more than one asking may bear; see `grading`.

    Each is answered by a `Graded`, one line on standard input, in any order.
    """

    items: list[dict[str, Any]]


class Graded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Scores by the ids of items; or why there are none."""

    scores: dict[str, float] = {}
    why: str = ""


class Done(msgspec.Struct, tag="done", frozen=True, kw_only=True):
    """The results lie in the plan's `out`. `early`: the loss did not fall any more; `stopped`: somebody asked to stop."""

    step: int
    loss: float
    seconds: float
    cpu_seconds: float
    tokens: int
    validation_loss: float | None = None
    reward: float | None = None
    early: bool = False
    stopped: bool = False


class Failed(msgspec.Struct, tag="failed", frozen=True, kw_only=True):
    """It cannot go on, and why."""

    kind: FaultKind
    why: str


Event = Read | Began | Stepped | Validated | Kept | Asked | Done | Failed
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Event)


def tell(event: Event) -> None:
    """Say it, at once."""
    sys.stdout.buffer.write(_ENCODER.encode(event) + b"\n")
    sys.stdout.buffer.flush()


def heard(line: bytes) -> Event | None:
    """The event of a line; None for a line that is none (a library that prints)."""
    try:
        event: Event = _DECODER.decode(line)
    except msgspec.DecodeError:
        return None
    return event


class Abandoned(Exception):
    """Nobody will answer what was asked: standard input has ended."""


class TuningFault(Exception):
    """The run cannot go on; `kind` says whose matter it is."""

    def __init__(self, kind: FaultKind, why: str) -> None:
        super().__init__(why)
        self.kind: FaultKind = kind

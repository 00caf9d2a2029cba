"""What a training run is told: the `Plan` that its process reads as JSON, and the settings in it with their meaning.

Owns the words and their defaults. Which of them a base model allows, and within which range, is `hyperparameters`'.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Method = Literal["sft", "cpt", "dpo", "rft"]
"""Answers of conversations; raw text; pairs of a chosen and a rejected answer; answers that a grader scores."""

Form = Literal["prompt-completion", "conversation", "claude", "text", "preference", "reinforcement"]
"""How a line of the file is shaped; see `records`."""

FORMS: dict[Method, tuple[Form, ...]] = {
    "sft": ("prompt-completion", "conversation", "claude"),
    "cpt": ("text",),
    "dpo": ("preference",),
    "rft": ("reinforcement",),
}


class Grading(msgspec.Struct, frozen=True, kw_only=True):
    """How answers are scored (`grading`), and how many of at most so many tokens are drawn for each prompt."""

    rule: str = "exact-match"
    samples: int = 4
    answer_tokens: int = 64
    temperature: float = 1.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """`rate` is the highest learning rate, reached after `warmup` steps and then falling in a line to a tenth.

    `batch` counts records of one step. `rank` 0 trains all weights instead of an adapter. `patience` counts
    validations in which the loss has not fallen by more than `threshold` (a part of it) before the run ends early;
    0: never.
    """

    epochs: int = 5
    batch: int = 8
    rate: float = 2e-3
    warmup: int = 5
    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    max_tokens: int = 1024
    seed: int = 0
    patience: int = 0
    threshold: float = 0.0
    beta: float = 0.1
    """How far DPO and reinforcement may leave the base: the weight of the divergence from it."""
    merged_bits: int = 0
    """0: the adapter, or the weights as they were trained. Else whole weights, which become a graph of so many bits."""

    @property
    def form(self) -> Literal["adapter", "model"]:
        """What the run leaves, which is also the name of its folder."""
        return "adapter" if self.rank and not self.merged_bits else "model"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One run. `work` holds checkpoints and what was read of the files; `out` gets the results.

    `base_sha256` is the hash of the base's weights that an earlier part of this run trained on: another hash refuses.
    """

    method: Method
    base: str
    train: str
    work: str
    out: str
    validation: str = ""
    forms: tuple[Form, ...] = ()
    settings: Settings = Settings()
    grading: Grading = Grading()
    threads: int = 1
    processes: int = 1
    """How many share the records of each step, on `threads` and an accelerator each; see `team`."""
    checkpoint_s: float = 30.0
    validate_every: int = 0
    """Steps between validations; 0: at the end of each epoch."""
    most_records: int = 0
    memory_bytes: int = 0
    """What the run may take; 0: unknown."""

"""What is asked for: the question, the model that answers, and how it is to be spoken to.

Owns the records that the steps share. It must not know the API's shapes, models, nor what was found.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Speaking(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is asked. `template` None is our own; `fields` are the model's own parameters."""

    template: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: tuple[str, ...] = ()
    fields: dict[str, Any] = {}
    latency: Literal["standard", "optimized"] | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A question and what is to be done with it. `model` is an id or an ARN.

    `generation` is for the answer, `orchestration` for the queries that are made of the question; `decompose`: there may
    be several.
    """

    text: str
    model: str
    generation: Speaking = Speaking()
    orchestration: Speaking = Speaking()
    decompose: bool = False

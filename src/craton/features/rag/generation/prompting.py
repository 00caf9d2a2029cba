"""From passages and a question to what a model is told: the template, filled, in the manner that the model can take.

Owns which manner that is. A template that has no place for the question is an instruction, and the question the user's own
message behind it. The sample model in the box is too small for instructions and for more than one text, so it gets the
best passage alone. It must not know how a model is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from craton.features.inference.routing.routes import Route
from craton.features.rag.generation import templates
from craton.features.rag.generation.passages import Passage, Turn, fenced, plain, told
from craton.features.rag.generation.question import Question
from craton.features.rag.generation.speaker import Prompt

SMALL = "craton.chat-mini"
_SMALL_CHARACTERS = 2000
_MOST_TURNS = 3
"""So many turns of the conversation the answering model sees as they were; what else there was is in the query."""


class Told(msgspec.Struct, frozen=True):
    """What the model is told, and the passages that it was shown. `marked`: it was asked to name them."""

    prompt: Prompt
    passages: Sequence[Passage]
    marked: bool


def small(route: Route) -> bool:
    """Whether the sample model answers, under its own name or in another's place."""
    names = (name for target in route.targets for name in (target.model, target.standin))
    return route.model_id.startswith(SMALL) or any(name.startswith(SMALL) for name in names)


def generation(
    question: Question, passages: Sequence[Passage], turns: Sequence[Turn], now: datetime, *, brief: bool
) -> Told:
    """What the model is told for an answer. `brief`: it is small."""
    template = question.generation.template
    if template is None and brief:
        best = passages[:1]
        values = {templates.RESULTS: plain(best)[:_SMALL_CHARACTERS], templates.QUERY: question.text}
        return Told(Prompt(templates.fill(templates.SMALL_GENERATION, values)), best, marked=True)
    template = template or templates.GENERATION
    values = {
        templates.RESULTS: fenced(passages),
        templates.QUERY: question.text,
        templates.FORMAT: templates.MARKS,
        templates.TIME: _shown(now),
        templates.HISTORY: told(turns),
    }
    prompt = _prompt(template, values, question.text, [] if brief else turns[-_MOST_TURNS:])
    return Told(prompt, passages, templates.FORMAT in template)


def orchestration(question: Question, turns: Sequence[Turn], now: datetime, most: int) -> Prompt:
    """What the model is told to make queries of a question, `most` at most."""
    template = question.orchestration.template or templates.ORCHESTRATION
    form = templates.ONE_QUERY if most == 1 else templates.MANY_QUERIES.format(most=most)
    values = {
        templates.QUERY: question.text,
        templates.FORMAT: form,
        templates.TIME: _shown(now),
        templates.HISTORY: told(turns),
    }
    return _prompt(template, values, question.text, ())


def _prompt(template: str, values: dict[str, str], question: str, turns: Sequence[Turn]) -> Prompt:
    filled = templates.fill(template, values)
    if templates.QUERY in template:
        return Prompt(filled, turns=turns)
    return Prompt(question, filled, turns)


def _shown(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")

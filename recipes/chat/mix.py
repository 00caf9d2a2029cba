"""Which tasks, how often, in which phase: the curriculum. Must not know tokens or tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from recipes.chat.draw import Draw
from recipes.chat.tasks import copying, extract, facts, formats, numbers, openers, passages, sentiment, smalltalk, tools
from recipes.chat.turns import Chat

Maker = Callable[[Draw], Chat]

# Phase 1 is copying and look-up almost alone, until induction heads have formed; phase 2 is the whole mix.
COPY: tuple[tuple[Maker, float], ...] = (
    (copying.echo, 20), (copying.parrot, 20), (copying.lookup, 25), (copying.to_json, 12), (copying.which_word, 5),
    (copying.case, 6), (smalltalk.talk, 3), (facts.capital, 4), (smalltalk.named, 5),
)  # fmt: skip
FULL: tuple[tuple[Maker, float], ...] = (
    (smalltalk.talk, 8), (smalltalk.named, 3), (facts.capital, 9), (facts.fact, 10), (copying.echo, 6), (copying.case, 6), (copying.letters, 8),
    (copying.which_word, 1), (copying.lookup, 4), (copying.to_json, 2), (numbers.add, 8), (numbers.drill, 8),
    (sentiment.judge, 8), (passages.attributes, 12), (passages.general, 12), (passages.cited, 18), (passages.sentences, 12), (passages.yes_no, 8), (passages.checked, 6),
    (passages.summary, 4), (extract.fields, 16), (tools.use, 16), (tools.without, 4), (formats.formed, 8), (formats.persona, 4),
    (formats.greeting, 2), (openers.story, 2), (openers.poem, 1), (openers.joke, 1), (openers.cannot, 4), (openers.live, 2), (openers.strange, 1),
)  # fmt: skip
PHASES = {"copy": COPY, "full": FULL}


def title(maker: Maker) -> str:
    """The name of a maker in logs and checkpoints: its file and function."""
    return f"{maker.__module__.rsplit('.', 1)[-1]}.{getattr(maker, '__name__', '')}"


def one(d: Draw, phase: str = "full", need: Mapping[str, float] | None = None) -> Chat:
    """One conversation: a single task, or several plain ones in a row; sometimes under an idle system prompt."""
    makers, weights = zip(*PHASES[phase], strict=True)
    if need:
        weights = tuple(weight * need.get(title(maker), 1.0) for maker, weight in PHASES[phase])
    chat: Chat = d.random.choices(makers, weights)[0](d)
    if not chat.system and not chat.tools and len(chat.turns) == 2 and d.chance(0.4):
        for _ in range(d.any((1, 1, 2, 3))):
            more: Chat = d.random.choices(makers, weights)[0](d)
            if not more.system and not more.tools:
                chat.task, chat.turns = more.task, chat.turns + more.turns
    if not chat.system and d.chance(0.2):
        formats.bystander(d, chat)
    return chat

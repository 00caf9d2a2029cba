"""Which tasks, how often, in which phase: the curriculum. Must not know tokens or tensors."""

from __future__ import annotations

from collections.abc import Callable

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
    (smalltalk.talk, 8), (smalltalk.named, 2), (facts.capital, 18), (facts.fact, 14), (copying.echo, 8), (copying.case, 1),
    (copying.which_word, 1), (copying.parrot, 1), (copying.lookup, 4), (copying.to_json, 2), (numbers.add, 20),
    (sentiment.judge, 9), (passages.attributes, 15), (passages.general, 9), (passages.sentences, 2), (passages.yes_no, 1), (passages.summary, 2),
    (extract.fields, 17), (tools.use, 13), (tools.without, 3), (formats.formed, 6), (formats.persona, 3),
    (formats.greeting, 1), (openers.story, 2), (openers.poem, 1), (openers.joke, 1), (openers.cannot, 4), (openers.live, 2), (openers.strange, 1),
)  # fmt: skip
PHASES = {"copy": COPY, "full": FULL}


def one(d: Draw, phase: str = "full") -> Chat:
    """One conversation: a single task, or several plain ones in a row; sometimes under an idle system prompt."""
    makers, weights = zip(*PHASES[phase], strict=True)
    chat: Chat = d.random.choices(makers, weights)[0](d)
    if not chat.system and not chat.tools and len(chat.turns) == 2 and d.chance(0.4):
        for _ in range(d.any((1, 1, 2, 3))):
            more: Chat = d.random.choices(makers, weights)[0](d)
            if not more.system and not more.tools:
                chat.task, chat.turns = more.task, chat.turns + more.turns
    if not chat.system and d.chance(0.2):
        formats.bystander(d, chat)
    return chat

"""The answer of an agentic retrieval, word by word, with citations that are checked against what was found.

Owns the way from what was found to the answering model and back; the prompts, the marks and the check are `generation`'s.
It must not know searches or the API's shapes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from craton.context import Call
from craton.features.rag.agentic.asked import Asked, Cited, Item, Outcome, Said, Token
from craton.features.rag.generation import prompting
from craton.features.rag.generation.citing import Citer, Part, Words
from craton.features.rag.generation.citing import Said as Spoken
from craton.features.rag.generation.passages import Passage, Turn
from craton.features.rag.generation.question import Question, Speaking
from craton.features.rag.generation.speaker import Speaker
from craton.features.rag.generation.support import Judge
from craton.features.rag.generation.templates import GENERATION, NO_ANSWER

_SHOWN_CHARACTERS = 60_000
_SHOWN = 40
"""How much of what was found the answering model reads: in all, and of how many passages."""


async def answered(call: Call, asked: Asked, items: Sequence[Item]) -> AsyncGenerator[Token | Outcome]:
    """The answer's words, then the outcome. Raises what the model raises."""
    citer, texts = await _begun(call, asked, _shown(items))
    parts: list[Part] = []
    async with aclosing(texts) as source:
        async for text in source:
            for token in _told(citer.feed(text), parts):
                yield token
    rest = citer.feed(NO_ANSWER) if not citer.text.strip() else []
    for token in _told([*rest, *citer.close()], parts):
        yield token
    cited = tuple(Cited(one.start, one.end + 1, one.sources) for one in parts if one.sources)
    yield Outcome(tuple(items), citer.text, cited)


async def _begun(call: Call, asked: Asked, shown: Sequence[Item]) -> tuple[Citer, AsyncGenerator[str]]:
    """Who reads the words, and the words; without passages no model is asked."""
    if not shown:
        return Citer(None), _nothing()
    speaker = Speaker(call, asked.model, streaming=True, managed=asked.managed)
    question = Question(text=asked.question, model=asked.model, generation=_speaking(asked))
    passages = [Passage(one.result.text, {}) for one in shown]
    brief = prompting.small(speaker.route)
    told = prompting.generation(question, passages, turns(asked.messages[:-1]), call.app.clock.now(), brief=brief)
    judge = Judge([one.text for one in told.passages], asked.question)
    return Citer(judge), await speaker.stream(told.prompt, question.generation)


def _speaking(asked: Asked) -> Speaking:
    """Our own template, with what the caller's instruction says of answers before it."""
    own = asked.instruction.answering if asked.instruction is not None else ""
    return Speaking(template=f"{own}\n\n{GENERATION}") if own else Speaking()


def turns(messages: Sequence[Said]) -> list[Turn]:
    """What was said before the question, as questions with their answers."""
    found: list[Turn] = []
    for one in messages:
        if one.role == "user":
            found.append(Turn(one.text, ""))
        elif found:
            found[-1] = Turn(found[-1].question, f"{found[-1].answer}\n{one.text}".strip())
    return [one for one in found if one.answer]


def _shown(items: Sequence[Item]) -> Sequence[Item]:
    """The best of the items as far as they fit, so that places among them are places in the outcome."""
    room = _SHOWN_CHARACTERS
    for count, one in enumerate(items[:_SHOWN]):
        room -= len(one.result.text)
        if room < 0 and count:
            return items[:count]
    return items[:_SHOWN]


def _told(said: Sequence[Spoken], parts: list[Part]) -> list[Token]:
    parts += [one for one in said if isinstance(one, Part)]
    return [Token(one.text) for one in said if isinstance(one, Words)]


async def _nothing() -> AsyncGenerator[str]:
    yield ""

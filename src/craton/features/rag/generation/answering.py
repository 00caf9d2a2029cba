"""The answer to a question from passages: whole or as it is written, with its parts and what they rest on.

Owns the order: told → said → cited → remembered. Where nothing was found no model is asked, and where a model says nothing
the answer is the same. It must not know HTTP, nor where passages are from.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import msgspec

from craton.context import Call
from craton.features.rag.generation import prompting, sessions
from craton.features.rag.generation.citing import Citer, Part, Said, Words
from craton.features.rag.generation.passages import Passage, Turn
from craton.features.rag.generation.question import Question
from craton.features.rag.generation.sessions import Session
from craton.features.rag.generation.speaker import Speaker
from craton.features.rag.generation.support import Judge
from craton.features.rag.generation.templates import NO_ANSWER

_QUICK_CHARACTERS = 20_000


class Answer(msgspec.Struct, frozen=True):
    """The text without marks, and its parts in their order; their `sources` are places in `passages`."""

    text: str
    parts: Sequence[Part]
    passages: Sequence[Passage]


class Writing(msgspec.Struct, frozen=True):
    """An answer that has begun: its pieces as they come, whose sources are places in `passages`."""

    pieces: AsyncGenerator[list[Said]]
    passages: Sequence[Passage]


async def answer(call: Call, question: Question, passages: Sequence[Passage], session: Session) -> Answer:
    """The whole answer, remembered."""
    writing = await _begin(call, question, passages, session, streaming=False)
    said = [one async for piece in writing.pieces for one in piece]
    text = "".join(one.text for one in said if isinstance(one, Words))
    return Answer(text, [one for one in said if isinstance(one, Part)], writing.passages)


async def stream(call: Call, question: Question, passages: Sequence[Passage], session: Session) -> Writing:
    """An answer whose first piece is there: what fails before is raised here. It is remembered when it is complete.

    Who leaves before that can come back to the conversation all the same.
    """
    if not session.version:
        session = await sessions.keep(call, session)
    return await _begin(call, question, passages, session, streaming=True)


async def _begin(
    call: Call, question: Question, passages: Sequence[Passage], session: Session, *, streaming: bool
) -> Writing:
    # The model is looked at where it is not asked, too: a caller who may not use it is told so in any case.
    speaker = Speaker(call, question.model, streaming=streaming)
    if not passages:
        return Writing(_written(call, question, session, Citer(None), _single("")), passages)
    told = prompting.generation(
        question, passages, session.turns, call.app.clock.now(), brief=prompting.small(speaker.route)
    )
    judge = await _judge(told.passages, question.text) if told.marked else None
    if streaming:
        texts = await speaker.stream(told.prompt, question.generation)
    else:
        texts = _single(await speaker.say(told.prompt, question.generation))
    return Writing(_written(call, question, session, Citer(judge), texts), told.passages)


async def _judge(passages: Sequence[Passage], question: str) -> Judge:
    """Reading a long list of passages takes milliseconds that other requests should not wait for."""
    texts = [one.text for one in passages]
    if sum(map(len, texts)) > _QUICK_CHARACTERS:
        return await asyncio.to_thread(Judge, texts, question)
    return Judge(texts, question)


async def _written(
    call: Call, question: Question, session: Session, citer: Citer, texts: AsyncGenerator[str]
) -> AsyncGenerator[list[Said]]:
    async with aclosing(texts) as source:
        async for text in source:
            said = citer.feed(text)
            if said:
                yield said
    if not citer.text.strip():
        yield citer.feed(NO_ANSWER)
    said = citer.close()
    if said:
        yield said
    await sessions.remember(call, session, Turn(question.text, citer.text))


async def _single(text: str) -> AsyncGenerator[str]:
    yield text

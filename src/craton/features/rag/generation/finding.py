"""From a question to passages: the queries that stand for it, each looked up, and what they found as one list.

A question is looked up as it is unless something was said before, the caller brought a template of its own, or asked for
parts; then the answering model makes the queries. What it writes changes the words that are looked up and nothing else:
the knowledge base, its filter and the number of results are the caller's. Owns those bounds. It must not know how a
knowledge base is searched, nor how an answer is made.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from itertools import chain, zip_longest

import msgspec

from craton.context import Call
from craton.features.rag.generation import prompting
from craton.features.rag.generation.passages import Passage, Turn
from craton.features.rag.generation.question import Question
from craton.features.rag.generation.speaker import Speaker
from craton.features.rag.retrieval.acting import Base
from craton.features.rag.retrieval.query import Query, Result, Results
from craton.features.rag.retrieval.retrieve import retrieve

MOST_QUERIES = 4
MOST_CHARACTERS = 1000
"""Of one query; a question has no more either."""
_MOST_RESULTS = 100
_QUERY = re.compile(r"<query>(.*?)</query>", re.DOTALL | re.IGNORECASE)


async def passages(call: Call, base: Base, query: Query, question: Question, turns: Sequence[Turn]) -> list[Passage]:
    """What of the knowledge base answers the question, the best first. Raises what retrieval and the model raise."""
    texts = await queries(call, question, turns)
    if len(texts) == 1:
        found = await retrieve(call, base, msgspec.structs.replace(query, text=texts[0]))
        results: Sequence[Result] = found.results
    else:
        results = merged(await _all(call, base, query, texts), query.limit * 2)
    return [Passage(one.text, reference(one)) for one in results]


async def queries(call: Call, question: Question, turns: Sequence[Turn]) -> list[str]:
    """What is looked up for a question. The question itself where the model makes nothing of it."""
    if not (question.decompose or turns or question.orchestration.template):
        return [question.text]
    speaker = Speaker(call, question.model)
    if prompting.small(speaker.route):
        return [question.text]
    most = MOST_QUERIES if question.decompose else 1
    prompt = prompting.orchestration(question, turns, call.app.clock.now(), most)
    said = await speaker.say(prompt, question.orchestration)
    return written(said, most) or [question.text]


def written(said: str, most: int) -> list[str]:
    """The queries in a model's words."""
    found = (" ".join(text.split())[:MOST_CHARACTERS] for text in _QUERY.findall(said))
    return list(dict.fromkeys(text for text in found if text))[:most]


def merged(found: Sequence[Results], most: int) -> list[Result]:
    """Results of several queries: the first of each, the second of each, and so on; none of them twice."""
    kept: dict[tuple[str, str, int, str], Result] = {}
    for one in filter(None, chain.from_iterable(zip_longest(*(each.results for each in found)))):
        kept.setdefault((one.source, one.document, one.start, one.text), one)
    return list(kept.values())[: min(most, _MOST_RESULTS)]


def reference(one: Result) -> dict[str, object]:
    """A result as the API's RetrievedReference."""
    return {"content": {"type": "TEXT", "text": one.text}, "location": one.location, "metadata": one.metadata}


async def _all(call: Call, base: Base, query: Query, texts: Sequence[str]) -> list[Results]:
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(retrieve(call, base, msgspec.structs.replace(query, text=text))) for text in texts
            ]
    except ExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]

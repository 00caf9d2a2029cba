"""Agentic retrieval, step by step: the question searched as it is, then plans and their searches until there is enough.

Owns the order of the steps and their bounds, what counts as found, and how what several searches found becomes one list.
A plan that fails costs nothing that was found before. It must not know how a search is made, prompts, or the API's shapes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.rag.agentic import planning
from craton.features.rag.agentic.answering import answered
from craton.features.rag.agentic.asked import Asked, Event, Expansion, Item, Lookup, Outcome, Retriever, Step, Trace
from craton.features.rag.agentic.expanding import expanded
from craton.features.rag.agentic.planning import Plan
from craton.features.rag.retrieval.models import fill
from craton.features.rag.retrieval.query import Query
from craton.features.rag.retrieval.ranking import ranked
from craton.features.rag.retrieval.retrieve import retrieve

MAX_ITERATIONS = 10
_DAMPING = 60
"""As with the fusion of a search by words and one by vectors: what several searches found stands before the rest."""
_MOST = 100
"""Passages of the outcome."""


async def steps(call: Call, asked: Asked) -> AsyncGenerator[Event]:
    """What is done, as it is done; the last is the Outcome.

    Raises what the caller may not do, and the fault of the last search if the first searches all failed.
    """
    found = Findings()
    everywhere = Lookup(asked.question, tuple(one.id for one in asked.retrievers))
    async for event in _search(call, asked, found, "SpeculativeRetrieval", (everywhere,)):
        yield event
    if not found.answered:
        raise found.last_fault
    for turn in range(asked.iterations):
        plan: Plan | None = None
        async for said in _plan(call, asked, found, first=turn == 0):
            if isinstance(said, Trace):
                yield said
            else:
                plan = said
        if plan is None or not (plan.lookups or plan.expansions):
            break
        if plan.lookups:
            async for event in _search(call, asked, found, "Retrieval", plan.lookups):
                yield event
        if plan.expansions:
            async for event in _expand(call, asked, found, plan.expansions):
                yield event
    items = await _in_order(call, asked, found)
    if not asked.answers:
        yield Outcome(tuple(items))
        return
    async for end in answered(call, asked, items):
        yield end


class Findings:
    """What was looked up, and the passages that came of it with how well each did."""

    def __init__(self) -> None:
        self.lookups: list[Lookup] = []
        self.answered = 0
        self.last_fault: Fault
        self._scores: dict[tuple[str, str, bool], float] = {}
        self._items: dict[tuple[str, str, bool], Item] = {}

    def add(self, items: Sequence[Item]) -> None:
        """One search's passages, the best first."""
        self.answered += 1
        for rank, one in enumerate(items, 1):
            self._items.setdefault(one.key, one)
            self._scores[one.key] = self._scores.get(one.key, 0.0) + 1 / (_DAMPING + rank)

    def failed(self, fault: Fault) -> None:
        self.last_fault = fault

    def best(self) -> list[Item]:
        """Everything that was found, once, the best first; whole documents stand before passages."""
        order = sorted(self._items, key=lambda key: (not key[2], -self._scores[key]))
        return [self._items[key] for key in order]


async def _plan(call: Call, asked: Asked, found: Findings, *, first: bool) -> AsyncGenerator[Trace | Plan]:
    own = asked.instruction if first else None
    yield Trace(step="Planning", status="IN_PROGRESS", message="Planning the searches.", instruction=own)
    seen = planning.shown(found.best())
    told = planning.instructions(asked, found.lookups, seen)
    try:
        filled = await fill(call, asked.model, told, planning.question(asked), planning.FORM, managed=asked.managed)
    except Fault as fault:
        yield Trace(step="Planning", status="FAILED", message="No plan was made.", failures=(fault.message,))
        return
    plan = planning.plan_of(filled, asked, found.lookups, seen)
    if plan is None:
        why = "The model's answer is not a plan."
        yield Trace(step="Planning", status="FAILED", message="No plan was made.", failures=(why,))
        return
    message = plan.message or ("Further searches are needed." if plan.lookups else "Enough was found.")
    yield Trace(step="Planning", status="SUCCEEDED", message=message, lookups=plan.lookups, expansions=plan.expansions)
    yield plan


async def _search(
    call: Call, asked: Asked, found: Findings, step: Step, lookups: tuple[Lookup, ...]
) -> AsyncGenerator[Trace]:
    """All lookups at once, in each of their retrievers."""
    yield Trace(step=step, status="IN_PROGRESS", message=_searching(lookups), lookups=lookups)
    by_id = {one.id: one for one in asked.retrievers}
    pairs = [(one, by_id[ident]) for one in lookups for ident in one.retrievers]
    done = await asyncio.gather(*(_looked_up(call, asked, lookup, retriever) for lookup, retriever in pairs))
    found.lookups += lookups
    items: dict[tuple[str, str, bool], Item] = {}
    failures = []
    for (_, retriever), result in zip(pairs, done, strict=True):
        if isinstance(result, Fault):
            found.failed(result)
            failures.append(f"{retriever.id}: {result.message}")
        else:
            found.add(result)
            items.update((one.key, one) for one in result)
    failed = len(failures) == len(pairs)
    yield Trace(
        step=step,
        status="FAILED" if failed else "SUCCEEDED",
        message="No search succeeded." if failed else f"{len(items)} passages were found.",
        lookups=lookups,
        items=tuple(items.values()),
        failures=tuple(dict.fromkeys(failures)),
    )


async def _looked_up(call: Call, asked: Asked, lookup: Lookup, retriever: Retriever) -> list[Item] | Fault:
    query = Query(text=lookup.query, limit=retriever.limit, where=retriever.where, user=asked.user)
    try:
        found = await retrieve(call, retriever.base, query)
    except Fault as fault:
        return fault
    return [Item(retriever.id, one) for one in found.results]


async def _expand(
    call: Call, asked: Asked, found: Findings, expansions: tuple[Expansion, ...]
) -> AsyncGenerator[Trace]:
    step: Step = "FullDocumentExpansion"
    yield Trace(step=step, status="IN_PROGRESS", message="Reading whole documents.", expansions=expansions)
    by_id = {one.id: one for one in asked.retrievers}
    items, failures = list[Item](), list[str]()
    for one in expansions:
        try:
            whole = await expanded(call, by_id[one.retriever], one, asked.user)
        except Fault as fault:
            failures.append(f"{one.document}: {fault.message}")
            continue
        if whole is not None:
            items.append(whole)
    found.add(items)
    yield Trace(
        step=step,
        status="SUCCEEDED" if items else "FAILED",
        message=f"{len(items)} documents were read.",
        expansions=expansions,
        items=tuple(items),
        failures=tuple(failures),
    )


async def _in_order(call: Call, asked: Asked, found: Findings) -> list[Item]:
    """What was found, by a reranking model if there is to be one."""
    items = found.best()[:_MOST]
    if asked.reranking is None or not items:
        return items
    # The place in the list travels as the chunk's name, since ranking knows results alone.
    numbered = [msgspec.structs.replace(one.result, chunk=str(place)) for place, one in enumerate(items)]
    order = await ranked(call, asked.question, numbered, asked.reranking)
    return [
        msgspec.structs.replace(
            items[int(one.chunk)], result=msgspec.structs.replace(items[int(one.chunk)].result, score=one.score)
        )
        for one in order
    ]


def _searching(lookups: Sequence[Lookup]) -> str:
    return "Searching." if len(lookups) == 1 else f"Searching for {len(lookups)} things."

"""The targets of a worker as rows: what `GET /craton/targets` shows, with no secret and no address in them.

Owns the words for a target's standing. One row per upstream model, naming the ids that lead there; local models that
nobody has asked are left out. It reads states and changes none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from craton.features.inference.targets.state import TargetState

if TYPE_CHECKING:
    from craton.features.inference.routing.routes import Routes, Target


class TargetRow(msgspec.Struct, frozen=True, kw_only=True):
    """One upstream model in one worker.

    `state`: `closed` serves, `open` is taken out, `half-open` has its probe, `resting` asked to be left alone.
    `until_s`: seconds until it is asked again, where it is not now. `answered`, `failed` (of these `throttled`),
    `refused` (the caller's own fault, or a cold start) and `left` (by the caller, or in a lost race) count asks that
    ended; `outstanding` run, `waiting` are in line for a place.
    """

    models: list[str]
    provider: str
    model: str
    state: Literal["closed", "open", "half-open", "resting"]
    until_s: float = 0.0
    outstanding: int = 0
    waiting: int = 0
    answered: int = 0
    failed: int = 0
    throttled: int = 0
    refused: int = 0
    left: int = 0
    last_error: str = ""


def rows(routes: Routes, now: float) -> list[TargetRow]:
    """All targets of these routes; `now` in seconds of the monotonic clock."""
    found: dict[int, tuple[Target, list[str]]] = {}
    for route in routes.by_id.values():
        for target in route.targets:
            found.setdefault(id(target.state), (target, []))[1].append(route.model_id)
    return [
        row(target, ids, now)
        for target, ids in found.values()
        if target.provider.name != "local" or was_asked(target.state)
    ]


def was_asked(state: TargetState) -> bool:
    return bool(state.outstanding or state.answered or state.failed or state.refused or state.left)


def row(target: Target, model_ids: list[str], now: float) -> TargetRow:
    state = target.state
    word, until = state.shown(now)
    return TargetRow(
        models=model_ids,
        provider=target.provider.name,
        model=target.model,
        state=word,
        until_s=round(max(0.0, until - now), 1),
        outstanding=state.outstanding,
        waiting=state.gate.waiting if state.gate is not None else 0,
        answered=state.answered,
        failed=state.failed,
        throttled=state.throttled,
        refused=state.refused,
        left=state.left,
        last_error=state.last_error,
    )

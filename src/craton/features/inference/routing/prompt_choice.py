"""The choice between a prompt router's two models, for each request.

Owns the rule by which one of the two answers:

    gap = (quality of the stronger - quality of the weaker) / quality of the fallback model, in percent
    the stronger answers if gap > responseQualityDifference, else the weaker

This is how the user guide explains the number: with the stronger model as fallback it is the drop in quality that the
caller accepts for the cheaper model; with the weaker as fallback it is the gain that the dearer one must promise. The
qualities are predicted by `difficulty` and `models.catalog.strength`. A model that cannot take the request at all is
out; where nothing can be predicted, the fallback model answers. It must not know how routers are kept (`prompt_router`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from craton.aws.wire.faults import Fault
from craton.features.inference.routing.difficulty import difficulty
from craton.features.inference.routing.routes import Resolved, native_dialect
from craton.features.inference.rules import form as rules
from craton.models.canon.request import ConverseRequest
from craton.models.catalog.strength import quality, strength

if TYPE_CHECKING:
    from craton.features.inference.routing.prompt_router import StoredRouter


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the two models. `arn` is what an answer names as the model that was invoked."""

    arn: str
    resolved: Resolved
    strength: float


@dataclass(frozen=True, slots=True)
class Choice:
    """A router ready to choose."""

    weaker: Candidate
    stronger: Candidate
    fallback: Candidate
    difference: float

    def pick(self, request: ConverseRequest, *, streaming: bool) -> Candidate:
        """The model that answers this request. If neither can, the fallback, whose rules then say what is wrong."""
        able = [each for each in (self.weaker, self.stronger) if takes(each, request, streaming=streaming)]
        if len(able) < 2:
            return able[0] if able else self.fallback
        hardness = difficulty(request)
        if hardness is None:
            return self.fallback
        return self.stronger if self.gap(hardness) > self.difference else self.weaker

    def gap(self, hardness: float) -> float:
        """How much better the stronger one is expected to answer, in percent of the fallback's quality."""
        better, worse = quality(self.stronger.strength, hardness), quality(self.weaker.strength, hardness)
        return 100.0 * (better - worse) / quality(self.fallback.strength, hardness)


def choice(router: StoredRouter, reached: dict[str, Resolved], named: dict[str, str]) -> Choice:
    """A router over its resolved models (by ARN). `named` has the ARN to show in a trace where it is another one."""
    made = {
        arn: Candidate(named.get(arn, arn), found, strength(found.route.model_id)) for arn, found in reached.items()
    }
    fallback = made[router.fallback]
    # Of two that are rated alike, the fallback counts as the stronger: nothing is gained by leaving it.
    weaker, stronger = sorted((made[arn] for arn in router.models), key=lambda one: (one.strength, one is fallback))
    return Choice(weaker, stronger, fallback, router.difference)


def takes(candidate: Candidate, request: ConverseRequest, *, streaming: bool) -> bool:
    """Whether the model's family can do what the request asks."""
    route = candidate.resolved.route
    try:
        rules.check(request, route.capabilities, route.max_output_tokens, streaming=streaming)
    except Fault:
        return False
    return True


def pick(resolved: Resolved, request: ConverseRequest, *, streaming: bool) -> Resolved:
    """The route of the model that a router chooses; it remembers which, for the trace."""
    if resolved.router is None:
        return resolved
    chosen = resolved.router.pick(request, streaming=streaming)
    return replace(resolved, route=chosen.resolved.route, router=None, invoked=chosen.arn)


def pick_native(resolved: Resolved, body: bytes, *, streaming: bool) -> Resolved:
    """The same for a native body, which both models read alike: they share a schema (CreatePromptRouter sees to it)."""
    request = native_dialect(resolved.route).read_request(body, streaming=streaming)
    return pick(resolved, request, streaming=streaming)

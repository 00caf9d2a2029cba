"""The cells of conversations: every caller, every upstream, every feature, each with its verdict.

    with cells.Running(tmp_path) as matrix:
        verdict = matrix.cell(caller, upstream, feature)

A cell is asked in lenient mode for its verdict, and again in strict mode, which must refuse just what the first dropped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from tests.matrix import judge
from tests.matrix.asks import FEATURES, Ask, Feature
from tests.matrix.callers import CALLERS, Caller
from tests.matrix.house import Answer, House
from tests.matrix.judge import UNSAID, YES, Verdict
from tests.matrix.upstreams import UPSTREAMS, Upstream, Vendors, slug

Table = dict[tuple[str, str, str], Verdict]
_STRICT = {"x-craton-translation": "strict"}


def model_id(caller: Caller, upstream: Upstream) -> str:
    return f"matrix.{slug(caller.schema) or 'any'}.{slug(upstream.name)}"


def model_tables(vendors: Vendors) -> list[dict[str, Any]]:
    """A model for each schema at each upstream; the doors and Converse share one that has no schema of its own."""
    found: dict[str, dict[str, Any]] = {}
    for caller in CALLERS:
        for upstream in UPSTREAMS:
            target = {"provider": upstream.provider, "model": "up-model", **upstream.target}
            if upstream.provider != "local":
                target["base_url"] = vendors.url(upstream.name, upstream.suffix)
            name = model_id(caller, upstream)
            found[name] = {"id": name, "dialect": caller.schema, "target": [target]}
    return list(found.values())


class Running:
    """The house with its vendors. One cell at a time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.vendors = Vendors()

    def __enter__(self) -> Self:
        self.vendors.up.__enter__()
        self.house = House(self.home, model_tables(self.vendors), self.vendors.url("local")).__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.house.__exit__()
        self.vendors.up.__exit__()

    def cell(self, caller: Caller, upstream: Upstream, feature: Feature) -> Verdict:
        return self.house.run(self._cell(caller, upstream, feature))

    def table(self) -> Table:
        """Every cell."""
        return {
            (caller.name, upstream.name, feature.name): self.cell(caller, upstream, feature)
            for caller in CALLERS
            for upstream in UPSTREAMS
            for feature in FEATURES
        }

    async def _cell(self, caller: Caller, upstream: Upstream, feature: Feature) -> Verdict:
        if feature.scene == "error":
            return await self._errors(caller, upstream)
        answer = await self._ask(caller, upstream, feature.ask, feature.scene)
        if answer is None:
            return UNSAID
        verdict = judge.judged(caller, feature, answer, self.vendors.seen)
        if self.vendors.wrong:
            return Verdict("lost", self.vendors.wrong)
        if verdict.kind == "lost":
            return verdict
        strict = await self._ask(caller, upstream, feature.ask, feature.scene, _STRICT)
        assert strict is not None
        wrong = judge.judged_strict(verdict, strict, self.vendors.seen)
        return Verdict("lost", wrong) if wrong else verdict

    async def _errors(self, caller: Caller, upstream: Upstream) -> Verdict:
        """The vendor's failures, before the answer and in a stream."""
        wrong = []
        for scene in judge.ERRORS:
            for stream in (False, True):
                answer = await self._ask(caller, upstream, Ask(stream=stream), scene)
                if answer is not None:
                    aws = upstream.provider == "bedrock"
                    wrong.append(judge.wrong_error(caller, scene, answer, keeps_names=aws))
        answer = await self._ask(caller, upstream, Ask(stream=True), "cut")
        wrong += [judge.wrong_break(caller, answer)] if answer is not None else []
        told = "; ".join(filter(None, wrong))
        return Verdict("lost", told) if told else YES

    async def _ask(
        self, caller: Caller, upstream: Upstream, ask: Ask, scene: str, headers: dict[str, str] | None = None
    ) -> Answer | None:
        """One request; None for what the caller's schema has no words for."""
        request = caller.request(ask, model_id(caller, upstream))
        if request is None:
            return None
        path, further, body = request
        self.vendors.set(scene)
        return await self.house.ask(path, body, {**further, **(headers or {})})

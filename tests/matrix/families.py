"""The cells of the families: what each family of the catalog is asked through Converse, before one and the same vendor.

The vendor (OpenAI's chat) can do everything, so what is refused here is refused by the family's row in Bedrock's
feature matrix, and must be: a cell is right only if the row and the answer say the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from craton.models.catalog.capabilities import Capabilities, capabilities
from craton.models.catalog.rows import Model, load
from tests.matrix import judge
from tests.matrix.asks import FEATURES, Feature
from tests.matrix.callers import CALLERS
from tests.matrix.house import House
from tests.matrix.judge import Verdict
from tests.matrix.upstreams import Vendors

CONVERSE = CALLERS[0]
# What of a family's row a feature stands on; what is not here every family can do.
NEEDS = {
    "system": ("system",),
    "stop": ("stop_sequences",),
    "sampling": ("temperature", "top_p", "temperature_with_top_p"),
    "tools": ("tools",),
    "choice": ("tools", "tool_choice_any"),
    "results": ("tools",),
    "schema": ("output_schema",),
    "image": ("vision",),
    "document": ("documents",),
    "pdf": ("documents",),
    "stream": ("stream",),
    "tools_stream": ("tools", "tools_streaming", "stream"),
}
COLUMNS = tuple(feature for feature in FEATURES if feature.name not in ("error", "usage", "knob", "nobodys"))


def representatives() -> dict[str, Model]:
    """One model of each family that converses, an on-demand one where there is any."""
    found: dict[str, Model] = {}
    for model in sorted(load().models(), key=lambda one: "ON_DEMAND" not in one.inference_types):
        if capabilities(model).converse:
            found.setdefault(model.family, model)
    return dict(sorted(found.items()))


def called(model: Model) -> str:
    """The id that callers use: a profile's where the model has no other way."""
    if "ON_DEMAND" in model.inference_types:
        return model.model_id
    prefix = "us" if "us" in model.profiles else "global"  # the region is us-east-1
    return f"{prefix}.{model.model_id}"


def expected(able: Capabilities, feature: Feature) -> bool:
    """Whether the family's row takes the feature."""
    if feature.name == "sampling" and able.deprecated:
        return False
    if feature.name == "results" and able.one_user_message_only:
        return False
    return all(getattr(able, flag) for flag in NEEDS.get(feature.name, ()))


class Running:
    """The house with a model of each family. One cell at a time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.vendors = Vendors()
        self.models = representatives()

    def __enter__(self) -> Self:
        self.vendors.up.__enter__()
        target = {"provider": "openai", "model": "up-model", "base_url": self.vendors.url("openai", "/v1")}
        tables: list[dict[str, Any]] = [{"id": model.model_id, "target": [target]} for model in self.models.values()]
        self.house = House(self.home, tables, "").__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.house.__exit__()
        self.vendors.up.__exit__()

    def table(self) -> dict[tuple[str, str], Verdict]:
        return {(family, feature.name): self.cell(family, feature) for family in self.models for feature in COLUMNS}

    def cell(self, family: str, feature: Feature) -> Verdict:
        return self.house.run(self._cell(self.models[family], feature))

    async def _cell(self, model: Model, feature: Feature) -> Verdict:
        request = CONVERSE.request(feature.ask, called(model))
        assert request is not None
        self.vendors.set(feature.scene)
        answer = await self.house.ask(request[0].replace(":", "%3A"), request[2])
        verdict = judge.judged(CONVERSE, feature, answer, self.vendors.seen)
        refused = verdict.kind == "refused"
        if verdict.kind != "lost" and refused == expected(capabilities(model), feature):
            return Verdict("lost", f"the family's row says otherwise than {verdict.kind} {verdict.what}")
        return verdict

"""The dashboard for Grafana asks for what `/metrics` has, and shows all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from craton.features.inference.targets.report import TargetRow
from craton.features.metering.record import Record, Row
from craton.features.metering.totals import Totals
from craton.front.prometheus import Standing, text
from craton.front.prometheus_models import Models

DASHBOARD = Path(__file__).resolve().parents[3] / "examples" / "grafana" / "craton.json"
_NAME = re.compile(r"\b(craton_[a-z_]+)")
_SELECTED = re.compile(r"\b(craton_[a-z_]+){([^}]*)}")
_LABELLED = re.compile(r"\b([a-z_]+)\s*(?:=~|!=|!~|=)\s*\"")
_BY = re.compile(r"\bby \(([^)]*)\)")
_LEGEND = re.compile(r"{{([a-z_]+)}}")


def everything() -> bytes:
    """The page of a server that has something to say about everything."""
    totals, one = Totals(), {5: 1}
    totals.add(Row(60, "1", "r", "m", Record(1, 1, 1, 1, 1, one, one, one, one, one, one)))
    deployment = {
        "id": "d", "wanted": 1, "ready": 1, "replicas": [{}], "queue": 1, "outstanding": 1, "oldest_wait_s": 1.0,
        "refused_per_s": 1.0, "tokens_per_s": 1.0, "pss_bytes": 1,
    }  # fmt: skip
    target = TargetRow(models=["m"], provider="openai", model="gpt", state="closed", answered=1)
    return text(
        Standing(
            models=Models().families(totals.packed), lost=1, exported={"traces": {"sent": 1}}, budgets={"b": (1.0, 2.0)},
            jobs={"running": 1}, workers={"0": 1}, targets=[(0, target)],
            memory={"supervisor": 1}, delivery={"segments": 1}, deployments=[deployment], version="1",
        )
    )  # fmt: skip


@pytest.fixture(scope="module")
def samples() -> dict[str, set[str]]:
    """Name of a sample → its labels."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(everything().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def asked() -> Iterator[tuple[str, set[str], str]]:
    """The text of each query, the labels by which its answers are told apart, and where it stands."""
    board: dict[str, Any] = json.loads(DASHBOARD.read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            said = target["expr"]
            labels = set(_LEGEND.findall(target.get("legendFormat", "")))
            for listed in _BY.findall(said):
                labels |= {name.strip() for name in listed.split(",")}
            yield said, labels, panel["title"]
    for variable in board["templating"]["list"]:
        found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"])
        if found is not None:
            yield found[1], {found[2]}, variable["name"]


def test_every_query_has_an_answer(samples: dict[str, set[str]]) -> None:
    """Names and labels are those of the page."""
    for said, labels, title in asked():
        names = _NAME.findall(said)
        assert names, title
        for name in names:
            assert name in samples, title
            assert labels <= samples[name], title
        for name, selectors in _SELECTED.findall(said):
            assert set(_LABELLED.findall(selectors)) <= samples[name], title


def test_every_family_is_shown(samples: dict[str, set[str]]) -> None:
    """A number that nobody looks at is not worth its counting."""
    shown = {re.sub(r"_(bucket|count|sum)$", "", name) for said, _, _ in asked() for name in _NAME.findall(said)}
    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in samples} == shown


def test_panels_do_not_overlap() -> None:
    """Each has a place of its own."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({(one["gridPos"]["x"], one["gridPos"]["y"]) for one in panels}) == len(panels)
    assert len({one["id"] for one in panels}) == len(panels)

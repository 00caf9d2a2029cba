"""The steps and looks of the tour of knowledge bases."""

from __future__ import annotations

import inspect
import io

import pytest
from rich.console import Console

from craton.cli import quickstart_kb, tour_kb
from craton.cli.quickstart_kb import STEPS, Step
from craton.cli.refusal import Refused
from craton.cli.stage import Stage


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.run)
def test_what_is_printed_is_what_runs(step: Step) -> None:
    """The code of a step is its function's own body, short enough for a terminal, and compiles."""
    code = tour_kb.source_of(getattr(tour_kb, step.run))
    compile(code, "step", "exec")
    assert not code.startswith(" ")
    assert "return" not in code
    assert all(len(text) <= 104 for text in code.splitlines())
    assert "show(" in code


def test_each_step_has_what_it_takes() -> None:
    """A step's parameters are clients, the name, or what steps before it return."""
    there = {*quickstart_kb.CLIENTS, "name", "show"}
    for step in STEPS:
        function = getattr(tour_kb, step.run)
        assert set(inspect.signature(function).parameters) <= there
        there |= {"make_knowledge_base": {"base", "where"}, "ask": {"library"}}.get(step.run, set())


def part(text: str, *uris: str) -> dict[str, object]:
    references = [{"content": {"text": f"of {uri}"}, "location": {"s3Location": {"uri": uri}}} for uri in uris]
    return {"generatedResponsePart": {"textResponsePart": {"text": text}}, "retrievedReferences": references}


def test_citations_are_numbered() -> None:
    """Each part has the numbers of its passages, which are quoted below; an answer without any says so."""
    out = io.StringIO()
    stage = Stage(Console(file=out, width=120))
    quickstart_kb.show_citations(stage, [part("One.", "s3://a", "s3://b"), part("Two."), part("Three.", "s3://c")])
    assert "→ One. [1] [2] Two. Three. [3]" in out.getvalue()
    assert "[3] s3://c: “of s3://c”" in out.getvalue()
    quickstart_kb.show_citations(stage, [part("Four.")])
    assert "no citation" in out.getvalue()


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra or the model's package the tour does not begin."""
    monkeypatch.setattr("craton.models.catalog.local.packaged_models", list)
    with pytest.raises(Refused, match="make quickstart-kb"):
        quickstart_kb.check_install()

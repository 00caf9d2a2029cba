"""The quickstart's steps and looks."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from craton.cli import tour
from craton.cli.quickstart import STEPS
from craton.cli.stage import Stage


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.run)
def test_what_is_printed_is_what_runs(step: object) -> None:
    """The code of a step is its function's own body, short enough for a terminal, and compiles."""
    code = tour.source_of(getattr(tour, step.run))  # type: ignore[attr-defined]
    compile(code, "step", "exec")
    assert not code.startswith(" ")
    assert all(len(text) <= 104 for text in code.splitlines())
    assert "show(" in code


def test_a_pipe_gets_plain_lines() -> None:
    """Where no terminal is, there is no colour, no spinner, and pieces are still seen as pieces."""
    out = io.StringIO()
    stage = Stage(Console(file=out, width=120))
    with stage.working("Loading", "loaded"):
        pass
    stage.step(1, "Converse", "x = 1\ny = 2")
    stage.piece("Pa")
    stage.piece("ris")
    assert stage.end_pieces() == 2
    stage.answer("a line\n" * 2)
    text = out.getvalue()
    assert "\x1b" not in text
    assert "Loading …" in text
    assert "→ Pa│ris\n" in text
    assert "   x = 1\n   y = 2\n" in text
    assert "   → a line\n" in text

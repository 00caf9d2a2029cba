"""What is told of an unexpected error."""

from __future__ import annotations

import pytest

from craton.front.report import Reporter


def fail(text: str) -> Exception:
    try:
        raise KeyError(text)
    except KeyError as error:
        return error


def test_the_place_is_told_and_the_text_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    """A text may quote a prompt."""
    Reporter()(fail("a secret prompt"))
    told = capsys.readouterr().err
    assert "unexpected KeyError" in told
    assert "in fail" in told
    assert "secret" not in told


def test_a_flood_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The same error from the same place."""
    report = Reporter()
    for _ in range(100):
        report(fail("x"))
    assert capsys.readouterr().err.count("unexpected") == 1

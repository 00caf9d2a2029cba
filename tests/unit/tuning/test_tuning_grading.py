"""Rules that score answers, what they ask of a record, and a grader outside the process."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from craton.features.tuning.grading import BATCH, OWN, RULES, check, scores
from craton.features.tuning.progress import Abandoned, TuningFault
from craton.features.tuning.records import Record, Turn


def record(reference: Any = None, **extra: Any) -> Record:
    return Record(turns=[Turn("user", "?")], reference=reference, extra=extra)


@pytest.mark.parametrize(
    ("rule", "answer", "asked", "score"),
    [
        ("exact-match", " Paris\n", record("Paris"), 1.0),
        ("exact-match", "paris", record("Paris"), 0.0),
        ("exact-match", "42", record(42), 1.0),
        ("regex", "It is 42.", record(pattern=r"\b42\b"), 1.0),
        ("regex", "It is 421.", record(pattern=r"\b42\b"), 0.0),
        ("json-schema", '{"a": 1}', record(schema={"required": ["a"]}), 1.0),
        ("json-schema", '{"b": 1}', record(schema={"required": ["a"]}), 0.5),
        ("json-schema", "{", record(schema={"required": ["a"]}), 0.0),
        ("length", "one two", record(max_words=2), 1.0),
        ("length", "one two three four", record(max_words=2), 0.5),
    ],
)
def test_rules(rule: str, answer: str, asked: Record, score: float) -> None:
    """Each from 0 to 1."""
    assert scores(rule, [(asked, answer)]) == [score]


@pytest.mark.parametrize(
    ("rule", "asked", "said"),
    [
        ("exact-match", record(), "'reference_answer' is missing"),
        ("regex", record(), "'pattern' is missing"),
        ("regex", record(pattern="("), "no regular expression"),
        ("json-schema", record(schema="x"), "'schema' is missing"),
        ("length", record(), ""),
    ],
)
def test_what_a_record_lacks(rule: str, asked: Record, said: str) -> None:
    """So that a line is judged before anything is trained."""
    assert said in check(asked, rule)
    assert rule in RULES


Heard = tuple[list[float], list[dict[str, Any]]]


def asked_outside(monkeypatch: pytest.MonkeyPatch, reply: bytes, answers: list[tuple[Record, str]]) -> Heard:
    """The scores, and the items of each asking."""
    told = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(reply)))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=told))
    found = scores(OWN, answers)
    return found, [json.loads(line)["items"] for line in told.getvalue().splitlines()]


TWO = [(record("x", topic="sums"), "one"), (record(), "two")]


def test_a_grader_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets Bedrock's list, and its scores are held between 0 and 1."""
    found, [[first, second]] = asked_outside(monkeypatch, b'{"scores": {"1": 7, "0": 0.25}}\n', TWO)
    assert found == [0.25, 1.0]
    assert first["messages"][-1] == {"role": "assistant", "content": "one"}
    assert (first["metadata"], first["reference_answer"]) == ({"topic": "sums"}, "x")
    assert "reference_answer" not in second


def test_many_answers_go_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """All parts are asked before one is answered, and answers may come in another order."""
    ids = [range(64, 70), range(32), range(32, 64)]
    reply = b"".join(json.dumps({"scores": {str(one): one / 100 for one in part}}).encode() + b"\n" for part in ids)
    found, parts = asked_outside(monkeypatch, reply, [(record(), "x")] * 70)
    assert found == [one / 100 for one in range(70)]
    assert [len(part) for part in parts] == [BATCH, BATCH, 6]


def test_large_answers_go_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much as a function takes; more is the run's fault."""
    reply = b'{"scores": {"0": 0}}\n{"scores": {"1": 1}}\n'
    _, parts = asked_outside(monkeypatch, reply, [(record(), "x" * 700_000)] * 2)
    assert [len(part) for part in parts] == [1, 1]
    with pytest.raises(TuningFault, match="may have 6000000"):
        asked_outside(monkeypatch, b"", [(record(), "x" * 6_000_000)])


@pytest.mark.parametrize(
    ("reply", "said"), [(b'{"why": "it is tired"}\n', "it is tired"), (b'{"scores": {"0": 1}}\n', "no score")]
)
def test_a_grader_without_scores(monkeypatch: pytest.MonkeyPatch, reply: bytes, said: str) -> None:
    """The run fails by its fault."""
    with pytest.raises(TuningFault, match=said):
        asked_outside(monkeypatch, reply, TWO)


def test_a_grader_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is left to answer: the step is not taken."""
    with pytest.raises(Abandoned):
        asked_outside(monkeypatch, b"", TWO)

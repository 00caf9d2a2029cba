"""Rules that score answers, what they ask of a record, and a grader outside the process."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from craton.features.tuning.grading import OWN, RULES, check, scores
from craton.features.tuning.progress import TuningFault
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


def asked_outside(monkeypatch: pytest.MonkeyPatch, reply: bytes) -> tuple[list[float], dict[str, Any]]:
    told = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(reply)))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=told))
    found = scores(OWN, [(record("x", topic="sums"), "one"), (record(), "two")])
    return found, json.loads(told.getvalue())


def test_a_grader_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets Bedrock's list and its scores are held between 0 and 1, in whatever order they come."""
    reply = [{"id": "1", "aggregate_reward_score": 7}, {"id": "0", "aggregate_reward_score": 0.25}]
    found, sent = asked_outside(monkeypatch, json.dumps(reply).encode() + b"\n")
    assert found == [0.25, 1.0]
    first, second = sent["items"]
    assert first["messages"][-1] == {"role": "assistant", "content": "one"}
    assert (first["metadata"], first["reference_answer"]) == ({"topic": "sums"}, "x")
    assert "reference_answer" not in second


@pytest.mark.parametrize("reply", [b"", b"no\n", b'[{"id": "0", "aggregate_reward_score": 1}]\n', b'[{"id": 0}]\n'])
def test_a_grader_that_answers_rubbish(monkeypatch: pytest.MonkeyPatch, reply: bytes) -> None:
    """The run fails by its fault."""
    with pytest.raises(TuningFault, match="grader"):
        asked_outside(monkeypatch, reply)

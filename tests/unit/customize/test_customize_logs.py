"""Invocation logs as training data: which records count, and what a line of them holds."""

from __future__ import annotations

from typing import Any

import pytest

from craton.workflows.customize.logs import line_of, passes, scored

ASKED = [{"role": "user", "content": [{"text": "Hello"}]}]


@pytest.mark.parametrize(
    ("filters", "through"),
    [
        (None, True),
        ({"equals": {"team": "blue"}}, True),
        ({"equals": {"team": "red"}}, False),
        ({"notEquals": {"team": "blue"}}, False),
        ({"notEquals": {"stage": "test"}}, True),
        ({"andAll": [{"equals": {"team": "blue"}}, {"equals": {"stage": "test"}}]}, False),
        ({"orAll": [{"equals": {"team": "blue"}}, {"equals": {"stage": "test"}}]}, True),
        ({"orAll": [{"equals": {"team": "red"}}]}, False),
        ({"equals": {"team": "blue"}, "andAll": [{"notEquals": {"team": "blue"}}]}, False),
    ],
)
def test_filters(filters: dict[str, Any] | None, through: bool) -> None:
    """All that a filter names must hold; a key that is not there equals nothing."""
    assert passes({"team": "blue"}, filters) is through


def record(**more: Any) -> dict[str, Any]:
    body = {"messages": ASKED, "system": [{"text": "Be kind."}]}
    said = {"output": {"message": {"content": [{"text": "Hi."}]}}}
    return {"operation": "Converse", "input": {"inputBodyJson": body}, "output": {"outputBodyJson": said}} | more


def test_a_record_with_its_answer() -> None:
    """System, turns and the answer; without answers the line ends with the user."""
    line = line_of(record(), answers=True)
    assert line is not None
    assert line["system"] == [{"text": "Be kind."}]
    assert line["messages"] == [*ASKED, {"role": "assistant", "content": [{"text": "Hi."}]}]
    bare = line_of(record(), answers=False)
    assert bare is not None
    assert bare["messages"] == ASKED


def test_the_events_of_a_stream_are_put_together() -> None:
    """A stream's answer stands in the log as its events."""
    events = [{"messageStart": {"role": "assistant"}}] + [
        {"contentBlockDelta": {"delta": {"text": each}}} for each in "Hi."
    ]
    line = line_of(record(operation="ConverseStream", output={"outputBodyJson": events}), answers=True)
    assert line is not None
    assert line["messages"][-1]["content"] == [{"text": "Hi."}]


@pytest.mark.parametrize(
    "more",
    [
        {"operation": "InvokeModel"},
        {"errorCode": "ThrottlingException"},
        {"input": {"inputBodyS3Path": "s3://logs/data"}},
        {"input": {"inputBodyJson": {"messages": [{"role": "user", "content": [{"image": {}}]}]}}},
        {"output": {}},
        {"input": {"inputBodyJson": {"messages": [*ASKED, {"role": "assistant", "content": [{"text": "I"}]}]}}},
    ],
)
def test_what_cannot_be_learned_from(more: dict[str, Any]) -> None:
    """Other operations, failures, bodies elsewhere, pictures, no answer, an answer begun by the caller."""
    assert line_of(record(**more), answers=True) is None


def test_lines_for_reinforcement() -> None:
    """Texts as graders read them; what was answered is the reference."""
    blocks = [{"text": "Be"}, {"text": "kind."}]
    asked: dict[str, Any] = {"system": blocks, "messages": [{"role": "user", "content": [{"text": "Hi"}]}]}
    messages = [{"role": "system", "content": "Be\nkind."}, {"role": "user", "content": "Hi"}]
    assert scored(asked) == {"messages": messages}
    said = {"role": "assistant", "content": [{"text": "Hello"}]}
    whole = {**asked, "messages": [*asked["messages"], said]}
    assert scored(whole) == {"messages": messages, "reference_answer": "Hello"}

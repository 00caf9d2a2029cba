"""What targets get: paths into events, templates, and log events out of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from craton.features.events.delivery import input_of
from craton.features.events.event import Event
from craton.features.events.rule import Target
from craton.features.events.transform import BadTransform, Transformer, check, check_path
from craton.workflows.events.delivery import entry

RULE = "arn:aws:events:us-east-1:000000000000:rule/mine"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVENT = Event(
    source="s", detail_type="t", account="000000000000", region="us-east-1", at=NOW,
    detail={"text": 'say "hi"', "n": 5, "list": [1, {"a": "b"}], "odd name": True},
)  # fmt: skip
# template, what comes of it
TEMPLATES: list[tuple[str, Any]] = [
    ('{"a": <text>}', {"a": 'say "hi"'}),
    ('{"a": "<text>!"}', {"a": 'say "hi"!'}),
    ('{"a": <n>, "b": "<n>"}', {"a": 5, "b": "5"}),
    ('{"a": <list>}', {"a": [1, {"a": "b"}]}),
    ('{"a": "<list>"}', {"a": '[1,{"a":"b"}]'}),
    ('{"a": <gone>, "b": "<gone>"}', {"a": None, "b": ""}),
    ('"number <n>"', "number 5"),
    ("number <n>", "number 5"),
    ('{"q": "\\"<n>\\""}', {"q": '"5"'}),
    ('{"r": "<aws.events.rule-arn>", "t": "<aws.events.event.ingestion-time>"}', {"r": RULE, "t": "2026-01-02T03:04:05Z"}),
]  # fmt: skip
PATHS = {"text": "$.detail.text", "n": "$.detail.n", "list": "$.detail.list", "gone": "$.detail.nothing.here"}


def given_to(**target: Any) -> Any:
    return json.loads(input_of(EVENT, Target(id="t", arn="a", **target), RULE, NOW))


@pytest.mark.parametrize(("template", "expected"), TEMPLATES)
def test_a_template_is_filled_in(template: str, expected: Any) -> None:
    """Values stand as JSON, or as text inside of quotes, and the result is always JSON."""
    assert given_to(transformer=Transformer(template, PATHS)) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", EVENT.envelope()),
        ("$.detail.n", 5),
        ("$.detail.list[1].a", "b"),
        ("$.detail['odd name']", True),
        ("$.detail.none", None),
        ("$.detail.list[9]", None),
    ],
)
def test_a_path_leads_into_the_event(path: str, expected: Any) -> None:
    """InputPath gives what stands there, null where nothing does."""
    check_path(path)
    assert given_to(input_path=path) == expected


def test_a_constant_replaces_the_event() -> None:
    """Input is what the target gets whatever happened; without anything it gets the event."""
    assert given_to(input='{"x": 1}') == {"x": 1}
    assert given_to() == EVENT.envelope()
    assert EVENT.envelope()["time"] == "2026-01-02T03:04:05Z"


@pytest.mark.parametrize(
    "transformer",
    [
        Transformer("<nothing>"),
        Transformer("x", {"a": "detail"}),
        Transformer("x", {"a": "$..b"}),
        Transformer("x", {"aws.x": "$.a"}),
    ],
)
def test_a_template_that_cannot_be_filled_is_refused(transformer: Transformer) -> None:
    """A place that nothing stands for and a path that is none are found when the target is put."""
    with pytest.raises(BadTransform):
        check(transformer)


def test_a_template_may_say_what_a_log_event_is() -> None:
    """Time and message of a log event are a template's where it gives both and nothing else."""
    assert entry(b'{"timestamp": 5, "message": "m"}', 9) == (5, "m")
    assert entry(b'{"timestamp": 5, "message": {"a": 1}}', 9) == (5, '{"a":1}')
    assert entry(b'{"message": "m"}', 9) == (9, '{"message": "m"}')

"""Notification rules: which events and keys they are for, and which rules would both hear of one."""

from __future__ import annotations

from typing import Any

import pytest

from craton.features.objects.notifications import covers, overlap, targets

FUNCTION = "arn:aws:lambda:us-east-1:111122223333:function:resize"
QUEUE = "arn:aws:sqs:us-east-1:111122223333:work"


def rule(events: list[str], prefix: str = "", suffix: str = "", **more: Any) -> dict[str, Any]:
    """A rule as it is kept."""
    filters = [{"Name": "Prefix", "Value": prefix}, {"Name": "suffix", "Value": suffix}]
    return {"Events": events, "Filter": {"Key": {"FilterRules": filters}}, **more}


def test_targets() -> None:
    """All destinations whose event types and filters fit are told, whatever their kind."""
    document = {
        "LambdaFunctionConfigurations": [
            rule(["s3:ObjectCreated:*"], "in/", ".png", Id="a", LambdaFunctionArn=FUNCTION),
            rule(["s3:ObjectRemoved:Delete"], Id="b", LambdaFunctionArn=FUNCTION),
        ],
        "QueueConfigurations": [rule(["s3:ObjectCreated:Put"], Id="c", QueueArn=QUEUE)],
    }
    assert list(targets(document, "s3:ObjectCreated:Put", "in/x.png")) == [("a", FUNCTION), ("c", QUEUE)]
    assert list(targets(document, "s3:ObjectCreated:Copy", "in/x.jpg")) == []
    assert list(targets(document, "s3:ObjectRemoved:Delete", "x")) == [("b", FUNCTION)]
    assert list(targets(None, "s3:ObjectCreated:Put", "x")) == []


@pytest.mark.parametrize(
    ("pattern", "event", "fits"),
    [
        ("s3:ObjectCreated:*", "s3:ObjectCreated:Put", True),
        ("s3:ObjectCreated:Put", "s3:ObjectCreated:Put", True),
        ("s3:ObjectCreated:Put", "s3:ObjectCreated:Post", False),
        ("s3:ObjectRemoved:*", "s3:ObjectCreated:Put", False),
    ],
)
def test_events(pattern: str, event: str, fits: bool) -> None:
    """A star at the end of an event type stands for all of its kind."""
    assert covers(pattern, event) is fits


def test_overlap() -> None:
    """Two rules overlap when one key's event could be for both of them."""
    assert overlap(rule(["s3:ObjectCreated:*"], "a/"), rule(["s3:ObjectCreated:Put"], "a/b"))
    assert not overlap(rule(["s3:ObjectCreated:*"], "a/"), rule(["s3:ObjectCreated:*"], "b/"))
    assert not overlap(rule(["s3:ObjectCreated:*"], "", ".png"), rule(["s3:ObjectCreated:*"], "", ".jpg"))
    assert not overlap(rule(["s3:ObjectCreated:*"]), rule(["s3:ObjectRemoved:*"]))

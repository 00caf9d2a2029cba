"""Lifecycle rules: which objects they are about, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from craton.features.objects import lifecycle
from craton.features.objects.lifecycle import midnight_after, rules_of

MADE = datetime(2026, 3, 1, 10, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def rules(**written: Any) -> tuple[lifecycle.Rule, ...]:
    """One enabled rule without a prefix."""
    return rules_of({"Rules": [{"ID": "one", "Status": "Enabled", "Prefix": "", **written}]})


def test_days_end_at_midnight() -> None:
    """Days are counted from the last change and rounded up to the next midnight in UTC."""
    assert midnight_after(MADE, 1) == datetime(2026, 3, 3, tzinfo=UTC)
    assert midnight_after(datetime(2026, 3, 1, tzinfo=UTC), 1) == datetime(2026, 3, 2, tzinfo=UTC)


def test_expiry_by_days() -> None:
    """An object lives to the midnight after its days, and not a second longer."""
    made = rules(Expiration={"Days": 3})
    end = datetime(2026, 3, 5, tzinfo=UTC)
    assert lifecycle.expiry(made, "key", 1, {}, MADE) == (end, "one")
    assert not lifecycle.is_over(made, "key", 1, {}, MADE, end - timedelta(seconds=1))
    assert lifecycle.is_over(made, "key", 1, {}, MADE, end)


def test_expiry_by_date() -> None:
    """From its date on, a rule is over for all objects, new ones too."""
    made = rules(Expiration={"Date": "2026-04-01T00:00:00+00:00"})
    assert not lifecycle.is_over(made, "key", 1, {}, MADE, datetime(2026, 3, 31, 23, tzinfo=UTC))
    assert lifecycle.is_over(made, "key", 1, {}, MADE + 90 * DAY, MADE + 91 * DAY)


def test_the_earliest_rule_counts() -> None:
    """Of several rules about an object, the one that ends first is named."""
    document = {"Rules": [
        {"ID": "long", "Status": "Enabled", "Prefix": "", "Expiration": {"Days": 9}},
        {"ID": "short", "Status": "Enabled", "Prefix": "logs/", "Expiration": {"Days": 2}},
        {"ID": "off", "Status": "Disabled", "Prefix": "", "Expiration": {"Days": 1}},
    ]}  # fmt: skip
    made = rules_of(document)
    assert (lifecycle.expiry(made, "logs/a", 1, {}, MADE) or ("", ""))[1] == "short"
    assert (lifecycle.expiry(made, "data/a", 1, {}, MADE) or ("", ""))[1] == "long"


@pytest.mark.parametrize(
    ("chosen", "about"),
    [
        ({}, True),
        ({"Prefix": "logs/"}, True),
        ({"Prefix": "data/"}, False),
        ({"Tag": {"Key": "keep", "Value": "no"}}, True),
        ({"Tag": {"Key": "keep", "Value": "yes"}}, False),
        ({"ObjectSizeGreaterThan": 99}, True),
        ({"ObjectSizeGreaterThan": 100}, False),
        ({"ObjectSizeLessThan": 100}, False),
        ({"And": {"Prefix": "logs/", "Tags": [{"Key": "keep", "Value": "no"}], "ObjectSizeLessThan": 101}}, True),
        ({"And": {"Prefix": "logs/", "Tags": [{"Key": "other", "Value": ""}]}}, False),
    ],
)
def test_filters(chosen: dict[str, Any], about: bool) -> None:
    """A filter chooses by prefix, tags and size, each to the letter."""
    (rule,) = rules_of({"Rules": [{"Status": "Enabled", "Filter": chosen, "Expiration": {"Days": 1}}]})
    assert rule.is_about("logs/a", 100, {"keep": "no"}) is about


def test_noncurrent_versions() -> None:
    """A version goes so many days after it was replaced, if enough newer ones stay."""
    made = rules(NoncurrentVersionExpiration={"NoncurrentDays": 5, "NewerNoncurrentVersions": 2})
    late = MADE + 10 * DAY
    assert lifecycle.is_noncurrent_over(made, "key", 1, {}, MADE, 2, late)
    assert not lifecycle.is_noncurrent_over(made, "key", 1, {}, MADE, 1, late)
    assert not lifecycle.is_noncurrent_over(made, "key", 1, {}, MADE + 8 * DAY, 2, late)


def test_lone_markers() -> None:
    """A delete marker with nothing behind it goes by its own switch or with the days of its rule, never by tags."""
    soon, late = MADE + DAY, MADE + 9 * DAY
    assert lifecycle.is_marker_over(rules(Expiration={"ExpiredObjectDeleteMarker": True}), "key", MADE, soon)
    assert not lifecycle.is_marker_over(rules(Expiration={"Days": 5}), "key", MADE, soon)
    assert lifecycle.is_marker_over(rules(Expiration={"Days": 5}), "key", MADE, late)
    tagged = {"Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Prefix": None}
    assert not lifecycle.is_marker_over(rules(Expiration={"Days": 5}, **tagged), "key", MADE, late)


def test_uploads() -> None:
    """An upload that was not completed is given up so many days after it began."""
    made = rules(Prefix="up/", AbortIncompleteMultipartUpload={"DaysAfterInitiation": 2})
    assert lifecycle.is_upload_over(made, "up/a", MADE, MADE + 3 * DAY)
    assert not lifecycle.is_upload_over(made, "up/a", MADE, MADE + DAY)
    assert not lifecycle.is_upload_over(made, "down/a", MADE, MADE + 3 * DAY)


def test_nothing_configured() -> None:
    """Without a configuration nothing ever ends."""
    assert rules_of(None) == ()
    assert lifecycle.expiry((), "key", 1, {}, MADE) is None

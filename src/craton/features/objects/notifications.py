"""Which of a bucket's notification rules an event is for.

Owns how events and keys are held against a NotificationConfiguration (as it is kept: the API's members as plain values).
It must not know how a destination is reached. Pure.
Source: S3 user guide, "Event notification types and destinations".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

LISTS: Final[Mapping[str, str]] = {
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
    "QueueConfigurations": "QueueArn",
    "TopicConfigurations": "TopicArn",
}
"""The lists of a configuration, and the member that names a destination in each."""


class Target(NamedTuple):
    """Whom to tell: the rule's id and the destination's ARN."""

    id: str
    arn: str


def targets(document: Mapping[str, Any] | None, event: str, key: str) -> Iterator[Target]:
    """The destinations of an event such as `s3:ObjectCreated:Put` of this key."""
    for name, member in LISTS.items():
        for rule in (document or {}).get(name) or ():
            if any(covers(pattern, event) for pattern in rule["Events"]) and passes(rule, key):
                yield Target(rule.get("Id", ""), rule[member])


def covers(pattern: str, event: str) -> bool:
    """Whether a rule's event type, which may end in a star, is about an event."""
    return event == pattern or (pattern.endswith("*") and event.startswith(pattern[:-1]))


def passes(rule: Mapping[str, Any], key: str) -> bool:
    """Whether a key passes a rule's filter."""
    prefix, suffix = affixes(rule)
    return key.startswith(prefix) and key.endswith(suffix)


def affixes(rule: Mapping[str, Any]) -> tuple[str, str]:
    """The prefix and the suffix of a rule's filter."""
    written = ((rule.get("Filter") or {}).get("Key") or {}).get("FilterRules") or ()
    values = {one.get("Name", "").lower(): one.get("Value", "") for one in written}
    return values.get("prefix", ""), values.get("suffix", "")


def overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether an event could be for both rules."""
    shared = any(covers(a, b) or covers(b, a) for a in one["Events"] for b in other["Events"])
    (prefix, suffix), (prefix2, suffix2) = affixes(one), affixes(other)
    return (
        shared
        and (prefix.startswith(prefix2) or prefix2.startswith(prefix))
        and (suffix.endswith(suffix2) or suffix2.endswith(suffix))
    )

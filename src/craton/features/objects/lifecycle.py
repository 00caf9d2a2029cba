"""Which objects a bucket's lifecycle rules are about, and when their time is over.

Owns the reading of a lifecycle configuration (as it is kept: the API's members as plain values) and S3's arithmetic of
days: a time in days after something is rounded up to the next midnight in UTC. It must not know how objects are kept.
Pure. Source: S3 user guide, "Lifecycle configuration elements" and "Expiring objects".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

DAY = timedelta(days=1)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that is enabled; None where it does not say. Days count from the object's last change.

    `expire_markers`: delete markers with nothing behind them go. `keep_newer`: how many noncurrent versions stay
    whatever their age. `above` and `below` are sizes in bytes, both exclusive.
    """

    id: str = ""
    prefix: str = ""
    tags: dict[str, str] = {}
    above: int | None = None
    below: int | None = None
    days: int | None = None
    date: datetime | None = None
    expire_markers: bool = False
    noncurrent_days: int | None = None
    keep_newer: int = 0
    abort_days: int | None = None

    def is_about(self, key: str, size: int, tags: Mapping[str, str]) -> bool:
        """Whether the rule's filter lets an object through."""
        return (
            key.startswith(self.prefix)
            and (self.above is None or size > self.above)
            and (self.below is None or size < self.below)
            and all(tags.get(name) == value for name, value in self.tags.items())
        )

    def end_of(self, modified_at: datetime) -> datetime | None:
        """When a current object's time is over."""
        if self.days is not None:
            return midnight_after(modified_at, self.days)
        return self.date


def rules_of(document: Mapping[str, Any] | None) -> tuple[Rule, ...]:
    """The enabled rules of a configuration."""
    rules = (document or {}).get("Rules") or ()
    return tuple(_rule(one) for one in rules if one.get("Status") == "Enabled")


def _rule(written: Mapping[str, Any]) -> Rule:
    chosen = written.get("Filter") or {}
    both = chosen.get("And") or {}
    tags = [*both.get("Tags", ()), *([chosen["Tag"]] if chosen.get("Tag") else ())]
    expiration, noncurrent = written.get("Expiration") or {}, written.get("NoncurrentVersionExpiration") or {}
    date = expiration.get("Date")
    return Rule(
        id=written.get("ID", ""),
        prefix=written.get("Prefix") or chosen.get("Prefix") or both.get("Prefix") or "",
        tags={tag["Key"]: tag["Value"] for tag in tags},
        above=chosen.get("ObjectSizeGreaterThan", both.get("ObjectSizeGreaterThan")),
        below=chosen.get("ObjectSizeLessThan", both.get("ObjectSizeLessThan")),
        days=expiration.get("Days"),
        date=None if date is None else datetime.fromisoformat(date),
        expire_markers=bool(expiration.get("ExpiredObjectDeleteMarker")),
        noncurrent_days=noncurrent.get("NoncurrentDays"),
        keep_newer=noncurrent.get("NewerNoncurrentVersions") or 0,
        abort_days=(written.get("AbortIncompleteMultipartUpload") or {}).get("DaysAfterInitiation"),
    )


def midnight_after(moment: datetime, days: int) -> datetime:
    """So many days later, and from there the next midnight in UTC (the moment itself, if it is one)."""
    later = moment.astimezone(UTC) + days * DAY
    begun = later.replace(hour=0, minute=0, second=0, microsecond=0)
    return begun if begun == later else begun + DAY


def expiry(
    rules: Iterable[Rule], key: str, size: int, tags: Mapping[str, str], modified_at: datetime
) -> tuple[datetime, str] | None:
    """When a current object will expire and by which rule; the earliest counts. None: never."""
    ends = [
        (end, rule.id)
        for rule in rules
        if rule.is_about(key, size, tags) and (end := rule.end_of(modified_at)) is not None
    ]
    return min(ends, default=None)


def is_over(
    rules: Iterable[Rule], key: str, size: int, tags: Mapping[str, str], modified_at: datetime, now: datetime
) -> bool:
    """Whether a current object is to go: deleted, or hidden behind a delete marker where versions are kept."""
    found = expiry(rules, key, size, tags, modified_at)
    return found is not None and found[0] <= now


def is_noncurrent_over(
    rules: Iterable[Rule], key: str, size: int, tags: Mapping[str, str], since: datetime, newer: int, now: datetime
) -> bool:
    """Whether a noncurrent version is to go: `since` is when it became one, `newer` how many such are newer than it."""
    return any(
        rule.noncurrent_days is not None
        and newer >= rule.keep_newer
        and midnight_after(since, rule.noncurrent_days) <= now
        for rule in rules
        if rule.is_about(key, size, tags)
    )


def is_marker_over(rules: Iterable[Rule], key: str, modified_at: datetime, now: datetime) -> bool:
    """Whether a delete marker with nothing behind it is to go: rules that expire by days or date mean it too.

    Rules that choose by tags or sizes are not about markers, which have neither.
    """
    for rule in rules:
        if not key.startswith(rule.prefix) or rule.tags or rule.above is not None or rule.below is not None:
            continue
        end = rule.end_of(modified_at)
        if rule.expire_markers or (end is not None and end <= now):
            return True
    return False


def is_upload_over(rules: Iterable[Rule], key: str, started_at: datetime, now: datetime) -> bool:
    """Whether an upload in parts that was never completed is to be aborted."""
    return any(
        rule.abort_days is not None
        and key.startswith(rule.prefix)
        and midnight_after(started_at, rule.abort_days) <= now
        for rule in rules
    )

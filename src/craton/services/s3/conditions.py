"""Conditional requests: whether a read is worth sending, and whether a write may happen.

Pure, but that writes call it inside their transaction, so that of two that race one alone finds its condition true.
Sources: RFC 9110 part 13.2.2 for the order; S3 user guide, "Conditional requests", for what each operation takes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from craton.aws.wire.faults import Fault
from craton.aws.wire.s3_faults import fault
from craton.infra.objects.record import Version
from craton.infra.store.port import moment_of
from craton.services.s3.faults import no_such_key

Check = Callable[[Version | None], None]
"""Raises unless a write may happen, given what the key shows now."""


class Conditions(msgspec.Struct, frozen=True):
    """What a read asks for, whichever headers say so."""

    match: str | None = None
    none_match: str | None = None
    modified_since: datetime | None = None
    unmodified_since: datetime | None = None


def of_read(req: Any, prefix: str = "") -> Conditions:
    """Those of a read; with a prefix (`CopySource`) those on the source of a copy."""
    return Conditions(
        getattr(req, f"{prefix}IfMatch"),
        getattr(req, f"{prefix}IfNoneMatch"),
        getattr(req, f"{prefix}IfModifiedSince"),
        getattr(req, f"{prefix}IfUnmodifiedSince"),
    )


def unmet(asked: Conditions, found: Version) -> str | None:
    """The header whose condition does not hold, as S3 names it; None if all hold."""
    # HTTP's dates are in seconds.
    modified = moment_of(found.modified_at).replace(microsecond=0)
    if asked.match is not None:
        if not matches(asked.match, found.etag):
            return "If-Match"
    elif asked.unmodified_since is not None and modified > asked.unmodified_since:
        return "If-Unmodified-Since"
    if asked.none_match is not None:
        if matches(asked.none_match, found.etag):
            return "If-None-Match"
    elif asked.modified_since is not None and modified <= asked.modified_since:
        return "If-Modified-Since"
    return None


def matches(condition: str, etag: str) -> bool:
    """Whether one of the tags in a condition is the object's; quotes are optional, as S3 has it."""
    tags = [word.strip().removeprefix("W/").strip('"') for word in condition.split(",")]
    return "*" in tags or etag in tags


def of_write(match: str | None, none_match: str | None, key: str) -> Check:
    """What a write asks for: that nothing is there (`If-None-Match: *`), or that a known content is.

    Raises NotImplemented for If-None-Match with anything but `*`.
    """
    if none_match is not None and none_match.strip() != "*":
        raise not_built("If-None-Match")

    def check(current: Version | None) -> None:
        there = current is not None and not current.marker
        if none_match is not None and there:
            raise failed("If-None-Match")
        if match is not None:
            if current is None or not there:
                raise no_such_key(key)
            if not matches(match, current.etag):
                raise failed("If-Match")

    return check


def failed(header: str) -> Fault:
    """412."""
    return fault(
        "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", Condition=header
    )


def not_built(header: str) -> Fault:
    """501, as S3 has it too."""
    return fault("NotImplemented", "A header you provided implies functionality that is not implemented", Header=header)

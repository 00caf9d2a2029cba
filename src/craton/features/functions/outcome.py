"""What an asynchronous invocation ended with, and the record of it that destinations get.

Owns the rules of trying again and the record's form. Pure. Source: AWS Lambda developer guide, "Asynchronous invocation"
and "Capturing records of Lambda asynchronous invocations".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

from craton.features.functions.function import Retries
from craton.features.functions.pending import Event

Condition = Literal["Success", "RetriesExhausted", "EventAgeExceeded"]

ATTEMPTS: Final = 2
"""How often a function that failed is tried again."""
AGE_S: Final = 21_600
_BACKOFF_FIRST_S, _BACKOFF_MAX_S = 1.0, 290.0


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """The last try: its HTTP status, the function's error ("" for none), the version that ran, and what it answered."""

    status: int
    error: str = ""
    version: str = ""
    payload: bytes = b""

    @property
    def succeeded(self) -> bool:
        return self.status == 200 and not self.error

    @property
    def refused(self) -> bool:
        """Whether it will never be run: nobody may invoke it, or it is not there."""
        return self.status != 200


def is_busy(status: int) -> bool:
    """Whether the function was not run for want of room, or by a mistake of the server's."""
    return status == 429 or status >= 500


def is_over(event: Event, terms: Retries | None, now: datetime) -> bool:
    """Whether an event has become too old."""
    age_s = terms.age_s if terms is not None and terms.age_s is not None else AGE_S
    return (now - event.received_at).total_seconds() > age_s


def is_exhausted(event: Event, terms: Retries | None) -> bool:
    """Whether an event has been tried as often as it may."""
    attempts = terms.attempts if terms is not None and terms.attempts is not None else ATTEMPTS
    return event.tries > attempts


def pause_s(event: Event, retry_s: float) -> float:
    """How long a function that failed is left alone: once, then twice the given time."""
    return min(retry_s * event.tries, _BACKOFF_MAX_S)


def backoff_s(attempt: int) -> float:
    """How long to wait for room; `attempt` counts from 1."""
    return float(min(_BACKOFF_FIRST_S * 2 ** min(attempt - 1, 10), _BACKOFF_MAX_S))


def record(event: Event, payload: bytes, outcome: Outcome | None, condition: Condition, now: datetime) -> bytes:
    """What a destination gets. `outcome` is None for an event that was never tried."""
    told: dict[str, Any] = {
        "version": "1.0",
        "timestamp": f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": qualified(event.function),
            "condition": condition,
            "approximateInvokeCount": event.tries,
        },
        "requestPayload": msgspec.Raw(payload),
    }
    if outcome is not None and outcome.status == 200:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": outcome.version}
        if outcome.error:
            context["functionError"] = outcome.error
        told["responseContext"] = context
        told["responsePayload"] = _json(outcome.payload)
    return msgspec.json.encode(told)


def qualified(arn: str) -> str:
    return arn if arn.count(":") > 6 else f"{arn}:$LATEST"


def _json(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload) if payload else None
    except msgspec.DecodeError:
        return payload.decode("utf-8", "replace")

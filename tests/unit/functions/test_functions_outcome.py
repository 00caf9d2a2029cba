"""Asynchronous invocations: when they are tried again, and the record of their end."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec

from craton.features.functions.function import Retries
from craton.features.functions.outcome import Outcome, backoff_s, is_busy, is_exhausted, is_over, pause_s, record
from craton.features.functions.pending import Event

AT = datetime(2026, 3, 1, tzinfo=UTC)
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
EVENT = Event(
    function=FUNCTION, principal="lambda.amazonaws.com", source=FUNCTION, account="000000000000", request_id="r",
    received_at=AT,
)  # fmt: skip


def test_a_failing_function_is_tried_three_times_in_all() -> None:
    """Unless its owner says otherwise; the pauses grow."""
    tries = [msgspec.structs.replace(EVENT, tries=count) for count in range(5)]
    assert [is_exhausted(one, None) for one in tries] == [False, False, False, True, True]
    never = Retries(modified_at=AT, attempts=0)
    assert [is_exhausted(one, never) for one in tries[:2]] == [False, True]
    assert [pause_s(one, 60) for one in tries[1:3]] == [60, 120]


def test_an_event_grows_too_old() -> None:
    """Six hours, or what its owner says."""
    assert not is_over(EVENT, None, AT + timedelta(hours=6))
    assert is_over(EVENT, None, AT + timedelta(hours=6, seconds=1))
    assert is_over(EVENT, Retries(modified_at=AT, age_s=60), AT + timedelta(seconds=61))


def test_want_of_room_is_no_try_and_is_waited_for() -> None:
    """Ever longer, but never long enough for a run to be taken for one whose clock went back."""
    assert is_busy(429)
    assert is_busy(503)
    assert not is_busy(404)
    assert [backoff_s(attempt) for attempt in (1, 2, 3)] == [1, 2, 4]
    assert backoff_s(1000) < 300


def test_the_record_has_the_members_of_aws() -> None:
    """Payload and answer are JSON in JSON."""
    tried = msgspec.structs.replace(EVENT, tries=3)
    outcome = Outcome(200, "Unhandled", "$LATEST", b'{"errorMessage":"no"}')
    found = json.loads(record(tried, b'{"a":1}', outcome, "RetriesExhausted", AT))
    assert found["requestContext"] == {
        "requestId": "r", "functionArn": f"{FUNCTION}:$LATEST", "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }  # fmt: skip
    assert found["requestPayload"] == {"a": 1}
    assert found["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
    assert found["responsePayload"] == {"errorMessage": "no"}
    assert "responseContext" not in json.loads(record(EVENT, b"{}", None, "EventAgeExceeded", AT))

"""What PutLogEvents takes of a batch."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from craton.aws.wire.faults import Fault
from craton.infra.series.port import DAY_MS
from craton.infra.store.port import Unavailable
from craton.services.logs.faults import as_faults
from craton.services.logs.put_events import accepted

NOW = 1_800_000_000_000
HOUR = 3_600_000


def events(*moments: int, message: str = "m") -> list[SimpleNamespace]:
    return [SimpleNamespace(timestamp=moment, message=message) for moment in moments]


def test_events_too_old_and_too_new_are_told_and_left_out() -> None:
    """The ends of the batch that do not count are named by where they begin or end."""
    batch = accepted(events(NOW - 15 * DAY_MS, NOW - 14 * DAY_MS - 1, NOW, NOW + 2 * HOUR, NOW + 2 * HOUR + 1), NOW, 0)
    assert [point.at_ms for point in batch.points] == [NOW, NOW + 2 * HOUR]
    assert batch.rejected == {"tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 4}


def test_events_that_the_group_keeps_no_more_are_expired() -> None:
    """What retention would remove at once is not taken."""
    batch = accepted(events(NOW - 3 * DAY_MS, NOW), NOW, NOW - DAY_MS)
    assert ([point.at_ms for point in batch.points], batch.rejected) == ([NOW], {"expiredLogEventEndIndex": 1})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (events(NOW, NOW - 1), "chronological order"),
        (events(NOW - 25 * HOUR, NOW), "more than 24 hours"),
        (events(NOW, message="x" * 1_048_551), "Upload too large: 1048577 bytes"),
        (events(NOW, message="é" * 524_276), "Upload too large"),
        (events(NOW, NOW, message="x" * 524_263), "Upload too large: 1048578 bytes"),
    ],
)
def test_what_is_no_batch_is_refused(given: list[SimpleNamespace], told: str) -> None:
    """Order, span and size are rules of the whole batch."""
    with pytest.raises(Fault, match=told) as caught:
        accepted(given, NOW, 0)
    assert caught.value.name == "InvalidParameterException"


def test_the_largest_batch_is_taken() -> None:
    """Exactly 1 MiB, overhead counted, is not too large."""
    assert len(accepted(events(NOW, message="x" * 1_048_550), NOW, 0).points) == 1


def test_a_full_disk_is_the_servers_trouble() -> None:
    """Nothing was kept, so the caller is told to come again, and nothing of the database."""
    with pytest.raises(Fault) as caught, as_faults():
        raise Unavailable("the store failed: database or disk is full")
    assert (caught.value.name, caught.value.http_status()) == ("ServiceUnavailableException", 503)
    assert "disk" not in caught.value.message

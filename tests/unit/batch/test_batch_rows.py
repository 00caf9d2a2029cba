"""How a job's row moves: forward only, and nowhere once it has ended."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from craton.features.batch import job as rows
from craton.features.batch.job import Counts, Location
from craton.features.batch.plan import BadInput, Limits, Tally
from tests.fakes.batches import NOW, World

LATER = NOW + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("at", "to", "then"),
    [
        (rows.SUBMITTED, rows.VALIDATING, rows.VALIDATING),
        (rows.IN_PROGRESS, rows.VALIDATING, rows.IN_PROGRESS),
        (rows.STOPPING, rows.IN_PROGRESS, rows.STOPPING),
        (rows.COMPLETED, rows.IN_PROGRESS, rows.COMPLETED),
    ],
)
def test_states_go_forward(tmp_path: Path, at: str, to: str, then: str) -> None:
    """A job that is taken up again, or is to stop, does not seem to begin anew."""
    row = msgspec.structs.replace(World(tmp_path).row, status=at)
    assert rows.moved(row, to, LATER).status == then


def test_the_end_is_final(tmp_path: Path) -> None:
    """A job ends once; what it counted stays where the end knows no better."""
    row = rows.counted(World(tmp_path).row, Counts(9, 3, 1), LATER)
    row = rows.ended(row, rows.FAILED, LATER, message="x" * 5000, counts=None)
    body = row.read(rows.BatchJob)
    assert (row.status, body.ended_at, body.counts.processed) == (rows.FAILED, LATER, 4)
    assert len(body.message or "") == rows.MAX_MESSAGE
    assert rows.ended(row, rows.COMPLETED, LATER, counts=Counts(9, 9)) is row


@pytest.mark.parametrize(
    ("uri", "bucket", "key"),
    [("s3://b-1/a/b.jsonl", "b-1", "a/b.jsonl"), ("s3://b-1", "b-1", ""), ("s3://b-1/x/", "b-1", "x/")],
)
def test_places_in_s3(uri: str, bucket: str, key: str) -> None:
    """A location is a bucket and a key or prefix, which may be empty."""
    assert (Location(uri).bucket, Location(uri).key) == (bucket, key)


def test_limits_of_the_whole_input() -> None:
    """What single files keep to, all together may pass."""
    tally = Tally("arn:job", Limits(least_records=1, job_records=10, job_bytes=100))
    tally.file("a", 60)
    with pytest.raises(BadInput, match="arn:job have more bytes than the allowed maximum of: 100"):
        tally.file("b", 60)
    tally.read("a", 8)
    tally.done(8)
    with pytest.raises(BadInput, match="Batch job arn:job contains more records than the allowed maximum of: 10"):
        tally.read("b", 3)

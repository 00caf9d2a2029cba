"""Bodies of older formats, and the port's small pure functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.infra.store.port import Resource, TooNew, microseconds, moment_of
from craton.infra.store.upgrade import Upgrader
from craton.infra.store.watch import database_path

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def row(schema: int, body: bytes = b'{"a":1}') -> Resource:
    """A row of a given format."""
    return Resource(
        account="1", region="r", kind="k", id="i", arn="arn", created_at=T0, updated_at=T0, schema=schema, body=body
    )


UPGRADER = Upgrader({"k": (lambda body: {"b": body["a"]}, lambda body: {"c": body["b"] + 1})})


def test_steps_run_from_the_rows_format_on() -> None:
    """Format 1 takes both steps, format 2 the last one, the current one none."""
    assert UPGRADER.schema_of("k") == 3
    assert UPGRADER.upgraded(row(1)).body == b'{"c":2}'
    assert UPGRADER.upgraded(row(2, b'{"b":5}')).body == b'{"c":6}'
    current = row(3, b"anything")
    assert UPGRADER.upgraded(current) is current


def test_kinds_without_steps_have_one_format() -> None:
    """Their bodies are not even decoded."""
    assert UPGRADER.schema_of("other") == 1
    plain = msgspec.structs.replace(row(1, b"not json"), kind="other")
    assert UPGRADER.upgraded(plain) is plain


def test_rows_of_a_newer_craton_are_refused() -> None:
    """The error names the row and both formats."""
    with pytest.raises(TooNew, match=r"arn has format 4.*up to format 3"):
        UPGRADER.upgraded(row(4))


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC)))
def test_moments_are_exact_to_the_microsecond(moment: datetime) -> None:
    """There and back a time stays itself."""
    assert moment_of(microseconds(moment)) == moment


def test_moments_need_a_zone_and_ignore_which() -> None:
    """A naive time is a mistake; the same moment elsewhere is the same number."""
    with pytest.raises(TypeError):
        microseconds(datetime(2026, 1, 1))
    assert microseconds(T0.astimezone(timezone(timedelta(hours=9)))) == microseconds(T0)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/craton/store.db", "/var/craton/store.db"),
        ("sqlite:///store.db", "store.db"),
        ("sqlite:////a/b.db?mode=rw", "/a/b.db"),
        ("sqlite://", None),
        ("sqlite:///", None),
        ("sqlite:///:memory:", None),
        ("postgresql://h/n", None),
    ],
)
def test_url_tells_its_file(url: str, path: str | None) -> None:
    """What a watch looks at follows from the URL alone."""
    found = database_path(url)
    assert (None if found is None else str(found)) == path

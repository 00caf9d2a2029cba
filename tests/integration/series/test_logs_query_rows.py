"""Rows of queries and of what filters have yet to see, on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from craton.features.logs import due_rows
from craton.features.logs.insights import rows
from craton.features.logs.insights.query import CANCELLED, COMPLETE, KEPT_MS, LOST_MS, RUNNING, SCHEDULED, About, Asked
from craton.infra.series.port import Kept
from tests.integration.series.conftest import World

T = TypeVar("T")
ACCOUNT, REGION, T0 = "000000000000", "us-east-1", 1_767_225_600_000


def query(ident: str, at_ms: int = T0) -> Asked:
    return Asked(ident, ACCOUNT, REGION, SCHEDULED, at_ms, at_ms, About("fields a", ("g",), "arn"))


def done(world: World, *works: Callable[[Any], T]) -> list[T]:
    async def work() -> list[T]:
        return [await world.storage.keep(lambda tx, one=one: tx.run(one)) for one in works]  # type: ignore[misc]

    return asyncio.run(work())


def test_a_query_is_told_of_until_it_ends(world: World) -> None:
    """Who has ended a query keeps it ended; its process learns that, and writes nothing."""
    about = About("fields a", ("g",), "arn", scanned=7)
    told = done(
        world,
        lambda c: rows.add(c, query("a"), 5),
        lambda c: rows.tell(c, "a", RUNNING, about, T0 + 1),
        lambda c: rows.end(c, "a", CANCELLED, T0 + 2),
        lambda c: rows.tell(c, "a", COMPLETE, about, T0 + 3, b"rows"),
        lambda c: rows.end(c, "a", CANCELLED, T0 + 4),
        lambda c: rows.result(c, "a"),
    )
    assert told == [None, True, True, False, False, b""]
    (found,) = done(world, lambda c: rows.get(c, ACCOUNT, REGION, "a", T0 + 5))
    assert found is not None
    assert (found.status, found.about.scanned) == (CANCELLED, 7)
    assert done(world, lambda c: rows.get(c, "111111111111", REGION, "a", T0)) == [None]


def test_a_query_of_a_killed_process_is_lost(world: World) -> None:
    """It shows as Failed, and no longer counts among those under way."""
    done(world, lambda c: rows.add(c, query("a"), 1))
    with pytest.raises(rows.TooMany):
        done(world, lambda c: rows.add(c, query("b", T0 + 1), 1))
    later = T0 + LOST_MS + 1
    (found,) = done(world, lambda c: rows.get(c, ACCOUNT, REGION, "a", later))
    assert found is not None
    assert found.status == "Failed"
    done(world, lambda c: rows.add(c, query("c", later), 1))


def test_queries_are_listed_youngest_first_for_a_week(world: World) -> None:
    """Pages go on behind the last one; what is older than a week goes with the next query."""
    done(world, *(lambda c, n=n: rows.add(c, query(f"q{n}", T0 + n // 2), 9) for n in range(5)))
    (first,) = done(world, lambda c: rows.listed(c, ACCOUNT, REGION, T0, 3, None))
    assert [one.id for one in first] == ["q4", "q3", "q2"]
    (rest,) = done(world, lambda c: rows.listed(c, ACCOUNT, REGION, T0, 3, (first[-1].asked_ms, first[-1].id)))
    assert [one.id for one in rest] == ["q1", "q0"]
    done(world, lambda c: rows.add(c, query("new", T0 + KEPT_MS + 1), 9))
    (left,) = done(world, lambda c: rows.listed(c, ACCOUNT, REGION, T0, 9, None))
    assert [one.id for one in left] == ["new", "q4", "q3", "q2"]


def test_what_waits_in_a_lane_is_taken_off_once(world: World) -> None:
    """Oldest first; of two that take the same off only one does."""
    now = datetime.fromtimestamp(T0 / 1000, UTC)
    done(
        world,
        *(lambda c, n=n: due_rows.add(c, "space1", "metrics", Kept(n, T0, T0 + n), "s", now) for n in (3, 1, 2)),
    )
    (waiting,) = done(world, lambda c: due_rows.waiting(c, "space1", "metrics", 2))
    assert [one.batch for one in waiting] == [1, 2]
    assert done(
        world,
        lambda c: due_rows.settle(c, "space1", "metrics", [1, 2]),
        lambda c: due_rows.settle(c, "space1", "metrics", [2, 3]),
    ) == [True, False]
    (left,) = done(world, lambda c: due_rows.waiting(c, "space1", "metrics", 9))
    assert [(one.batch, one.last_ms) for one in left] == [(3, T0 + 3)]
    done(world, lambda c: due_rows.clear(c, "space1", "metrics"))
    assert done(world, lambda c: due_rows.waiting(c, "space1", "metrics", 9)) == [[]]

"""Schedules: when rules are due, and what is no schedule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.features.events.schedule import BadSchedule, parsed

START = datetime(2026, 2, 27, 10, 30, 15, tzinfo=UTC)  # a Friday
CASES = [
    ("cron(* * * * ? *)", "2026-02-27 10:31"),
    ("cron(30 10 * * ? *)", "2026-02-28 10:30"),
    ("cron(0/15 * * * ? *)", "2026-02-27 10:45"),
    ("cron(0 18 ? * MON-FRI *)", "2026-02-27 18:00"),
    ("cron(0 9 ? * MON *)", "2026-03-02 09:00"),
    ("cron(0 9 ? * SAT,SUN *)", "2026-02-28 09:00"),
    ("cron(0 9 ? * FRI-MON *)", "2026-02-28 09:00"),
    ("cron(0 8 1 * ? *)", "2026-03-01 08:00"),
    ("cron(0 8 L * ? *)", "2026-02-28 08:00"),
    ("cron(0 8 LW * ? *)", "2026-03-31 08:00"),
    ("cron(0 8 1W * ? *)", "2026-03-02 08:00"),
    ("cron(0 8 15W 8 ? *)", "2026-08-14 08:00"),
    ("cron(0 8 16W 8 ? *)", "2026-08-17 08:00"),
    ("cron(0 8 ? * 3#1 *)", "2026-03-03 08:00"),
    ("cron(0 8 ? * 6L *)", "2026-03-27 08:00"),
    ("cron(0 8 ? * L *)", "2026-02-28 08:00"),
    ("cron(0 0 29 2 ? *)", "2028-02-29 00:00"),
    ("cron(0 0 1 JAN,JUL ? *)", "2026-07-01 00:00"),
    ("cron(0 0 1 1 ? 2030)", "2030-01-01 00:00"),
    ("cron(0 10-12/2 * * ? *)", "2026-02-27 12:00"),
    ("cron(59 23 31 12 ? 2199)", "2199-12-31 23:59"),
    ("cron(0 0 31 2 ? *)", None),
    ("cron(0 0 1 1 ? 2020)", None),
]
BAD = [
    "", "rate(0 minutes)", "rate(1 minutes)", "rate(5 minute)", "rate(5 seconds)", "rate(-1 minutes)", "rate( 5 minutes)",
    "cron(* * * * *)", "cron(* * * * * *)", "cron(* * ? * ? *)", "cron(60 * * * ? *)", "cron(* 24 * * ? *)",
    "cron(* * 0 * ? *)", "cron(* * 32 * ? *)", "cron(* * * 13 ? *)", "cron(* * ? * 8 *)", "cron(* * ? * MON#6 *)",
    "cron(* * * * ? 1900)", "cron(5-1 * * * ? *)", "cron(a * * * ? *)", "cron(*/0 * * * ? *)", "cron(1,,2 * * * ? *)",
    "at(2026-01-01T00:00:00)", "0 10 * * ? *",
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), CASES)
def test_a_cron_expression_is_due_when_it_says(expression: str, expected: str | None) -> None:
    """Each of AWS's signs means what the guide says, in UTC."""
    due = parsed(expression).after(START)
    assert (due and f"{due:%Y-%m-%d %H:%M}") == expected


@pytest.mark.parametrize("expression", BAD)
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    """A mistake is found when the rule is put."""
    with pytest.raises(BadSchedule):
        parsed(expression)


def test_a_rate_counts_from_the_last_time() -> None:
    """Times of a rate stand at even distances, and those that passed unseen count as one."""
    rate = parsed("rate(5 minutes)")
    assert rate.after(START) == START + timedelta(minutes=5)
    assert rate.last(START, START + timedelta(minutes=23)) == START + timedelta(minutes=20)
    assert parsed("rate(1 hour)").after(START) == START + timedelta(hours=1)
    assert parsed("rate(2 days)").after(START) == START + timedelta(days=2)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
       st.sampled_from([one for one, due in CASES if due is not None and "20" not in one.split()[-1] and "21" not in one]))  # fmt: skip
def test_the_next_time_is_later_and_a_whole_minute(moment: datetime, expression: str) -> None:
    """What is due next comes after the moment, on a minute, and nothing is due between."""
    schedule = parsed(expression)
    due = schedule.after(moment)
    assert due is not None
    assert due > moment
    assert due.second == due.microsecond == 0
    assert schedule.after(due - timedelta(seconds=1)) == due

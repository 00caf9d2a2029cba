"""Schedule expressions of rules: `rate(5 minutes)` and `cron(0 10 ? * MON-FRI *)`, in UTC.

Owns AWS's six fields with `?`, `L`, `W` and `#`, and when a schedule is next due. Pure. Source: EventBridge user guide,
"Creating a rule that runs on a schedule".
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec

Days = Callable[[date], bool]
_RATE: Final = re.compile(r"rate\((\d{1,9}) (minute|hour|day)(s?)\)")
_CRON: Final = re.compile(r"cron\((.+)\)")
_MINUTES: Final = {"minute": 1, "hour": 60, "day": 1440}
_MONTHS: Final = {name: at for at, name in enumerate(("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP",
                                                      "OCT", "NOV", "DEC"), 1)}  # fmt: skip
_WEEK: Final = {name: at for at, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
_FIRST_YEAR, _LAST_YEAR = 1970, 2199


class BadSchedule(Exception):
    """The expression does not follow AWS's rules."""


class Rate(msgspec.Struct, frozen=True):
    """So many minutes from one time to the next."""

    minutes: int

    def after(self, moment: datetime, minute_s: float = 60.0) -> datetime | None:
        """The time after the one at `moment`. `minute_s` is how long a minute lasts."""
        return moment + timedelta(seconds=self.minutes * minute_s)

    def last(self, due: datetime, now: datetime, minute_s: float = 60.0) -> datetime:
        """The last time up to `now`, after `due` was one."""
        step = timedelta(seconds=self.minutes * minute_s)
        return due + (now - due) // step * step


class Cron(msgspec.Struct, frozen=True):
    """`days` says which days of the months are meant."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: frozenset[int]
    years: frozenset[int]
    days: Days

    def after(self, moment: datetime, minute_s: float = 60.0) -> datetime | None:
        """The first time after `moment`; None if there is none any more. A minute is always a clock's here."""
        del minute_s
        start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        day, last = start.date(), date(max(self.years, default=_FIRST_YEAR), 12, 31)
        earliest = (start.hour, start.minute)
        while day <= last:
            if day.year not in self.years:
                day = date(day.year + 1, 1, 1)
            elif day.month not in self.months:
                day = _next_month(day)
            else:
                found = self._time(day, earliest) if self.days(day) else None
                if found is not None:
                    return found
                day += timedelta(days=1)
            earliest = (0, 0)
        return None

    def last(self, due: datetime, now: datetime, minute_s: float = 60.0) -> datetime:
        """From when to look for the next time: it does not hang on the last one."""
        del due, minute_s
        return now

    def _time(self, day: date, earliest: tuple[int, int]) -> datetime | None:
        for hour in self.hours:
            for minute in self.minutes:
                if (hour, minute) >= earliest:
                    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
        return None


def parsed(expression: str) -> Rate | Cron:
    """A schedule. Raises BadSchedule."""
    rate = _RATE.fullmatch(expression)
    if rate is not None:
        count = int(rate[1])
        if count < 1 or (count == 1) == bool(rate[3]):
            raise BadSchedule(expression)
        return Rate(count * _MINUTES[rate[2]])
    cron = _CRON.fullmatch(expression)
    fields = cron[1].split() if cron is not None else []
    if len(fields) != 6:
        raise BadSchedule(expression)
    minute, hour, day, month, weekday, year = (field.upper() for field in fields)
    if (day == "?") == (weekday == "?"):
        raise BadSchedule(expression)
    return Cron(
        minutes=tuple(sorted(_numbers(minute, 0, 59))),
        hours=tuple(sorted(_numbers(hour, 0, 23))),
        months=frozenset(_numbers(month, 1, 12, _MONTHS)),
        years=frozenset(_numbers(year, _FIRST_YEAR, _LAST_YEAR)),
        days=_of_month(day) if weekday == "?" else _of_week(weekday),
    )


def _numbers(
    field: str, least: int, most: int, names: Mapping[str, int] | None = None, *, round_: bool = False
) -> set[int]:
    """The numbers of a field: lists of single ones, of ranges, and of either with a step. Raises BadSchedule."""
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        stride = _number(step, 1, most, None) if slash else 1
        if span == "*":
            first, last = least, most
        elif "-" in span:
            low, _, high = span.partition("-")
            first, last = _number(low, least, most, names), _number(high, least, most, names)
        else:
            first = _number(span, least, most, names)
            last = most if slash else first
        if first > last:
            if not round_:
                raise BadSchedule(field)
            last += most - least + 1
        found.update((at - least) % (most - least + 1) + least for at in range(first, last + 1, stride))
    return found


def _number(text: str, least: int, most: int, names: Mapping[str, int] | None) -> int:
    if names is not None and text in names:
        return names[text]
    if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
        raise BadSchedule(text)
    return int(text)


def _of_month(field: str) -> Days:
    """`L` the last day, `LW` the last working day, `15W` the working day nearest to the 15th, or numbers."""
    if field == "L":
        return lambda day: day.day == _length(day)
    if field == "LW":
        return lambda day: day.day == _nearest(day, _length(day))
    if field.endswith("W"):
        wanted = _number(field[:-1], 1, 31, None)
        return lambda day: wanted <= _length(day) and day.day == _nearest(day, wanted)
    numbers = _numbers(field, 1, 31)
    return lambda day: day.day in numbers


def _of_week(field: str) -> Days:
    """`3#2` the second Tuesday, `6L` the last Friday, `L` Saturday, or numbers from Sunday as 1."""
    if "#" in field:
        name, _, which = field.partition("#")
        weekday, nth = _number(name, 1, 7, _WEEK), _number(which, 1, 5, None)
        return lambda day: _weekday(day) == weekday and (day.day - 1) // 7 + 1 == nth
    if field == "L":
        return lambda day: _weekday(day) == 7
    if field.endswith("L"):
        last = _number(field[:-1], 1, 7, _WEEK)
        return lambda day: _weekday(day) == last and day.day > _length(day) - 7
    numbers = _numbers(field, 1, 7, _WEEK, round_=True)
    return lambda day: _weekday(day) in numbers


def _weekday(day: date) -> int:
    return day.isoweekday() % 7 + 1


def _length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest(day: date, wanted: int) -> int:
    """The working day nearest to a day of the month, in the same month."""
    weekday = day.replace(day=wanted).isoweekday()
    if weekday == 6:
        return wanted - 1 if wanted > 1 else wanted + 2
    if weekday == 7:
        return wanted + 1 if wanted < _length(day) else wanted - 2
    return wanted


def _next_month(day: date) -> date:
    return date(day.year + 1, 1, 1) if day.month == 12 else date(day.year, day.month + 1, 1)

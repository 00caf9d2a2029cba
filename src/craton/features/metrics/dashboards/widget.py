"""A widget's definition: which metrics it shows, over which time, and how.

Owns the JSON that GetMetricWidgetImage and the bodies of dashboards share, abbreviations included (`"."` and `"..."` stand
for what the metric before had). Pure. Source: API reference, "GetMetricWidgetImage: Metric Widget Structure and Syntax".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import msgspec

from craton.features.metrics.alarms.alarm import DataQuery, Dimension, MetricStat, NamedMetric

MOST_LINES: Final = 100
MOST_PIXELS: Final = 2000
DAY_S: Final = 86_400
VIEWS: Final = ("timeSeries", "singleValue", "bar", "pie")
LEGENDS: Final = ("bottom", "right", "hidden")
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_SPAN = re.compile(r"-P(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_ZONE = re.compile(r"([+-])(\d{2})(\d{2})")
_UNITS_S: Final = (30 * DAY_S, 7 * DAY_S, DAY_S, 3600, 60, 1)


class WidgetFault(Exception):
    """A definition that is none. `place` leads to the part that is wrong."""

    def __init__(self, place: str, text: str) -> None:
        super().__init__(f"{place}: {text}")
        self.place = place
        self.text = text


class Line(msgspec.Struct, frozen=True):
    """One metric or expression and how it is shown."""

    query: DataQuery
    color: str | None = None
    right: bool = False
    visible: bool = True


class Axis(msgspec.Struct, frozen=True):
    """What is fixed of a vertical axis."""

    least: float | None = None
    most: float | None = None
    label: str = ""


class Mark(msgspec.Struct, frozen=True):
    """A line at a value, or the band between two; `until` None for a line."""

    value: float
    until: float | None = None
    label: str = ""
    color: str | None = None
    right: bool = False
    fill: str = ""


class Widget(msgspec.Struct, frozen=True, kw_only=True):
    """A whole definition. `marks` are horizontal; `moments` vertical ones, in seconds since 1970."""

    lines: tuple[Line, ...]
    start: datetime
    stop: datetime
    view: str = "timeSeries"
    stacked: bool = False
    title: str = ""
    width: int = 600
    height: int = 400
    legend: str = "bottom"
    left: Axis = Axis()
    right: Axis = Axis()
    marks: tuple[Mark, ...] = ()
    moments: tuple[Mark, ...] = ()
    zone: timezone = timezone(timedelta(0))


def read(given: Any, now: datetime) -> Widget:
    """The widget of a decoded definition. Raises WidgetFault."""
    if not isinstance(given, dict):
        raise WidgetFault("/", "must be an object")
    period_s, stat = _number(given, "period", 300, whole=True), _text(given, "stat", "Average")
    axes = _object(given, "yAxis")
    notes = _object(given, "annotations")
    start, stop = _moment(given, "start", "-PT3H", now), _moment(given, "end", "-PT0H", now)
    if start >= stop:
        raise WidgetFault("/start", "must be before the end")
    return Widget(
        lines=lines_of(given.get("metrics"), int(period_s), stat),
        start=start,
        stop=stop,
        view=_one_of(given, "view", VIEWS),
        stacked=given.get("stacked") is True,
        title=_text(given, "title", ""),
        width=_pixels(given, "width", 600),
        height=_pixels(given, "height", 400),
        legend=_one_of(_object(given, "legend"), "position", LEGENDS, "/legend"),
        left=_axis(axes, "left"),
        right=_axis(axes, "right"),
        marks=tuple(_mark(one, f"/annotations/horizontal/{at}") for at, one in enumerate(_list(notes, "horizontal"))),
        moments=tuple(
            _when(one, now, f"/annotations/vertical/{at}") for at, one in enumerate(_list(notes, "vertical"))
        ),
        zone=_zone(_text(given, "timezone", "+0000")),
    )


def lines_of(given: Any, period_s: int, stat: str) -> tuple[Line, ...]:
    """The lines of a `metrics` array. Raises WidgetFault."""
    if not isinstance(given, list) or not given:
        raise WidgetFault("/metrics", "must be an array of at least one metric")
    if len(given) > MOST_LINES:
        raise WidgetFault("/metrics", f"must have {MOST_LINES} metrics at most")
    found: list[Line] = []
    before: list[str] = []
    for number, one in enumerate(given):
        place = f"/metrics/{number}"
        if not isinstance(one, list) or not one:
            raise WidgetFault(place, "must be an array")
        how = one[-1] if isinstance(one[-1], dict) else {}
        names = one[:-1] if isinstance(one[-1], dict) else one
        if not all(isinstance(name, str) for name in names):
            raise WidgetFault(place, "must hold texts, and an object at its end alone")
        ident = _text(how, "id", f"craton{number}", place)
        label = _text(how, "label", "", place) or None
        if "expression" in how:
            query = DataQuery(ident, Expression=_text(how, "expression", "", place), Label=label)
        else:
            before = spelled_out(names, before, place)
            own_s = int(_number(how, "period", period_s, place, whole=True))
            query = DataQuery(ident, _stat(before, own_s, _text(how, "stat", stat, place), place), Label=label)
        found.append(
            Line(query, _color(how, place), how.get("yAxis") == "right", how.get("visible") is not False)
        )  # fmt: skip
    return tuple(found)


def spelled_out(names: Sequence[str], before: Sequence[str], place: str) -> list[str]:
    """The names with the abbreviations replaced by what the metric before had."""
    found: list[str] = []
    for at, name in enumerate(names):
        if name == "...":
            kept = len(before) - (len(names) - at - 1) - len(found)
            if kept < 0:
                raise WidgetFault(place, "'...' has nothing to stand for")
            found += before[len(found) : len(found) + kept]
        elif name == ".":
            if len(found) >= len(before):
                raise WidgetFault(place, "'.' has nothing to stand for")
            found.append(before[len(found)])
        else:
            found.append(name)
    return found


def _stat(names: Sequence[str], period_s: int, stat: str, place: str) -> MetricStat:
    if len(names) < 2 or len(names) % 2:
        raise WidgetFault(place, "must be a namespace, a metric's name, and dimensions with a value each")
    dimensions = tuple(Dimension(names[at], names[at + 1]) for at in range(2, len(names), 2))
    return MetricStat(NamedMetric(names[0], names[1], dimensions or None), period_s, stat)


def _axis(axes: Mapping[str, Any], side: str) -> Axis:
    given = _object(axes, side, "/yAxis")
    ends = [_number(given, name, None, f"/yAxis/{side}") for name in ("min", "max")]
    return Axis(ends[0], ends[1], _text(given, "label", "", f"/yAxis/{side}"))


def _mark(given: Any, place: str) -> Mark:
    pair = given if isinstance(given, list) and len(given) == 2 else [given]
    if not all(isinstance(one, dict) and _is_number(one.get("value")) for one in pair):
        raise WidgetFault(place, "must have a value")
    first, last = pair[0], pair[-1]
    until = float(last["value"]) if len(pair) == 2 else None
    return Mark(
        float(first["value"]), until, _text(first, "label", "", place), _color(first, place),
        first.get("yAxis") == "right", _text(first, "fill", "", place),
    )  # fmt: skip


def _when(given: Any, now: datetime, place: str) -> Mark:
    pair = given if isinstance(given, list) and len(given) == 2 else [given]
    if not all(isinstance(one, dict) for one in pair):
        raise WidgetFault(place, "must be an object")
    moments = [_moment(one, "value", "", now, place).timestamp() for one in pair]
    until = moments[1] if len(pair) == 2 else None
    return Mark(moments[0], until, _text(pair[0], "label", "", place), _color(pair[0], place))


def _moment(given: Mapping[str, Any], name: str, default: str, now: datetime, place: str = "") -> datetime:
    text = _text(given, name, default, place)
    found = _SPAN.fullmatch(text)
    if found is not None:
        seconds = sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS_S, strict=True))
        return now - timedelta(seconds=min(seconds, 400 * DAY_S))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WidgetFault(f"{place}/{name}", "must be a time, or a span such as -PT3H") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=now.tzinfo)


def _zone(text: str) -> timezone:
    found = _ZONE.fullmatch(text)
    if found is None or int(found[2]) > 14 or int(found[3]) > 59:
        raise WidgetFault("/timezone", "must look like +0130")
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(offset if found[1] == "+" else -offset)


def _pixels(given: Mapping[str, Any], name: str, default: int) -> int:
    found = int(_number(given, name, default, whole=True))
    if not 1 <= found <= MOST_PIXELS:
        raise WidgetFault(f"/{name}", f"must be from 1 to {MOST_PIXELS}")
    return found


def _number(given: Mapping[str, Any], name: str, default: Any, place: str = "", *, whole: bool = False) -> Any:
    value = given.get(name, default)
    if value is not None and not _is_number(value):
        raise WidgetFault(f"{place}/{name}", "must be a number")
    return int(value) if whole and value is not None else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _text(given: Mapping[str, Any], name: str, default: str, place: str = "") -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise WidgetFault(f"{place}/{name}", "must be a text")
    return value


def _color(given: Mapping[str, Any], place: str) -> str | None:
    value = given.get("color")
    if value is not None and (not isinstance(value, str) or _COLOR.fullmatch(value) is None):
        raise WidgetFault(f"{place}/color", "must be a colour such as #1f77b4")
    return value


def _one_of(given: Mapping[str, Any], name: str, known: Sequence[str], place: str = "") -> str:
    value = _text(given, name, known[0], place)
    if value not in known:
        raise WidgetFault(f"{place}/{name}", f"must be one of {', '.join(known)}")
    return value


def _object(given: Mapping[str, Any], name: str, place: str = "") -> Mapping[str, Any]:
    value = given.get(name, {})
    if not isinstance(value, dict):
        raise WidgetFault(f"{place}/{name}", "must be an object")
    return value


def _list(given: Mapping[str, Any], name: str) -> list[Any]:
    value = given.get(name, [])
    if not isinstance(value, list):
        raise WidgetFault(f"/annotations/{name}", "must be an array")
    return value

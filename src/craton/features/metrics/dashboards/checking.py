"""What is wrong with a dashboard's body: faults for which it is not kept, and remarks on what will not be shown.

Pure. Source: API reference, "Dashboard Body Structure and Syntax".
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from craton.features.metrics.dashboards.widget import WidgetFault, read

MOST_WIDGETS: Final = 500
TYPES: Final = frozenset(
    {"metric", "text", "log", "alarm", "explorer", "custom", "chart", "table", "number", "gauge", "pie"}
)
_SIZES: Final = (("x", 0, 23), ("y", 0, 1_000_000), ("width", 1, 24), ("height", 1, 1000))
_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Remark(msgspec.Struct, frozen=True):
    """`fatal`: the body is not kept."""

    place: str
    text: str
    fatal: bool = False


def checked(text: str) -> list[Remark]:
    """All remarks on a body."""
    try:
        body = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return [Remark("/", "The field DashboardBody must be a valid JSON object", fatal=True)]
    if not isinstance(body, dict):
        return [Remark("/", "The field DashboardBody must be a valid JSON object", fatal=True)]
    widgets = body.get("widgets")
    if not isinstance(widgets, list):
        return [Remark("/", "Should have required property 'widgets', an array", fatal=True)]
    if len(widgets) > MOST_WIDGETS:
        return [Remark("/widgets", f"Should NOT have more than {MOST_WIDGETS} items", fatal=True)]
    return [remark for at, one in enumerate(widgets) for remark in _widget(one, f"/widgets/{at}")]


def _widget(one: Any, place: str) -> Iterator[Remark]:
    if not isinstance(one, dict):
        yield Remark(place, "Should be an object", fatal=True)
        return
    if one.get("type") not in TYPES:
        yield Remark(f"{place}/type", f"Should be one of {', '.join(sorted(TYPES))}", fatal=True)
        return
    for name, least, most in _SIZES:
        value = one.get(name)
        if value is not None and (not isinstance(value, int) or not least <= value <= most):
            yield Remark(f"{place}/{name}", f"Should be a whole number from {least} to {most}", fatal=True)
    properties = one.get("properties")
    if not isinstance(properties, dict):
        yield Remark(place, "Should have required property 'properties'", fatal=True)
        return
    if one["type"] == "text" and not isinstance(properties.get("markdown"), str):
        yield Remark(f"{place}/properties", "Should have required property 'markdown'")
    if one["type"] == "metric":
        yield from _metric(properties, f"{place}/properties")


def _metric(properties: dict[str, Any], place: str) -> Iterator[Remark]:
    if "region" not in properties:
        yield Remark(place, "Should have required property 'region'")
    notes = properties.get("annotations")
    if "metrics" not in properties:
        if not isinstance(notes, dict) or "alarms" not in notes:
            yield Remark(place, "Should have required property 'metrics' or 'annotations.alarms'")
        return
    try:
        read({name: value for name, value in properties.items() if name not in ("width", "height", "view")}, _NOW)
    except WidgetFault as fault:
        yield Remark(f"{place}{fault.place}", fault.text)

"""The picture of a widget: lines over time, stacked or not, single values, bars or a pie, with legend and axes.

Owns the layout and the colours. It blocks for some tens of milliseconds, so it is called in a thread. It must not know how
series are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from craton.features.metrics.dashboards.canvas import Canvas, Place
from craton.features.metrics.dashboards.plot import Plot
from craton.features.metrics.dashboards.scale import shown_number
from craton.features.metrics.dashboards.widget import Widget

PALETTE: Final = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
)  # fmt: skip
INK: Final = "#16191f"
FAINT: Final = "#545b64"
_ROW: Final = 16
_PAD: Final = 12
_NOTHING: Final = "No data available"


class Drawn(msgspec.Struct, frozen=True):
    """A series to be drawn: points by seconds since 1970, in order; `period_s` apart unless some are missing."""

    label: str
    points: dict[int, float]
    period_s: int
    color: str = ""
    right: bool = False

    @property
    def last(self) -> float | None:
        return next(reversed(self.points.values()), None)


class Frame(msgspec.Struct, frozen=True):
    """A rectangle of the picture."""

    left: float
    top: float
    right: float
    bottom: float


def draw(widget: Widget, given: Sequence[Drawn]) -> bytes:
    """The PNG."""
    series = [
        msgspec.structs.replace(one, color=one.color or PALETTE[at % len(PALETTE)]) for at, one in enumerate(given)
    ]
    canvas = Canvas(widget.width, widget.height)
    top = float(_PAD)
    if widget.title:
        canvas.text((widget.width / 2, top), canvas.fitted(widget.title, widget.width - 2 * _PAD, 14), INK, 14, "ma")
        top += 24
    frame = Frame(_PAD, top, widget.width - _PAD, widget.height - _PAD)
    if widget.view == "singleValue":
        _values(canvas, frame, series)
        return canvas.png()
    frame = _legend(canvas, frame, series, widget.legend)
    if widget.view == "pie":
        _pie(canvas, frame, series)
    elif widget.view == "bar":
        _bars(canvas, frame, series)
    else:
        Plot(canvas, widget, frame, series).draw()
        if not any(one.points for one in series):
            place = ((frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2)
            canvas.text(place, _NOTHING, FAINT, 12, "mm")
    return canvas.png()


def _legend(canvas: Canvas, frame: Frame, series: Sequence[Drawn], where: str) -> Frame:
    """Draw it; the room that is left."""
    if where == "hidden" or not series:
        return frame
    if where == "right":
        left = frame.right - min(180.0, (frame.right - frame.left) / 3)
        shown = max(1, int((frame.bottom - frame.top) // _ROW))
        for at, one in enumerate(series[:shown]):
            _entry(canvas, (left, frame.top + at * _ROW), one, frame.right - left)
        return msgspec.structs.replace(frame, right=left - _PAD)
    places: list[Place] = []
    x, row = float(frame.left), 0
    room = frame.right - frame.left
    for one in series:
        wide = min(room, canvas.length(one.label) + 28)
        if x > frame.left and x + wide > frame.right:
            x, row = frame.left, row + 1
        places.append((x, float(row)))
        x += wide
    most = max(1, int((frame.bottom - frame.top) / 3 // _ROW))
    rows = min(row + 1, most)
    first = frame.bottom - rows * _ROW
    for one, (begins, own) in zip(series, places, strict=True):
        if own < rows:
            _entry(canvas, (begins, first + own * _ROW + 2), one, frame.right - begins)
    return msgspec.structs.replace(frame, bottom=first - 4)


def _entry(canvas: Canvas, place: Place, one: Drawn, room: float) -> None:
    x, y = place
    canvas.box((x, y + 2), (x + 10, y + 12), one.color)
    canvas.text((x + 14, y + 1), canvas.fitted(one.label, room - 16), INK)


def _values(canvas: Canvas, frame: Frame, series: Sequence[Drawn]) -> None:
    """The newest number of each, side by side."""
    if not series:
        return
    wide, tall = frame.right - frame.left, frame.bottom - frame.top
    columns = max(1, min(len(series), int(wide // 120) or 1))
    rows = -(-len(series) // columns)
    size = int(max(10, min(36, tall / rows * 0.45, wide / columns / 4)))
    for at, one in enumerate(series):
        x = frame.left + (at % columns + 0.5) * wide / columns
        y = frame.top + (at // columns + 0.5) * tall / rows
        text = "--" if one.last is None else shown_number(one.last)
        canvas.text((x, y - size / 3), text, INK, size, "mm")
        canvas.text((x, y + size / 2), canvas.fitted(one.label, wide / columns - 8), one.color, 11, "ma")


def _pie(canvas: Canvas, frame: Frame, series: Sequence[Drawn]) -> None:
    parts = [(one, sum(one.points.values())) for one in series if sum(one.points.values()) > 0]
    total = sum(part for _, part in parts)
    center = ((frame.left + frame.right) / 2, (frame.top + frame.bottom) / 2)
    if not total:
        canvas.text(center, _NOTHING, FAINT, 12, "mm")
        return
    radius = max(2.0, min(frame.right - frame.left, frame.bottom - frame.top) / 2 - 4)
    at = -90.0
    for one, part in parts:
        end = at + 360 * part / total
        canvas.slice(center, radius, at, end, one.color)
        at = end


def _bars(canvas: Canvas, frame: Frame, series: Sequence[Drawn]) -> None:
    """The newest number of each as a bar."""
    values = [one.last or 0.0 for one in series]
    most = max([*values, 0.0]) or 1.0
    wide = (frame.right - frame.left) / max(1, len(series))
    tall = frame.bottom - frame.top - 18
    for at, (one, value) in enumerate(zip(series, values, strict=True)):
        left = frame.left + at * wide + wide * 0.15
        top = frame.bottom - max(0.0, value) / most * tall
        canvas.box((left, top), (left + wide * 0.7, frame.bottom), one.color)
        canvas.text((left + wide * 0.35, top - 3), shown_number(value), INK, 11, "ms")
    canvas.line([(frame.left, frame.bottom), (frame.right, frame.bottom)], FAINT)

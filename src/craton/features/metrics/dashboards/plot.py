"""Lines over time within a frame: axes on one or both sides, stacks, and the lines and bands that mark a value or moment.

Owns how numbers become places. A line ends where a point is missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from craton.features.metrics.dashboards.canvas import Canvas, Place
from craton.features.metrics.dashboards.scale import number_ticks, shown_number, shown_time, time_ticks
from craton.features.metrics.dashboards.widget import Axis, Mark, Widget

if TYPE_CHECKING:
    from craton.features.metrics.dashboards.picture import Drawn, Frame

GRID: Final = "#e6e8ea"
INK: Final = "#545b64"
MARK: Final = "#d62728"
_FILL: Final = 0x30
_STACK: Final = 0xB0


class Side:
    """One vertical axis."""

    def __init__(self, axis: Axis, values: Sequence[float], about: int) -> None:
        low = min([*values, 0.0]) if axis.least is None else axis.least
        high = max(values, default=1.0) if axis.most is None else axis.most
        if axis.most is None:
            high += (high - low) * 0.05
        if high <= low:
            high = low + (abs(low) or 1.0)
        self.ticks = number_ticks(low, high, about)
        self.low = low if axis.least is not None else self.ticks[0]
        self.high = high if axis.most is not None else self.ticks[-1]
        self.ticks = [tick for tick in self.ticks if self.low <= tick <= self.high]
        self.label = axis.label


class Plot:
    """One plot; `draw` it once."""

    def __init__(self, canvas: Canvas, widget: Widget, frame: Frame, series: Sequence[Drawn]) -> None:
        self._canvas = canvas
        self._widget = widget
        self._start, self._stop = widget.start.timestamp(), widget.stop.timestamp()
        self._layers = list(_stacked(series)) if widget.stacked else [(one, one.points, {}) for one in series]
        about = max(1, int((frame.bottom - frame.top) / 45))
        left = [value for one, points, _ in self._layers if not one.right for value in points.values()]
        right = [value for one, points, _ in self._layers if one.right for value in points.values()]
        self._left = Side(widget.left, left + [one.value for one in widget.marks if not one.right], about)
        self._right = Side(widget.right, right, about) if right else None
        self._place(frame)

    def _place(self, frame: Frame) -> None:
        room = max((self._canvas.length(shown_number(tick)) for tick in self._left.ticks), default=0.0) + 8
        self.x0 = frame.left + room + (14 if self._left.label else 0)
        self.x1 = frame.right
        if self._right is not None:
            room = max((self._canvas.length(shown_number(tick)) for tick in self._right.ticks), default=0.0) + 8
            self.x1 -= room + (14 if self._right.label else 0)
        self.x1 = max(self.x1, self.x0 + 4)
        self.y0 = frame.top + (18 if self._left.label or (self._right is not None and self._right.label) else 4)
        self.y1 = max(frame.bottom - 18, self.y0 + 4)
        self._frame = frame

    def draw(self) -> None:
        self._axes()
        for mark in self._widget.marks:
            self._level(mark)
        for one, points, below in self._layers:
            side = self._right if one.right and self._right is not None else self._left
            for run in _runs(points, one.period_s):
                places = [self._at(at_s, value, side) for at_s, value in run]
                if self._widget.stacked:
                    under = [self._at(at_s, below.get(at_s, 0.0), side) for at_s, _ in reversed(run)]
                    self._canvas.area([*places, *under], one.color, _STACK)
                self._canvas.line(places, one.color, 1.5)
        for moment in self._widget.moments:
            self._moment(moment)

    def _axes(self) -> None:
        canvas, span = self._canvas, self._stop - self._start
        for tick in self._left.ticks:
            y = self._y(tick, self._left)
            canvas.line([(self.x0, y), (self.x1, y)], GRID)
            canvas.text((self.x0 - 5, y), shown_number(tick), INK, 11, "rm")
        for tick in self._right.ticks if self._right is not None else ():
            assert self._right is not None  # noqa: S101 - it is what is gone through
            canvas.text((self.x1 + 5, self._y(tick, self._right)), shown_number(tick), INK, 11, "lm")
        most = max(1, int((self.x1 - self.x0) / 70))
        for at_s in time_ticks(self._start, self._stop, most, self._widget.zone):
            x = self._x(at_s)
            canvas.line([(x, self.y1), (x, self.y1 + 4)], INK)
            canvas.text((x, self.y1 + 6), shown_time(at_s, span, self._widget.zone), INK, 11, "ma")
        canvas.line([(self.x0, self.y1), (self.x1, self.y1)], INK)
        if self._left.label:
            canvas.text((self._frame.left, self._frame.top - 2), self._left.label, INK)
        if self._right is not None and self._right.label:
            canvas.text((self._frame.right, self._frame.top - 2), self._right.label, INK, 11, "ra")

    def _level(self, mark: Mark) -> None:
        side = self._right if mark.right and self._right is not None else self._left
        color, y = mark.color or MARK, self._y(mark.value, side)
        if mark.until is not None:
            self._canvas.box((self.x0, y), (self.x1, self._y(mark.until, side)), color, _FILL)
        elif mark.fill in ("above", "below"):
            edge = self.y0 if mark.fill == "above" else self.y1
            self._canvas.box((self.x0, y), (self.x1, edge), color, _FILL)
        self._canvas.dashes((self.x0, y), (self.x1, y), color)
        if mark.label:
            self._canvas.text((self.x1 - 3, y - 2), self._canvas.fitted(mark.label, self.x1 - self.x0), color, 11, "rs")

    def _moment(self, mark: Mark) -> None:
        if not self._start <= mark.value <= self._stop:
            return
        color, x = mark.color or INK, self._x(mark.value)
        if mark.until is not None:
            self._canvas.box((x, self.y0), (self._x(min(mark.until, self._stop)), self.y1), color, _FILL)
        self._canvas.dashes((x, self.y0), (x, self.y1), color)
        if mark.label:
            self._canvas.text((x + 3, self.y0), self._canvas.fitted(mark.label, self.x1 - x), color)

    def _at(self, at_s: float, value: float, side: Side) -> Place:
        return self._x(at_s), self._y(value, side)

    def _x(self, at_s: float) -> float:
        share = (at_s - self._start) / (self._stop - self._start)
        return self.x0 + min(1.0, max(0.0, share)) * (self.x1 - self.x0)

    def _y(self, value: float, side: Side) -> float:
        share = (value - side.low) / (side.high - side.low)
        return self.y1 - min(1.0, max(0.0, share)) * (self.y1 - self.y0)


def _stacked(series: Sequence[Drawn]) -> Iterator[tuple[Drawn, dict[int, float], dict[int, float]]]:
    """Each series on those before it: its points, and what is below them."""
    sums: dict[bool, dict[int, float]] = {False: {}, True: {}}
    for one in series:
        sum_ = sums[one.right]
        below = {at_s: sum_.get(at_s, 0.0) for at_s in one.points}
        above = {at_s: below[at_s] + value for at_s, value in one.points.items()}
        sum_.update(above)
        yield one, above, below


def _runs(points: dict[int, float], period_s: int) -> Iterator[list[tuple[int, float]]]:
    """Points without a gap between them."""
    run: list[tuple[int, float]] = []
    for at_s, value in sorted(points.items()):
        if run and at_s - run[-1][0] > period_s * 1.5:
            yield run
            run = []
        run.append((at_s, value))
    if run:
        yield run

"""What a picture is drawn on: twice as large while it is drawn, so that its lines are smooth.

Owns the drawing library, its font and sizes; positions are in the picture's own pixels. It must not know metrics.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

_FINE: Final = 2
_MOST_FINE: Final = 1_500_000
Place = tuple[float, float]


class Canvas:
    """A white picture of `width` by `height` pixels."""

    def __init__(self, width: int, height: int) -> None:
        self._fine = _FINE if width * height <= _MOST_FINE else 1
        self._size = (width, height)
        self._image = Image.new("RGB", (width * self._fine, height * self._fine), "#ffffff")
        self._draw = ImageDraw.Draw(self._image, "RGBA")

    def line(self, places: Sequence[Place], color: str, width: float = 1.0) -> None:
        size = max(1, round(width * self._fine))
        if len(places) == 1:
            self.dot(places[0], color, width + 1)
        else:
            self._draw.line(self._scaled(places), fill=color, width=size, joint="curve")

    def dashes(self, start: Place, stop: Place, color: str, length: float = 5.0) -> None:
        """A dashed line, straight along one axis."""
        far = max(abs(stop[0] - start[0]), abs(stop[1] - start[1]))
        steps = max(1, int(far / (2 * length)))
        for at in range(steps):
            ends = [
                tuple(start[axis] + (stop[axis] - start[axis]) * share / steps for axis in (0, 1))
                for share in (at, at + 0.5)
            ]
            self.line(ends, color)  # type: ignore[arg-type]

    def area(self, places: Sequence[Place], color: str, opacity: int) -> None:
        if len(places) > 2:
            self._draw.polygon(self._scaled(places), fill=f"{color}{opacity:02x}")

    def box(self, corner: Place, opposite: Place, color: str, opacity: int = 255) -> None:
        x, y = sorted((corner[0], opposite[0])), sorted((corner[1], opposite[1]))
        if x[1] > x[0] and y[1] > y[0]:
            self._draw.rectangle(self._scaled([(x[0], y[0]), (x[1], y[1])]), fill=f"{color}{opacity:02x}")

    def slice(self, center: Place, radius: float, start: float, stop: float, color: str) -> None:
        """A part of a disc, in degrees."""
        x, y = center
        corners = self._scaled([(x - radius, y - radius), (x + radius, y + radius)])
        self._draw.pieslice(corners, start, stop, fill=color, outline="#ffffff")

    def dot(self, place: Place, color: str, radius: float) -> None:
        x, y = place
        self._draw.ellipse(self._scaled([(x - radius, y - radius), (x + radius, y + radius)]), fill=color)

    def text(self, place: Place, text: str, color: str = "#545b64", size: int = 11, anchor: str = "la") -> None:
        font = _font(size * self._fine)
        self._draw.text(self._scaled([place])[0], _plain(text), fill=color, font=font, anchor=anchor)

    def length(self, text: str, size: int = 11) -> float:
        return float(_font(size * self._fine).getlength(_plain(text))) / self._fine

    def fitted(self, text: str, room: float, size: int = 11) -> str:
        """The text, cut so that it fits."""
        if self.length(text, size) <= room:
            return text
        while text and self.length(text + "…", size) > room:
            text = text[:-1]
        return text + "…" if text else ""

    def png(self) -> bytes:
        image = self._image if self._fine == 1 else self._image.resize(self._size, Image.Resampling.LANCZOS)
        target = io.BytesIO()
        image.save(target, "PNG")
        return target.getvalue()

    def _scaled(self, places: Sequence[Place]) -> list[Any]:
        return [(x * self._fine, y * self._fine) for x, y in places]


def _plain(text: str) -> str:
    """One line."""
    return " ".join(text.split())[:300]


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)

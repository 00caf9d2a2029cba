"""Pictures made into films: a slow move over each, as H.264 in an MP4 file.

Owns the move, the codec and the joining of shots. All of it is work for a thread: PyAV and Pillow let the loop run
meanwhile. PyAV is the extra craton[video] and is loaded by the first film. It must not know models, jobs or S3.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from typing import TYPE_CHECKING, Any

import msgspec

from craton.workflows.workflow import JobFailed

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

NEEDS_PYAV = "The stand-in for video models needs PyAV on this server: install it with `pip install 'craton[video]'`."
_CODEC = "libx264"
_OPTIONS = {"preset": "ultrafast", "crf": "23", "threads": "2"}
_ROOM = 1.2
"""How much larger a picture is than what is seen of it."""
# From where to where the view moves, as parts of the room that there is: from the left, from the top.
_WAYS = (((0.0, 0.5), (1.0, 0.5)), ((0.5, 1.0), (0.5, 0.0)), ((1.0, 0.0), (0.0, 1.0)), ((0.0, 0.0), (1.0, 1.0)))


class Take(msgspec.Struct, frozen=True):
    """A shot to make: files of the pictures that it begins and ends with, and the number of its way."""

    first: bytes
    last: bytes | None
    seconds: int
    way: int
    loop: bool = False


class Form(msgspec.Struct, frozen=True):
    """What all shots of a film share. `comment` stands in the file."""

    width: int
    height: int
    fps: int
    comment: str


def encoded(take: Take, form: Form) -> bytes:
    """An MP4 file of one shot. Raises JobFailed without PyAV, and for pictures that cannot be read."""
    av = loaded()
    first = opened(take.first, form)
    last = opened(take.last, form) if take.last is not None else None
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        container.metadata["comment"] = form.comment
        stream = container.add_stream(_CODEC, rate=form.fps, options=_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = form.width, form.height, "yuv420p"
        stream.time_base = Fraction(1, form.fps)
        for picture in frames(take, form, first, last):
            container.mux(stream.encode(av.VideoFrame.from_image(picture)))
        container.mux(stream.encode(None))
    return target.getvalue()


def frames(take: Take, form: Form, first: Picture, last: Picture | None) -> Iterator[Picture]:
    """The frames of a shot, from `first` to `last` where there is one."""
    from PIL import Image

    count = take.seconds * form.fps
    for number in range(count):
        at = number / max(1, count - 1)
        moved = 1 - abs(1 - 2 * at) if take.loop else at
        seen = viewed(first, form, moved, take.way)
        if last is not None:
            seen = Image.blend(seen, viewed(last, form, moved, take.way), moved)
        yield seen


def viewed(picture: Picture, form: Form, at: float, way: int) -> Picture:
    """What is seen of a picture when the move is `at` (0 to 1). Whole pixels alone: resizing each costs ten times more."""
    (left, top), (to_left, to_top) = _WAYS[way % len(_WAYS)]
    x = round((picture.width - form.width) * (left + (to_left - left) * at))
    y = round((picture.height - form.height) * (top + (to_top - top) * at))
    return picture.crop((x, y, x + form.width, y + form.height))


def opened(data: bytes, form: Form) -> Picture:
    """A picture somewhat larger than the film, cut where it has another shape. Raises JobFailed."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture:
            return ImageOps.fit(picture.convert("RGB"), (round(form.width * _ROOM), round(form.height * _ROOM)))
    except (OSError, ValueError, Image.DecompressionBombError):
        raise JobFailed("A picture of the film cannot be read.") from None


def joined(shots: list[bytes], comment: str) -> bytes:
    """One film of several shots of the same form, whose packets stay as they are."""
    if len(shots) == 1:
        return shots[0]
    av = loaded()
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        container.metadata["comment"] = comment
        stream: Any = None
        start = 0
        for shot in shots:
            with av.open(io.BytesIO(shot)) as source:
                taken = source.streams.video[0]
                if stream is None:
                    stream = container.add_stream_from_template(taken)
                for packet in source.demux(taken):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = (packet.pts or 0) + start, packet.dts + start
                    packet.stream = stream
                    container.mux(packet)
                start += taken.duration or 0
    return target.getvalue()


def loaded() -> Any:
    """PyAV. Raises JobFailed that says how to get it."""
    try:
        return import_module("av")
    except ImportError:
        raise JobFailed(NEEDS_PYAV) from None

"""What a video model is asked: one shape for every vendor's schema.

Owns the records alone; knows no HTTP and no vendor. A film is a row of shots, one after another.
"""

from __future__ import annotations

import msgspec


class Picture(msgspec.Struct, frozen=True):
    """A picture that a shot begins or ends with: the bytes of its file, or the S3 object that has them."""

    data: bytes = b""
    uri: str = ""
    owner: str | None = None


class Shot(msgspec.Struct, frozen=True):
    """One continuous take. `first` and `last` are the frames that it begins and ends with, where the caller has some."""

    text: str
    seconds: int
    first: Picture | None = None
    last: Picture | None = None


class VideoRequest(msgspec.Struct, kw_only=True, frozen=True):
    """A film of `width` by `height` pixels, `fps` frames a second. `seed` None: any. `loop`: it ends as it begins.

    `apart`: the shots are wanted as files of their own as well.
    """

    shots: tuple[Shot, ...]
    width: int
    height: int
    fps: int = 24
    seed: int | None = None
    loop: bool = False
    apart: bool = False

    @property
    def seconds(self) -> int:
        return sum(shot.seconds for shot in self.shots)

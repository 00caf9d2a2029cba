"""Every dialect of videos, in one visible table. Each is loaded when somebody names it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Protocol, cast

from craton.models.canon.video import VideoRequest

SCHEMAS: dict[str, tuple[str, str]] = {
    "amazon.nova-reel": ("nova_reel", "NovaReel"),
    "luma.ray": ("luma_ray", "LumaRay"),
}


class VideoDialect(Protocol):
    """One schema. Nobody is asked in it but the real service, which gets bodies as they came: so it is only read."""

    @property
    def name(self) -> str:
        """Such as `luma.ray`."""
        ...

    def read_request(self, body: bytes, model_id: str) -> VideoRequest:
        """A native body → canon. Raises ValidationException that names the member at fault."""
        ...


def video_dialect(name: str) -> VideoDialect | None:
    """The video dialect with this name, or None."""
    return _load(name) if name in SCHEMAS else None


@cache
def _load(name: str) -> VideoDialect:
    file, kind = SCHEMAS[name]
    return cast("VideoDialect", getattr(import_module(f"craton.models.dialects.videos.{file}"), kind)())

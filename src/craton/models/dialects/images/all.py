"""Every dialect of pictures, in one visible table. Each is loaded when somebody names it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import cast

from craton.models.dialects.images.dialect import ImageDialect

# Name → module and class. `openai.images` is a vendor's own API and the schema of local models; the others are Bedrock's.
SCHEMAS: dict[str, tuple[str, str]] = {
    "stability.sdxl": ("stability_sdxl", "StabilitySDXL"),
    "stability.image": ("stability_image", "StabilityImage"),
    "stability.service": ("stability_service", "StabilityService"),
    "amazon.titan-image": ("titan_image", "TitanImage"),
    "amazon.nova-canvas": ("nova_canvas", "NovaCanvas"),
    "openai.images": ("openai_images", "OpenAIImages"),
}


def image_dialect(name: str) -> ImageDialect | None:
    """The image dialect with this name, or None."""
    return _load(name) if name in SCHEMAS else None


@cache
def _load(name: str) -> ImageDialect:
    file, kind = SCHEMAS[name]
    return cast("ImageDialect", getattr(import_module(f"craton.models.dialects.images.{file}"), kind)())

"""The narrow interface between the HTTP side of an image model and whatever paints.

Owns the values that cross it. Knows no HTTP, no base64 and no file format: pictures are arrays of RGB or RGBA bytes.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Height x width x 3 (or 4 with transparency)."""
Field = NDArray[np.floating[Any]]
"""Height x width, mostly 0 to 1."""


class CannotPaint(Exception):
    """This model cannot do what was asked; the message may be shown. `param` names the member, `code` the kind."""

    def __init__(self, message: str, param: str, code: str = "unsupported_parameter") -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class Job(msgspec.Struct, kw_only=True):
    """One request, checked. `mask` is 1 where the picture is painted anew; sizes in pixels, `strength` 1 is wholly new.

    `texts`: (text, weight), below zero what should not be seen. What is None was not asked for.
    """

    task: str = "text-to-image"
    texts: list[tuple[str, float]] = []
    width: int | None = None
    height: int | None = None
    count: int = 1
    seed: int = 0
    steps: int | None = None
    guidance_scale: float | None = None
    image: Pixels | None = None
    further_images: list[Pixels] = []
    style_image: Pixels | None = None
    mask: Field | None = None
    return_mask: bool = False
    search_prompt: str | None = None
    strength: float | None = None
    control_strength: float | None = None
    creativity: float | None = None
    fidelity: float | None = None
    composition_fidelity: float | None = None
    style_strength: float | None = None
    change_strength: float | None = None
    grow_mask: int | None = None
    left: int = 0
    right: int = 0
    up: int = 0
    down: int = 0
    colors: list[str] = []
    style: str | None = None
    quality: str | None = None

    @property
    def prompt(self) -> str:
        """All that should be seen."""
        return ", ".join(text for text, weight in self.texts if weight > 0)

    @property
    def negative(self) -> str:
        """All that should not."""
        return ", ".join(text for text, weight in self.texts if weight < 0)


class Painting(msgspec.Struct, kw_only=True):
    """The pictures of one job, with the seed of each, and what became of the members asked for.

    `filtered`: the places of pictures that the pipeline's own safety check blacked out.
    """

    pictures: list[Pixels]
    seeds: list[int]
    mask: Field | None = None
    ignored: list[str] = []
    emulated: list[str] = []
    filtered: frozenset[int] = frozenset()


# Members that a job always carries, or that only say what others mean.
_ALWAYS = frozenset({"task", "texts", "count", "seed", "image", "mask"})


def unused(job: Job, carried: frozenset[str]) -> list[str]:
    """The members that were asked for and that a task has no use for, by their names on the wire."""
    fields = msgspec.structs.fields(Job)
    asked = [field.name for field in fields if field.name not in _ALWAYS | carried and _set(getattr(job, field.name))]
    if {"width", "height"} & set(asked) and job.image is not None:
        height, width = job.image.shape[:2]
        if (job.width or width, job.height or height) == (width, height):
            asked = [name for name in asked if name not in ("width", "height")]
    return asked


def _set(value: Any) -> bool:
    return isinstance(value, np.ndarray) or (
        value is not None and value is not False and value not in (0, [], "standard")
    )


class Painter(Protocol):
    """Runs in a thread of its own, one job at a time."""

    @property
    def tasks(self) -> frozenset[str]: ...

    def paint(self, job: Job) -> Painting:
        """Raises CannotPaint for what the model has no means for."""
        ...

    def stats(self) -> dict[str, Any]:
        """What the server tells of the model: kind, threads, default and largest sizes."""
        ...

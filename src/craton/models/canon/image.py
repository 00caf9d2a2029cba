"""What an image model is asked, and what it answers: one shape for every vendor's schema.

Owns the record of a picture to be made and of the pictures that came. Knows no HTTP, no vendor, and nothing of what
a picture's bytes hold. Members that only one schema has travel in `extras` under their native names; every other
member has one meaning here, whatever its scale is elsewhere (a dialect converts).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Task = Literal[
    "text-to-image",
    "image-to-image",
    "variation",
    "inpaint",
    "outpaint",
    "erase",
    "search-and-replace",
    "search-and-recolor",
    "remove-background",
    "control-sketch",
    "control-structure",
    "control-segmentation",
    "style-guide",
    "style-transfer",
    "color-guided",
    "try-on",
    "upscale-fast",
    "upscale-conservative",
    "upscale-creative",
]

Finish = Literal["success", "filtered prompt", "filtered input", "filtered output", "failed"]
Format = Literal["png", "jpeg", "webp"]


class Prompt(msgspec.Struct, frozen=True):
    """A text and its weight; below zero: what should not be seen."""

    text: str
    weight: float = 1.0


class ImageRequest(msgspec.Struct, kw_only=True, eq=True):
    """One request for pictures. Pictures are decoded bytes of a PNG, JPEG or WebP file; None: the caller said nothing.

    `weighted`: the prompts as they came, where weights say more than `prompt` and `negative` do. `mask_paints`: which
    pixels of the mask are painted anew (`alpha`: the transparent ones of the picture itself). `find`: words for what
    in the picture is meant. `seed` None: any. `strength` 0 to 1: how far the picture may change (1: wholly).
    `control_strength`: how much a guiding picture weighs. `creativity`, `fidelity`, `composition_fidelity`,
    `style_strength`, `change_strength`: as Stability's services define them. `grow_mask`, `left`, `right`, `up`,
    `down`: pixels. `colors`: `#rrggbb`. `usual`: the width, height and seed of the caller's model where he names none, for
    targets without habits of their own. `paths`: a member → its place in the caller's own body, for the ledger.
    """

    task: Task
    prompt: str | None = None
    negative: str | None = None
    weighted: list[Prompt] | None = None
    image: bytes | None = None
    further_images: list[bytes] | None = None
    style_image: bytes | None = None
    mask: bytes | None = None
    mask_paints: Literal["white", "black", "alpha"] | None = None
    return_mask: bool | None = None
    find: str | None = None
    width: int | None = None
    height: int | None = None
    aspect_ratio: str | None = None
    count: int | None = None
    seed: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    strength: float | None = None
    control_strength: float | None = None
    creativity: float | None = None
    fidelity: float | None = None
    composition_fidelity: float | None = None
    style_strength: float | None = None
    change_strength: float | None = None
    grow_mask: int | None = None
    left: int | None = None
    right: int | None = None
    up: int | None = None
    down: int | None = None
    colors: list[str] | None = None
    style: str | None = None
    quality: str | None = None
    output_format: Format | None = None
    extras: dict[str, Any] = {}
    usual: dict[str, int] = {}
    paths: dict[str, str] = {}

    def path(self, member: str) -> str:
        """Where the caller wrote this member."""
        return self.paths.get(member, member)

    def given(self) -> dict[str, Any]:
        """What the caller asked for beside the task, by the members' names here."""
        members = {name: getattr(self, name) for name in MEMBERS}
        return {name: value for name, value in members.items() if value is not None}


MEMBERS = tuple(name for name in ImageRequest.__struct_fields__ if name not in ("task", "extras", "usual", "paths"))


class Painted(msgspec.Struct, kw_only=True):
    """One picture: base64 of its file (empty if `finish` says that there is none), and the seed that gives it again."""

    base64: str
    seed: int | None = None
    finish: Finish = "success"


class ImageReply(msgspec.Struct, kw_only=True):
    """What came. `mask`: base64 of the mask that the model found, where it was asked for."""

    pictures: list[Painted]
    mask: str | None = None

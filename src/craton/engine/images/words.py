"""Words of a prompt → colours and forms: all that the painter in the box understands of language.

Owns the reading of `words.json` and what a word does that is not in it (its hash chooses a colour). Knows nothing of
sampling.
"""

from __future__ import annotations

import colorsys
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colors = NDArray[np.floating[Any]]
"""N x 3, RGB from 0 to 1."""

PALETTE = 5
_WORD = re.compile(r"[a-z0-9]+")
_SILENT = frozenset(
    {
        "a", "an", "and", "are", "as", "at", "be", "by", "create", "draw", "drawing", "for", "from", "generate", "has",
        "illustration", "image", "in", "into", "is", "it", "its", "like", "make", "me", "my", "of", "on", "or", "over",
        "painting", "photo", "photograph", "picture", "some", "style", "that", "the", "their", "this", "to", "under",
        "up", "very", "wearing", "with", "without", "you", "your",
    }
)  # fmt: skip
# For prompts of which no word has a form.
_FREE_FORMS = ("clouds", "disc", "petals", "rays", "spiral", "waves")
# Adjectives and styles: how colours are treated: (saturation, lightness, roughness), 1, 1, 0 being as they are.
TREATMENTS: dict[str, tuple[float, float, float]] = {
    "dark": (1.0, 0.6, 0.0),
    "moody": (0.7, 0.7, 0.0),
    "bright": (1.1, 1.2, 0.0),
    "vivid": (1.5, 1.0, 0.0),
    "neon": (1.8, 1.1, 0.0),
    "pastel": (0.6, 1.3, 0.0),
    "soft": (0.8, 1.1, -0.15),
    "rough": (1.0, 1.0, 0.25),
    "vintage": (0.6, 0.95, 0.1),
    "monochrome": (0.0, 1.0, 0.0),
    "3d-model": (1.1, 1.05, -0.1),
    "analog-film": (0.7, 0.95, 0.15),
    "anime": (1.4, 1.1, -0.1),
    "cinematic": (0.9, 0.8, 0.0),
    "comic-book": (1.5, 1.0, 0.1),
    "digital-art": (1.3, 1.0, 0.0),
    "enhance": (1.2, 1.05, 0.0),
    "fantasy-art": (1.3, 0.9, 0.05),
    "isometric": (1.1, 1.1, -0.1),
    "line-art": (0.0, 1.3, 0.1),
    "low-poly": (1.1, 1.0, 0.2),
    "modeling-compound": (1.2, 1.1, -0.15),
    "neon-punk": (1.9, 0.85, 0.1),
    "origami": (0.9, 1.15, 0.0),
    "photographic": (0.9, 1.0, 0.0),
    "pixel-art": (1.3, 1.0, 0.1),
    "tile-texture": (1.0, 1.0, 0.2),
    "3d_animated_family_film": (1.3, 1.1, -0.1),
    "design_sketch": (0.2, 1.3, 0.1),
    "flat_vector_illustration": (1.2, 1.1, -0.15),
    "graphic_novel_illustration": (0.9, 0.8, 0.1),
    "maximalism": (1.8, 1.0, 0.3),
    "midcentury_retro": (0.8, 1.0, 0.0),
    "photorealism": (0.9, 1.0, 0.05),
    "soft_digital_painting": (0.9, 1.1, -0.15),
}


class Look:
    """What a prompt asks for: `colors` with weights, `forms` with weights, and the treatment of both."""

    def __init__(self, colors: Colors, weights: Colors, forms: dict[str, float]) -> None:
        self.colors = colors
        self.weights = weights
        self.forms = forms
        self.saturation, self.lightness, self.roughness = 1.0, 1.0, 0.0

    def treat(self, name: str) -> bool:
        """Apply an adjective or a style; False for one that is not known."""
        found = TREATMENTS.get(name.lower())
        if found is None:
            return False
        self.saturation *= found[0]
        self.lightness *= found[1]
        self.roughness += found[2]
        return True


class Lexicon:
    """The words of one model directory."""

    def __init__(self, path: Path) -> None:
        self._words: dict[str, dict[str, Any]] = json.loads(path.read_bytes())

    def look(self, texts: list[tuple[str, float]]) -> Look:
        """What the texts ask for. Unknown words count for a fifth of a known one."""
        colors: list[str] = []
        weights: list[float] = []
        forms: dict[str, float] = {}
        treated: list[str] = []
        for text, weight in texts:
            for word in _WORD.findall(text.lower()):
                if word in _SILENT:
                    continue
                if word in TREATMENTS:
                    treated.append(word)
                    continue
                known = self._known(word)
                found = known["colors"] if known else [_hashed_color(word)]
                colors += found
                weights += [abs(weight) * (1.0 if known else 0.2)] * len(found)
                if known and "form" in known:
                    forms[known["form"]] = forms.get(known["form"], 0.0) + abs(weight)
        if colors and not forms:
            forms = {_hashed_form("".join(text for text, _ in texts)): 0.6}
        look = Look(to_colors(colors), np.asarray(weights, dtype=np.float32), forms)
        for word in treated:
            look.treat(word)
        return look

    def colors_of(self, text: str) -> Colors:
        """The colours that known words of a text name; none if it names none."""
        known = (self._known(word) for word in _WORD.findall(text.lower()))
        return to_colors([color for entry in known if entry for color in entry["colors"]])

    def _known(self, word: str) -> dict[str, Any] | None:
        return self._words.get(word) or self._words.get(word.removesuffix("s"))


def to_colors(hexes: list[str]) -> Colors:
    """`#rrggbb` → RGB from 0 to 1."""
    rows = [[int(one[at : at + 2], 16) / 255 for at in (1, 3, 5)] for one in hexes]
    return np.asarray(rows, dtype=np.float32).reshape(-1, 3)


def palette(look: Look, against: Look | None = None) -> Colors:
    """PALETTE colours for a look, dark to light; those that `against` asks for are pushed away."""
    if len(look.colors) == 0:
        chosen = to_colors(["#22223b", "#4a4e69", "#9a8c98", "#c9ada7", "#f2e9e4"])
    else:
        order = np.argsort(-look.weights, kind="stable")
        chosen = look.colors[order][:PALETTE]
        while len(chosen) < PALETTE:
            chosen = np.concatenate([chosen, _neighbours(chosen[: PALETTE - len(chosen)], len(chosen))])
    if against is not None and len(against.colors):
        chosen = _away(chosen, against.colors)
    treated = np.asarray([_treated(color, look) for color in chosen], dtype=np.float32)
    return treated[np.argsort(treated @ np.asarray([0.30, 0.59, 0.11], dtype=np.float32), kind="stable")]


def _away(colors: Colors, unwanted: Colors) -> Colors:
    moved = []
    for color in colors:
        distances = np.linalg.norm(unwanted - color, axis=1)
        near = unwanted[int(np.argmin(distances))]
        closeness = max(0.0, 1.0 - float(distances.min()) / 0.8)
        moved.append(np.clip(color + closeness * (1.0 - 2.0 * near) * 0.9, 0, 1))
    return np.asarray(moved, dtype=np.float32)


def _neighbours(colors: Colors, turn: int) -> Colors:
    """The same colours, turned a little and lighter or darker."""
    result = []
    for index, color in enumerate(colors):
        hue, light, saturation = colorsys.rgb_to_hls(*(float(part) for part in color))
        light = 0.25 + 0.5 * light if (turn + index) % 2 else 0.55 + 0.4 * light
        result.append(colorsys.hls_to_rgb((hue + 0.06 * (turn + index)) % 1.0, min(light, 0.95), saturation * 0.9))
    return np.asarray(result, dtype=np.float32)


def _treated(color: Colors, look: Look) -> tuple[float, float, float]:
    hue, light, saturation = colorsys.rgb_to_hls(*(float(part) for part in color))
    return colorsys.hls_to_rgb(hue, min(light * look.lightness, 1.0), min(saturation * look.saturation, 1.0))


def _hashed_form(text: str) -> str:
    return _FREE_FORMS[hashlib.sha256(text.encode()).digest()[0] % len(_FREE_FORMS)]


def _hashed_color(word: str) -> str:
    digest = hashlib.sha256(word.encode()).digest()
    red, green, blue = colorsys.hls_to_rgb(digest[0] / 255, 0.3 + digest[1] / 640, 0.35 + digest[2] / 500)
    return f"#{int(red * 255):02x}{int(green * 255):02x}{int(blue * 255):02x}"

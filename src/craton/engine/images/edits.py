"""Classical operations on pictures that the painter in the box edits with: masks, filling, edges, colours.

Pure functions of arrays; colours from 0 to 1. Owns no task: `abstract` composes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from craton.engine.images.painter import Field, Pixels
from craton.engine.images.words import PALETTE, Colors

Floats = NDArray[np.floating[Any]]
"""Height x width x 3, 0 to 1."""
_LUMA = np.asarray([0.299, 0.587, 0.114], dtype=np.float32)


def to_floats(picture: Pixels) -> Floats:
    """RGB as numbers from 0 to 1, without transparency."""
    return picture[:, :, :3].astype(np.float32) / 255


def to_pixels(floats: Floats) -> Pixels:
    """Back to bytes."""
    return (np.clip(floats, 0, 1) * 255 + 0.5).astype(np.uint8)


def luma(floats: Floats) -> Field:
    """How light each pixel is."""
    light: Field = floats @ _LUMA
    return light


def blurred(floats: Floats, radius: float) -> Floats:
    """Each channel smoothed."""
    if floats.ndim == 2:
        return _blurred_field(floats, radius)
    return np.stack([_blurred_field(floats[:, :, index], radius) for index in range(floats.shape[2])], axis=2)


def _blurred_field(field: Field, radius: float) -> Field:
    image = Image.fromarray((np.clip(field, 0, 1) * 255 + 0.5).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32) / 255


def grown(mask: Field, pixels: int) -> Field:
    """The mask, wider by so many pixels and with a soft edge."""
    if pixels <= 0:
        return mask
    image = Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(2 * pixels + 1))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(pixels / 2)), dtype=np.float32) / 255


def filled(floats: Floats, mask: Field) -> Floats:
    """What lies under the mask replaced by what surrounds it, from near to far."""
    keep = (mask < 0.05).astype(np.float32)
    result, known = floats * keep[:, :, None], keep
    radius, limit = 2.0, max(mask.shape)
    while float(known.min()) < 1.0 and radius < limit:
        weight = blurred(keep, radius)
        spread = blurred(floats * keep[:, :, None], radius) / np.maximum(weight, 1e-3)[:, :, None]
        new = ((known == 0) & (weight > 0.02)).astype(np.float32)
        result = result + spread * new[:, :, None]
        known = known + new
        radius *= 2
    if float(keep.sum()) > 0:
        average = (floats * keep[:, :, None]).sum(axis=(0, 1)) / keep.sum()
        result = np.where(known[:, :, None] > 0, result, average)
    soft = blurred(result, 3.0)
    mixed: Floats = floats * (1 - mask[:, :, None]) + soft * mask[:, :, None]
    return mixed


def mixed(under: Floats, over: Floats, mask: Field) -> Floats:
    """One picture over another, where the mask says so."""
    result: Floats = under * (1 - mask[:, :, None]) + over * mask[:, :, None]
    return result


def edges(floats: Floats) -> Field:
    """Contours, 0 to 1."""
    light = blurred(luma(floats), 1.0)
    down, right = np.gradient(light)
    strength = np.hypot(down, right)
    result: Field = np.clip(strength / max(float(np.percentile(strength, 98)), 1e-4), 0, 1).astype(np.float32)
    return result


def foreground(floats: Floats) -> Field:
    """What stands out from the picture's border, 0 to 1."""
    height, width = floats.shape[:2]
    rim = max(2, min(height, width) // 24)
    border = np.concatenate(
        [part.reshape(-1, 3) for part in (floats[:rim], floats[-rim:], floats[:, :rim], floats[:, -rim:])]
    )
    found = clusters(border, 4)
    nearest = np.argmin(((border[:, None] - found[None]) ** 2).sum(axis=2), axis=1)
    shares = np.bincount(nearest, minlength=len(found)) / len(border)
    ground = found[shares >= min(0.2, float(shares.max()))]  # a thing that touches the border is no background
    distance = np.min([np.linalg.norm(floats - color, axis=2) for color in ground], axis=0)
    spread = float(np.percentile(distance, 95))
    soft = blurred(np.clip(distance / max(spread, 1e-3), 0, 1).astype(np.float32), 2.0)
    result: Field = np.clip((soft - 0.3) / 0.2, 0, 1)
    return result


def like_colors(floats: Floats, colors: Colors) -> Field:
    """Where the picture has one of these colours, 0 to 1: the same hue, or for greys the same lightness."""
    return np.max([_like(floats, color) for color in colors], axis=0)  # type: ignore[no-any-return]


def _like(floats: Floats, color: Floats) -> Field:
    grey = floats.mean(axis=2)
    tint, own = floats - grey[:, :, None], color - color.mean()
    size, own_size = np.linalg.norm(tint, axis=2), float(np.linalg.norm(own))
    if own_size < 0.1:
        close: Field = np.clip((0.3 - np.abs(grey - float(color.mean())) - size) / 0.1, 0, 1)
        return close
    likeness = (tint @ own) / np.maximum(size * own_size, 1e-4)
    same: Field = np.clip((likeness - 0.75) / 0.1, 0, 1) * np.clip((size - 0.08) / 0.08, 0, 1)
    return same


def clusters(rows: Floats, count: int) -> Colors:
    """The main colours of some rows of RGB, dark to light: a few rounds of k-means from fixed starting points."""
    step = max(1, len(rows) // 4096)
    sample = rows[::step]
    order = np.argsort(sample @ _LUMA, kind="stable")
    centres = sample[order[np.linspace(0, len(order) - 1, count).astype(int)]].copy()
    for _ in range(8):
        nearest = np.argmin(((sample[:, None] - centres[None]) ** 2).sum(axis=2), axis=1)
        for index in range(count):
            members = sample[nearest == index]
            if len(members):
                centres[index] = members.mean(axis=0)
    ordered: Colors = centres[np.argsort(centres @ _LUMA, kind="stable")]
    return ordered


def palette_of(pictures: list[Floats]) -> Colors:
    """The main colours of pictures."""
    return clusters(np.concatenate([picture.reshape(-1, 3)[::7] for picture in pictures]), PALETTE)


def with_statistics(floats: Floats, style: Floats) -> Floats:
    """The picture with the means and spreads of another's colours (Reinhard et al. 2001, in RGB)."""
    mean, spread = floats.mean(axis=(0, 1)), floats.std(axis=(0, 1)) + 1e-4
    result: Floats = (floats - mean) / spread * style.std(axis=(0, 1)) + style.mean(axis=(0, 1))
    return np.clip(result, 0, 1)


def recolored(floats: Floats, color: Floats) -> Floats:
    """The picture in one colour, as light and dark as before."""
    light = luma(floats)[:, :, None]
    own = max(float(color @ _LUMA), 0.05)
    result: Floats = np.clip(color * light / own * 0.8 + light * 0.1, 0, 1)
    return result


def sharpened(floats: Floats, amount: float) -> Floats:
    """Contours made stronger."""
    result: Floats = np.clip(floats + amount * (floats - blurred(floats, 1.5)), 0, 1)
    return result


def stretched(floats: Floats, width: int, height: int) -> Floats:
    """The whole picture in another size, whatever becomes of its proportions."""
    channels = [Image.fromarray(np.ascontiguousarray(floats[:, :, index], dtype=np.float32)) for index in range(3)]
    larger = [np.asarray(one.resize((width, height), Image.Resampling.BICUBIC)) for one in channels]
    return np.stack(larger, axis=2).clip(0, 1)


def framed(floats: Floats, width: int, height: int) -> Floats:
    """A square picture as large as fits into the middle, its edges drawn out to the sides."""
    side = min(width, height)
    square = stretched(floats, side, side)
    above, before = (height - side) // 2, (width - side) // 2
    margins = ((above, height - side - above), (before, width - side - before), (0, 0))
    return np.pad(square, margins, mode="edge")

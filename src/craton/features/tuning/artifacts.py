"""What a run leaves for people: tables of its losses, a picture of them, and a card that says how it was made.

Names and columns of the tables are Bedrock's (`step_wise_training_metrics.csv`, `validation_metrics.csv`); steps count
from 0. The picture is drawn with Pillow, which every installation has.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from craton.features.tuning.progress import Stepped, Validated

STEPS, VALIDATION, CURVE, CARD = "step_wise_training_metrics.csv", "validation_metrics.csv", "loss.png", "card.json"
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 540, 90, 30, 50, 60
_INK, _GRID, _TRAIN, _VALID = (40, 44, 52), (222, 226, 232), (46, 107, 196), (214, 92, 48)
Point = tuple[float, float]


def write_tables(folder: Path, events: Sequence[Stepped | Validated]) -> None:
    """The two tables; the second only if there were validations."""
    steps = [event for event in events if isinstance(event, Stepped)]
    checks = [event for event in events if isinstance(event, Validated)]
    _table(folder / STEPS, "training_loss", [(step.step, step.epoch, step.loss) for step in steps])
    if checks:
        _table(folder / VALIDATION, "validation_loss", [(check.step, check.epoch, check.loss) for check in checks])


def write_card(folder: Path, card: dict[str, Any]) -> None:
    (folder / CARD).write_text(json.dumps(card, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _table(file: Path, name: str, found: list[tuple[int, int, float]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(["step_number", "epoch_number", name, "perplexity"])
        for step, epoch, loss in found:
            writer.writerow([step, epoch, f"{loss:.6f}", f"{math.exp(min(loss, 50.0)):.6f}"])


def draw_curve(file: Path, events: Sequence[Stepped | Validated], title: str) -> None:
    """The losses over the steps as a picture."""
    from PIL import Image, ImageDraw, ImageFont

    trained = [(float(event.step), event.loss) for event in events if isinstance(event, Stepped)]
    checked = [(float(event.step), event.loss) for event in events if isinstance(event, Validated)]
    if not trained:
        return
    last = max(step for step, _ in [*trained, *checked])
    highest = max(loss for _, loss in [*smoothed(trained), *checked]) * 1.08 or 1.0
    lowest = min(0.0, *(loss for _, loss in [*trained, *checked]))

    def place(point: Point) -> Point:
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * point[0] / max(1.0, last)
        share = (min(point[1], highest) - lowest) / (highest - lowest)
        return x, _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share

    image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    for at in range(6):
        loss, step = lowest + (highest - lowest) * at / 5, last * at / 5
        _, y = place((0.0, loss))
        x, _ = place((step, lowest))
        draw.line([(_LEFT, y), (_WIDTH - _RIGHT, y)], fill=_GRID)
        draw.text((_LEFT - 10, y), f"{loss:.3g}", fill=_INK, font=font, anchor="rm")
        draw.text((x, _HEIGHT - _BOTTOM + 10), f"{step:.0f}", fill=_INK, font=font, anchor="mt")
    draw.line([place(point) for point in trained], fill=(190, 208, 236), width=1)
    draw.line([place(point) for point in smoothed(trained)], fill=_TRAIN, width=3)
    for point in checked:
        x, y = place(point)
        draw.ellipse([x - 5, y - 5, x + 5, y + 5], fill=_VALID)
    if len(checked) > 1:
        draw.line([place(point) for point in checked], fill=_VALID, width=2)
    draw.text((_LEFT, 14), title, fill=_INK, font=ImageFont.load_default(18))
    draw.text((_WIDTH - _RIGHT, 16), "training loss", fill=_TRAIN, font=font, anchor="ra")
    if checked:
        draw.text((_WIDTH - _RIGHT - 120, 16), "validation loss", fill=_VALID, font=font, anchor="ra")
    draw.text(((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8), "step", fill=_INK, font=font, anchor="mb")
    image.save(file)


def smoothed(points: Sequence[Point], keep: float = 0.6) -> list[Point]:
    """The same with each loss drawn towards those before it; the beginning is not drawn towards nothing."""
    found, mean, weight = [], 0.0, 0.0
    for step, loss in points:
        mean, weight = keep * mean + (1 - keep) * loss, keep * weight + (1 - keep)
        found.append((step, mean / weight))
    return found

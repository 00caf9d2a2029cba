"""Blocks: nothing is lost, nothing sees its neighbour, and the sizes hold; the shelf under them; the tables after."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from craton.features.tuning import artifacts
from craton.features.tuning.packing import BLOCK_TOKENS, SHORTEST_ROW, blocks
from craton.features.tuning.progress import Stepped, Validated
from craton.features.tuning.shelf import Shelf, ShelfWriter
from craton.features.tuning.tokens import Sample


def sample(length: int, learned: int = 1) -> Sample:
    marks = np.zeros(length, np.bool_)
    marks[max(1, length - learned) :] = True
    return Sample(np.arange(1, length + 1, dtype=np.int32), marks)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=40), st.booleans())
def test_every_token_stands_in_one_place(lengths: list[int], together: bool) -> None:
    """With its position, beside its own sample's tokens."""
    found = blocks(range(len(lengths)), [sample(length) for length in lengths].__getitem__, together=together)
    assert sum(block.tokens for block in found) == sum(lengths)
    for block in found:
        used = block.segments >= 0
        assert (block.ids[used] == block.positions[used] + 1).all()
        assert block.ids.size <= max(BLOCK_TOKENS, block.ids.shape[1])
        assert block.ids.shape[1] >= SHORTEST_ROW or not together


@given(st.lists(st.integers(2, 60), min_size=1, max_size=30))
def test_targets_belong_to_their_sample(lengths: list[int]) -> None:
    """The last token of each sample is predicted from the one before it."""
    made = [sample(length) for length in lengths]
    owners: dict[int, int] = {}
    for block in blocks(range(len(lengths)), made.__getitem__):
        assert (block.targets == block.ids.reshape(-1)[block.at] + 1).all()
        owners.update(zip(block.owners.tolist(), block.targets.tolist(), strict=True))
    assert owners == dict(enumerate(lengths))


def test_shelf_gives_back_what_was_laid_down(tmp_path: Path) -> None:
    """Samples by number, from disk; an empty sample is one too."""
    writer = ShelfWriter(tmp_path / "shelf")
    for length in (3, 0, 5):
        writer.add(sample(length))
    shelf = writer.close()
    assert (len(shelf), shelf.tokens) == (3, 8)
    again = Shelf(tmp_path / "shelf")[2]
    assert again.ids.tolist() == [1, 2, 3, 4, 5]
    assert again.learned.tolist() == [False] * 4 + [True]


def test_a_shelf_that_was_not_finished_is_none(tmp_path: Path) -> None:
    """A kill in mid-writing leaves nothing that could be taken for whole."""
    ShelfWriter(tmp_path / "shelf").add(sample(3))
    with pytest.raises(OSError, match="starts"):
        Shelf(tmp_path / "shelf")


EVENTS: list[Stepped | Validated] = [
    Stepped(step=0, epoch=0, loss=2.0, tokens=10, rate=0.1),
    Stepped(step=1, epoch=0, loss=1.0, tokens=20, rate=0.1),
    Validated(step=2, epoch=0, loss=1.5),
]


def test_tables_have_bedrocks_columns(tmp_path: Path) -> None:
    """Steps from 0, with the perplexity of each loss."""
    artifacts.write_tables(tmp_path, EVENTS)
    steps = list(csv.DictReader((tmp_path / artifacts.STEPS).open()))
    assert list(steps[0]) == ["step_number", "epoch_number", "training_loss", "perplexity"]
    assert [(row["step_number"], row["training_loss"]) for row in steps] == [("0", "2.000000"), ("1", "1.000000")]
    checks = list(csv.DictReader((tmp_path / artifacts.VALIDATION).open()))
    assert [(row["step_number"], row["validation_loss"], row["perplexity"]) for row in checks] == [
        ("2", "1.500000", "4.481689")
    ]


def test_the_curve_is_a_picture(tmp_path: Path) -> None:
    """With both colours in it."""
    artifacts.draw_curve(tmp_path / "curve.png", EVENTS, "a run")
    colours = {colour for _, colour in Image.open(tmp_path / "curve.png").getcolors(1 << 16) or []}
    assert {(46, 107, 196), (214, 92, 48)} <= colours

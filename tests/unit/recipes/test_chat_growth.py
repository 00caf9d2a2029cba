"""What the second version's recipe adds: choices inside templates with a wall of their own, deeper networks, need."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from recipes.chat import mix, need
from recipes.chat.draw import Draw
from recipes.chat.grow import deepened
from recipes.chat.model import Decoder, Shape, attention, save_hugging_face, shipped
from recipes.chat.muon import orthogonal
from recipes.chat.tasks import numbers, passages
from recipes.chat.tasks.worlds import inverted

WAYS = ("[a|b|c|d|e|f] {x}", "[g|h] {x}", "plain {x}")


def test_kept_choices_are_new_phrasing() -> None:
    """Training never makes the kept choice of a template; new phrasing always does, when no whole template is kept."""
    train, new = Draw(1), Draw(1, held_out=True)
    assert {train.way(WAYS)[:1] for _ in range(300)} == set("abcdegh") | {"p"}
    assert {new.way(WAYS) for _ in range(100)} == {"f {x}"}


def test_brackets_without_a_bar_stay() -> None:
    """Only a choice is a choice: "[1]" is text, and a choice may hold another."""
    assert Draw(1).chosen("[1] [x|x] [2]")[0] == "[1] x [2]"
    assert Draw(1).chosen("[[a|a]b|ab]")[0] == "ab"


def test_a_deeper_network_says_the_same() -> None:
    """New layers change nothing before they are trained, and their writing matrices are what holds them back."""
    shape = Shape(vocabulary=50, dim=16, layers=3, heads=2, kv_heads=1, head=8, hidden=16)
    torch.manual_seed(1)
    small = Decoder(shape)
    deeper, weights = deepened(shape, dict(small.state_dict()), 5)
    large = Decoder(deeper)
    large.load_state_dict(weights)
    ids, positions = torch.randint(0, 50, (2, 9)), torch.arange(9).expand(2, 9)
    assert deeper.layers == 5
    assert torch.equal(small(ids, positions), large(ids, positions))


def test_what_is_wrong_is_drawn_more() -> None:
    """The mix follows the errors: a task that is always wrong comes more often than one that is always right."""
    weights = need.weights({mix.title(maker): float(maker is numbers.drill) for maker, _ in mix.FULL})
    draw = Draw(3)
    shares = [sum(mix.one(draw, "full", told).task == "sums" for _ in range(1500)) for told in (None, weights)]
    assert shares[1] > 2 * shares[0]


def test_a_citation_names_the_passage_that_tells() -> None:
    """The span of a cited answer stands in the passage of its number."""
    draw = Draw(5)
    for _ in range(60):
        chat = passages.cited(draw)
        told = chat.system + chat.turns[0][1]
        for role, text in chat.turns:
            if role == "assistant" and text != passages.UNKNOWN:
                span, number = text.rsplit(" [", 1)
                assert span.lower() in told.lower()
                assert number.rstrip("]").isdigit()


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ("{n} lives in {v}.", "Does {n} live in {v}?"),
        ("{n} was founded in {v}.", "Was {n} founded in {v}?"),
        ("{n} has a {v}.", "Does {n} have a {v}?"),
        ("The {n} costs {v} dollars.", "Does the {n} cost {v} dollars?"),
        ("The mayor of {n} is {v}.", "Is the mayor of {n} {v}?"),
        ("{v} runs {n}.", "Does {v} run {n}?"),
        ("{n} has been a {v} for years.", None),
        ("{n} bought a {v}.", None),
    ],
)
def test_a_statement_becomes_a_question(told: str, asked: str | None) -> None:
    """Claims are asked as people ask them, where the form of the statement allows it."""
    assert inverted(told) == asked


def test_a_run_begins_with_a_shipped_model(tmp_path: Path) -> None:
    """The files that transformers reads are a beginning too: the same weights, and the counts that the card tells."""
    shape = Shape(vocabulary=50, dim=16, layers=2, heads=2, kv_heads=1, head=8, hidden=16)
    weights = dict(Decoder(shape).state_dict())
    save_hugging_face(weights, shape, tmp_path)
    (tmp_path / "MODEL_CARD.md").write_text("1,200 tokens of text, 300 of them answers; 40 steps, 7 CPU-minutes")
    found = shipped(tmp_path)
    assert found["counts"] == {"tokens": 1200, "learned": 300, "steps": 40, "cpu_s": 420}
    assert Shape(**found["shape"]) == shape
    assert all(torch.equal(tensor, weights[name]) for name, tensor in found["average"].items())
    assert len(found["average"]) == len(weights)


def test_half_precision_attends_to_the_same() -> None:
    """Attention by plain products, as a processor with bfloat16 computes it, is attention."""
    torch.manual_seed(2)
    q, k, v = (torch.randn(2, 3, 20, 8) for _ in range(3))
    half = attention(q.bfloat16(), k.bfloat16(), v.bfloat16()).float()
    assert torch.allclose(half, attention(q, k, v), atol=0.03)


def test_half_precision_makes_updates_orthogonal() -> None:
    """Muon's iteration bears products in bfloat16: singular values still end near one."""
    torch.manual_seed(3)
    values = torch.linalg.svdvals(orthogonal(torch.randn(2, 16, 32), half=True))
    assert 0.6 < values.min() < values.max() < 1.3

"""The shipped sample models: whole, unchanged, small, and what its own record says."""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from recipes.chat.export import LARGEST_BYTES
from recipes.chat.turns import CALL_END, CALL_START, SPECIALS

BOX = Path(str(resources.files("craton.engine"))) / "box"


@pytest.fixture(params=["chat-mini-v1", "chat-mini-v2", "chat-mini-v3", "chat-mini-v4"])
def box(request: pytest.FixtureRequest) -> Path:
    """Each version: an old one stays, for the custom models that rest on it."""
    return BOX / str(request.param)


def record(box: Path) -> dict[str, object]:
    told: dict[str, object] = json.loads((box / "craton.json").read_text())
    return told


def test_hashes_match_the_record(box: Path) -> None:
    """Every file but the card is named in craton.json with its hash, and none has changed."""
    hashes = record(box)["sha256"]
    found = {path.name for path in box.iterdir()} - {"craton.json", "MODEL_CARD.md"}
    assert isinstance(hashes, dict)
    assert found == set(hashes)
    for name, expected in hashes.items():
        assert hashlib.sha256((box / name).read_bytes()).hexdigest() == expected, name


def test_weights_are_small(box: Path) -> None:
    """Everything together stays under the limit of a model in the box."""
    assert sum(path.stat().st_size for path in box.iterdir()) < LARGEST_BYTES


def test_record_tells_the_engine_what_it_needs(box: Path) -> None:
    """Id, context, call markers and end tokens are there, and the end token is the tokenizer's."""
    told = record(box)
    assert told["id"] == f"craton.{box.name}:0"
    assert told["tool_call"] == {"start": CALL_START, "end": CALL_END}
    vocabulary = Tokenizer.from_file(str(box / "tokenizer.json"))
    assert told["eos"] == [vocabulary.token_to_id("<|end|>")]
    assert json.loads((box / "genai_config.json").read_text())["model"]["context_length"] == told["context_tokens"]


def test_each_marker_is_one_token(box: Path) -> None:
    """Markers are single tokens, and any text comes back from its tokens as it was."""
    vocabulary = Tokenizer.from_file(str(box / "tokenizer.json"))
    for marker in SPECIALS:
        assert len(vocabulary.encode(marker).ids) == 1, marker
    for text in (
        "Hello, world",
        "naïve café 日本語 🎉",
        "  two  blanks\n\n\tand a tab",
        "1234567890",
        '{"a":[1,2,{"b":null}]}',
    ):
        assert vocabulary.decode(vocabulary.encode(text).ids, skip_special_tokens=False) == text


def test_a_word_has_the_same_tokens_everywhere(box: Path) -> None:
    """After a blank, a quote or at a line's start a word is the same tokens, so that copying it is copying tokens."""
    vocabulary = Tokenizer.from_file(str(box / "tokenizer.json"))
    for word in ("Paris", "zorblat", "Shoosonit", "kettle"):
        alone = vocabulary.encode(word).tokens
        for around in (" {}", '"{}"', '{{"x":"{}"}}', "({})", "\n{}.", "x {},"):
            tokens = vocabulary.encode(around.format(word)).tokens
            assert any(tokens[at : at + len(alone)] == alone for at in range(len(tokens))), (word, around)


def test_the_card_is_there(box: Path) -> None:
    """A card with scores travels with the weights."""
    card = (box / "MODEL_CARD.md").read_text()
    assert "What it cannot do" in card
    assert "| tool call |" in card

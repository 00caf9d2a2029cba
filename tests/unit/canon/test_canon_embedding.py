"""What can be done to a vector without a model."""

from __future__ import annotations

import math

import pytest

from craton.models.canon import embedding
from craton.models.canon.embedding import EmbedRequest, Item, Media
from craton.models.canon.rerank import document_text, ranked

VECTOR = [math.sin(7 * place + 1) for place in range(384)]
OTHER = [math.cos(3 * place) for place in range(384)]


def test_padding_keeps_every_cosine() -> None:
    """Zeros at the end change no angle."""
    before = embedding.cosine(VECTOR, OTHER)
    after = embedding.cosine(embedding.resized(VECTOR, 1024), embedding.resized(OTHER, 1024))
    assert after == pytest.approx(before, abs=1e-12)


def test_shortening_takes_the_beginning() -> None:
    """As models with nested dimensions are meant to be cut."""
    assert embedding.resized(VECTOR, 256) == VECTOR[:256]


def test_normalizing() -> None:
    """Length one; what has no length stays as it is."""
    assert embedding.is_unit(embedding.normalized(VECTOR))
    assert not embedding.is_unit(VECTOR)
    assert embedding.normalized([0.0, 0.0]) == [0.0, 0.0]


def test_int8_keeps_cosines_nearly() -> None:
    """Within half a percent, in the range of a signed byte; uint8 is the same, moved."""
    one, other = embedding.quantized(VECTOR, "int8"), embedding.quantized(OTHER, "int8")
    assert embedding.cosine(one, other) == pytest.approx(embedding.cosine(VECTOR, OTHER), abs=5e-3)
    assert all(isinstance(x, int) and -128 <= x <= 127 for x in one)
    assert embedding.quantized(VECTOR, "uint8") == [x + 128 for x in one]


def test_an_outlier_does_not_overflow() -> None:
    """A vector with one large member is scaled by it."""
    found = embedding.quantized([0.99, *[0.001] * 383], "int8")
    assert found[0] == 127


def test_signs_are_packed_first_sign_highest() -> None:
    """As numpy's packbits does; `binary` is the same less 128, `bits` one number per dimension."""
    vector = [0.5, -0.5, 0.0, 0.1, -1.0, 2.0, -3.0, 4.0, 1.0]
    assert embedding.quantized(vector, "ubinary") == [0b10010101, 0b10000000]
    assert embedding.quantized(vector, "binary") == [0b10010101 - 128, 0]
    assert embedding.quantized(vector, "bits") == [1, 0, 0, 1, 0, 1, 0, 1, 1]


@pytest.mark.parametrize("encoding", ["int8", "uint8", "binary", "ubinary", "bits"])
def test_nothing_is_quantized_to_nothing(encoding: embedding.Encoding) -> None:
    """Neither an empty vector nor zeros divide by zero."""
    assert embedding.quantized([], encoding) == []
    assert len(embedding.quantized([0.0] * 8, encoding)) in (1, 8)


def test_texts_of_a_request() -> None:
    """Only where every item is a text alone."""
    assert EmbedRequest(items=[Item("a"), Item("b")]).texts() == ["a", "b"]
    with pytest.raises(ValueError, match="text alone"):
        EmbedRequest(items=[Item("a"), Item("b", (Media("image"),))]).texts()


def test_results_are_ranked() -> None:
    """Best first, equal ones in their order, no more than asked for."""
    assert [one.index for one in ranked([0.1, 0.9, 0.9, 0.5], 3)] == [1, 2, 3]
    assert len(ranked([0.1, 0.2], None)) == 2


def test_a_structured_document_reads_as_lines() -> None:
    """Names and values, a line each; what is nested stays JSON."""
    assert document_text({"title": "Cats", "tags": ["a"], "n": 3}) == 'title: Cats\ntags: ["a"]\nn: 3'

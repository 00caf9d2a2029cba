"""WordPiece against the Rust crate: every character, random texts, special tokens, truncation, templates."""

from __future__ import annotations

import json
import random
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from craton.engine.backend import EngineFault
from craton.engine.embeddings.tokens import Row, TextEncoder, TooLong, longest_first, template
from craton.engine.embeddings.wordpiece import WordPiece, suits

LETTERS = [*"abcdefgimnost0123456789.,:!?'-[]()$+<>~^`|=ßüçσς東京", "ing", "un", "the"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = [*SPECIAL, *LETTERS, *(f"##{each}" for each in LETTERS)]
# Three signs that were marks or punctuation in Unicode 8 and are something else now, or the other way round.
MOVED = {0x1734, 0x111C9, 0x11938}
RULES: list[dict[str, Any]] = [
    {"lowercase": True},
    {"lowercase": False},
    {"lowercase": True, "strip_accents": False},
    {"lowercase": False, "strip_accents": True, "handle_chinese_chars": False},
    {"lowercase": True, "clean_text": False},
]


def crate(path: Path, **rules: Any) -> Tokenizer:
    """A tokenizer of the crate, saved at `path`."""
    made = Tokenizer(models.WordPiece({piece: at for at, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(**rules)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.add_special_tokens(SPECIAL)
    made.save(str(path))
    return made


def words(piece: WordPiece, text: str) -> list[str]:
    if piece._decompose:
        text = unicodedata.normalize("NFD", text)
    return [word for word in text.translate(piece._spelling).split(" ") if word]


@pytest.mark.parametrize("rules", RULES, ids=str)
def test_every_character_is_read_as_the_crate_reads_it(tmp_path: Path, rules: dict[str, Any]) -> None:
    """Kept, dropped, split or lowered alike, for all that this Python's Unicode knows."""
    theirs = crate(tmp_path / "t.json", **rules)
    document = json.loads((tmp_path / "t.json").read_text())
    ours = WordPiece(document["model"], document["normalizer"])
    assigned = [code for code in range(0x110000) if unicodedata.category(chr(code)) not in ("Cn", "Cs", "Co")]
    wrong = []
    for code in assigned[:: 1 if rules == RULES[0] else 7]:
        text = f"a{chr(code)}b"
        split = theirs.pre_tokenizer.pre_tokenize_str(theirs.normalizer.normalize_str(text))
        if words(ours, text) != [word for word, _ in split] and code not in MOVED:
            wrong.append(hex(code))
    assert wrong == []


TOKENS = st.sampled_from(
    [*LETTERS, *SPECIAL, " ", "\t", "\n", "\u00a0", "\u200b", "\x00", "é", "e\u0301", "İ", "ΑΣ", "🙂"]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(TOKENS | st.text(max_size=3), max_size=40).map("".join))
def test_random_texts_get_the_crates_ids(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Special tokens that a text spells, combining marks, blanks of all kinds, words without a piece."""
    if any(ord(sign) in MOVED or unicodedata.category(sign) in ("Cn", "Cs", "Co") for sign in text):
        return
    path = tmp_path_factory.getbasetemp() / "random.json"
    theirs = Tokenizer.from_file(str(path)) if path.exists() else crate(path)
    ours = TextEncoder(path, 512)
    assert ours.one(text).ids == theirs.encode(text).ids[:512]


def test_a_very_long_word_is_unknown(tmp_path: Path) -> None:
    """Over a hundred characters nothing is looked up, as in BERT; a hundred are cut."""
    theirs, ours = crate(tmp_path / "t.json"), TextEncoder(tmp_path / "t.json", 512)
    for length in (99, 100, 101, 5000):
        assert ours.one("a" * length).ids == theirs.encode("a" * length).ids


@pytest.mark.parametrize("length", [5, 6, 7, 12, 13, 40])
def test_pairs_are_cut_as_the_crate_cuts_them(tmp_path: Path, length: int) -> None:
    """The longer of the two loses its end first; segments as well."""
    theirs, ours = crate(tmp_path / "t.json"), TextEncoder(tmp_path / "t.json", length)
    theirs.enable_truncation(length, strategy="longest_first")
    draw = random.Random(length)
    for _ in range(60):
        one, two = ("a " * draw.randint(0, 20), "b " * draw.randint(0, 20))
        expected = theirs.encode(one, two)
        assert ours.two(ours.cut(one), two) == Row(expected.ids, expected.type_ids), (one, two)


def test_what_is_too_long_is_cut_or_refused(tmp_path: Path) -> None:
    """At its end, at its start, or not at all: then the message has both counts."""
    crate(tmp_path / "t.json")
    ours = TextEncoder(tmp_path / "t.json", 5)
    begin, a, b, c, d, end = ours.template.build(ours.cut("a b c d")).ids
    assert ours.one("a b c d").ids == [begin, a, b, c, end]
    assert ours.one("a b c d", "start").ids == [begin, b, c, d, end]
    assert ours.one("a b c", "none").ids == [begin, a, b, c, end]
    with pytest.raises(TooLong, match="4 tokens are more than the 3"):
        ours.one("a b c d", "none")


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 60))
def test_a_cut_pair_fills_the_room(first: int, second: int, room: int) -> None:
    """Neither grows, together they fit, and nothing is cut without need."""
    one, two = longest_first(first, second, room)
    assert one <= first
    assert two <= second
    assert one + two == min(first + second, room)


def test_templates_of_other_families() -> None:
    """RoBERTa's pair has two separators and one segment; without a processor texts stand bare."""
    roberta = template({"type": "RobertaProcessing", "cls": ["<s>", 0], "sep": ["</s>", 2], "trim_offsets": True})
    assert roberta.build([7], [8]) == Row([0, 7, 2, 2, 8, 2], [0] * 6)
    assert roberta.added(pair=True) == 4
    sequence = template(
        {
            "type": "Sequence",
            "processors": [{"type": "ByteLevel"}, {"type": "BertProcessing", "cls": ["c", 1], "sep": ["s", 2]}],
        }
    )
    assert sequence.build([7], [8]) == Row([1, 7, 2, 8, 2], [0, 0, 0, 1, 1])
    assert template(None).build([7]) == Row([7], [0])


def test_byte_level_bpe_and_the_rest(tmp_path: Path) -> None:
    """RoBERTa's kind is cut by llguidance; a unigram model by the package `tokenizers`; both give the crate's ids."""
    bpe = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġa": 4}, [("a", "b"), ("Ġ", "a")]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    from tokenizers import decoders

    bpe.decoder = decoders.ByteLevel()
    bpe.save(str(tmp_path / "bpe.json"))
    unigram = Tokenizer(models.Unigram([("<unk>", 0.0), ("▁", -1.0), ("a", -1.5), ("b", -2.0), ("ab", -1.0)], 0))
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.save(str(tmp_path / "unigram.json"))
    for name, theirs in (("bpe", bpe), ("unigram", unigram)):
        assert TextEncoder(tmp_path / f"{name}.json", 16).cut("ab aba") == theirs.encode("ab aba").ids


def test_only_what_is_computed_exactly_is_taken(tmp_path: Path) -> None:
    """Another normaliser or a token with rules of its own is not WordPiece's business here."""
    crate(tmp_path / "t.json")
    document = json.loads((tmp_path / "t.json").read_text())
    assert suits(document)
    assert not suits({**document, "normalizer": {"type": "Lowercase"}})
    assert not suits({**document, "added_tokens": [{"content": "x", "id": 1, "normalized": True}]})
    assert not suits({**document, "model": {**document["model"], "type": "BPE"}})
    assert issubclass(TooLong, EngineFault)

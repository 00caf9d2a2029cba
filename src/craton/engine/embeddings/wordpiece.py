"""BERT's WordPiece in plain Python, token for token what the Rust `tokenizers` crate finds.

Owns the normaliser (clean, spaces around Chinese signs, accents, case), the split at blanks and punctuation, and the
greedy longest match. Serving needs no library for it; a test compares every code point and random texts. Words come
again and again, so each is cut once and remembered. Knows neither special tokens nor templates.
"""

from __future__ import annotations

import functools
import string
import unicodedata
from typing import Any

LONGEST_WORD = 100
KEPT_WORDS = 50_000
OTHER = ("Cc", "Cf", "Co", "Cs")
# Blanks to Python and not to Unicode.
SEPARATORS = "\x1c\x1d\x1e\x1f"
# ASCII's signs that Unicode calls symbols, and one that it called punctuation then.
PUNCTUATION = frozenset(string.punctuation + "\u166d")
# `handle_chinese_chars`: the ranges of the crate's `is_chinese_char`, its 0x2B920 included.
CHINESE = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)

# Signs that came after Unicode 8, whose tables the crate uses: marks, punctuation and formats here, letters there.
NEWER_SIGNS = """
61d 7fd 890-891 898-89f 8ca-8e2 9fd-9fe a76 afa-aff b55 c04 c3c c77 c84 d00 d3b-d3c d81 eba 180f 1885-1886
1abf-1ace 1b7d-1b7e 1df6-1dfb 2e43-2e4f 2e52-2e5d a82c a8c5 a8ff a9bd 10d24-10d27 10eab-10ead 10f46-10f50
10f55-10f59 10f82-10f89 11070 11073-11074 110c2 110cd 111c9 111cf 1123e 1133b 11438-1143f 11442-11444 11446
1144b-1144f 1145a-1145b 1145d-1145e 11660-1166c 116b9 1182f-11837 11839-1183b 1193b-1193c 1193e 11943-11946
119d4-119d7 119da-119db 119e0 119e2 11a01-11a0a 11a33-11a38 11a3b-11a47 11a51-11a56 11a59-11a5b 11a8a-11a96
11a98-11a9c 11a9e-11aa2 11c30-11c36 11c38-11c3d 11c3f 11c41-11c45 11c70-11c71 11c92-11ca7 11caa-11cb0
11cb2-11cb3 11cb5-11cb6 11d31-11d36 11d3a 11d3c-11d3d 11d3f-11d45 11d47 11d90-11d91 11d95 11d97 11ef3-11ef4
11ef7-11ef8 11fff 12ff1-12ff2 13430-13438 16e97-16e9a 16f4f 16fe2 16fe4 1cf00-1cf2d 1cf30-1cf46 1e000-1e006
1e008-1e018 1e01b-1e021 1e023-1e024 1e026-1e02a 1e130-1e136 1e2ae 1e2ec-1e2ef 1e944-1e94a 1e95e-1e95f
"""


class Spelling(dict[int, str]):
    """Code point → what stands in its place before the text is cut at blanks; filled as characters are met."""

    def __init__(self, *, clean: bool, chinese: bool, accents: bool, lower: bool) -> None:
        """What to do; `accents` means that they are dropped."""
        super().__init__()
        self._clean, self._chinese, self._accents, self._lower = clean, chinese, accents, lower

    def __missing__(self, code: int) -> str:
        self[code] = found = self._spell(chr(code))
        return found

    def _spell(self, sign: str) -> str:
        category = "Lo" if ord(sign) in newer_signs() else unicodedata.category(sign)
        if self._clean and (sign == "\ufffd" or (category in OTHER and sign not in "\t\n\r")):
            return ""
        if sign.isspace() and sign not in SEPARATORS:
            return " "
        if self._accents and category == "Mn":
            return ""
        if self._chinese and any(first <= ord(sign) <= last for first, last in CHINESE):
            return f" {sign} "
        if category[0] == "P" or sign in PUNCTUATION:
            return f" {sign} "
        return sign.lower() if self._lower else sign


@functools.cache
def newer_signs() -> frozenset[int]:
    """NEWER_SIGNS as code points."""
    ends = [each.partition("-") for each in NEWER_SIGNS.split()]
    return frozenset(code for first, _, last in ends for code in range(int(first, 16), int(last or first, 16) + 1))


class WordPiece:
    """A vocabulary and its rules, as `tokenizer.json` holds them."""

    def __init__(self, model: dict[str, Any], normalizer: dict[str, Any]) -> None:
        """`model` and `normalizer` are those members of tokenizer.json; see `suits`."""
        self.vocabulary: dict[str, int] = model["vocab"]
        self._unknown = self.vocabulary[model["unk_token"]]
        self._prefix = str(model.get("continuing_subword_prefix", "##"))
        self._longest = int(model.get("max_input_chars_per_word", LONGEST_WORD))
        lower = bool(normalizer.get("lowercase", True))
        accents = normalizer.get("strip_accents")
        self._decompose = lower if accents is None else bool(accents)
        self._spelling = Spelling(
            clean=bool(normalizer.get("clean_text", True)),
            chinese=bool(normalizer.get("handle_chinese_chars", True)),
            accents=self._decompose,
            lower=lower,
        )
        self._words: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """The ids of a text without special tokens."""
        if self._decompose and not text.isascii():
            text = unicodedata.normalize("NFD", text)
        found: list[int] = []
        words = self._words
        for word in text.translate(self._spelling).split(" "):
            if word:
                ids = words.get(word)
                found += self._learn(word) if ids is None else ids
        return found

    def _learn(self, word: str) -> list[int]:
        if len(self._words) >= KEPT_WORDS:
            self._words.clear()
        self._words[word] = ids = self._cut(word)
        return ids

    def _cut(self, word: str) -> list[int]:
        """The longest piece that the vocabulary holds, then the next one; one unknown token if none fits somewhere."""
        if len(word) > self._longest:
            return [self._unknown]
        ids: list[int] = []
        start = 0
        while start < len(word):
            lead = self._prefix if start else ""
            for end in range(len(word), start, -1):
                piece = self.vocabulary.get(lead + word[start:end])
                if piece is not None:
                    ids.append(piece)
                    start = end
                    break
            else:
                return [self._unknown]
        return ids


def suits(document: dict[str, Any]) -> bool:
    """Whether a tokenizer.json is of the kind that this file computes exactly."""
    model = document.get("model") or {}
    kinds = [(document.get(part) or {}).get("type") for part in ("normalizer", "pre_tokenizer")]
    plain = all(not each.get("single_word") and not each.get("normalized") for each in document.get("added_tokens", []))
    wordpiece = model.get("type", "WordPiece") == "WordPiece" and model.get("unk_token") in model.get("vocab", {})
    return wordpiece and kinds == ["BertNormalizer", "BertPreTokenizer"] and plain

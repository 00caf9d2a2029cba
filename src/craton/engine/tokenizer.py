"""Text to token ids and back, for one model's `tokenizer.json`.

Owns encoding, the bytes of each token and the incremental decoding that never splits a character. It runs on the
tokenizer inside llguidance (the Rust `tokenizers` crate), so serving needs no further library. Knows nothing of chats.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llguidance import LLTokenizer

# Wraps a stretch of a prompt in which special tokens' spellings are ordinary text (see `quote`). The two characters
# are noncharacters of Unicode: no valid text that a person writes holds them.
OPEN, CLOSE = "\ufdd0", "\ufdd1"
_QUOTED = re.compile(f"{OPEN}([^{CLOSE}]*){CLOSE}")


class Tokenizer:
    """A loaded tokenizer. `ll` is the handle that grammars are compiled against."""

    def __init__(self, path: Path, eos: Iterable[int], vocabulary: int | None = None) -> None:
        """Load `tokenizer.json`; `vocabulary` widens it to the model's number of logits. Raises ValueError."""
        ends = list(eos)
        self.ll = LLTokenizer(str(path), n_vocab=vocabulary, eos_token=ends or None)
        document = json.loads(path.read_bytes())
        added = document.get("added_tokens", [])
        self.added_ids: dict[str, int] = {each["content"]: each["id"] for each in added}
        self._strips_first = _strips_first(document.get("decoder"))
        self._bytes: dict[int, bytes] = {}
        spellings = sorted(self.added_ids, key=len, reverse=True)
        self._spelled = re.compile("|".join(map(re.escape, spellings))) if spellings else None

    def quote(self, text: str) -> str:
        """Mark every spelling of a special token in `text` as ordinary text, so that no message can forge a turn."""
        text = text.replace(OPEN, "").replace(CLOSE, "")
        if self._spelled is None or self._spelled.search(text) is None:
            return text
        return self._spelled.sub(lambda found: f"{OPEN}{found.group()}{CLOSE}", text)

    def encode(self, text: str) -> list[int]:
        """Token ids of a rendered prompt: special tokens are read, except where `quote` marked them."""
        if OPEN not in text:
            return self.ll.tokenize_str(text)
        ids: list[int] = []
        at = 0
        for found in _QUOTED.finditer(text):
            ids += self.ll.tokenize_str(text[at : found.start()])
            # Cut after the first character, so that neither half is the special token's spelling.
            inner = found.group(1)
            ids += self.ll.tokenize_str(inner[:1])
            ids += self.ll.tokenize_str(inner[1:])
            at = found.end()
        return ids + self.ll.tokenize_str(text[at:])

    def token_bytes(self, token: int) -> bytes:
        """What a token adds to the text; nothing for special tokens."""
        known = self._bytes.get(token)
        if known is None:
            known = b"" if self.ll.is_special_token(token) else self.ll.decode_bytes([token])
            self._bytes[token] = known
        return known

    def spelling(self, token: int) -> str:
        """A token as text for people (log probabilities, listings), special tokens included."""
        return self.ll.decode_bytes([token]).decode("utf-8", "replace")

    def stream(self) -> TextStream:
        """A decoder for one answer."""
        return TextStream(self)

    @property
    def strips_first(self) -> bool:
        """Whether the first blank of an answer belongs to the encoding (SentencePiece), not to the text."""
        return self._strips_first


class TextStream:
    """Tokens in, whole characters out; bytes of an unfinished character wait for the next token."""

    __slots__ = ("_decoder", "_strip", "_tokenizer")

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._strip = tokenizer.strips_first

    def feed(self, token: int) -> str:
        """The characters that this token completes, often none or several."""
        text = self._decoder.decode(self._tokenizer.token_bytes(token))
        if self._strip and text:
            self._strip = False
            return text.removeprefix(" ")
        return text

    def close(self) -> str:
        """What remains: replacement characters for bytes that never became one."""
        return self._decoder.decode(b"", True)


def _strips_first(decoder: Any) -> bool:
    """True for decoders that drop the blank which the encoder put before the first word."""
    if not isinstance(decoder, dict):
        return False
    kind = decoder.get("type")
    if kind == "Sequence":
        return any(_strips_first(each) for each in decoder.get("decoders", []))
    if kind == "Strip":
        return bool(decoder.get("start"))
    return kind == "Metaspace" and decoder.get("prepend_scheme", "always") != "never"

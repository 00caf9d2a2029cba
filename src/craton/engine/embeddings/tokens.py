"""From text to what an encoder takes: token ids between their special tokens, cut to the model's length.

Owns the reading of `tokenizer.json` for encoders: which program cuts words (our WordPiece, llguidance for byte-level BPE,
the package `tokenizers` for the rest), the template of one text and of a pair, and truncation as transformers does it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from craton.engine.backend import EngineFault
from craton.engine.embeddings import wordpiece

Truncate = Literal["end", "start", "none"]
Cut = Callable[[str], list[int]]
# A place in a template: the token ids of a special token, or "A" or "B" for a text; and the segment that it counts to.
Place = tuple[list[int] | str, int]


class Row(NamedTuple):
    """What the model reads of one text or of one pair, special tokens included."""

    ids: list[int]
    segments: list[int]


class TooLong(EngineFault):
    """A text that must not be cut, and is longer than the model reads."""


@dataclass(frozen=True)
class Template:
    """Where the special tokens stand."""

    single: list[Place]
    pair: list[Place]

    def build(self, first: list[int], second: list[int] | None = None) -> Row:
        """The row of one text or of two."""
        ids: list[int] = []
        segments: list[int] = []
        for what, segment in self.single if second is None else self.pair:
            part = what if isinstance(what, list) else first if what == "A" or second is None else second
            ids += part
            segments += [segment] * len(part)
        return Row(ids, segments)

    def added(self, *, pair: bool) -> int:
        """How many special tokens it adds."""
        return sum(len(what) for what, _ in (self.pair if pair else self.single) if isinstance(what, list))


class TextEncoder:
    """Makes rows for one model."""

    def __init__(self, path: Path, context_tokens: int) -> None:
        """Read `tokenizer.json`. Raises EngineFault when nothing here can compute it."""
        document = json.loads(path.read_bytes())
        self.context_tokens = context_tokens
        self.cut = cutter(path, document)
        self.template = template(document.get("post_processor"))

    def one(self, text: str, truncate: Truncate = "end") -> Row:
        """A text's row. Raises TooLong if it may not be cut."""
        ids = self.cut(text)
        room = self.context_tokens - self.template.added(pair=False)
        if len(ids) > room:
            if truncate == "none":
                raise TooLong(f"{len(ids)} tokens are more than the {room} that this model reads")
            ids = ids[-room:] if truncate == "start" else ids[:room]
        return self.template.build(ids)

    def two(self, query: list[int], document: str) -> Row:
        """The row of a query, cut already (`cut`), and a document: the longer one loses its end, as in transformers."""
        second = self.cut(document)
        room = self.context_tokens - self.template.added(pair=True)
        first, rest = longest_first(len(query), len(second), room)
        return self.template.build(query[:first], second[:rest])


def longest_first(first: int, second: int, room: int) -> tuple[int, int]:
    """How much is left of two lengths that share `room`; the odd token goes as in the `tokenizers` crate."""
    if first + second <= room:
        return first, second
    short, long = sorted((first, second))
    long = short if short > room else max(short, room - short)
    if short + long > room:
        short, long = room // 2, room // 2 + room % 2
    return (long, short) if first > second else (short, long)


def cutter(path: Path, document: dict[str, Any]) -> Cut:
    """The function that cuts a text into token ids, without special tokens around them."""
    if wordpiece.suits(document):
        cut = wordpiece.WordPiece(document["model"], document["normalizer"]).encode
        return _around(cut, {each["content"]: each["id"] for each in document.get("added_tokens", [])})
    if _byte_level(document):
        from llguidance import LLTokenizer

        return LLTokenizer(str(path)).tokenize_str
    try:
        from tokenizers import Tokenizer
    except ImportError:
        kind = (document.get("model") or {}).get("type", "unknown")
        raise EngineFault(
            f"a tokenizer of the kind {kind} needs the package tokenizers: pip install 'craton[rag]'"
        ) from None
    found = Tokenizer.from_file(str(path))
    found.no_truncation()
    found.no_padding()
    return lambda text: list(found.encode(text, add_special_tokens=False).ids)


def _around(cut: Cut, added: dict[str, int]) -> Cut:
    """Special tokens that a text spells are themselves, as in transformers."""
    if not added:
        return cut
    spelled = re.compile("(" + "|".join(re.escape(each) for each in sorted(added, key=len, reverse=True)) + ")")

    def cut_between(text: str) -> list[int]:
        if spelled.search(text) is None:
            return cut(text)
        parts = [[added[part]] if part in added else cut(part) for part in spelled.split(text)]
        return [each for part in parts for each in part]

    return cut_between


def _byte_level(document: dict[str, Any]) -> bool:
    kinds = [(document.get(part) or {}).get("type") for part in ("model", "pre_tokenizer", "decoder")]
    return kinds == ["BPE", "ByteLevel", "ByteLevel"] and not document.get("normalizer")


def template(processor: dict[str, Any] | None) -> Template:
    """The template that tokenizer.json's post-processor describes; texts side by side where there is none."""
    plain = Template([("A", 0)], [("A", 0), ("B", 1)])
    if processor is None:
        return plain
    kind = processor["type"]
    if kind == "Sequence":
        found = [template(each) for each in processor["processors"]]
        return next((each for each in found if each != plain), plain)
    if kind == "TemplateProcessing":
        special = {name: [int(each) for each in told["ids"]] for name, told in processor["special_tokens"].items()}
        return Template(_places(processor["single"], special), _places(processor["pair"], special))
    if kind in ("BertProcessing", "RobertaProcessing"):
        begin, end = [int(processor["cls"][1])], [int(processor["sep"][1])]
        single: list[Place] = [(begin, 0), ("A", 0), (end, 0)]
        if kind == "BertProcessing":
            return Template(single, [*single, ("B", 1), (end, 1)])
        return Template(single, [*single, (end, 0), ("B", 0), (end, 0)])
    return plain


def _places(parts: list[dict[str, Any]], special: dict[str, list[int]]) -> list[Place]:
    return [
        (str(told["id"]) if kind == "Sequence" else special[told["id"]], int(told["type_id"]))
        for part in parts
        for kind, told in part.items()
    ]

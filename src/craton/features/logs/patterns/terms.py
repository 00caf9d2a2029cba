"""Patterns of terms: `ERROR 400`, `"not found" -debug`, `?WARN ?ERROR`, `%5[0-9]{2}%`.

Owns their syntax: every term must be there, none with a minus may be; terms with a question mark stand for each other,
and are ignored beside other terms. The case of letters counts; a term may be part of a word.
"""

from __future__ import annotations

import re

from craton.features.logs.patterns.regex import Expression
from craton.features.logs.patterns.text import BadPattern, Text
from craton.infra.series.port import Recipe

_TERM = re.compile(r'([?-]?)(?:"((?:[^"\\]|\\.)*)"|%((?:[^%\\]|\\.)*)%|(\w+))(?!\S)', re.DOTALL)
_WORD = re.compile(r"\S+")
_ESCAPE = re.compile(r'\\(["\\])')
_MOST_EXPRESSIONS = 2


class Terms:
    """The sieve (`infra.series.port.Sieve`)."""

    recipe: Recipe | None = None

    def __init__(self, needed: list[bytes], either: list[bytes], without: list[bytes], forms: list[Form]) -> None:
        self._needed = needed
        self._either = [] if needed or without or forms else either
        self._without = without
        self._forms = forms

    @property
    def needles(self) -> tuple[bytes, ...] | None:
        if self._needed:
            return (max(self._needed, key=len),)
        return tuple(self._either) or None

    def matches(self, data: bytes) -> bool:
        if not all(term in data for term in self._needed) or any(term in data for term in self._without):
            return False
        if self._either and not any(term in data for term in self._either):
            return False
        text = data.decode("utf-8", "replace") if self._forms else ""
        return all(form.search(text) is wanted for form, wanted in self._forms)


Form = tuple[Expression, bool]


def read_terms(pattern: str) -> Terms:
    """Raises BadPattern."""
    by_sign: dict[str, list[bytes]] = {"": [], "?": [], "-": []}
    forms: list[Form] = []
    text = Text(pattern)
    while not text.is_over:
        found = text.take(_TERM)
        if found is None:
            word = text.take(_WORD)
            raise BadPattern(f"Invalid character(s) in term '{word[0] if word else ''}'")
        sign, quoted, expression, word_term = found.groups()
        if expression is not None:
            forms.append((Expression(expression), sign != "-"))
            continue
        term = _ESCAPE.sub(r"\1", quoted) if quoted is not None else word_term
        if term:
            by_sign[sign].append(term.encode())
    if len(forms) > _MOST_EXPRESSIONS:
        raise BadPattern
    return Terms(by_sign[""], by_sign["?"], by_sign["-"], forms)

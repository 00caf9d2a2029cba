"""The text of a query, sign by sign: names, numbers, texts, regular expressions, comments.

Owns what a token is and where it stands, for errors name the place. Whether a slash divides or opens an expression only
the grammar knows, so tokens are read one at a time. It must not know commands.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

Kind = Literal["name", "number", "span", "text", "sign", "end"]
MOST_REGEX = 1024
UNITS_MS = {
    "ms": 1, "millisecond": 1, "milliseconds": 1, "msec": 1, "s": 1000, "second": 1000, "seconds": 1000, "sec": 1000,
    "m": 60_000, "minute": 60_000, "minutes": 60_000, "min": 60_000, "h": 3_600_000, "hr": 3_600_000,
    "hour": 3_600_000, "hours": 3_600_000, "d": 86_400_000, "day": 86_400_000, "days": 86_400_000,
    "w": 604_800_000, "week": 604_800_000, "weeks": 604_800_000, "mo": 2_592_000_000, "month": 2_592_000_000,
    "months": 2_592_000_000, "q": 7_776_000_000, "qtr": 7_776_000_000, "quarter": 7_776_000_000,
    "y": 31_536_000_000, "yr": 31_536_000_000, "year": 31_536_000_000, "years": 31_536_000_000,
}  # fmt: skip
"""Units of periods. A month is counted as 30 days, a quarter as 90, a year as 365."""
_SPACE = re.compile(r"(?:\s+|\#[^\n]*)*")
_FORMS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("span", re.compile(r"(\d+)([A-Za-z]+)(?![A-Za-z0-9_])")),
    ("number", re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")),
    ("name", re.compile(r"@?[A-Za-z_](?:[A-Za-z0-9_@]|\.(?=[A-Za-z0-9_@$])|\[\d+\])*|@[A-Za-z_]+")),
    ("sign", re.compile(r"=~|==|!=|<>|<=|>=|&&|\|\||[|,()\[\]=<>+\-*/%^!]")),
)
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""", re.DOTALL)
_TICKED = re.compile(r"`((?:[^`\\]|\\.)+)`")
_SLASHED = re.compile(r"/((?:[^/\\\n]|\\.)+)/(i?)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"n": "\n", "t": "\t", "r": "\r"}


class BadQuery(ValueError):
    """The query cannot be read, or asks for what there is not; `start` and `end` are places in its text."""

    def __init__(self, why: str, start: int, end: int) -> None:
        super().__init__(why)
        self.start = start
        self.end = end


class Token(msgspec.Struct, frozen=True):
    """What stands from `start` to `end`. `text` is its meaning: of a text without quotes, of a span its ms."""

    kind: Kind
    text: str
    start: int
    end: int
    is_ticked: bool = False


class Scanner:
    """Where one has come in a query. Raises BadQuery for what is no token."""

    def __init__(self, query: str) -> None:
        self.query = query
        self.behind = 0
        """Where the last token that was taken ends."""
        self._next: Token | None = None

    @property
    def next(self) -> Token:
        """The token that comes, which stays."""
        if self._next is None:
            self._next = self._read()
        return self._next

    def is_over(self) -> bool:
        """Whether nothing comes any more."""
        return self.next.kind == "end"

    def take(self) -> Token:
        token = self.next
        self.behind, self._next = token.end, None
        return token

    def took(self, *signs: str) -> str | None:
        """The sign among these that comes, which is then behind."""
        if self.next.kind == "sign" and self.next.text in signs:
            return self.take().text
        return None

    def took_word(self, *words: str) -> str | None:
        """The word among these that comes, whatever its case, which is then behind."""
        token = self.next
        if token.kind == "name" and not token.is_ticked and token.text.lower() in words:
            return self.take().text.lower()
        return None

    def regex(self) -> re.Pattern[str] | None:
        """An expression between slashes, if one comes; it is then behind."""
        start = self._start()
        found = _SLASHED.match(self.query, start)
        if found is None:
            return None
        self.behind, self._next = found.end(), None
        return self.compiled(found[1].replace("\\/", "/"), start, ignore_case=bool(found[2]))

    def compiled(self, written: str, start: int, *, ignore_case: bool = False) -> re.Pattern[str]:
        """An expression; named groups may be written `(?<name>…)`. Raises BadQuery."""
        try:
            if len(written) > MOST_REGEX:
                raise ValueError
            form = re.sub(r"\(\?<(?![=!])", "(?P<", written)
            return re.compile(form, re.DOTALL | (re.IGNORECASE if ignore_case else 0))
        except (re.error, RecursionError, OverflowError, ValueError):
            raise BadQuery("invalid regular expression", start, self.behind) from None

    def unexpected(self, wanted: str = "") -> BadQuery:
        """The error of the token that comes."""
        token = self.next
        found = "unexpected end of query" if token.kind == "end" else f"unexpected symbol found '{token.text[:50]}'"
        return BadQuery(f"{found}, expected {wanted}" if wanted else found, token.start, token.end)

    def _start(self) -> int:
        found = _SPACE.match(self.query, self.behind)
        return found.end() if found is not None else self.behind

    def _read(self) -> Token:
        query, start = self.query, self._start()
        if start == len(query):
            return Token("end", "", start, start)
        if (found := _QUOTED.match(query, start)) is not None:
            written = found[1] if found[1] is not None else found[2]
            return Token("text", unescaped(written), start, found.end())
        if (found := _TICKED.match(query, start)) is not None:
            return Token("name", _ESCAPE.sub(r"\1", found[1]), start, found.end(), is_ticked=True)
        for kind, form in _FORMS:
            found = form.match(query, start)
            if found is None:
                continue
            if kind != "span":
                return Token(kind, found[0], start, found.end())
            unit = UNITS_MS.get(found[2].lower())
            if unit is not None:
                return Token(kind, str(int(found[1]) * unit), start, found.end())
        raise BadQuery(f"unexpected symbol found '{query[start]}'", start, start + 1)


def unescaped(written: str) -> str:
    """A text between quotes; a sign after a backslash that means nothing keeps it, as expressions need."""
    if "\\" not in written:
        return written
    return _ESCAPE.sub(lambda found: _MEANT.get(found[1], found[1] if found[1] in "\"'\\/" else found[0]), written)

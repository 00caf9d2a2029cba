"""HTML as text: what a browser shows, by the standard library's parser alone.

Owns: which elements are shown, which begin a line, and how the bytes are decoded. Must not know where a page is from;
nothing that a page names is ever fetched.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

_HIDDEN = frozenset({"script", "style", "template", "noscript", "svg", "iframe", "object", "head"})
_LINES = frozenset(
    {
        "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figcaption", "figure",
        "footer", "form", "header", "hr", "li", "main", "nav", "ol", "option", "p", "pre", "section", "table", "tr", "ul",
    }
)  # fmt: skip
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_CELLS = frozenset({"td", "th"})
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_HEAD_BYTES = 2048
_BLANK = re.compile(r"\s+")
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden: list[str] = []
        self._preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden.append(tag)
        if self._hidden:
            if tag == "body":  # a head that nobody closed
                self._hidden.clear()
            return
        if tag in _LINES or tag in _HEADINGS:
            self.parts.append("\n" + ("- " if tag == "li" else _HEADINGS.get(tag, "")))
        elif tag in _CELLS:
            self.parts.append("\t")
        self._preformatted += tag == "pre"
        alternative = dict(attrs).get("alt") if tag == "img" else None
        if alternative:
            self.parts.append(f" {alternative} ")

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag in self._hidden:
                del self._hidden[self._hidden.index(tag) :]
            return
        if tag in _LINES or tag in _HEADINGS:
            self.parts.append("\n")
        self._preformatted -= tag == "pre" and self._preformatted > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data if self._preformatted else _BLANK.sub(" ", data))


def html_text(data: bytes) -> str:
    """The shown text: a line per block, headings and list items marked, cells parted by tabs."""
    page = _Page()
    page.feed(decoded(data))
    page.close()
    lines = (line.strip(" \t") for line in "".join(page.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def decoded(data: bytes) -> str:
    """By its byte order mark, else by the character set that its head names, else UTF-8, else Windows-1252."""
    named = _CHARSET.search(data[:_HEAD_BYTES])
    marked = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    for name in (marked, named[1].decode() if named else None, "utf-8"):
        if name is not None:
            try:
                return data.decode(name)
            except (LookupError, UnicodeDecodeError):
                continue
    return data.decode("cp1252", "replace")

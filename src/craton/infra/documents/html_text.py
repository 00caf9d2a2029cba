"""HTML as text: what a browser shows, by the standard library's parser alone.

Owns: which elements are shown, which begin a line, which are headings, and how the bytes are decoded. Must not know
where a page is from; nothing that a page names is ever fetched. Scripts, styles, comments and what an author has hidden
are never in the text: whoever reads the answer must have been able to read the page.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from craton.infra.documents.port import Extract
from craton.infra.documents.writing import Writer

_HIDDEN = frozenset({"script", "style", "template", "noscript", "svg", "iframe", "object", "head", "title"})
_LINES = frozenset(
    {
        "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "fieldset", "figcaption", "figure",
        "footer", "form", "header", "hr", "li", "main", "nav", "ol", "option", "p", "pre", "section", "table", "tr", "ul",
    }
)  # fmt: skip
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_CELLS = frozenset({"td", "th"})
_VOID = frozenset(
    {
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
    }
)  # fmt: skip
# What a second one ends without being told.
_IMPLIED = frozenset({"p", "li", "dt", "dd", "option", "td", "th", "tr"})
_INVISIBLE = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse))", re.IGNORECASE)
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_HEAD_BYTES = 2048
_BLANK = re.compile(r"\s+")
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# Begins a line that is a heading; NUL is in no HTML, and taken out of what comes as such.
_HEADING_MARK = "\0"


class _Page(HTMLParser):
    """`parts` is the text under way, `links` where it points. `_open`: elements whose end is to come; `_hidden`: how
    many of them are around the one that hides what is in it.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.links: list[str] = []
        self._open: list[str] = []
        self._opened: dict[str, int] = {}
        self._hidden: int | None = None
        self._preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":  # a head that nobody closed
            self._close_to("head")
        elif tag in _IMPLIED and self._open and self._open[-1] == tag:
            self._pop()
        if tag == "a" and self._hidden is None:
            self.links.extend(value for name, value in attrs if name == "href" and value)
        if tag not in _VOID:
            self._push(tag, hides=tag in _HIDDEN or _is_hidden(attrs))
        elif _is_hidden(attrs):
            return
        if self._hidden is None:
            self._show(tag, attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag in _HIDDEN:  # an <svg/> of XHTML; of others HTML does not see the stroke
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden is None and (tag in _LINES or tag in _HEADINGS):
            self.parts.append("\n")
        self._close_to(tag)

    def handle_data(self, data: str) -> None:
        if self._hidden is None:
            data = data.replace(_HEADING_MARK, "")
            self.parts.append(data if self._preformatted else _BLANK.sub(" ", data))

    def _show(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HEADINGS:
            self.parts.append(f"\n{_HEADING_MARK}{_HEADINGS[tag]}")
        elif tag in _LINES:
            self.parts.append("\n- " if tag == "li" else "\n")
        elif tag in _CELLS:
            self.parts.append("\t")
        alternative = dict(attrs).get("alt") if tag == "img" else None
        if alternative:
            self.parts.append(f" {alternative.replace(_HEADING_MARK, '')} ")

    def _push(self, tag: str, *, hides: bool) -> None:
        if hides and self._hidden is None:
            self._hidden = len(self._open)
        self._open.append(tag)
        self._opened[tag] = self._opened.get(tag, 0) + 1
        self._preformatted += tag == "pre"

    def _pop(self) -> str:
        tag = self._open.pop()
        self._opened[tag] -= 1
        self._preformatted -= tag == "pre"
        if self._hidden is not None and len(self._open) <= self._hidden:
            self._hidden = None
        return tag

    def _close_to(self, tag: str) -> None:
        """End the innermost such element, and what is open in it."""
        if self._opened.get(tag):
            while self._pop() != tag:
                pass


def _is_hidden(attrs: list[tuple[str, str | None]]) -> bool:
    return any(
        name == "hidden" or (name == "style" and value is not None and _INVISIBLE.search(value) is not None)
        for name, value in attrs
    )


def read_html(data: bytes, *, pictures: bool) -> Extract:
    """The shown text: a line per block, headings and list items marked, cells parted by tabs. And the page's links."""
    page = _Page()
    page.feed(decoded(data))
    page.close()
    out = Writer()
    gap = False
    for line in "".join(page.parts).split("\n"):
        shown = line.strip(" \t")
        if shown.strip(_HEADING_MARK + "#- "):
            heads = shown.startswith(_HEADING_MARK)
            out.line(shown.lstrip(_HEADING_MARK), gap=gap, heads=heads)
            gap = False
        else:
            gap = True
    for link in page.links:
        out.link(link)
    return out.extract()


def html_text(data: bytes) -> str:
    """The shown text alone."""
    return read_html(data, pictures=False).text


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

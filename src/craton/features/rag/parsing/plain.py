"""Plain text, Markdown and CSV files to text: how the bytes are decoded, and where Markdown's headings are.

Owns decoding of what strangers call text. It runs in a thread, is linear in the size of the file, and needs nothing.
"""

from __future__ import annotations

import codecs
import re

from craton.features.rag.pieces import Parsed, Unreadable

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins like the next one, so it is looked for first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE = 4096
# Of the sample: more control characters than this part of it, and some, and it is no text.
_MOST_CONTROLS, _SOME_CONTROLS = 0.02, 2
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ufffe\uffff]")
_LINE_ENDS = re.compile(r"\r\n?|\x0b|\x0c|\x85|\u2028|\u2029")
# A fence opens or closes a listing, in which nothing is a heading.
_MARKDOWN = re.compile(r"^ {0,3}(?:(```|~~~)|#{1,6}[ \t])", re.MULTILINE)
# Headings that stand closer are one place to cut.
_LEAST_BETWEEN = 32


def read_plain(data: bytes, kind: str) -> Parsed:
    """Raises Unreadable: it is no text, or none that is not blank."""
    text = decoded(data)
    if not text or text.isspace():
        raise Unreadable("The document holds no text.")
    return Parsed(text, breaks=headings(text) if kind == "md" else ())


def decoded(data: bytes) -> str:
    """The text, with line feeds alone for line ends, and without control characters.

    By its byte order mark, else as UTF-8, else as UTF-16 if every other byte is zero, else as Windows-1252, which
    Latin-1 files are too.

    Raises:
        Unreadable: whatever this is, it is no text.
    """
    text = _decoded(data)
    sample = text[:_SAMPLE]
    if len(_CONTROLS.findall(sample)) > _MOST_CONTROLS * len(sample) + _SOME_CONTROLS:
        raise Unreadable("The document's content is not text.")
    if _CONTROLS.search(text):
        text = _CONTROLS.sub("", text)
    return _LINE_ENDS.sub("\n", text) if _LINE_ENDS.search(text) else text


def _decoded(data: bytes) -> str:
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    wide = _wide(data[:_SAMPLE])
    if wide:
        return data.decode(wide, "replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _wide(sample: bytes) -> str | None:
    """UTF-16 without its mark: in most scripts' texts every other byte is mostly zero."""
    half = len(sample) // 2
    for zeros, name in ((sample[1::2], "utf-16-le"), (sample[::2], "utf-16-be")):
        if half and zeros.count(0) > half * 0.4 and sample.count(0) < half * 1.1:
            return name
    return None


def headings(text: str) -> tuple[int, ...]:
    """Where Markdown's headings begin."""
    found: list[int] = []
    fence: str | None = None
    for match in _MARKDOWN.finditer(text):
        if match[1]:
            fence = None if fence == match[1] else fence or match[1]
        elif fence is None and (not found or match.start() - found[-1] >= _LEAST_BETWEEN):
            found.append(match.start())
    return tuple(found)

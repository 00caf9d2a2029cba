"""Word's format before 2007: the main text of a `.doc`, found through its piece table.

A document is a compound file; the stream `WordDocument` begins with the file information block (FIB), which says in
which table stream the piece table lies; each piece is a run of characters of one or two bytes. Source: [MS-DOC],
sections 2.4.1 (retrieving text), 2.5.1 (Fib), 2.9.38 (Clx), 2.9.73 (FcCompressed).
"""

from __future__ import annotations

import io
import re
from struct import unpack_from

from craton.infra.documents.port import UnreadableError

_FLAGS, _CCP_TEXT, _FC_CLX = 0x0A, 0x4C, 0x01A2
_ENCRYPTED, _SECOND_TABLE = 0x0100, 0x0200
_COMPRESSED = 0x4000_0000
_PRC, _PIECES = 1, 2
# A field begins, is an instruction, then what is shown in its place, and ends; fields stand within fields.
_BEGIN, _SHOWN, _END = "\x13", "\x14", "\x15"
_PARTS = re.compile(r"([\x13\x14\x15])")
_MARKS = str.maketrans({"\r": "\n", "\x0b": "\n", "\x0c": "\n", "\x07": "\t", "\xa0": " ", "\x1e": "-"})
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")


def word_text(data: bytes) -> str:
    """Raises UnreadableError, and whatever a damaged file leads to."""
    from olefile import OleFileIO  # type: ignore[import-untyped]

    with OleFileIO(io.BytesIO(data)) as file:
        word = file.openstream("WordDocument").read()
        (flags,) = unpack_from("<H", word, _FLAGS)
        if flags & _ENCRYPTED:
            raise UnreadableError("is encrypted")
        table = file.openstream("1Table" if flags & _SECOND_TABLE else "0Table").read()
    (characters,) = unpack_from("<I", word, _CCP_TEXT)
    start, size = unpack_from("<II", word, _FC_CLX)
    return readable("".join(pieces(word, table[start : start + size]))[:characters])


def pieces(word: bytes, clx: bytes) -> list[str]:
    """The document's characters, piece by piece."""
    at = 0
    while clx[at] == _PRC:
        at += 3 + unpack_from("<H", clx, at + 1)[0]
    if clx[at] != _PIECES:
        raise UnreadableError("is damaged or not of the format that was given")
    (size,) = unpack_from("<I", clx, at + 1)
    count = (size - 4) // 12  # a character position and eight bytes for each piece, and one position more
    positions = unpack_from(f"<{count + 1}I", clx, at + 5)
    found = at + 5 + 4 * (count + 1)
    return [
        _piece(word, unpack_from("<I", clx, found + 8 * number + 2)[0], positions[number + 1] - positions[number])
        for number in range(count)
    ]


def _piece(word: bytes, place: int, length: int) -> str:
    if place & _COMPRESSED:
        start = (place & ~_COMPRESSED) // 2
        return word[start : start + length].decode("cp1252", "replace")
    return word[place : place + 2 * length].decode("utf-16-le", "replace")


def readable(text: str) -> str:
    """Paragraphs as lines, cells parted by tabs, fields by what they show."""
    hidden: list[bool] = []
    kept: list[str] = []
    for part in _PARTS.split(text):
        if part == _BEGIN:
            hidden.append(True)
        elif part == _SHOWN and hidden:
            hidden[-1] = False
        elif part == _END and hidden:
            hidden.pop()
        elif not any(hidden):
            kept.append(part)
    return _CONTROLS.sub("", "".join(kept).translate(_MARKS)).strip()

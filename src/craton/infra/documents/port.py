"""What turns a file into text: the port, what it gives, its errors, and the formats that need more than decoding.

Owns the names only. Must not know: where a file came from, who asked, or what becomes of the text.
"""

from __future__ import annotations

from typing import Literal, Protocol, cast, get_args

import msgspec

FileFormat = Literal["pdf", "doc", "docx", "xls", "xlsx", "html", "pptx"]
FORMATS: tuple[FileFormat, ...] = cast("tuple[FileFormat, ...]", get_args(FileFormat))


class Picture(msgspec.Struct, frozen=True):
    """A page that is a picture and has no text of its own: what it shows belongs at `at` in the text, where the page with
    that number begins.
    """

    page: int
    at: int
    media_type: str
    data: bytes


class Extract(msgspec.Struct, frozen=True):
    """What a file holds. Offsets count characters of `text`.

    `pages`: number and start of each page (slide, sheet); `breaks`: where headings begin. `links` are an HTML page's,
    as they are written there. `pictures` are there only if they were asked for.
    """

    text: str
    pages: tuple[tuple[int, int], ...] = ()
    breaks: tuple[int, ...] = ()
    links: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()


class UnreadableError(Exception):
    """The file has no text that can be read. The message ends "The document … ", such as "is encrypted"."""


class UnsupportedError(Exception):
    """This installation cannot read the format."""


class Documents(Protocol):
    async def text(self, data: bytes, file_format: FileFormat) -> str:
        """The file's text. Raises UnreadableError or UnsupportedError."""
        ...


class Extractor(Protocol):
    async def extract(self, data: bytes, file_format: FileFormat, *, pictures: bool = False) -> Extract:
        """All that the file holds. Raises UnreadableError or UnsupportedError."""
        ...

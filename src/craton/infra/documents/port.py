"""What turns a file into text: the port, its errors, and the formats that need more than decoding.

Owns the names only. Must not know: where a file came from, who asked, or what becomes of the text.
"""

from __future__ import annotations

from typing import Literal, Protocol, cast, get_args

FileFormat = Literal["pdf", "doc", "docx", "xls", "xlsx", "html"]
FORMATS: tuple[FileFormat, ...] = cast("tuple[FileFormat, ...]", get_args(FileFormat))


class UnreadableError(Exception):
    """The file has no text that can be read. The message ends "The document … ", such as "is encrypted"."""


class UnsupportedError(Exception):
    """This installation cannot read the format."""


class Documents(Protocol):
    async def text(self, data: bytes, file_format: FileFormat) -> str:
        """The file's text. Raises UnreadableError or UnsupportedError."""
        ...

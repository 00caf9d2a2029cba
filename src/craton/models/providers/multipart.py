"""`multipart/form-data` (RFC 7578): fields and files to one body. Sans-IO; knows no vendor."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

import msgspec

_TYPES = {b"\x89P": "image/png", b"\xff\xd8": "image/jpeg", b"RI": "image/webp"}


class Part(msgspec.Struct, frozen=True):
    """A field, or a file if it has a name of one. Names come from our own tables: no caller's text is among them."""

    name: str
    data: bytes
    file: str = ""


def encode(parts: Iterable[Part]) -> tuple[bytes, bytes]:
    """The content type with its boundary, and the body."""
    boundary = f"craton-{secrets.token_hex(16)}"
    pieces: list[bytes] = []
    for part in parts:
        head = f'--{boundary}\r\ncontent-disposition: form-data; name="{part.name}"'
        if part.file:
            kind = _TYPES.get(part.data[:2], "application/octet-stream")
            head += f'; filename="{part.file}"\r\ncontent-type: {kind}'
        pieces += [head.encode("ascii"), b"\r\n\r\n", part.data, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode("ascii"))
    return f"multipart/form-data; boundary={boundary}".encode("ascii"), b"".join(pieces)

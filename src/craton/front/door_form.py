"""Bodies of the type `multipart/form-data` (RFC 7578): the fields of a form, and its files.

Sans-IO: bytes in, parts out. Knows nothing of what a form is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

_BOUNDARY = re.compile(rb'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="([^"]*)"')
_FILENAME = re.compile(rb'[;\s]filename="([^"]*)"')
_MOST_PARTS = 256


class BadForm(Exception):
    """The body is no such form; the message says why."""


class Field(msgspec.Struct, frozen=True):
    """One part. `filename` is None for what is no file."""

    name: str
    body: bytes
    filename: str | None = None
    media_type: str = ""


def read_form(content_type: bytes, body: bytes) -> list[Field]:
    """The parts in their order. Raises BadForm."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith(b"multipart/form-data") or found is None:
        raise BadForm("the body must be multipart/form-data with a boundary")
    return list(_parts(b"--" + (found[1] or found[2]), b"\r\n" + body))


def _parts(mark: bytes, body: bytes) -> Iterator[Field]:
    pieces = body.split(b"\r\n" + mark, _MOST_PARTS + 1)
    if len(pieces) < 2 or len(pieces) > _MOST_PARTS + 1:
        raise BadForm("the form has no parts, or too many")
    if not pieces[-1].startswith(b"--"):
        raise BadForm("the form ends before its last boundary")
    for piece in pieces[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        if not blank or name is None:
            raise BadForm("a part of the form has no name")
        file = _FILENAME.search(head)
        yield Field(
            name[1].decode("utf-8", "replace"),
            content,
            file[1].decode("utf-8", "replace") if file is not None else None,
            _media_type(head),
        )


def _media_type(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-type":
            return value.strip().decode("latin-1")
    return ""

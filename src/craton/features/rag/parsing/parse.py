"""One document to its text, whatever its type: `parse` is all that a sync calls.

Owns the way: limits on size, the type, then plain text in a thread of this process, everything else in a child process
(`Extractor`), and pictures through a callable. It must not know where a document lies or what is done with its text.
Everything that is wrong with a document is an Unreadable with a sentence; nothing else is raised for one.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from craton.features.rag.parsing.kinds import IMAGES, PLAIN, kind_of
from craton.features.rag.parsing.plain import read_plain
from craton.features.rag.pieces import Page, Parsed, Unreadable
from craton.infra.documents.port import Extract, Extractor, FileFormat, UnreadableError, UnsupportedError

MAX_BYTES = 50 * 1024 * 1024
"""Of one file. Source: the user guide's quotas for knowledge bases."""
# Read at once: handing it to a thread would take longer.
_SMALL_BYTES = 32 * 1024
_TOO_LARGE = "The document is larger than 50 MB."

ReadImage = Callable[[bytes, str], Awaitable[str]]
"""A picture (its bytes, its media type) to the text that describes it; a model's work."""


async def parse(
    reader: Extractor, data: Path | bytes, name: str, mime: str | None = None, *, images: ReadImage | None = None
) -> Parsed:
    """The document's text.

    Args:
        reader: the child processes that read what is not plain text.
        data: the document, or the file that holds it.
        name: its key or file name, whose ending says the type.
        mime: its media type, which says it where the name does not.
        images: reads pictures and scanned pages; without it a picture is Unreadable and a scanned page is left out.

    Raises:
        Unreadable: the document cannot be used, and why.
    """
    content = await _content(data)
    kind = kind_of(name, mime, content[:2048])
    if kind in PLAIN and len(content) <= _SMALL_BYTES:
        return read_plain(content, kind)
    if kind in PLAIN:
        return await asyncio.to_thread(read_plain, content, kind)
    if kind in IMAGES:
        if images is None:
            raise Unreadable("The document is a picture, which only a parsing model can read.")
        return _some(Parsed(await images(content, IMAGES[kind])))
    try:
        found = await reader.extract(content, _format(kind), pictures=images is not None)
    except UnreadableError as error:
        raise Unreadable(f"The document {error}.") from None
    except UnsupportedError:
        raise Unreadable(f"Documents of the type {kind} cannot be read by this installation.") from None
    return _some(_parsed(found) if images is None else await _with_pictures(found, images))


def _format(kind: str) -> FileFormat:
    return cast("FileFormat", kind)


async def _content(data: Path | bytes) -> bytes:
    if isinstance(data, bytes):
        content = data
    else:
        size = await asyncio.to_thread(lambda: data.stat().st_size)
        # A file that is too large is not read first.
        content = b"" if size > MAX_BYTES else await asyncio.to_thread(data.read_bytes)
        if size > MAX_BYTES:
            raise Unreadable(_TOO_LARGE)
    if not content:
        raise Unreadable("The document is empty.")
    if len(content) > MAX_BYTES:
        raise Unreadable(_TOO_LARGE)
    return content


def _parsed(found: Extract) -> Parsed:
    return Parsed(found.text, tuple(Page(number, start) for number, start in found.pages), found.breaks)


def _some(parsed: Parsed) -> Parsed:
    if not parsed.text.strip():
        raise Unreadable("The document holds no text.")
    return parsed


async def _with_pictures(found: Extract, images: ReadImage) -> Parsed:
    """What the pictures show, put in at their places; everything behind moves on."""
    parts: list[str] = []
    last = 0
    pages, places, moves = [0], [0], [0]  # of each picture: its page, its place, by how much what is behind it moves
    for picture in found.pictures:
        shown = (await images(picture.data, picture.media_type)).strip()
        if shown:
            shown = f"{shown}\n\n"
            parts += (found.text[last : picture.at], shown)
            last = picture.at
            pages.append(picture.page)
            places.append(picture.at)
            moves.append(moves[-1] + len(shown))
    return Parsed(
        "".join((*parts, found.text[last:])),
        # A page that is a picture begins before what it shows, the next one behind.
        tuple(Page(number, start + moves[bisect_left(pages, number) - 1]) for number, start in found.pages),
        tuple(offset + moves[bisect_right(places, offset) - 1] for offset in found.breaks),
    )

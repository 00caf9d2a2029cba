"""Reads XML documents of strangers into small trees. Pure.

This file owns what such a document may hold: no document type, so no entities of its own and nothing to expand or to
fetch; a bounded depth and number of elements. Namespaces are dropped, since clients write them or leave them out as
they please. It must not know what an element means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPTH = 32
MAX_ELEMENTS = 200_000


class MalformedXml(ValueError):
    """Bytes that are no document that may be read; the text never repeats them."""


class Node:
    """One element: its local name, its attributes by local name, its own text, its elements in order."""

    __slots__ = ("attributes", "children", "name", "parts")

    def __init__(self, name: str, attributes: Mapping[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[Node] = []
        self.parts: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self.parts)


class _Builder:
    """Takes the parser's events; refuses by raising, which ends the parser."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._left = MAX_ELEMENTS

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._left -= 1
        if self._left < 0 or len(self._open) >= MAX_DEPTH:
            raise MalformedXml("the document is too large")
        local = {key.rpartition("}")[2]: value for key, value in attributes.items()} if attributes else {}
        node = Node(name.rpartition("}")[2], local)
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node
        self._open.append(node)

    def end(self, name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        self._open[-1].parts.append(data)

    def doctype(self, *_: object) -> None:
        raise MalformedXml("the document has a document type")


def parse(document: bytes) -> Node:
    """The root of a document; raises MalformedXml."""
    parser = expat.ParserCreate(namespace_separator="}")
    builder = _Builder()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.doctype
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # LookupError: an encoding that nobody knows
        raise MalformedXml("the document is not well-formed") from error
    if builder.root is None:
        raise MalformedXml("the document is empty")
    return builder.root

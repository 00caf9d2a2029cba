"""The query protocol, inwards: a form (of a POST, or a GET's query) becomes an operation and its request.

This file owns the notation of nested members (``Tags.member.1.Key``, ``Map.entry.1.value``, flattened ``Tags.1.Key``),
what a form may hold, and how a refusal of the types is told in this protocol's words. What goes back is
``query_answer``'s. It knows no service and no operation by name. Pure.
Source: AWS's "AWS query protocol" of the Smithy documentation; botocore's serializer is the other end in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from craton.aws.wire import faults, validate
from craton.aws.wire.compile import Types, from_wire
from craton.aws.wire.faults import Fault
from craton.aws.wire.model import Operation, Service, Shape

MAX_FORM_BYTES = 1024 * 1024
MAX_PARAMETERS = 10_000
# No shape of a service that speaks this protocol is nested deeper; what is, is no request but an attack.
MAX_DEPTH = 32
FORM = b"application/x-www-form-urlencoded"

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_INDEX = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_PLACE = re.compile(r"(?<= at ')[\w.]+(?=' failed)")
_SIGNATURE = "X-Amz-"

Tree = dict[str, Any]


class Form(msgspec.Struct, frozen=True):
    """What was asked: the action, the version, and the other parameters as a tree of their dotted names."""

    action: str
    version: str
    tree: Tree


class Decoder:
    """Decodes the requests of one service. Types are compiled when first asked for, and kept."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._shapes = service.shapes
        self._types = Types(service)

    def operation(self, form: Form) -> Operation:
        """The operation that the form names; raises Fault InvalidAction."""
        found = self._service.operations.get(form.action)
        if found is None or form.version != self._service.api_version:
            version = form.version or "NO_VERSION_SPECIFIED"
            raise Fault("InvalidAction", f"Could not find operation {form.action} for version {version}")
        return found

    def request(self, operation: Operation, form: Form) -> Any:
        """The request of an operation, validated against its model; raises Fault ValidationError."""
        shape = operation.input_shape()
        value = {} if shape is None else self.structure(shape, form.tree)
        try:
            return msgspec.convert(value, self._types.request(operation), dec_hook=from_wire)
        except (ValueError, TypeError):
            found = None if shape is None else validate.explain(self._service, shape, value)
            message = found.message if found is not None else "The request can not be parsed."
            raise Fault("ValidationError", _PLACE.sub(_camel, message)) from None

    def _value(self, shape: Shape, node: object) -> Any:
        return _READERS.get(shape.type, _text)(self, shape, node)

    def structure(self, shape: Shape, node: object) -> Any:
        if not isinstance(node, dict):
            return node or {}
        members = shape.members.values()
        return {
            member.wire: self._value(self._shapes[member.shape], node[member.wire])
            for member in members
            if member.wire in node
        }

    def elements(self, shape: Shape, node: object) -> Any:
        element = self._shapes[shape.element or ""]
        return [self._value(element, item) for item in self._items(shape, node, shape.names[0] or "member")]

    def entries(self, shape: Shape, node: object) -> Any:
        key, value = shape.names[0] or "key", shape.names[1] or "value"
        found = {}
        for item in self._items(shape, node, "entry"):
            name = item.get(key) if isinstance(item, dict) else None
            if not isinstance(name, str) or name in found:
                raise Fault("MalformedInput", "A map entry has no key, or one that another entry has.")
            found[name] = self._value(self._shapes[shape.value or ""], item.get(value, ""))
        return found

    def _items(self, shape: Shape, node: object, name: str) -> list[Any]:
        """What stands under 1, 2, 3 …; an empty text is how an empty list is written."""
        if isinstance(node, dict) and not shape.flattened:
            node = node.get(name, "")
        if node == "":
            return []
        if not isinstance(node, dict) or not all(_INDEX.fullmatch(index) for index in node):
            raise Fault("MalformedInput", "A list must be numbered from 1.")
        return [node[index] for index in sorted(node, key=int)]


def read_form(method: str, query: bytes, content_type: bytes, body: bytes, *, most: int = MAX_PARAMETERS) -> Form:
    """The parameters of a request, those of the query and of the body together, less the signature's own.

    `most`: how many there may be.

    Raises Fault: MalformedQueryString for what is no form, a parameter that comes twice or an unreasonable number.
    """
    if len(body) > MAX_FORM_BYTES:
        raise faults.too_large()
    is_form = content_type.partition(b";")[0].strip().lower() in (FORM, b"")
    if method == "POST" and body and not is_form:
        raise Fault("MalformedQueryString", "The request body must be a form.")
    tree: Tree = {}
    for name, value in _pairs(most, query, body if method == "POST" else b""):
        _place(tree, name, value)
    action, version = tree.pop("Action", ""), tree.pop("Version", "")
    if not isinstance(action, str) or not isinstance(version, str) or not action:
        raise Fault("MissingAction", "The request is missing an action.")
    return Form(action[:128], version[:64], tree)


def _pairs(most: int, *forms: bytes) -> Iterator[tuple[str, str]]:
    left = most
    for form in forms:
        for part in form.split(b"&") if form else ():
            left -= 1
            if left < 0:
                raise Fault("MalformedQueryString", f"A request has at most {most} parameters.")
            name, _, value = part.partition(b"=")
            if name and not name.startswith(_SIGNATURE.encode()):
                yield _decoded(name), _decoded(value)


def _place(tree: Tree, name: str, value: str) -> None:
    """Hang a value into the tree; a name that comes twice could be judged by one value and served by the other."""
    *way, last = name.split(".", MAX_DEPTH)
    node = tree
    for step in way:
        node = node.setdefault(step, {})
        if not isinstance(node, dict):
            raise _twice(name)
    if last in node:
        raise _twice(name)
    node[last] = value


def _twice(name: str) -> Fault:
    return Fault("MalformedQueryString", f"The parameter {name[:200]} is given more than once.")


def _decoded(raw: bytes) -> str:
    if b"%" in raw or b"+" in raw:
        if _BAD_ESCAPE.search(raw):
            raise Fault("MalformedQueryString", "The form holds an invalid percent-encoded sequence.")
        raw = unquote_to_bytes(raw.replace(b"+", b" "))
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Fault("MalformedQueryString", "The form is not valid UTF-8.") from None


def _camel(match: re.Match[str]) -> str:
    """Places are named in this protocol's messages with a small first letter: ``userName``, ``tags.1.member.key``."""
    return ".".join(part[:1].lower() + part[1:] for part in match[0].split("."))


# What a text cannot be read as stays a text: the types refuse it, and `validate` finds the words.


def _text(_: Decoder, shape: Shape, node: object) -> object:
    return node


def _number(_: Decoder, shape: Shape, node: object) -> object:
    return int(node) if isinstance(node, str) and _INTEGER.fullmatch(node) else node


def _real(_: Decoder, shape: Shape, node: object) -> object:
    try:
        return float(node) if isinstance(node, str) else node
    except ValueError:
        return node


def _boolean(_: Decoder, shape: Shape, node: object) -> object:
    return {"true": True, "false": False}.get(node, node) if isinstance(node, str) else node


def _time(_: Decoder, shape: Shape, node: object) -> object:
    try:
        found = datetime.fromisoformat(node) if isinstance(node, str) else node
    except ValueError:
        return node
    return found.replace(tzinfo=UTC) if isinstance(found, datetime) and found.tzinfo is None else found


_READERS: dict[str, Callable[[Decoder, Shape, object], Any]] = {
    "structure": Decoder.structure,
    "list": Decoder.elements,
    "map": Decoder.entries,
    "boolean": _boolean,
    "integer": _number,
    "long": _number,
    "float": _real,
    "double": _real,
    "timestamp": _time,
}

"""The rest-xml protocol, inwards: labels, query, headers and an XML body become one request.

This file owns how members are found in XML (flattened lists, attributes, wire names), how the members outside the body
are validated, and S3's words for what fails: MalformedXML for bodies, InvalidArgument and its like for the rest. How
answers are written is `restxml_answer`'s. It knows no operation by name. Pure; a body that streams is only handed on.
Source: AWS's restXml protocol of the Smithy documentation; botocore's serializer is the other end in the tests.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.wire import bind as binding
from craton.aws.wire import s3_faults, xml
from craton.aws.wire.compile import Types, attribute, from_wire, parse_http_date
from craton.aws.wire.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from craton.aws.wire.model import Member, Operation, Service, Shape
    from craton.aws.wire.payload import Incoming
    from craton.aws.wire.xml import Node

# What S3 says to a choice that it does not have; all others are InvalidArgument.
_NO_SUCH_CHOICE: Final[Mapping[str, tuple[str, str]]] = {
    "x-amz-storage-class": ("InvalidStorageClass", "The storage class you specified is not valid"),
    "x-amz-sdk-checksum-algorithm": ("InvalidRequest", "Checksum algorithm provided is unsupported."),
    "x-amz-checksum-algorithm": ("InvalidRequest", "Checksum algorithm provided is unsupported."),
    "encoding-type": ("InvalidArgument", "Invalid Encoding Method specified in Request"),
    "x-amz-server-side-encryption": ("InvalidArgument", "The encryption method specified is not supported"),
}


class RestXml:
    """Decodes the requests of one service. Bindings are made when first asked for, and kept."""

    def __init__(self, service: Service) -> None:
        self._types = Types(service)
        self._bindings: dict[str, XmlBinding] = {}

    def bind(self, operation: Operation) -> XmlBinding:
        found = self._bindings.get(operation.name)
        if found is None:
            found = self._bindings[operation.name] = XmlBinding(operation, self._types)
        return found


class XmlBinding:
    """How the request of one operation becomes one Struct.

    Attributes:
        streams: the body is the payload as it comes, and is handed on unread.
        takes_body: there is a member in the body at all.
    """

    def __init__(self, operation: Operation, types: Types) -> None:
        self.operation = operation
        self._shapes = operation.model.shapes
        self._type = types.request(operation)
        self._slots = binding.slots(operation)
        shape = operation.input_shape()
        members = shape.members.values() if shape is not None else ()
        self._checks = {
            slot.member.name: (slot.member, partial(_checked, types.request_member(slot.member)))
            for slot in (*self._slots.labels, *self._slots.queries, *self._slots.headers)
        }
        self._prefixed = tuple(member for member in members if member.location == "headers")
        self._required = tuple(name for name, (member, _) in self._checks.items() if member.required)
        self._payload = payload = operation.payload_input
        self._kind = "" if payload is None else self._shapes[payload.shape].type
        self.streams = self._kind == "blob"
        in_body = [member for member in members if member.location == "body"]
        self.takes_body = bool(in_body)
        self._body_type = types.request_shape(payload.shape) if self._kind == "structure" and payload else None
        self._inline = bool(in_body) and payload is None

    def decode(
        self, labels: Mapping[str, str], query: bytes, headers: Mapping[bytes, bytes], body: bytes | Incoming
    ) -> Any:
        """The request, validated.

        Args:
            labels: `Bucket` and `Key`, decoded.
            query: the raw query string.
            headers: by lower-case name.
            body: the whole body, or where it `streams` what hands it over.

        Raises:
            Fault: MalformedXML, InvalidArgument and the like.
        """
        given = self._outside(labels, query, headers)
        if self._payload is not None:
            given[attribute(self._payload.name)] = self._read_payload(self._payload, body)
        elif self._inline and isinstance(body, bytes):
            given.update(self._read_inline(body))
        return self._type(**given)

    def _outside(self, labels: Mapping[str, str], query: bytes, headers: Mapping[bytes, bytes]) -> dict[str, Any]:
        """The members of the path, the query and the headers."""
        try:
            found = self._slots.values(labels, query, _without_bad_dates(headers))
        except Fault as fault:
            raise self._unreadable(query) or s3_faults.fault("InvalidArgument", fault.message) from None
        given: dict[str, Any] = {}
        for name, value in found.items():
            member, check = self._checks[name]
            try:
                given[attribute(name)] = check(value)
            except (ValueError, TypeError):
                raise _refused(member, value) from None
        for name in self._required:
            if name not in found:
                raise _missing(self._checks[name][0])
        for member in self._prefixed:
            given[attribute(member.name)] = _prefixed(member.wire.lower(), headers)
        return given

    def _unreadable(self, query: bytes) -> Fault | None:
        """What is wrong with a query in which something could not be read, if it is a number."""
        given = binding.parse_query(query)
        for slot in self._slots.queries:
            if self._shapes[slot.member.shape].type == "integer" and slot.key in given:
                text = given[slot.key][0]
                try:
                    slot.read(text)
                except ValueError:
                    return _no_number(slot.key, text[:256])
        return None

    def _read_payload(self, member: Member, body: bytes | Incoming) -> Any:
        if self._kind == "blob" or not isinstance(body, bytes):
            return body
        if self._kind == "string":
            try:
                return body.decode()
            except UnicodeDecodeError:
                raise s3_faults.fault("MalformedPolicy", "The body is not valid UTF-8.") from None
        if not body:
            if member.required:
                raise s3_faults.fault("MissingRequestBodyError", "Request Body is empty")
            return None
        root = _root(body, member.wire)
        return _converted(self.structure(self._shapes[member.shape], root), self._body_type)

    def _read_inline(self, body: bytes) -> dict[str, Any]:
        """An input without payload member: the root stands for the input itself."""
        shape = self.operation.input_shape()
        assert shape is not None  # noqa: S101 - it has members
        value = self.structure(shape, _root(body, self.operation.input_root or shape.name))
        made = _converted(value, self._type)
        return {name: found for name, found in msgspec.structs.asdict(made).items() if found is not None}

    # --- XML into values by wire names, as the compiled types take them ---

    def _value(self, shape: Shape, node: Node) -> Any:
        return _READERS[shape.type](self, shape, node)

    def structure(self, shape: Shape, node: Node) -> dict[str, Any]:
        by_name: dict[str, list[Node]] = {}
        for child in node.children:
            by_name.setdefault(child.name, []).append(child)
        found: dict[str, Any] = {}
        for member in shape.members.values():
            if member.location != "body":
                continue
            if member.xml_attribute:
                value = node.attributes.get(member.wire.rpartition(":")[2])
                if value is not None:
                    found[member.wire] = value
                continue
            target = self._shapes[member.shape]
            flat = target.type == "list" and (target.flattened or member.flattened)
            nodes = by_name.get(_flat_name(member, target) if flat else member.wire)
            if nodes is None:
                continue
            if flat:
                element = self._shapes[target.element or ""]
                found[member.wire] = [self._value(element, one) for one in nodes]
            elif len(nodes) > 1:
                raise s3_faults.malformed_xml()
            else:
                found[member.wire] = self._value(target, nodes[0])
        return found

    def elements(self, shape: Shape, node: Node) -> list[Any]:
        name, element = shape.names[0] or "member", self._shapes[shape.element or ""]
        return [self._value(element, child) for child in node.children if child.name == name]

    def entries(self, shape: Shape, node: Node) -> dict[str, Any]:
        key, value = shape.names[0] or "key", shape.names[1] or "value"
        found: dict[str, Any] = {}
        for entry in node.children:
            parts = {child.name: child for child in entry.children}
            if key not in parts or value not in parts:
                raise s3_faults.malformed_xml()
            found[parts[key].text] = self._value(self._shapes[shape.value or ""], parts[value])
        return found


def _flat_name(member: Member, target: Shape) -> str:
    """The name of each element of a flattened list: the element's own where the member has none of its own."""
    return target.names[0] if target.names[0] and member.wire == member.name else member.wire


def _root(body: bytes, name: str) -> Node:
    try:
        root = xml.parse(body)
    except xml.MalformedXml:
        raise s3_faults.malformed_xml() from None
    if root.name != name:
        raise s3_faults.malformed_xml()
    return root


def _converted(value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind, dec_hook=from_wire)
    except (ValueError, TypeError):
        raise s3_faults.malformed_xml() from None


def _checked(kind: Any, value: object) -> Any:
    return msgspec.convert(value, kind, dec_hook=from_wire)


def _prefixed(prefix: str, headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The headers of one prefix, such as the metadata of an object, without it."""
    start = prefix.encode()
    return {
        name[len(start) :].decode("latin-1"): _text(value) for name, value in headers.items() if name.startswith(start)
    }


def _text(raw: bytes) -> str:
    try:
        return raw.strip().decode()
    except UnicodeDecodeError:
        return raw.strip().decode("latin-1")


def _without_bad_dates(headers: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
    for name in (b"if-modified-since", b"if-unmodified-since"):
        if name in headers:
            try:
                parse_http_date(headers[name].decode("latin-1"))
            except (ValueError, TypeError, OverflowError):
                headers = {key: value for key, value in headers.items() if key != name}
    return headers


def _refused(member: Member, value: object) -> Fault:
    shown = (",".join(map(str, value)) if isinstance(value, list) else str(value))[:256]
    if isinstance(value, int) and member.location == "querystring":
        return _no_number(member.wire, shown)
    code, message = _NO_SUCH_CHOICE.get(member.wire.lower(), ("InvalidArgument", "Invalid Argument"))
    if code == "InvalidArgument":
        return s3_faults.invalid_argument(message, member.wire, shown)
    return s3_faults.fault(code, message)


def _no_number(name: str, value: str) -> Fault:
    return s3_faults.invalid_argument(f"Provided {name} not an integer or within integer range", name, value)


def _missing(member: Member) -> Fault:
    if member.location == "header":
        return s3_faults.fault("InvalidRequest", f"Missing required header for this request: {member.wire}")
    return s3_faults.fault("InvalidArgument", f"This operation does not accept a request without {member.wire}.")


# What a text cannot be read as is MalformedXML, like everything that the types refuse.


def _string(_: XmlBinding, shape: Shape, node: Node) -> Any:
    if node.children:
        raise s3_faults.malformed_xml()
    return node.text.strip() if shape.enum else node.text


def _boolean(_: XmlBinding, shape: Shape, node: Node) -> Any:
    return {"true": True, "false": False}.get(node.text.strip().lower(), node.text)


def _number(kind: Callable[[str], Any], _: XmlBinding, shape: Shape, node: Node) -> Any:
    text = node.text.strip()
    if len(text) > 32 or not text.isascii() or "_" in text:
        raise s3_faults.malformed_xml()
    try:
        return kind(text)
    except ValueError:
        raise s3_faults.malformed_xml() from None


def _time(_: XmlBinding, shape: Shape, node: Node) -> datetime:
    text = node.text.strip()
    try:
        if shape.timestamp_format == "rfc822":
            return parse_http_date(text)
        found = datetime.fromisoformat(text)
    except (ValueError, TypeError, OverflowError):
        raise s3_faults.malformed_xml() from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _blob(_: XmlBinding, shape: Shape, node: Node) -> bytes:
    try:
        return base64.b64decode(node.text.strip(), validate=True)
    except ValueError:
        raise s3_faults.malformed_xml() from None


_READERS: Final[Mapping[str, Callable[[XmlBinding, Shape, Node], Any]]] = {
    "structure": XmlBinding.structure,
    "list": XmlBinding.elements,
    "map": XmlBinding.entries,
    "string": _string,
    "boolean": _boolean,
    "integer": partial(_number, int),
    "long": partial(_number, int),
    "float": partial(_number, float),
    "double": partial(_number, float),
    "timestamp": _time,
    "blob": _blob,
}

"""The rest-json protocol: requests into values, values and faults into responses.

This file owns the JSON body, the meeting of body and bound members, and the form of answers. It knows no operation by
name and no service. How a request is taken apart is in ``request``. Nothing here touches a socket, a clock or a log.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire import bind as binding
from craton.aws.wire import faults
from craton.aws.wire.compile import Types, default_time, from_wire, to_wire
from craton.aws.wire.request import Binding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from craton.aws.wire.bind import Headers
    from craton.aws.wire.faults import Fault
    from craton.aws.wire.model import Operation, Service

__all__ = ["Binding", "Encoded", "RestJson", "encode_error", "exception_event"]

JSON = (b"content-type", b"application/json")
EVENT_STREAM = (b"content-type", b"application/vnd.amazon.eventstream")

_encode = msgspec.json.Encoder(enc_hook=to_wire).encode


class Encoded(msgspec.Struct, frozen=True):
    """A response as bytes: what any HTTP server can send."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class RestJson:
    """The protocol over any number of services. Types and bindings are made on first use and kept."""

    def __init__(self) -> None:
        # Keyed by the objects themselves, which compare by identity and are kept alive here.
        self._types: dict[Service, Types] = {}
        self._bindings: dict[tuple[Operation, type | None], Binding] = {}
        self._responses: dict[Operation, _Response] = {}

    def types(self, service: Service) -> Types:
        """Return the compiled types of ``service``."""
        found = self._types.get(service)
        if found is None:
            found = self._types[service] = Types(service)
        return found

    def bind(self, operation: Operation, body_type: type[msgspec.Struct] | None = None) -> Binding:
        """Return the binding of an operation, to be kept by whoever calls it often.

        Args:
            operation: the operation.
            body_type: a hand-written Struct that takes the place of the compiled request type. Its encoded names
                (``rename="camel"``) must cover every member that travels outside the body; those need defaults.
        """
        key = (operation, body_type)
        found = self._bindings.get(key)
        if found is None:
            found = self._bindings[key] = Binding(operation, self.types(operation.model), body_type)
        return found

    def decode_request(
        self, operation: Operation, labels: Mapping[str, str], query: bytes, headers: Headers, body: bytes
    ) -> Any:
        """Decode and validate a request; raises Fault (ValidationException or SerializationException)."""
        return self.bind(operation).decode(labels, query, headers, body)

    def encode_response(self, operation: Operation, value: object = None) -> Encoded:
        """Encode an operation's output.

        Args:
            operation: the operation.
            value: a dict keyed by AWS member names (checked against the model's wire types), or a Struct whose encoded
                names are those (trusted), or None for an empty output. For an operation with an event stream the
                answer is the head alone: status, headers, no body.

        Raises:
            Fault: InternalServerException where a dict does not fit the model, which is the handler's mistake; its
                ``__cause__`` says where.
        """
        found = self._responses.get(operation)
        if found is None:
            found = self._responses[operation] = _Response(operation, self.types(operation.model))
        return found.encode(value)

    def encode_event(self, operation: Operation, event: str, value: object) -> bytes:
        """Encode the payload of one event of an operation's stream: a Struct directly, a dict through its type."""
        if isinstance(value, dict):
            shape = operation.events()[event].shape
            value = _checked(value, self.types(operation.model).response_shape(shape))
        return _encode(value)


class _Response:
    """How one operation's output becomes bytes."""

    def __init__(self, operation: Operation, types: Types) -> None:
        shape = operation.output_shape()
        members = list(shape.members.values()) if shape else []
        shapes = operation.model.shapes
        self._status = operation.status_code
        self._headers = tuple(
            (member, shapes[member.shape].timestamp_format or default_time("header"))
            for member in members
            if member.location == "header"
        )
        self._status_member = next((m.name for m in members if m.location == "statusCode"), None)
        self._stream = operation.event_stream_output is not None
        payload = None if self._stream else operation.payload_output
        self._payload = payload
        self._raw = payload is not None and shapes[payload.shape].type in {"blob", "string"}
        self._type = types.response_shape(payload.shape) if payload and not self._raw else types.response(operation)
        self._plain = not (self._headers or self._status_member or self._stream or payload)

    def encode(self, value: object) -> Encoded:
        if self._plain:
            if isinstance(value, dict):
                value = _checked(value, self._type)
            body = b"" if self._status == 204 else _encode({} if value is None else value)
            return Encoded(self._status, [JSON], body)
        given: dict[str, Any] = value if isinstance(value, dict) else _members(value)
        headers = [
            (member.wire.lower().encode(), binding.header_text(given[member.name], form))
            for member, form in self._headers
            if given.get(member.name) is not None
        ]
        # A media type of the payload itself (InvokeModel's contentType member) takes the place of the protocol's.
        if all(name != b"content-type" for name, _ in headers):
            headers.insert(0, EVENT_STREAM if self._stream else JSON)
        status = self._status
        if self._status_member and given.get(self._status_member) is not None:
            status = int(given[self._status_member])
        return Encoded(status, headers, self._content(value, given))

    def _content(self, value: object, given: Mapping[str, Any]) -> bytes:
        if self._stream:
            return b""
        if self._payload is None:
            return _encode(_checked(value, self._type) if isinstance(value, dict) else value)
        content = given.get(self._payload.name)
        if content is None:
            return b""
        if self._raw:
            return content.encode() if isinstance(content, str) else bytes(content)
        return _encode(_checked(content, self._type) if isinstance(content, dict) else content)


def encode_error(operation: Operation | None, fault: Fault, request_id: str) -> Encoded:
    """Encode a fault.

    Args:
        operation: the operation it belongs to, None where routing or authentication failed first.
        fault: its status is the operation's, where the model lists it; fields that the model lacks are left out.
        request_id: goes into ``x-amzn-RequestId``.
    """
    fields = dict(fault.fields)
    if operation is not None and fault.name in operation.error_shapes:
        known = operation.model.shapes[operation.error_shapes[fault.name]].members
        fields = {name: value for name, value in fields.items() if name in known}
    headers = [
        JSON,
        (b"x-amzn-requestid", request_id.encode()),
        (b"x-amzn-errortype", fault.name.encode()),
    ]
    if fault.retry_after_s is not None:
        headers.append((b"retry-after", str(max(0, math.ceil(fault.retry_after_s))).encode()))
    status = fault.http_status(operation.errors if operation else None)
    return Encoded(status, headers, _encode({fault.message_key: fault.message, **fields}))


def exception_event(operation: Operation, fault: Fault) -> tuple[str, bytes] | None:
    """Return the event name and payload of a fault in mid-stream, or None where the stream's model lacks it.

    The name is the stream's own member (``throttlingException``), which is how SDKs find the error's shape.
    """
    for name, member in operation.events().items():
        if member.shape == operation.error_shapes.get(fault.name, fault.name):
            known = operation.model.shapes[member.shape].members
            fields = {key: value for key, value in fault.fields.items() if key in known}
            return name, _encode({"message": fault.message, **fields})
    return None


def _members(value: object) -> dict[str, Any]:
    """View a Struct as a dict by its encoded names, one level deep."""
    if not isinstance(value, msgspec.Struct):
        return {}
    pairs = zip(value.__struct_encode_fields__, msgspec.structs.astuple(value), strict=True)
    return dict(pairs)


def _checked(value: dict[str, Any], kind: Any) -> Any:
    """Bring a handler's dict into the wire types of the model."""
    try:
        return msgspec.convert(value, kind, dec_hook=from_wire)
    except (ValueError, TypeError) as error:
        raise faults.internal() from error

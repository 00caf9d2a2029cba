"""The query protocol, outwards: values and faults as XML.

This file owns the document's form (``<XResponse><XResult>…``, ``<ErrorResponse>``), the text forms of values in it, and
the names that the errors of the layers before a service have in this protocol. It writes XML and reads none. Pure.
Source: AWS's "AWS query protocol" of the Smithy documentation, and reference answers of IAM and STS for the error names.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from craton.aws.wire import faults
from craton.aws.wire.faults import Fault
from craton.aws.wire.model import Operation, Service, Shape
from craton.aws.wire.restjson import Encoded

XML = (b"content-type", b"text/xml")

# Names and statuses that errors from before the service have here; others keep their own.
NAMES: Final[dict[str, tuple[str, int]]] = {
    "AccessDeniedException": ("AccessDenied", 403),
    "ExpiredTokenException": ("ExpiredToken", 403),
    "IncompleteSignatureException": ("IncompleteSignature", 400),
    "InternalServerException": ("InternalFailure", 500),
    "InvalidSignatureException": ("SignatureDoesNotMatch", 403),
    "MissingAuthenticationTokenException": ("MissingAuthenticationToken", 403),
    "RequestEntityTooLargeException": ("RequestEntityTooLarge", 413),
    "RequestTimeoutException": ("RequestTimeout", 408),
    "SerializationException": ("MalformedInput", 400),
    "ServiceUnavailableException": ("ServiceUnavailable", 503),
    "ThrottlingException": ("Throttling", 400),
    "UnknownOperationException": ("InvalidAction", 400),
    "UnrecognizedClientException": ("InvalidClientTokenId", 403),
    "ValidationException": ("ValidationError", 400),
}
# Characters that XML 1.0 cannot carry, not even escaped: they may come back in a message that repeats a request.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"})


class Encoder:
    """Encodes the answers of one service."""

    def __init__(self, service: Service) -> None:
        self._shapes = service.shapes
        self._namespace = service.xml_namespace

    def response(self, operation: Operation, value: dict[str, Any] | None, request_id: str) -> Encoded:
        """An operation's output, keyed by AWS's member names; None members are left out.

        Raises Fault InternalServerException for a value that does not fit the model: the handler's mistake.
        """
        parts = [f'<{operation.name}Response xmlns="{self._namespace}">']
        shape = operation.output_shape()
        if shape is not None:
            parts.append(f"<{operation.name}Result>")
            self.structure(parts, shape, value or {})
            parts.append(f"</{operation.name}Result>")
        elif value:
            raise _misfit(operation.name, value)
        parts.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>")
        parts.append(f"</{operation.name}Response>")
        return Encoded(operation.status_code, [XML, *_head(request_id)], "".join(parts).encode())

    def error(self, operation: Operation | None, fault: Fault, request_id: str) -> Encoded:
        """A fault under its name in this protocol; what the operation's model lists keeps its own."""
        modelled = operation.errors if operation is not None else {}
        name, status = (fault.name, 0) if fault.name in modelled else NAMES.get(fault.name, (fault.name, 0))
        status = status or fault.http_status(modelled)
        body = (
            f'<ErrorResponse xmlns="{self._namespace}"><Error><Type>{"Sender" if status < 500 else "Receiver"}</Type>'
            f"<Code>{text(name)}</Code><Message>{text(fault.message)}</Message></Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return Encoded(status, [XML, *_head(request_id)], body.encode())

    def _write(self, parts: list[str], name: str, shape: Shape, value: Any) -> None:
        if shape.flattened and shape.type == "list":
            for item in value:
                self._write(parts, shape.names[0] or name, self._shapes[shape.element or ""], item)
        elif shape.flattened and shape.type == "map":
            self._map(parts, name, shape, value)
        else:
            parts.append(f"<{name}>")
            writer = _NESTED.get(shape.type)
            if writer is None:
                parts.append(_scalar(shape, value))
            else:
                writer(self, parts, shape, value)
            parts.append(f"</{name}>")

    def structure(self, parts: list[str], shape: Shape, value: Any) -> None:
        if not isinstance(value, dict) or not value.keys() <= shape.members.keys():
            raise _misfit(shape.name, value)
        for name, member in shape.members.items():
            given = value.get(name)
            if given is not None:
                self._write(parts, member.wire, self._shapes[member.shape], given)

    def elements(self, parts: list[str], shape: Shape, value: Any) -> None:
        element = self._shapes[shape.element or ""]
        for item in value:
            self._write(parts, shape.names[0] or "member", element, item)

    def entries(self, parts: list[str], shape: Shape, value: Any) -> None:
        self._map(parts, "entry", shape, value)

    def _map(self, parts: list[str], name: str, shape: Shape, value: Any) -> None:
        key, inner = self._shapes[shape.key or ""], self._shapes[shape.value or ""]
        for given, item in value.items():
            parts.append(f"<{name}>")
            self._write(parts, shape.names[0] or "key", key, given)
            self._write(parts, shape.names[1] or "value", inner, item)
            parts.append(f"</{name}>")


_NESTED: dict[str, Callable[[Encoder, list[str], Shape, Any], None]] = {
    "structure": Encoder.structure,
    "list": Encoder.elements,
    "map": Encoder.entries,
}


def text(value: str) -> str:
    """A text as it may stand in an element."""
    return _ILLEGAL.sub("\ufffd", value).translate(_ESCAPES)


def _scalar(shape: Shape, value: Any) -> str:
    if shape.type == "boolean" and isinstance(value, bool):
        return "true" if value else "false"
    if shape.type in ("integer", "long") and isinstance(value, int):
        return str(value)
    if shape.type in ("float", "double") and isinstance(value, int | float):
        return repr(value)
    if shape.type == "timestamp" and isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if shape.type == "blob" and isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, str):
        return text(value)
    raise _misfit(shape.name, value)


def _misfit(name: str, value: object) -> Fault:
    fault = faults.internal()
    fault.__cause__ = TypeError(f"{type(value).__name__} does not fit {name}")
    return fault


def _head(request_id: str) -> list[tuple[bytes, bytes]]:
    return [(b"x-amzn-requestid", request_id.encode())]

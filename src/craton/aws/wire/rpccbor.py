"""Smithy's RPC v2 CBOR: the operation in the path, everything else in one CBOR body both ways.

Owns the path, the header that marks the protocol, and what of CBOR a request may hold: the types of Smithy's data model
and the one tag that is a time. It knows no service. Pure. Source: Smithy's "RPC v2 CBOR protocol"; botocore is the other
end in the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire import faults, validate
from craton.aws.wire.compile import from_wire
from craton.aws.wire.querycompat import CompatibleJson, named
from craton.aws.wire.restjson import Encoded

if TYPE_CHECKING:
    from craton.aws.wire.faults import Fault
    from craton.aws.wire.model import Operation, Shape

PROTOCOL = b"smithy-protocol"
NAME = b"rpc-v2-cbor"
PATH = "/service/"
NOT_CBOR = "The request body is not valid CBOR of the protocol rpc-v2-cbor."
_EPOCH = 1
_DEEPEST = 32
# What the library would make objects of: no shape of a service has them, and some cost more than their bytes.
_FOREIGN = (0, 2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 100, 256, 258, 260, 261, 1004, 43000, 55799)


class RpcCbor(CompatibleJson):
    """The protocol for one service."""

    def route(self, target: bytes | None) -> Operation:
        """The operation that a path names: `/service/X/operation/Name`. Raises UnknownOperationException."""
        parts = (target or b"").decode("latin-1").removeprefix(PATH).split("/")
        if len(parts) != 3 or parts[1] != "operation" or parts[0] != self.service.target_prefix:
            raise faults.unknown_operation()
        operation = self.service.operations.get(parts[2])
        if operation is None:
            raise faults.unknown_operation()
        return operation

    def decode(self, operation: Operation, body: bytes) -> Any:
        value = read(body) if body else {}
        try:
            return msgspec.convert(value, self._types.request(operation), dec_hook=from_wire)
        except (ValueError, TypeError):
            shape = operation.input_shape()
            found = None if shape is None else validate.explain(self.service, shape, value)
            raise found or faults.serialization(NOT_CBOR) from None

    def encode(self, operation: Operation, value: object, request_id: str) -> Encoded:
        shape, body = operation.output_shape(), b""
        if shape is not None:
            try:
                body = write(plain(self.service.shapes, shape, value or {}))
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise faults.internal() from error
        return Encoded(200, self._headers(request_id), body)

    def encode_error(self, operation: Operation | None, fault: Fault, request_id: str) -> Encoded:
        name = named(operation, fault)
        body = write({"__type": name.shape, "message": fault.message})
        return Encoded(name.status, [*self._headers(request_id), name.header], body)

    def _headers(self, request_id: str) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-type", b"application/cbor"),
            (PROTOCOL, NAME),
            (b"x-amzn-requestid", request_id.encode()),
        ]


def read(body: bytes) -> Any:
    """A body as dicts, lists, texts, numbers, bytes and datetimes. Raises SerializationException."""
    from cbor2 import CBORError, loads

    def refuse(*_: object) -> Any:
        raise ValueError

    refused = dict.fromkeys(_FOREIGN, refuse)
    try:
        return loads(
            body, tag_hook=refuse, semantic_decoders=refused, max_depth=_DEEPEST,
            allow_duplicate_keys=False, strict_hashable_types=True,
        )  # fmt: skip
    except (CBORError, ValueError, TypeError, OverflowError, OSError):
        raise faults.serialization(NOT_CBOR) from None


def write(value: Any) -> bytes:
    from cbor2 import dumps

    return dumps(value)


def plain(shapes: Mapping[str, Shape], shape: Shape, value: Any) -> Any:
    """A value as the encoder takes it: doubles as such, times as their tag. Raises KeyError, TypeError, ValueError."""
    if shape.type == "structure":
        unknown = value.keys() - shape.members.keys()
        if unknown:
            raise KeyError(*unknown)
        members = ((member, value.get(name)) for name, member in shape.members.items())
        return {member.wire: plain(shapes, shapes[member.shape], one) for member, one in members if one is not None}
    if shape.type == "map":
        inner = shapes[shape.value or ""]
        return {key: plain(shapes, inner, one) for key, one in value.items()}
    if shape.type == "list":
        inner = shapes[shape.element or ""]
        convert = _SIMPLE.get(inner.type)
        return [plain(shapes, inner, one) for one in value] if convert is None else list(map(convert, value))
    return _SIMPLE[shape.type](value)


def _time(value: datetime) -> Any:
    from cbor2 import CBORTag

    seconds = value.timestamp()
    return CBORTag(_EPOCH, int(seconds) if seconds.is_integer() else seconds)


def _same(value: Any) -> Any:
    return value


_SIMPLE: dict[str, Callable[[Any], Any]] = {
    "timestamp": _time,
    "double": float,
    "float": float,
    "integer": int,
    "long": int,
    "boolean": bool,
    "string": str,
    "blob": _same,
}

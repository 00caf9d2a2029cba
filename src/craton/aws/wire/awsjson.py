"""The AWS JSON protocols 1.0 and 1.1: one path, the operation in a header, everything else in one JSON body.

Owns the routing by X-Amz-Target and the form of answers and errors. How a body becomes a Struct is `request`'s, as for
rest-json. It knows no service: which of them speak this protocol, and under which target prefix, is in their models.
Nothing here touches a socket, a clock or a log. Source: Smithy's "AWS JSON 1.1 protocol"; botocore is the oracle.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire import faults
from craton.aws.wire.compile import Types, from_wire, to_wire
from craton.aws.wire.request import Binding
from craton.aws.wire.restjson import Encoded

if TYPE_CHECKING:
    from craton.aws.wire.faults import Fault
    from craton.aws.wire.model import Operation, Service

TARGET = b"x-amz-target"
_OWN_INVALID = "InvalidParameterException"
NO_TARGET = "The request must name its operation in the header X-Amz-Target."
_encode = msgspec.json.Encoder(enc_hook=to_wire).encode
# A place in a validation message: `Tags.1.member.TagKey`. Services of this protocol show members with a small letter.
_PLACE = re.compile(r" at '([A-Za-z0-9_.]+)' failed to satisfy constraint: ")
_MEMBER = re.compile(r"(?:^|(?<=\.))[A-Z]")


class AwsJson:
    """The protocol for one service. Types are compiled when an operation is first asked for, and kept."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._types = Types(service)
        self._bindings: dict[str, Binding] = {}
        self._prefix = f"{service.target_prefix}."
        self._content_type = f"application/x-amz-json-{service.json_version or '1.1'}".encode()

    def route(self, target: bytes | None) -> Operation:
        """The operation that a request names. Raises UnknownOperationException."""
        name = (target or b"").decode("latin-1")
        if not name:
            raise faults.unknown_operation(NO_TARGET)
        operation = self.service.operations.get(name.removeprefix(self._prefix)) if self._fits(name) else None
        if operation is None:
            raise faults.unknown_operation()
        return operation

    def _fits(self, name: str) -> bool:
        return name.startswith(self._prefix)

    def decode(self, operation: Operation, body: bytes) -> Any:
        """The request as a Struct. Raises ValidationException, naming every constraint broken, or SerializationException."""
        binding = self._bindings.get(operation.name)
        if binding is None:
            binding = self._bindings[operation.name] = Binding(operation, self._types, None)
        try:
            return binding.decode({}, b"", {}, body)
        except faults.Fault as fault:
            raise faults.Fault(_invalid(operation, fault.name), shown(fault.message)) from None

    def encode(self, operation: Operation, value: object, request_id: str) -> Encoded:
        """An answer. `value` is a dict by AWS's member names, checked against the model; none where there is no output.

        Raises InternalServerException where the dict does not fit, which is the handler's mistake.
        """
        body = b""
        if operation.output is not None:
            try:
                kind = self._types.response(operation)
                body = _encode(msgspec.convert({} if value is None else value, kind, dec_hook=from_wire))
            except (ValueError, TypeError) as error:
                raise faults.internal() from error
        return Encoded(200, self._headers(request_id), body)

    def encode_error(self, operation: Operation | None, fault: Fault, request_id: str) -> Encoded:
        """A fault as this protocol has it: `__type` names it, and what the caller did wrong has status 400."""
        name, status = fault.name, 400 if fault.http_status() < 500 else fault.http_status()
        if status >= 500 and name not in (operation.errors if operation else ()):
            name = self._internal(operation) or name
        fields = {key: value for key, value in fault.fields.items() if key not in ("__type", fault.message_key)}
        body = {"__type": name, fault.message_key: fault.message, **fields}
        return Encoded(status, [*self._headers(request_id), (b"x-amzn-errortype", name.encode())], _encode(body))

    def _internal(self, operation: Operation | None) -> str:
        """What the service itself calls an error of its own, such as KMSInternalException."""
        modelled = operation.errors if operation is not None else self.service.shapes
        return next((name for name in modelled if name.endswith("InternalException")), "")

    def _headers(self, request_id: str) -> list[tuple[bytes, bytes]]:
        return [(b"content-type", self._content_type), (b"x-amzn-requestid", request_id.encode())]


def _invalid(operation: Operation, name: str) -> str:
    """What the operation calls a request that breaks its model: CloudWatch Logs has a name of its own."""
    return _OWN_INVALID if name == "ValidationException" and _OWN_INVALID in operation.errors else name


def shown(message: str) -> str:
    """A validation message with its places as these services write them: `keyId`, not `KeyId`."""
    return _PLACE.sub(lambda found: found[0].replace(found[1], _MEMBER.sub(_small, found[1]), 1), message)


def _small(found: re.Match[str]) -> str:
    return found[0].lower()

"""Errors of a service that spoke the query protocol first: its old names, told beside the model's own.

Owns the header `x-amzn-query-error`, by which clients of the newer protocols get the names that programs have always
caught, and what an error is called in either. It must not know bodies. Source: Smithy's "awsQueryCompatible trait".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire.awsjson import AwsJson
from craton.aws.wire.query_answer import NAMES
from craton.aws.wire.restjson import Encoded

if TYPE_CHECKING:
    from craton.aws.wire.faults import Fault
    from craton.aws.wire.model import Operation

QUERY_ERROR = b"x-amzn-query-error"


class Named(msgspec.Struct, frozen=True):
    """An error under both names: `code` is the query protocol's, `shape` the model's."""

    code: str
    shape: str
    status: int

    @property
    def header(self) -> tuple[bytes, bytes]:
        return QUERY_ERROR, f"{self.code};{'Sender' if self.status < 500 else 'Receiver'}".encode()


def named(operation: Operation | None, fault: Fault) -> Named:
    """What the operation's model calls the fault, or else the layers before a service."""
    modelled = operation.errors if operation is not None else {}
    shapes = operation.error_shapes if operation is not None else {}
    code = fault.name if fault.name in modelled else NAMES.get(fault.name, (fault.name, 0))[0]
    status = 400 if fault.http_status(modelled) < 500 else fault.http_status(modelled)
    return Named(code, shapes.get(code, code), status)


class CompatibleJson(AwsJson):
    """The AWS JSON protocol of such a service."""

    def encode_error(self, operation: Operation | None, fault: Fault, request_id: str) -> Encoded:
        name = named(operation, fault)
        body: dict[str, Any] = {"__type": name.shape, "message": fault.message}
        return Encoded(name.status, [*self._headers(request_id), name.header], msgspec.json.encode(body))

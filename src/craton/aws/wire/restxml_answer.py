"""The rest-xml protocol, outwards: values and faults as headers and XML.

This file owns the form of answers: the root elements that S3 gives them (its models do not say), flattened lists,
attributes, times, and the `<Error>` document. A body that streams is handed on. It reads no XML. Pure.
Source: AWS's restXml protocol of the Smithy documentation, and the response syntax of the S3 API reference.
"""

from __future__ import annotations

import base64
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.aws.wire import faults, s3_faults
from craton.aws.wire.bind import header_text
from craton.aws.wire.compile import default_time
from craton.aws.wire.payload import Reply
from craton.aws.wire.query_answer import text
from craton.aws.wire.restjson import Encoded

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Mapping

    from craton.aws.wire.faults import Fault
    from craton.aws.wire.model import Member, Operation, Service, Shape

XML: Final = (b"content-type", b"application/xml")
_JSON: Final = (b"content-type", b"application/json")
_BINARY: Final = (b"content-type", b"binary/octet-stream")
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

# The root of an answer that is no payload member; others are named by their shape without its ending.
ROOTS: Final[Mapping[str, str]] = {
    "CompleteMultipartUpload": "CompleteMultipartUploadResult",
    "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CreateSession": "CreateSessionResult",
    "DeleteObjects": "DeleteResult",
    "GetBucketAccelerateConfiguration": "AccelerateConfiguration",
    "GetBucketAcl": "AccessControlPolicy",
    "GetBucketCors": "CORSConfiguration",
    "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLocation": "LocationConstraint",
    "GetBucketLogging": "BucketLoggingStatus",
    "GetBucketNotificationConfiguration": "NotificationConfiguration",
    "GetBucketRequestPayment": "RequestPaymentConfiguration",
    "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration",
    "GetBucketWebsite": "WebsiteConfiguration",
    "GetObjectAcl": "AccessControlPolicy",
    "GetObjectAttributes": "GetObjectAttributesResponse",
    "GetObjectTagging": "Tagging",
    "ListBucketAnalyticsConfigurations": "ListBucketAnalyticsConfigurationResult",
    "ListBucketIntelligentTieringConfigurations": "ListBucketIntelligentTieringConfigurationsOutput",
    "ListBucketInventoryConfigurations": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurations": "ListMetricsConfigurationsResult",
    "ListBuckets": "ListAllMyBucketsResult",
    "ListDirectoryBuckets": "ListAllMyDirectoryBucketsResult",
    "ListMultipartUploads": "ListMultipartUploadsResult",
    "ListObjectVersions": "ListVersionsResult",
    "ListObjects": "ListBucketResult",
    "ListObjectsV2": "ListBucketResult",
    "ListParts": "ListPartsResult",
}


class Answer(msgspec.Struct, frozen=True):
    """An answer's head, and its body: whole, or coming piece by piece."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes | AsyncIterable[bytes]


class Encoder:
    """Encodes the answers of one service."""

    def __init__(self, service: Service) -> None:
        self._shapes = service.shapes
        self._namespace = service.xml_namespace or "http://s3.amazonaws.com/doc/2006-03-01/"

    def response(self, operation: Operation, value: object) -> Answer:
        """An operation's output.

        Args:
            operation: the operation.
            value: a dict keyed by AWS's member names, or a `Reply` of one with its status, or None. None members are
                left out; a payload of bytes may be an async iterable of them.

        Raises:
            Fault: InternalServerException for what does not fit the model, which is the handler's mistake; its
                ``__cause__`` says where.
        """
        status = operation.status_code
        if isinstance(value, Reply):
            status, value = value.status, value.members
        given: dict[str, Any] = value if isinstance(value, dict) else {}
        shape = operation.output_shape()
        members = shape.members if shape is not None else {}
        if not given.keys() <= members.keys():
            raise _misfit(operation.name, sorted(given.keys() - members.keys()))
        headers = self._headers(members, given)
        kind, body = self._body(operation, members, given)
        if kind is not None and all(name != b"content-type" for name, _ in headers):
            headers.append(kind)
        return Answer(status, headers, body)

    def error(self, fault: Fault, request_id: str, host_id: str) -> Encoded:
        """A fault as S3 words it; what other layers call it is translated."""
        name = s3_faults.NAMES.get(fault.name, fault.name)
        status = fault.status or s3_faults.STATUS.get(name) or fault.http_status()
        parts = [_DECLARATION, "<Error>", f"<Code>{text(name)}</Code><Message>{text(fault.message)}</Message>"]
        for key, value in fault.fields.items():
            parts.append(f"<{key}>{text(str(value))}</{key}>")
        parts.append(f"<RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>")
        headers = [XML]
        if fault.retry_after_s is not None:
            headers.append((b"retry-after", str(max(0, math.ceil(fault.retry_after_s))).encode()))
        return Encoded(status, headers, "".join(parts).encode())

    def _headers(self, members: Mapping[str, Member], given: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
        headers = []
        for name, value in given.items():
            member = members[name]
            if value is None:
                continue
            if member.location == "header":
                target = self._shapes[member.shape]
                form = member.timestamp_format or target.timestamp_format or default_time("header")
                headers.append((member.wire.lower().encode(), header_text(value, form)))
            elif member.location == "headers":
                prefix = member.wire.lower().encode()
                headers += [(prefix + key.encode(), header_text(item)) for key, item in value.items()]
        return headers

    def _body(
        self, operation: Operation, members: Mapping[str, Member], given: Mapping[str, Any]
    ) -> tuple[tuple[bytes, bytes] | None, bytes | AsyncIterable[bytes]]:
        payload = operation.payload_output
        if payload is not None:
            value, target = given.get(payload.name), self._shapes[payload.shape]
            if value is None:
                return None, b""
            if target.type == "blob":
                return _BINARY, value
            if target.type == "string":
                return _JSON, value.encode()
            return XML, self._document(payload.wire, target, value)
        shape = operation.output_shape()
        if shape is None or all(member.location != "body" for member in members.values()):
            return None, b""
        root = ROOTS.get(operation.name, shape.name.removesuffix("Output"))
        if operation.name == "GetBucketLocation":  # the one answer whose root itself holds the value
            place = text(given.get("LocationConstraint") or "")
            return XML, f'{_DECLARATION}<{root} xmlns="{self._namespace}">{place}</{root}>'.encode()
        return XML, self._document(root, shape, given)

    def _document(self, root: str, shape: Shape, value: object) -> bytes:
        writer = _Writer(self._shapes)
        writer.parts.append(f'{_DECLARATION}<{root} xmlns="{self._namespace}">')
        writer.members(shape, value)
        writer.parts.append(f"</{root}>")
        return "".join(writer.parts).encode()


class _Writer:
    """One document in the making."""

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self.parts: list[str] = []
        self._shapes = shapes

    def members(self, shape: Shape, value: object) -> None:
        given = _members(shape, value)
        for name, member in shape.members.items():
            found = given.get(name)
            if found is None or member.location != "body" or member.xml_attribute:
                continue
            self._write(member.wire, self._shapes[member.shape], found, flat=member.flattened, named=name)

    def _write(self, name: str, shape: Shape, value: Any, *, flat: bool = False, named: str = "") -> None:
        if shape.type == "list" and (flat or shape.flattened):
            own = shape.names[0] if shape.names[0] and named == name else name
            for item in value:
                self._write(own, self._shapes[shape.element or ""], item)
            return
        if shape.type == "structure":
            self.parts.append(f"<{name}{self._attributes(shape, value)}>")
            self.members(shape, value)
        else:
            self.parts.append(f"<{name}>")
            if shape.type == "list":
                for item in value:
                    self._write(shape.names[0] or "member", self._shapes[shape.element or ""], item)
            else:
                self.parts.append(_scalar(shape, value))
        self.parts.append(f"</{name}>")

    def _attributes(self, shape: Shape, value: object) -> str:
        found = ""
        if shape.xml_namespace:
            found += f' xmlns:xsi="{shape.xml_namespace}"'
        for name, member in shape.members.items():
            if member.xml_attribute:
                given = _members(shape, value).get(name)
                if given is not None:
                    found += f' {member.wire}="{text(given)}"'
        return found


def plain(value: object) -> Any:
    """A decoded Struct as the dicts and lists that answers are made of, by member names, absent ones left out."""
    if isinstance(value, msgspec.Struct):
        found = msgspec.structs.asdict(value)
        return {name.rstrip("_"): plain(one) for name, one in found.items() if one is not None}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value


def _members(shape: Shape, value: object) -> dict[str, Any]:
    found = plain(value) if isinstance(value, msgspec.Struct) else value
    if not isinstance(found, dict) or not found.keys() <= shape.members.keys():
        raise _misfit(shape.name, value)
    return found


def _boolean(value: Any) -> str:
    return "true" if value else "false"


def _time(value: Any) -> str:
    if isinstance(value, str):  # as it was kept
        return text(value)
    moment: datetime = value.astimezone(UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


_SCALARS: Final[Mapping[str, tuple[type | tuple[type, ...], Callable[[Any], str]]]] = {
    "string": (str, text),
    "boolean": (bool, _boolean),
    "integer": (int, str),
    "long": (int, str),
    "float": ((int, float), repr),
    "double": ((int, float), repr),
    "timestamp": ((datetime, str), _time),
    "blob": (bytes, lambda value: base64.b64encode(value).decode()),
}


def _scalar(shape: Shape, value: Any) -> str:
    kinds, write = _SCALARS[shape.type]
    if not isinstance(value, kinds):
        raise _misfit(shape.name, value)
    return write(value)


def _misfit(name: str, value: object) -> Fault:
    fault = faults.internal()
    shown = value if isinstance(value, list) else type(value).__name__
    fault.__cause__ = TypeError(f"{shown} does not fit {name}")
    return fault

"""Reads AWS service models from botocore's data folder into small frozen records.

This file owns the model format (JSON model 2.0) and nothing of any protocol: what a member's ``location`` means on
the wire is for ``restjson``, what a constraint means for ``compile`` and ``validate``. botocore itself is never
imported: its import costs more than everything here, and only its data is needed.
"""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

Location = Literal["body", "uri", "querystring", "header", "headers", "statusCode"]


class _RawMember(msgspec.Struct, rename="camel", kw_only=True):
    shape: str
    location: str = "body"
    location_name: str | None = None
    timestamp_format: str | None = None
    idempotency_token: bool = False
    eventheader: bool = False
    eventpayload: bool = False
    streaming: bool = False
    flattened: bool = False
    xml_attribute: bool = False


class _RawShape(msgspec.Struct, rename="camel", kw_only=True):
    type: str
    members: dict[str, _RawMember] = {}
    required: tuple[str, ...] = ()
    member: _RawMember | None = None
    key: _RawMember | None = None
    value: _RawMember | None = None
    min: float | int | None = None
    max: float | int | None = None
    pattern: str | None = None
    enum: tuple[str, ...] = ()
    payload: str | None = None
    timestamp_format: str | None = None
    flattened: bool = False
    union: bool = False
    document: bool = False
    eventstream: bool = False
    event: bool = False
    exception: bool = False
    sensitive: bool = False
    streaming: bool = False
    error: _RawError | None = None
    xml_namespace: _RawNamespace | str | None = None


class _RawNamespace(msgspec.Struct):
    uri: str = ""


class _RawError(msgspec.Struct, rename="camel"):
    code: str | None = None
    http_status_code: int | None = None


class _RawHttp(msgspec.Struct, rename="camel"):
    method: str = "POST"
    request_uri: str = "/"
    response_code: int = 200


class _RawReference(msgspec.Struct, rename="camel"):
    shape: str
    location_name: str | None = None


class _RawOperation(msgspec.Struct):
    name: str
    http: _RawHttp
    input: _RawReference | None = None
    output: _RawReference | None = None
    errors: tuple[_RawReference, ...] = ()
    deprecated: bool = False


class _RawMetadata(msgspec.Struct, rename="camel"):
    api_version: str
    protocol: str
    endpoint_prefix: str
    signing_name: str | None = None
    xml_namespace: str | None = None
    target_prefix: str | None = None
    json_version: str | None = None


class _RawService(msgspec.Struct):
    metadata: _RawMetadata
    operations: dict[str, _RawOperation]
    shapes: dict[str, _RawShape]


class Member(msgspec.Struct, frozen=True):
    """One member of a structure.

    ``shape`` is the target's name; ``wire`` the name in the body, path, query or header; ``timestamp_format`` the
    member's own format, which wins over its shape's.
    """

    name: str
    shape: str
    wire: str
    location: str
    required: bool
    timestamp_format: str | None
    idempotency_token: bool
    event_header: bool
    event_payload: bool
    flattened: bool = False
    xml_attribute: bool = False


class Shape(msgspec.Struct, frozen=True):
    """One shape: structure, list, map or a simple type. ``element``, ``key`` and ``value`` name further shapes.

    ``names`` are the wire names of a list's element, or of a map's key and value, where the model gives its own.
    """

    name: str
    type: str
    members: dict[str, Member]
    element: str | None
    key: str | None
    value: str | None
    min: float | int | None
    max: float | int | None
    pattern: str | None
    enum: tuple[str, ...]
    payload: str | None
    timestamp_format: str | None
    union: bool
    document: bool
    event_stream: bool
    exception: bool
    sensitive: bool
    error_code: str | None
    error_status: int | None
    flattened: bool = False
    names: tuple[str, str] = ("", "")
    streaming: bool = False
    xml_namespace: str = ""


class Service(msgspec.Struct, frozen=True, eq=False):
    """A service's model. ``name`` is botocore's folder name, e.g. ``bedrock-runtime``."""

    name: str
    protocol: str
    signing_name: str
    api_version: str
    operations: dict[str, Operation]
    shapes: dict[str, Shape]
    xml_namespace: str = ""
    target_prefix: str = ""
    json_version: str = ""

    def shape(self, name: str) -> Shape:
        """Return the shape called ``name``; raises KeyError for a name that the model lacks."""
        return self.shapes[name]


class Operation(msgspec.Struct, frozen=True, eq=False):
    """One operation. ``errors`` maps error names to HTTP statuses, ``error_shapes`` the same names to shapes.

    ``event_stream_input`` and ``event_stream_output`` are the members whose bodies are event streams;
    ``payload_input`` and ``payload_output`` the members that are the whole HTTP body (streams included).
    ``input_root`` is the name that the model gives to an XML body without a payload member.
    """

    service: str
    name: str
    method: str
    uri: str
    status_code: int
    input: str | None
    output: str | None
    errors: Mapping[str, int]
    error_shapes: Mapping[str, str]
    payload_input: Member | None
    payload_output: Member | None
    event_stream_input: Member | None
    event_stream_output: Member | None
    model: Service
    deprecated: bool = False
    input_root: str = ""

    def __repr__(self) -> str:
        return f"Operation({self.service}.{self.name})"

    def input_shape(self) -> Shape | None:
        """Return the input structure, if the operation takes one."""
        return self.model.shapes[self.input] if self.input else None

    def output_shape(self) -> Shape | None:
        """Return the output structure, if the operation gives one."""
        return self.model.shapes[self.output] if self.output else None

    def events(self) -> dict[str, Member]:
        """Return the output stream's events and exceptions by their event-type names; empty where there is none."""
        if self.event_stream_output is None:
            return {}
        return self.model.shapes[self.event_stream_output.shape].members


def data_root() -> Path:
    """Return the folder that holds one folder per service; raises LookupError without botocore installed."""
    spec = importlib.util.find_spec("botocore")
    if spec is None or spec.origin is None:
        raise LookupError("botocore is not installed: its service models are needed")
    return Path(spec.origin).parent / "data"


def load(service: str, root: Path | None = None) -> Service:
    """Read the newest model of ``service``, e.g. ``bedrock``.

    About 8 ms for the largest of the Bedrock services, and documentation strings are dropped while parsing. Callers
    keep the result: nothing is cached here. Raises LookupError for a service that botocore does not have.
    """
    folder = (root or data_root()) / service
    versions = sorted(path for path in folder.glob("*") if path.is_dir()) if folder.is_dir() else []
    for version in reversed(versions):
        packed, plain = version / "service-2.json.gz", version / "service-2.json"
        if packed.exists():
            return parse(service, gzip.decompress(packed.read_bytes()))
        if plain.exists():
            return parse(service, plain.read_bytes())
    raise LookupError(f"botocore has no model of the service {service!r}")


def parse(service: str, raw: bytes) -> Service:
    """Turn the JSON text of a model into a ``Service``."""
    document = msgspec.json.decode(raw, type=_RawService)
    meta = document.metadata
    shapes = {name: _shape(name, shape) for name, shape in document.shapes.items()}
    result = Service(
        name=service,
        protocol=meta.protocol,
        signing_name=meta.signing_name or meta.endpoint_prefix,
        api_version=meta.api_version,
        operations={},
        shapes=shapes,
        xml_namespace=meta.xml_namespace or "",
        target_prefix=meta.target_prefix or "",
        json_version=meta.json_version or "",
    )
    result.operations.update((name, _operation(result, op)) for name, op in document.operations.items())
    return result


def _shape(name: str, raw: _RawShape) -> Shape:
    return Shape(
        name=name,
        type=raw.type,
        members={key: _member(key, value, required=key in raw.required) for key, value in raw.members.items()},
        element=raw.member.shape if raw.member else None,
        key=raw.key.shape if raw.key else None,
        value=raw.value.shape if raw.value else None,
        min=raw.min,
        max=raw.max,
        pattern=raw.pattern,
        enum=raw.enum,
        payload=raw.payload,
        timestamp_format=raw.timestamp_format,
        union=raw.union,
        document=raw.document,
        event_stream=raw.eventstream,
        exception=raw.exception,
        sensitive=raw.sensitive,
        error_code=raw.error.code if raw.error else None,
        error_status=raw.error.http_status_code if raw.error else None,
        flattened=raw.flattened,
        names=_names(raw),
        streaming=raw.streaming,
        xml_namespace=raw.xml_namespace.uri if isinstance(raw.xml_namespace, _RawNamespace) else "",
    )


def _names(raw: _RawShape) -> tuple[str, str]:
    """The wire names that a list or map gives to what is in it; empty where the protocol's own hold."""
    if raw.member is not None:
        return raw.member.location_name or "", ""
    key, value = (ref.location_name if ref is not None else None for ref in (raw.key, raw.value))
    return key or "", value or ""


def _member(name: str, raw: _RawMember, *, required: bool) -> Member:
    return Member(
        name=name,
        shape=raw.shape,
        wire=raw.location_name or name,
        location=raw.location,
        required=required,
        timestamp_format=raw.timestamp_format,
        idempotency_token=raw.idempotency_token,
        event_header=raw.eventheader,
        event_payload=raw.eventpayload,
        flattened=raw.flattened,
        xml_attribute=raw.xml_attribute,
    )


def _operation(service: Service, raw: _RawOperation) -> Operation:
    input_name = raw.input.shape if raw.input else None
    output_name = raw.output.shape if raw.output else None
    payload_in, payload_out = _payload(service, input_name), _payload(service, output_name)
    error_shapes = {(service.shapes[ref.shape].error_code or ref.shape): ref.shape for ref in raw.errors}
    return Operation(
        service=service.name,
        name=raw.name,
        method=raw.http.method,
        uri=raw.http.request_uri,
        status_code=raw.http.response_code,
        input=input_name,
        output=output_name,
        errors={name: service.shapes[shape].error_status or 400 for name, shape in error_shapes.items()},
        error_shapes=error_shapes,
        payload_input=payload_in,
        payload_output=payload_out,
        event_stream_input=_stream(service, payload_in, input_name),
        event_stream_output=_stream(service, payload_out, output_name),
        model=service,
        deprecated=raw.deprecated,
        input_root=(raw.input.location_name if raw.input else None) or "",
    )


def _payload(service: Service, shape_name: str | None) -> Member | None:
    if shape_name is None:
        return None
    shape = service.shapes[shape_name]
    return shape.members[shape.payload] if shape.payload else None


def _stream(service: Service, payload: Member | None, shape_name: str | None) -> Member | None:
    """Return the event-stream member: the payload, or a plain member as in models that omit the payload trait."""
    if payload is not None:
        return payload if service.shapes[payload.shape].event_stream else None
    if shape_name is None:
        return None
    members = service.shapes[shape_name].members.values()
    return next((member for member in members if service.shapes[member.shape].event_stream), None)

"""The door of CloudWatch's metrics, which is spoken to in three protocols on one endpoint.

Owns how bodies may be compressed and which of them a request is in: RPC v2 CBOR says so in a header and has a path of its own, AWS JSON names its
operation in a header, everything else is a form. It knows no operation's meaning.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from craton.aws.wire.awsjson import TARGET
from craton.aws.wire.faults import serialization, too_large
from craton.aws.wire.model import Operation, Service
from craton.aws.wire.query import Form, read_form
from craton.aws.wire.querycompat import CompatibleJson
from craton.aws.wire.rpccbor import PATH, PROTOCOL, RpcCbor
from craton.context import App, Handler
from craton.front import body as http
from craton.front.json_request import JsonDoor
from craton.front.query_request import QueryDoor

# A thousand metrics in the wordiest of the protocols; AWS takes a megabyte, of what may be compressed.
MOST_BYTES = 8 * 1024 * 1024
MOST_PARAMETERS = 100_000
_GZIP = b"gzip"
NOT_GZIP = "The request body is not what its Content-Encoding says."


def unzipped(headers: dict[bytes, bytes], body: bytes) -> bytes:
    """A body without its compression, which SDKs give to larger ones. Raises SerializationException, too_large."""
    if headers.get(b"content-encoding", b"").strip().lower() != _GZIP:
        return body
    reader = zlib.decompressobj(wbits=31)
    try:
        plain = reader.decompress(body, MOST_BYTES)
    except zlib.error:
        raise serialization(NOT_GZIP) from None
    if reader.unconsumed_tail:
        raise too_large()
    if not reader.eof:
        raise serialization(NOT_GZIP)
    return plain


class FormDoor(QueryDoor):
    """The operations by forms."""

    def read(self, scope: dict[str, Any], headers: dict[bytes, bytes], body: bytes) -> Form:
        kind, plain = headers.get(b"content-type", b""), unzipped(headers, body)
        return read_form(scope["method"], scope["query_string"], kind, plain, most=MOST_PARAMETERS)


class TargetDoor(JsonDoor):
    """The operations by AWS JSON."""

    def opened(self, headers: dict[bytes, bytes], body: bytes) -> bytes:
        return unzipped(headers, body)


class CborDoor(TargetDoor):
    """The operations by RPC v2 CBOR."""

    def operation(self, scope: dict[str, Any]) -> Operation:
        return self.protocol.route(scope["raw_path"])


class CloudWatchDoor:
    """Serves the service in all of its protocols. `handlers` are by operation name."""

    def __init__(
        self, app: App, service: Service, handlers: Mapping[str, Handler], report: Callable[[BaseException], None]
    ) -> None:
        self.form = FormDoor(app, service, handlers, report)
        self.json = TargetDoor(app, service, handlers, report, most_bytes=MOST_BYTES)
        self.json.protocol = CompatibleJson(service)
        self.cbor = CborDoor(app, service, handlers, report, most_bytes=MOST_BYTES)
        self.cbor.protocol = RpcCbor(service)
        self.verifiers = [self.form.verifier, self.json.verifier, self.cbor.verifier]

    def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> Coroutine[Any, Any, None]:
        headers = scope["headers"]
        if PROTOCOL in headers or scope["path"].startswith(PATH):
            return self.cbor(scope, receive, send)
        return (self.json if TARGET in headers else self.form)(scope, receive, send)

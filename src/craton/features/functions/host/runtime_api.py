"""The Runtime API of one environment: what its runtime asks and says, over HTTP on a port of its own network.

Owns paths, statuses, headers and what of a streamed answer means its end. The environment is an `Instance`. It must not know
which runtime speaks. Source: AWS Lambda developer guide, "Using the Lambda runtime API for custom runtimes".
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from typing import Final
from urllib.parse import unquote_to_bytes

import msgspec

from craton.features.functions.host.http import Exchange
from craton.features.functions.host.instance import MOST_ANSWER_BYTES, TOO_LARGE, Instance, Stream
from craton.features.functions.line import UNHANDLED

_ROOT: Final = b"/2018-06-01/runtime/"
_NEXT: Final = _ROOT + b"invocation/next"
_INIT_ERROR: Final = _ROOT + b"init/error"
_INVOCATION: Final = _ROOT + b"invocation/"
_KIND: Final = b"lambda-runtime-function-error-type"
_ERROR_BODY: Final = b"lambda-runtime-function-error-body"
_MODE: Final = b"lambda-runtime-function-response-mode"
_MOST_ERROR_BYTES: Final = 256 * 1024
ACCEPTED: Final = b'{"status":"OK"}\n'
_NO_SUCH_INVOCATION: Final = b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}'
_NO_SUCH_PATH: Final = b'{"errorMessage":"Not found","errorType":"NotFound"}'


class RuntimeApi:
    """Serves one environment."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._streams: dict[Exchange, Stream] = {}

    def opened(self, exchange: Exchange) -> None:
        """The head of a request is there."""
        if exchange.headers.get(_MODE, b"").lower() == b"streaming" and exchange.path.endswith(b"/response"):
            said = exchange.headers.get(b"content-type", b"").decode("latin-1")
            stream = self._instance.stream(_ident(exchange), said, exchange.hold)
            if stream is not None:
                self._streams[exchange] = stream
                exchange.on_piece = stream.feed
                exchange.on_gone = lambda: self._broken(exchange)

    def serve(self, exchange: Exchange) -> None:
        """A request is whole."""
        if exchange.method == b"GET" and exchange.path == _NEXT:
            exchange.on_gone = lambda: self._instance.left(exchange)
            self._instance.next(exchange)
        elif exchange.method == b"POST" and exchange.path == _INIT_ERROR:
            self._instance.init_error(bytes(exchange.body[:_MOST_ERROR_BYTES]))
            exchange.answer(202, ACCEPTED)
        elif exchange.method == b"POST" and exchange.path.startswith(_INVOCATION):
            self._said(exchange)
        else:
            exchange.answer(404, _NO_SUCH_PATH)

    def _said(self, exchange: Exchange) -> None:
        ident, _, what = exchange.path.removeprefix(_INVOCATION).partition(b"/")
        request_id = ident.decode("latin-1")
        stream = self._streams.pop(exchange, None)
        if stream is not None or (exchange.headers.get(_MODE) and exchange.headers.get(_KIND)):
            self._streamed(exchange, request_id)
        elif what == b"response":
            self._response(exchange, request_id)
        elif what == b"error":
            kind = exchange.headers.get(_KIND, b"").decode("latin-1") or UNHANDLED
            known = self._instance.answered(request_id, bytes(exchange.body), error=kind)
            exchange.answer(*((202, ACCEPTED) if known else (400, _NO_SUCH_INVOCATION)))
        else:
            exchange.answer(404, _NO_SUCH_PATH)

    def _response(self, exchange: Exchange, request_id: str) -> None:
        if len(exchange.body) > MOST_ANSWER_BYTES:
            payload = _error(TOO_LARGE, "Function.ResponseSizeTooLarge")
            self._instance.answered(request_id, payload, error="Function.ResponseSizeTooLarge")
            exchange.answer(413, payload)
            return
        content_type = exchange.headers.get(b"content-type", b"").decode("latin-1")
        # The runtime hears first: it asks for the next while this one is still reported.
        if self._instance.answered(request_id, bytes(exchange.body), content_type):
            exchange.answer(202, ACCEPTED)
        else:
            exchange.answer(400, _NO_SUCH_INVOCATION)

    def _streamed(self, exchange: Exchange, request_id: str) -> None:
        """A streamed answer is whole; its trailers may say that it broke off in an error."""
        kind = exchange.headers.get(_KIND, b"").decode("latin-1")
        body = b""
        with contextlib.suppress(binascii.Error):
            body = base64.b64decode(unquote_to_bytes(exchange.headers.get(_ERROR_BODY, b"")))
        self._instance.answered(request_id, body, error=kind)
        exchange.answer(202, ACCEPTED)

    def _broken(self, exchange: Exchange) -> None:
        """The runtime went away in the middle of its answer."""
        if self._streams.pop(exchange, None) is not None:
            payload = _error("The response stream was cut short", "Runtime.TruncatedResponse")
            self._instance.answered(_ident(exchange), payload, error="Runtime.TruncatedResponse")


def _ident(exchange: Exchange) -> str:
    return exchange.path.removeprefix(_INVOCATION).partition(b"/")[0].decode("latin-1")


def _error(message: str, kind: str) -> bytes:
    return msgspec.json.encode({"errorMessage": message, "errorType": kind})

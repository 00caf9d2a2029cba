"""A collector of OpenTelemetry's, over OTLP/HTTP: one POST of protobuf, and what its answer means.

Owns the connection and which failures pass (429, 502, 503, 504 and what breaks on the way) and which are final. Blocks: it
is called in a thread. It must not know what is in a body.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

_RETRIED: Final = frozenset({429, 502, 503, 504})
_ANSWER_BYTES: Final = 1 << 20


class Terms(Protocol):
    """What is needed of the configuration (`TelemetryTable`)."""

    @property
    def endpoint(self) -> str: ...
    @property
    def ca(self) -> str: ...
    @property
    def timeout_s(self) -> float: ...


class Away(Exception):
    """The collector did not take a batch now; `after_s` is how long it wants to be left alone, 0 if it did not say."""

    def __init__(self, why: str, after_s: float = 0.0) -> None:
        super().__init__(why)
        self.after_s = after_s


class Refused(Exception):
    """The collector will never take this batch."""


class Collector:
    """`headers` go with each request."""

    def __init__(self, terms: Terms, headers: Mapping[str, str]) -> None:
        self.terms = terms
        self._headers = {"content-type": "application/x-protobuf", "user-agent": "craton", **headers}

    def take(self, path: str, body: bytes) -> bytes:
        """The body of the answer to a POST. Raises Away, Refused."""
        status, after, answer = self._post(path, body)
        if status in _RETRIED:
            raise Away(f"HTTP {status}", float(after) if after.isdigit() else 0.0)
        if not 200 <= status < 300:
            raise Refused(f"HTTP {status}")
        return answer

    def _post(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        """Status, Retry-After and body of the answer."""
        place = urlsplit(self.terms.endpoint)
        connect: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
        more: dict[str, Any] = {}
        try:
            if place.scheme == "https":
                connect = http.client.HTTPSConnection
                more["context"] = ssl.create_default_context(cafile=self.terms.ca or None)
            connection = connect(place.hostname or "", place.port, timeout=self.terms.timeout_s, **more)
            try:
                connection.request("POST", f"{place.path.rstrip('/')}{path}", body, self._headers)
                answer = connection.getresponse()
                return answer.status, answer.headers.get("retry-after", ""), answer.read(_ANSWER_BYTES)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise Away(str(error) or type(error).__name__) from error

"""The supervisor's end of tracing: spans of all workers, sent to the collector, some hundred at a time.

Owns the method `telemetry.add`, by which workers tell, the bounded ring in which spans wait while the collector is away,
what is tried again and when (OTLP/HTTP: 429, 502, 503, 504 and what breaks on the way; anything else is final), and the
counts. Encoding and the connection are in a thread. It must not know attributes.
"""

from __future__ import annotations

import asyncio
import http.client
import ssl
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import msgspec

from craton.features.metering.tracing.span import Span
from craton.infra.control.server import Call, Methods
from craton.infra.control.wire import ControlFault

SEND_EVERY_S = 1.0
AT_ONCE = 512
_WAIT_FIRST_S, _WAIT_MOST_S = 1.0, 30.0
_LAST_S = 3.0
_RETRIED: Final = frozenset({429, 502, 503, 504})
_ANSWER_BYTES = 1 << 20


class Terms(Protocol):
    """What is needed of the configuration (`TelemetryTable`)."""

    @property
    def endpoint(self) -> str: ...
    @property
    def ca(self) -> str: ...
    @property
    def service_name(self) -> str: ...
    @property
    def max_spans(self) -> int: ...
    @property
    def timeout_s(self) -> float: ...


class Away(Exception):
    """The collector did not take a batch now; `after_s` is how long it wants to be left alone, 0 if it did not say."""

    def __init__(self, why: str, after_s: float = 0.0) -> None:
        super().__init__(why)
        self.after_s = after_s


class Refused(Exception):
    """The collector will never take this batch."""


class Exporter:
    """Sends spans. `headers` go with each request; `instance` names this server among others."""

    def __init__(self, terms: Terms, headers: Mapping[str, str], instance: str) -> None:
        self.sent = self.lost = 0
        self._terms = terms
        self._headers = {"content-type": "application/x-protobuf", "user-agent": "craton", **headers}
        self._instance = instance
        self._ring: deque[Span] = deque()
        self._batch: list[Span] = []
        self._heard: dict[int, int] = {}
        self._wait_s = _WAIT_FIRST_S
        self._resting_until = 0.0
        self._complained = False

    @property
    def methods(self) -> Methods:
        return {"telemetry.add": self._add}

    @property
    def counts(self) -> dict[str, int]:
        """Spans of the model's invocations by what became of them."""
        return {"sent": self.sent, "lost": self.lost, "waiting": len(self._ring) + len(self._batch)}

    async def run(self) -> None:
        """Send what there is, now and then, until it is cancelled."""
        while True:
            await asyncio.sleep(SEND_EVERY_S)
            if time.monotonic() >= self._resting_until:
                await self.send()

    async def close(self) -> None:
        """One last try, that holds up nobody for long."""
        try:
            await asyncio.wait_for(self.send(), _LAST_S)
        except TimeoutError:
            return

    async def send(self) -> None:
        """Send until nothing is left or the collector is away."""
        while self._batch or self._ring:
            if not self._batch:
                self._batch = [self._ring.popleft() for _ in range(min(AT_ONCE, len(self._ring)))]
            try:
                refused = await asyncio.to_thread(self._deliver, self._batch)
            except Away as error:
                self._rest(error)
                return
            except Refused as error:
                self._complain(f"dropped what the collector refused: {error}")
                refused = len(self._batch)
            else:
                self._wait_s, self._complained = _WAIT_FIRST_S, False
            self.sent += len(self._batch) - refused
            self.lost += refused
            self._batch = []

    def _rest(self, error: Away) -> None:
        self._resting_until = time.monotonic() + min(error.after_s or self._wait_s, _WAIT_MOST_S)
        self._wait_s = min(self._wait_s * 2, _WAIT_MOST_S)
        self._complain(f"spans wait for the collector: {error}")

    def _complain(self, text: str) -> None:
        if not self._complained:
            print(f"craton: telemetry: {text}", file=sys.stderr, flush=True)
        self._complained = True

    async def _add(self, call: Call) -> None:
        """`{number, spans, lost}` → None. A number that was heard from this worker already adds nothing."""
        try:
            number, lost = int(call.params["number"]), int(call.params["lost"])
            spans = msgspec.msgpack.decode(call.params["spans"], type=list[Span])
        except (KeyError, TypeError, ValueError):
            raise ControlFault("bad_params", "'number', 'spans' and 'lost' are needed") from None
        pid = call.peer.pid
        if number <= self._heard.get(pid, 0):
            return
        if pid not in self._heard:  # a new worker: those that are gone are forgotten
            alive = {peer.pid for peer in call.server.peers}
            self._heard = {known: heard for known, heard in self._heard.items() if known in alive}
        self._heard[pid] = number
        self.lost += lost
        room = max(0, self._terms.max_spans - len(self._ring) - len(self._batch))
        self._ring.extend(spans[:room])
        self.lost += len(spans[room:])

    # --- in a thread ---

    def _deliver(self, batch: list[Span]) -> int:
        """How many of a batch the collector would not have. Raises Away, Refused."""
        from craton.features.metering.tracing import otlp

        status, after, answer = self._post(otlp.request(batch, self._terms.service_name, self._instance))
        if status in _RETRIED:
            raise Away(f"HTTP {status}", float(after) if after.isdigit() else 0.0)
        if not 200 <= status < 300:
            raise Refused(f"HTTP {status}")
        return min(otlp.refused(answer), len(batch))

    def _post(self, body: bytes) -> tuple[int, str, bytes]:
        """Status, Retry-After and body of the answer. Raises Away."""
        place = urlsplit(self._terms.endpoint)
        connect: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
        more: dict[str, Any] = {}
        try:
            if place.scheme == "https":
                connect = http.client.HTTPSConnection
                more["context"] = ssl.create_default_context(cafile=self._terms.ca or None)
            connection = connect(place.hostname or "", place.port, timeout=self._terms.timeout_s, **more)
            try:
                connection.request("POST", f"{place.path.rstrip('/')}/v1/traces", body, self._headers)
                answer = connection.getresponse()
                return answer.status, answer.headers.get("retry-after", ""), answer.read(_ANSWER_BYTES)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            raise Away(str(error) or type(error).__name__) from error

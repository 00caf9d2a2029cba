"""A worker's end of tracing: where a request stands in its trace, and what is noted when it has its answer.

Owns sampling, the bounded ring of spans, and their way to the supervisor, told each second under numbers so that none
comes twice. Nothing here waits; what finds the ring full is counted. Made only where telemetry is configured, so a server
without it counts with `Meter` itself.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from random import random

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.metering.line import Control
from craton.features.metering.meter import METERED, Meter
from craton.features.metering.tracing.span import Span, Trace, begun
from craton.infra.control.wire import ControlFault, ControlLost

MOST = 8192
TELL_EVERY_S = 1.0
_AT_ONCE = 1024
_TIMEOUT_S = 5.0
_NS = 1_000_000_000


class Tracer:
    """The spans of one worker."""

    def __init__(self, sample: float) -> None:
        self.ring: deque[Span] = deque()
        self.lost = 0
        self._sample = sample

    def carried(self, call: Call) -> tuple[tuple[bytes, bytes], ...]:
        """The headers by which the upstream of a call takes part in its trace."""
        return self.trace(call).headers

    def trace(self, call: Call) -> Trace:
        """Where a call stands, decided when it is first asked."""
        found: Trace | None = call.trace
        if found is None:
            headers = call.headers
            # What a request asks on its way has no headers of its own, and so a trace of its own.
            sampled = self._sample >= 1 or random() < self._sample  # noqa: S311 - a choice, no secret
            found = begun(headers.get(b"traceparent"), headers.get(b"tracestate"), sampled=sampled)
            call.trace = found
        return found

    def note(self, call: Call, streamed_at: float, fault: Fault | None) -> None:
        """A call has its answer or its failure now."""
        trace = self.trace(call)
        if not trace.sampled:
            return
        if len(self.ring) >= MOST:
            self.lost += 1
            return
        ended_ns, now = time.time_ns(), call.app.clock.monotonic()
        route, used = call.resolved.route, None if fault is not None else call.used
        self.ring.append(
            Span(
                trace.trace_id, trace.server, trace.client, trace.parent, trace.state,
                ended_ns - int((now - call.started_at) * _NS), ended_ns,
                ended_ns - int((now - streamed_at) * _NS) if streamed_at else 0,
                call.operation.name, route.kind, call.named, route.model_id, call.caller.account, call.region,
                call.caller.arn, call.request_id,
                "" if fault is None else fault.name, 200 if fault is None else fault.http_status(),
                *((None,) * 4 if used is None else tokens(used)),
            )
        )  # fmt: skip

    def take(self, most: int) -> list[Span]:
        ring = self.ring
        return [ring.popleft() for _ in range(min(most, len(ring)))]

    def forget(self) -> None:
        self.ring.clear()
        self.lost = 0


def tokens(used: object) -> tuple[int | None, ...]:
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens")
    return tuple(getattr(used, name) for name in names)


class TracedMeter(Meter):
    """Counts as `Meter` does, and notes the same invocations."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float], tracer: Tracer) -> None:
        super().__init__(now, monotonic)
        self.tracer = tracer

    def served(self, call: Call, streamed_at: float = 0.0) -> None:
        super().served(call, streamed_at)
        if call.resolved is not None and call.operation.name in METERED:
            self.tracer.note(call, streamed_at, None)

    def failed(self, call: Call, fault: Fault) -> None:
        super().failed(call, fault)
        if call.resolved is not None and call.operation.name in METERED:
            self.tracer.note(call, 0.0, fault)

    def forget(self) -> None:
        super().forget()
        self.tracer.forget()


class SpanLine:
    """Tells the supervisor what `tracer` noted."""

    def __init__(self, tracer: Tracer, control: Control) -> None:
        self.tracer = tracer
        self._control = control
        self._number = 0
        self._told: list[Span] = []
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell what there is. What the supervisor cannot be told now is told the next time."""
        async with self._turn:
            while self._told or self.tracer.ring or self.tracer.lost:
                lost = self.tracer.lost
                if not self._told:
                    self._told, self._number = self.tracer.take(_AT_ONCE), self._number + 1
                params = {"number": self._number, "spans": msgspec.msgpack.encode(self._told), "lost": lost}
                try:
                    await self._control.call("telemetry.add", params, timeout_s=_TIMEOUT_S)
                except (ControlFault, ControlLost, TimeoutError):
                    return
                self._told = []
                self.tracer.lost -= lost

"""Counts what a worker serves, on the way of every invocation: a few additions, and nothing that waits.

Owns which operations count, as what a failure counts, for which use, and which minute an invocation belongs to: that in
which it ended.
It must not know where counts go: `take` gives away what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.metering.record import NOBODYS, Record, Row, Use

METERED = frozenset({"Converse", "ConverseStream", "InvokeModel", "InvokeModelWithResponseStream"})
MINUTE_S = 60
_THROTTLED = "ThrottlingException"
# ModelErrorException and its kin have statuses of the caller's faults, and are none.
_MODELS = "Model"

MOST_USES = 2000
"""Uses that are told apart at a time; what comes beyond is counted under the model alone."""
_BEFORE = ("inference-profile/", "prompt-router/")

Key = tuple[str, str, str, str, str, tuple[tuple[str, str], ...] | None]
"""Account, region, model as it was named, the caller's ARN, the id of the model behind the name, metadata."""


class Meter:
    """The counts of one worker since they were last taken."""

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float]) -> None:
        self._now = now
        self._monotonic = monotonic
        self._rows: dict[Key, Row] = {}
        self._minute_s = 0
        self._ends = 0.0  # of the minute, by the monotonic clock
        self._ended: list[Row] = []

    def served(self, call: Call, streamed_at: float = 0.0) -> None:
        """An invocation has its answer, whole or as far as its reader wanted it.

        `streamed_at`: when a stream began, by the monotonic clock.
        """
        if call.resolved is None or call.operation.name not in METERED:
            return
        now, used = self._monotonic(), call.used
        record = self._record(call, now)
        record.invocations += 1
        number = int((now - call.started_at) * 1000 + 0.5)
        found = record.latency_ms
        found[number] = found.get(number, 0) + 1
        if streamed_at:
            number = int((streamed_at - call.started_at) * 1000 + 0.5)
            found = record.first_ms
            found[number] = found.get(number, 0) + 1
        if used is not None:
            number = used.input_tokens
            if number is not None:
                found = record.input_tokens
                found[number] = found.get(number, 0) + 1
            number = used.output_tokens
            if number is not None:
                found = record.output_tokens
                found[number] = found.get(number, 0) + 1
            number = used.cache_read_input_tokens
            if number:
                found = record.cache_read_tokens
                found[number] = found.get(number, 0) + 1
            number = used.cache_write_input_tokens
            if number:
                found = record.cache_write_tokens
                found[number] = found.get(number, 0) + 1
        if call.images:
            record.images += call.images

    def failed(self, call: Call, fault: Fault) -> None:
        """An invocation of a model that is there was refused or failed. Throttles are no errors."""
        if call.resolved is None or call.operation.name not in METERED:
            return
        record = self._record(call, self._monotonic())
        if fault.name == _THROTTLED:
            record.throttles += 1
        elif fault.client_fault and not fault.name.startswith(_MODELS):
            record.client_errors += 1
        else:
            record.server_errors += 1

    def take(self) -> list[Row]:
        """What was counted since the last time."""
        self._end()
        rows, self._ended = self._ended, []
        return rows

    def forget(self) -> None:
        self._rows, self._ended = {}, []

    def _record(self, call: Call, now: float) -> Record:
        if now >= self._ends:
            self._turn(now)
        metadata, caller = call.metadata, call.caller
        key: Key = (
            caller.account, call.region, call.named, caller.arn, call.resolved.route.model_id,
            None if metadata is None else tuple(sorted(metadata.items())),
        )  # fmt: skip
        row = self._rows.get(key)
        return self._begin(call, key) if row is None else row.record

    def _begin(self, call: Call, key: Key) -> Record:
        """The record of a use that was not met since counts were last taken."""
        account, region, named, principal, served, metadata = key
        if len(self._rows) < MOST_USES:
            first = call.resolved.resources[0]
            profile = first if any(kind in first for kind in _BEFORE) else ""
            tags, said = written(call.resource_tags(first)), written(dict(metadata or ()))
            use = Use(principal, served, profile, tags, said, call.resolved.route.kind)
        else:
            use, key = NOBODYS, (account, region, named, "", "", None)
            if key in self._rows:
                return self._rows[key].record
        row = self._rows[key] = Row(self._minute_s, account, region, named, Record(), use)
        return row.record

    def _turn(self, now: float) -> None:
        """A new minute has begun by the wall clock."""
        self._end()
        wall_s = self._now().timestamp()
        self._minute_s = int(wall_s) // MINUTE_S * MINUTE_S
        self._ends = now + self._minute_s + MINUTE_S - wall_s

    def _end(self) -> None:
        self._ended += self._rows.values()
        self._rows = {}


def written(pairs: Mapping[str, str]) -> str:
    """Pairs as text that is the same for the same pairs."""
    return msgspec.json.encode(sorted(pairs.items())).decode() if pairs else ""

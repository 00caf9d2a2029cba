"""The states of all targets of a worker, by upstream model; they outlive the generations of routes.

Owns the key: routes that lead to one model of one upstream with the same limits share what is known of it. A worker
holds its share of a target's `max_concurrent`, at least one. Knows the configuration, no provider.
"""

from __future__ import annotations

from weakref import WeakSet

import msgspec

from craton.config import Settings
from craton.config_tables import RoutingTable, TargetTable
from craton.features.inference.targets.gate import Gate
from craton.features.inference.targets.state import BreakerRules, TargetState
from craton.models.providers.provider import Upstream

_OWN = ("local", "container")
"""Providers that, without an address, reach replicas of our own."""


class States:
    """Makes each state once."""

    def __init__(self, settings: Settings) -> None:
        self._rules = breaker_rules(settings.file.routing)
        # "Come again in a second" of replicas of our own means a full line, which empties at once.
        self._local_rules = msgspec.structs.replace(self._rules, heed_waits=False)
        self._workers = settings.file.server.workers
        self._made: dict[bytes, TargetState] = {}
        self._apart: WeakSet[TargetState] = WeakSet()

    def of(self, upstream: Upstream, table: TargetTable | None = None) -> TargetState:
        """The state of an upstream model; `table` has the limits of a configured target."""
        limits = (table.max_concurrent, table.max_waiting, table.queue_timeout_s) if table is not None else ()
        key = msgspec.json.encode((upstream, limits))
        state = self._made.get(key)
        if state is None:
            own = upstream.provider in _OWN and not upstream.base_url
            rules = self._local_rules if own else self._rules
            state = self._made[key] = TargetState(rules, self._gate(table))
        return state

    def apart(self, rules: BreakerRules, gate: Gate | None) -> TargetState:
        """A state that is nobody else's, with rules of its own; kept as long as its route is."""
        state = TargetState(rules, gate)
        self._apart.add(state)
        return state

    def forget(self) -> None:
        """Let all begin anew."""
        for state in (*self._made.values(), *self._apart):
            state.forget()

    def _gate(self, table: TargetTable | None) -> Gate | None:
        if table is None or not table.max_concurrent:
            return None
        share = max(1, table.max_concurrent // self._workers)
        return Gate(share, table.max_waiting, table.queue_timeout_s)


def breaker_rules(table: RoutingTable) -> BreakerRules:
    """The rules as the configuration has them."""
    return BreakerRules(
        failures=table.breaker_failures,
        rate=table.breaker_rate,
        least=table.breaker_least,
        window_s=table.breaker_window_s,
        open_s=table.breaker_open_s,
        open_max_s=table.breaker_open_max_s,
        heed_waits=table.heed_retry_after,
    )

"""What is done with usage besides keeping it, composed: telemetry goes to a collector, budgets are watched.

A part of `supervision`. Either is loaded only where it is configured.
"""

from __future__ import annotations

import asyncio
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from craton.config import ConfigError, Settings, secret

if TYPE_CHECKING:
    from craton.features.metering.budgets import Budgets
    from craton.features.metering.record import Row
    from craton.features.metering.tally import Ask, Tally
    from craton.features.metering.tracing.exporter import Exporter
    from craton.features.metering.tracing.overheard import Overheard
    from craton.infra.control.server import Methods


class Exporting:
    """An exporter and its task. `overheard` is what the processes write, where logs are sent."""

    def __init__(self, exporter: Exporter, overheard: Overheard | None = None) -> None:
        self._exporter = exporter
        self._overheard = overheard
        self._running: asyncio.Task[None] | None = None

    @property
    def methods(self) -> Methods:
        return self._exporter.methods

    def start(self, tally: Tally) -> None:
        """Send from now on; the counts are shown with those of `tally`."""
        exporter, before = self._exporter, tally.heard

        def heard(rows: list[Row]) -> None:
            before(rows)
            exporter.count(rows)

        tally.heard = heard
        tally.exported = lambda: exporter.counts
        if self._overheard is not None:
            self._overheard.listen(exporter.logs.put)
        self._running = asyncio.create_task(self._exporter.run(), name="telemetry")

    def clear(self) -> None:
        self._exporter.clear()

    async def stop(self) -> None:
        if self._overheard is not None:
            await asyncio.to_thread(self._overheard.restore)
        if self._running is not None:
            self._running.cancel()
            await self._exporter.close()


def open_exporting(settings: Settings) -> Exporting | None:
    """None without a collector. Raises ConfigError where protobuf's messages or a secret are missing."""
    table = settings.file.telemetry
    if not table.endpoint:
        return None
    from importlib.util import find_spec

    if find_spec("opentelemetry") is None or find_spec("opentelemetry.proto") is None:
        raise ConfigError("[telemetry] endpoint needs the package opentelemetry-proto")
    for name, reference in table.headers.items():
        if not reference.startswith(("env:", "file:")):
            raise ConfigError(f"[telemetry] headers: {name} must name where its value lies, as env:NAME or file:PATH")
    from craton.features.metering.tracing.exporter import LOGS, Exporter

    headers = {name: secret(reference) for name, reference in table.headers.items()}
    exporter = Exporter(table, headers, f"{socket.gethostname()}:{os.getpid()}")
    if LOGS not in table.signals:
        return Exporting(exporter)
    from craton.features.metering.tracing.overheard import Overheard

    return Exporting(exporter, Overheard())


def open_budgets(settings: Settings, tally: Tally, ask: Ask) -> Budgets | None:
    """What watches budgets, told of each count by `tally`; None without any. Raises ConfigError.

    `ask` runs work with the store, off the loop: for budgets with alarms.
    """
    rules = settings.file.budget
    if not rules:
        return None
    names = [rule.name for rule in rules]
    if len(set(names)) < len(names):
        raise ConfigError("[[budget]] names must differ")
    from craton.features.metering.budgets import Budgets
    from craton.models.catalog.prices import BadPrices, load

    try:
        prices = load(settings.file.prices.file)
    except BadPrices as error:
        raise ConfigError(f"[prices] {error}") from error
    budgets = Budgets(rules, prices, lambda: datetime.now(UTC), tally.at_rest)
    amounts = {rule.name: float(rule.amount) for rule in rules}
    tally.heard = budgets.note
    tally.budgets = lambda: {name: (spent, amounts[name]) for name, spent in budgets.spent.items()}
    from craton.budget_alarms import teller

    budgets.tell = teller(settings, ask)
    return budgets

"""The tables of the config file that say what usage costs, what it may cost, and where traces go.

Owns names, types and defaults. Reading is `config`'s; must not know what is done with them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

_Positive = Annotated[float, Meta(gt=0)]


class PricesTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`file`: a price table of one's own, JSON or TOML, instead of the one in the box."""

    file: str = ""


class TelemetryTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A collector of OpenTelemetry's, spoken to by OTLP over HTTP; "": none. It gets the `signals` that are named.

    `headers` go with each request, their values as `env:NAME` or `file:PATH`. `sample` is the share of requests that are
    traced where the caller's `traceparent` does not say. `max_spans` and `max_logs` wait at most while the collector is
    away. Metrics are sent every `metrics_every_s`.
    """

    endpoint: Annotated[str, Meta(pattern=r"^(https?://[^\s?#]+)?\Z")] = ""
    headers: dict[str, str] = {}
    ca: str = ""
    service_name: str = "craton"
    signals: tuple[Literal["traces", "metrics", "logs"], ...] = ("traces", "metrics", "logs")
    sample: Annotated[float, Meta(ge=0, le=1)] = 1.0
    max_spans: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000
    max_logs: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    metrics_every_s: Annotated[float, Meta(ge=1, le=3600)] = 60.0
    timeout_s: _Positive = 10.0


class BudgetTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What usage may cost in an hour, day or month (UTC), in the currency of the prices.

    `account`, `region`, `principal` and `model` (the one behind the name) are patterns (`*`, `?`), `tag` holds pairs that
    the profile or model that was called must have. `refuse`: requests beyond it are refused; `alarm`: an alarm of CloudWatch
    tells `notify` (functions and webhooks, by ARN), which it does for one that refuses as well; `watch`: it is only shown.
    """

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    amount: Decimal
    period: Literal["hour", "day", "month"] = "month"
    action: Literal["watch", "alarm", "refuse"] = "watch"
    notify: list[str] = []
    account: str = "*"
    region: str = "*"
    principal: str = "*"
    model: str = "*"
    tag: dict[str, str] = {}


class Watching(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """These tables as part of the whole file."""

    prices: PricesTable = PricesTable()
    telemetry: TelemetryTable = TelemetryTable()
    budget: list[BudgetTable] = []

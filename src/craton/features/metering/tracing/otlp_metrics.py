"""Sums in OpenTelemetry's protocol: cumulative histograms and counters, named as the conventions for GenAI want them.

Owns names, units and attributes. Loads protobuf: the supervisor imports it when there is something to send. Sources: OTLP
1.x (opentelemetry-proto), semantic conventions "GenAI metrics".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2

from craton.features.metering.tracing.measures import (
    BEYOND,
    ERRORS,
    FIRST_SECONDS,
    SECONDS,
    TOKENS,
    Histogram,
    Series,
)
from craton.features.metering.tracing.otlp import OPERATIONS, attributes, describe

PATH: Final = "/v1/metrics"
_CUMULATIVE: Final = metrics_pb2.AGGREGATION_TEMPORALITY_CUMULATIVE
# Member of a series, name, unit, bounds, and what its points have beside the attributes of all.
HISTOGRAMS: Final[tuple[tuple[str, str, str, str, tuple[float, ...], dict[str, str]], ...]] = (
    ("duration", "gen_ai.client.operation.duration", "s", "GenAI operation duration.", SECONDS, {}),
    ("input", "gen_ai.client.token.usage", "{token}", "Tokens used.", TOKENS, {"gen_ai.token.type": "input"}),
    ("output", "gen_ai.client.token.usage", "{token}", "Tokens used.", TOKENS, {"gen_ai.token.type": "output"}),
    ("duration", "gen_ai.server.request.duration", "s", "Until the last token.", SECONDS, {}),
    ("first", "gen_ai.server.time_to_first_token", "s", "Until the first token of a stream.", FIRST_SECONDS, {}),
)
# Member, place in it (-1: it is a number itself), name, unit, and what its points have beside.
COUNTERS: Final[tuple[tuple[str, int, str, str, str, dict[str, str]], ...]] = (
    *(
        ("errors", place, "craton.invocation.errors", "{invocation}", "Invocations that failed, by whose fault.",
         {"error.type": name})
        for place, name in enumerate(ERRORS)
    ),
    *(
        ("cached", place, "craton.cache.tokens", "{token}", "Tokens that a prompt cache held or took.",
         {"gen_ai.token.type": name})
        for place, name in enumerate(("cache_read", "cache_write"))
    ),
    ("images", -1, "craton.images", "{image}", "Pictures that were made.", {}),
)  # fmt: skip


def request(series: Iterable[Series], service_name: str, instance: str, begun_ns: int, now_ns: int) -> bytes:
    """The body of one POST to /v1/metrics. Series without any sample of a metric have no point of it."""
    made = ExportMetricsServiceRequest()
    scope = describe(made.resource_metrics.add(), "scope_metrics", service_name, instance)
    named: dict[str, Any] = {}

    def metric(name: str, unit: str, about: str) -> Any:
        if name not in named:
            named[name] = scope.metrics.add()
            named[name].name, named[name].unit, named[name].description = name, unit, about
        return named[name]

    for one in series:
        about = attributes(of(one))
        for member, name, unit, text, bounds, more in HISTOGRAMS:
            histogram: Histogram = getattr(one, member)
            if any(histogram.found):
                found = metric(name, unit, text).histogram
                found.aggregation_temporality = _CUMULATIVE
                point = found.data_points.add()
                begin(point, about, more, begun_ns, now_ns)
                fill(point, histogram, bounds)
        for member, place, name, unit, text, more in COUNTERS:
            count = getattr(one, member) if place < 0 else getattr(one, member)[place]
            if count:
                found = metric(name, unit, text).sum
                found.aggregation_temporality, found.is_monotonic = _CUMULATIVE, True
                point = found.data_points.add()
                begin(point, about, more, begun_ns, now_ns)
                point.as_int = count
    body: bytes = made.SerializeToString()
    return body


def of(one: Series) -> dict[str, str | int | None]:
    """The attributes of a series."""
    if one.key == BEYOND:
        return {
            "gen_ai.operation.name": "_OTHER",
            "gen_ai.provider.name": "aws.bedrock",
            "otel.metric.overflow": True,
        }
    account, region, named, served, kind = one.key
    return {
        "gen_ai.operation.name": OPERATIONS.get(kind, kind or "_OTHER"),
        "gen_ai.provider.name": "aws.bedrock",
        "gen_ai.request.model": named,
        "gen_ai.response.model": served,
        "cloud.account.id": account,
        "cloud.region": region,
    }


def begin(point: Any, about: list[KeyValue], more: dict[str, str], begun_ns: int, now_ns: int) -> None:
    point.start_time_unix_nano, point.time_unix_nano = begun_ns, now_ns
    point.attributes.extend(about)
    point.attributes.extend(attributes(more))


def fill(point: Any, histogram: Histogram, bounds: tuple[float, ...]) -> None:
    point.count, point.sum = sum(histogram.found), histogram.total
    point.min, point.max = histogram.least, histogram.most
    point.bucket_counts.extend(histogram.found)
    point.explicit_bounds.extend(bounds)


def refused(body: bytes) -> int:
    """How many points the collector would not take, as its answer says; 0 for one that cannot be read."""
    try:
        return int(ExportMetricsServiceResponse.FromString(body).partial_success.rejected_data_points)
    except DecodeError:
        return 0

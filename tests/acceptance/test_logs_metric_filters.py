"""Metric filters through boto3: what events become metrics, how often, and what may be asked."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.running import Running

_NAMESPACE = "App"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("filters"), "[jobs]\nidle_timeout_s = 30.0\n") as running:
        yield running


@pytest.fixture(scope="module")
def logs(server: Running) -> Any:
    return server.client("logs")


def grouped(logs: Any, name: str) -> str:
    logs.create_log_group(logGroupName=name)
    logs.create_log_stream(logGroupName=name, logStreamName="s")
    return name


def filtered(logs: Any, group: str, pattern: str, value: str, metric: str, **more: Any) -> None:
    transformation = {"metricName": metric, "metricNamespace": _NAMESPACE, "metricValue": value, **more}
    logs.put_metric_filter(
        logGroupName=group, filterName=metric, filterPattern=pattern, metricTransformations=[transformation]
    )


def put(logs: Any, group: str, *messages: Any) -> None:
    at = int(time.time() * 1000)
    events = [{"timestamp": at, "message": one if isinstance(one, str) else json.dumps(one)} for one in messages]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)


def summed(
    server: Running, metric: str, samples: int, namespace: str = _NAMESPACE, **dimensions: str
) -> tuple[float, float]:
    """Sum and number of samples of a metric, once it has so many."""
    cloudwatch, now = server.client("cloudwatch"), datetime.now(UTC)
    deadline = time.monotonic() + 60
    while True:
        points = cloudwatch.get_metric_statistics(
            Namespace=namespace, MetricName=metric, Period=60, Statistics=["Sum", "SampleCount"],
            StartTime=now - timedelta(minutes=10), EndTime=now + timedelta(minutes=2),
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        )["Datapoints"]  # fmt: skip
        found = sum(point["Sum"] for point in points), sum(point["SampleCount"] for point in points)
        if found[1] >= samples:
            return found
        assert time.monotonic() < deadline, (found, server.output()[-2000:])
        time.sleep(0.1)


def test_matching_events_become_samples_once(server: Running, logs: Any) -> None:
    """A field's number, a constant, a dimension, and no sample of an event that has no number."""
    grouped(logs, "web")
    filtered(logs, "web", "{ $.status >= 500 }", "$.ms", "Slow", unit="Milliseconds")
    filtered(logs, "web", "{ $.status = * }", "1", "Hits", dimensions={"Status": "$.status"})
    put(logs, "web", {"status": 503, "ms": 12.5}, {"status": 500, "ms": "much"}, {"status": 200, "ms": 9})
    put(logs, "web", {"status": 503, "ms": 7.5}, "no json")
    assert summed(server, "Slow", 2) == (20.0, 2.0)
    assert summed(server, "Hits", 2, Status="503") == (2.0, 2.0)
    assert summed(server, "Hits", 1, Status="200") == (1.0, 1.0)
    for _ in range(20):
        put(logs, "web", {"status": 503, "ms": 1})
    assert summed(server, "Slow", 22) == (40.0, 22.0)


def test_lines_have_fields_and_silence_has_a_default(server: Running, logs: Any) -> None:
    """A field of a line is a value; minutes with events of which none matches report the default."""
    grouped(logs, "lines")
    filtered(logs, "lines", "[ip, user, bytes > 100]", "$bytes", "Bytes")
    filtered(logs, "lines", "NOTHING", "5", "Never", defaultValue=0)
    put(logs, "lines", "10.0.0.1 ann 300", "10.0.0.1 ann 20", "10.0.0.2 bob 500")
    assert summed(server, "Bytes", 2) == (800.0, 2.0)
    assert summed(server, "Never", 1)[0] == 0.0


def test_filters_are_described_replaced_and_deleted(logs: Any) -> None:
    """A filter is found by group, prefix and metric; putting it again replaces it."""
    grouped(logs, "kept")
    for metric in ("a1", "a2", "b"):
        filtered(logs, "kept", "x", "1", metric)
    filtered(logs, "kept", "y", "2", "b", defaultValue=3.0)
    pages = logs.get_paginator("describe_metric_filters").paginate(
        logGroupName="kept", PaginationConfig={"PageSize": 2}
    )
    found = [one for page in pages for one in page["metricFilters"]]
    assert [one["filterName"] for one in found] == ["a1", "a2", "b"]
    assert (found[2]["filterPattern"], found[2]["metricTransformations"][0]["defaultValue"]) == ("y", 3.0)
    by_prefix = logs.describe_metric_filters(logGroupName="kept", filterNamePrefix="a")["metricFilters"]
    assert len(by_prefix) == 2
    by_metric = logs.describe_metric_filters(metricName="b", metricNamespace=_NAMESPACE)["metricFilters"]
    assert [one["logGroupName"] for one in by_metric] == ["kept"]
    assert logs.describe_log_groups(logGroupNamePrefix="kept")["logGroups"][0]["metricFilterCount"] == 3
    logs.delete_metric_filter(logGroupName="kept", filterName="b")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.delete_metric_filter(logGroupName="kept", filterName="b")
    logs.delete_log_group(logGroupName="kept")
    assert logs.describe_metric_filters(metricName="a1", metricNamespace=_NAMESPACE)["metricFilters"] == []


@pytest.mark.parametrize(
    ("pattern", "transformation"),
    [
        ("{ $.a = }", {}),
        ("x", {"metricValue": "ten"}),
        ("[a, b]", {"metricValue": "$c"}),
        ("{ $.a = 1 }", {"dimensions": {"A": "$.a"}, "defaultValue": 0}),
        ("{ $.a = 1 }", {"dimensions": dict.fromkeys("ABCD", "$.a")}),
        ("x", {"metricNamespace": "AWS/Bedrock"}),
    ],
)
def test_what_no_filter_may_be_is_refused(logs: Any, pattern: str, transformation: dict[str, Any]) -> None:
    """Patterns, values, dimensions and names that cannot be are InvalidParameterException."""
    if not logs.describe_log_groups(logGroupNamePrefix="bad")["logGroups"]:
        grouped(logs, "bad")
    given = {"metricName": "m", "metricNamespace": _NAMESPACE, "metricValue": "1"} | transformation
    with pytest.raises(ClientError, match="InvalidParameterException"):
        logs.put_metric_filter(logGroupName="bad", filterName="f", filterPattern=pattern, metricTransformations=[given])


def test_a_pattern_can_be_tried_out(logs: Any) -> None:
    """TestMetricFilter tells which messages match, and what the pattern's fields are there."""
    matches = logs.test_metric_filter(
        filterPattern="[ip, status = 4*, ...]", logEventMessages=["1.1.1.1 404 x", "1.1.1.1 200 x"]
    )["matches"]
    values = {"$ip": "1.1.1.1", "$status": "404"}
    assert matches == [{"eventNumber": 1, "eventMessage": "1.1.1.1 404 x", "extractedValues": values}]
    (match,) = logs.test_metric_filter(filterPattern="{ $.a.b > 1 }", logEventMessages=['{"a": {"b": 2}}'])["matches"]
    assert match["extractedValues"] == {"$.a.b": "2"}


def test_a_killed_server_counts_each_event_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever was acknowledged before a crash is counted after it, and only once."""
    home = tmp_path_factory.mktemp("crash")
    with Running(home) as server:
        logs = server.client("logs")
        grouped(logs, "crash")
        filtered(logs, "crash", "{ $.n = * }", "1", "Counted")
        for number in range(30):
            put(logs, "crash", {"n": number})
        server.stop(signal.SIGKILL)
    with Running(home) as server:
        put(server.client("logs"), "crash", {"n": 30})
        assert summed(server, "Counted", 31) == (31.0, 31.0)


def test_metrics_inside_events(server: Running, logs: Any) -> None:
    """The embedded metric format: values and lists of them under each set of dimensions; what breaks it is counted."""
    grouped(logs, "/emf/web")
    now_ms = int(time.time() * 1000)
    directive = {
        "Namespace": "Emf", "Dimensions": [["service"], []],
        "Metrics": [{"Name": "Took", "Unit": "Milliseconds"}, {"Name": "Hits"}],
    }  # fmt: skip
    event = {
        "_aws": {"Timestamp": now_ms, "CloudWatchMetrics": [directive]},
        "service": "s",
        "Took": [1, 2.5],
        "Hits": 1,
    }
    put(logs, "/emf/web", event, {**event, "Took": 4}, {**event, "Hits": "many"}, 'of "CloudWatchMetrics" it speaks')
    assert summed(server, "Took", 3, "Emf", service="s") == (7.5, 3.0)
    assert summed(server, "Hits", 2, "Emf") == (2.0, 2.0)
    assert summed(server, "EMFValidationErrors", 1, "AWS/Logs", LogGroupName="/emf/web") == (1.0, 1.0)
    put(logs, "/emf/web", *[{**event, "Took": 1}] * 20)
    assert summed(server, "Took", 23, "Emf", service="s") == (27.5, 23.0)

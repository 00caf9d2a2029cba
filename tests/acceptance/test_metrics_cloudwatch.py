"""CloudWatch's metrics through boto3, in the three protocols that SDKs speak: samples in, statistics and expressions out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.identities import allow
from tests.acceptance.kms import of_user
from tests.acceptance.metrics import PROTOCOLS, client, minute, query
from tests.running import Running

Case = Callable[[str], None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("metrics")) as running:
        yield running


@pytest.fixture(scope="module", params=PROTOCOLS)
def cloudwatch(server: Running, request: pytest.FixtureRequest) -> Any:
    made = client(server, request.param)
    made.protocol = request.param
    return made


@pytest.fixture(scope="module")
def cbor(server: Running) -> Any:
    return client(server)


def named(**dimensions: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


def put(cloudwatch: Any, namespace: str, *data: dict[str, Any]) -> None:
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "m", **one} for one in data])


def data(cloudwatch: Any, *queries: dict[str, Any], back: int = 60, **more: Any) -> dict[str, Any]:
    asked = {"StartTime": minute(back), "EndTime": minute(-1), "ScanBy": "TimestampAscending", **more}
    found = cloudwatch.get_metric_data(MetricDataQueries=list(queries), **asked)["MetricDataResults"]
    return {one["Id"]: one for one in found}


def refused(work: Callable[..., Any], **asked: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        work(**asked)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_what_was_put_comes_back(cloudwatch: Any) -> None:
    """Values, counted values and statistic sets of a minute add up, in every protocol."""
    space, at = f"Own/{cloudwatch.protocol}", minute(5)
    put(
        cloudwatch, space,
        {"Value": 3.5, "Timestamp": at, "Unit": "Seconds"},
        {"Values": [1.0, 2.0], "Counts": [2.0, 5.0], "Timestamp": at + timedelta(seconds=59), "Unit": "Seconds"},
        {"Timestamp": at, "Unit": "Seconds",
         "StatisticValues": {"SampleCount": 2.0, "Sum": 20.0, "Minimum": 9.0, "Maximum": 11.0}},
    )  # fmt: skip
    statistics = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]
    found = cloudwatch.get_metric_statistics(
        Namespace=space, MetricName="m", StartTime=minute(10), EndTime=minute(), Period=60, Statistics=statistics
    )
    assert found["Label"] == "m"
    assert found["Datapoints"] == [{
        "Timestamp": at, "SampleCount": 10.0, "Average": 3.55, "Sum": 35.5, "Minimum": 1.0, "Maximum": 11.0,
        "Unit": "Seconds",
    }]  # fmt: skip
    one = data(cloudwatch, query("q", space, "m"))["q"]
    assert (one["Timestamps"], one["Values"], one["StatusCode"], one["Label"]) == ([at], [35.5], "Complete", "m")


def test_metrics_are_listed(cloudwatch: Any) -> None:
    """By namespace, name and dimensions; each once, whatever units its samples have."""
    space = f"Listed/{cloudwatch.protocol}"
    put(cloudwatch, space, {"Value": 1, "Dimensions": named(a="1", b="2")}, {"Value": 1, "Unit": "Count"}, {"Value": 1})
    found = cloudwatch.list_metrics(Namespace=space)["Metrics"]
    assert sorted(len(one["Dimensions"]) for one in found) == [0, 2]
    by_name = cloudwatch.list_metrics(Namespace=space, Dimensions=[{"Name": "a"}], RecentlyActive="PT3H")["Metrics"]
    assert by_name == [{"Namespace": space, "MetricName": "m", "Dimensions": named(a="1", b="2")}]
    assert cloudwatch.list_metrics(Namespace=space, Dimensions=[{"Name": "a", "Value": "2"}])["Metrics"] == []


def test_mistakes_have_their_old_names(cloudwatch: Any) -> None:
    """Codes are those that programs have always caught, whatever the protocol."""
    put_data = cloudwatch.put_metric_data
    at = {"MetricName": "m", "Value": 1.0}
    code, text = refused(put_data, Namespace="x", MetricData=[{**at, "Values": [1.0]}])
    assert (code, "mutually exclusive" in text) == ("InvalidParameterCombination", True)
    assert refused(put_data, Namespace="x", MetricData=[{"MetricName": "m"}])[0] == "MissingParameter"
    assert refused(put_data, Namespace="AWS/Bedrock", MetricData=[at])[0] == "InvalidParameterValue"
    old = datetime.now(UTC) - timedelta(days=15)
    assert refused(put_data, Namespace="x", MetricData=[{**at, "Timestamp": old}])[0] == "InvalidParameterValue"
    assert refused(put_data, Namespace="x", MetricData=[at] * 1001)[0] == "InvalidParameterValue"
    with pytest.raises(cloudwatch.exceptions.InvalidParameterValueException):
        put_data(Namespace="x", MetricData=[{**at, "Timestamp": datetime.now(UTC) + timedelta(hours=3)}])
    many = [{"Name": str(number), "Value": "v"} for number in range(100)]
    assert refused(put_data, Namespace="x", MetricData=[{**at, "Dimensions": many}])[0] == "ValidationError"
    code, text = refused(cloudwatch.list_metric_streams)
    assert "not implemented" in text
    assert code in ("UnsupportedOperationException", "InvalidAction")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2.0**361])
def test_what_is_no_number_is_refused(cbor: Any, value: float) -> None:
    """And nothing of the request is kept."""
    bad = [{"MetricName": "m", "Value": 1.0}, {"MetricName": "m", "Value": value}]
    assert refused(cbor.put_metric_data, Namespace="Bad", MetricData=bad)[0] == "InvalidParameterValue"
    assert cbor.list_metrics(Namespace="Bad")["Metrics"] == []


def test_expressions_reckon_with_series(cbor: Any) -> None:
    """Operators meet point by point; functions know of gaps and times."""
    first = minute(9)  # once: a minute may end between two calls
    for after, value in ((0, 10.0), (1, 20.0), (3, 40.0)):
        at = first + timedelta(minutes=after)
        put(cbor, "Math", {"MetricName": "a", "Value": value, "Timestamp": at},
            {"MetricName": "b", "Value": 2.0, "Timestamp": at})  # fmt: skip
    hidden = [{**query(name, "Math", name), "ReturnData": False} for name in "ab"]
    asked = {
        "ratio": "a / b + 1", "sum": "SUM([a, b])", "rate": "RATE(a)", "filled": "FILL(a, 0)", "line": "FILL(a, LINEAR)",
        "chosen": "IF(a > 15 AND a < 30, a, -b)", "all": "AVG(METRICS())", "power": "(a - AVG(a)) * 2 ^ 2",
        "found": "SEARCH('{Math} MetricName=\"a\"', 'Sum', 60)",
    }  # fmt: skip
    queries = [{"Id": name, "Expression": text, "Label": name} for name, text in asked.items()]
    found = {name: one["Values"] for name, one in data(cbor, *hidden, *queries).items()}
    assert found == {
        "ratio": [6.0, 11.0, 21.0], "sum": [12.0, 22.0, 42.0], "rate": [10 / 60, 20 / 120],
        "filled": [10.0, 20.0, 0.0, 40.0], "line": [10.0, 20.0, 30.0, 40.0], "chosen": [-2.0, 20.0, -2.0],
        "all": [6.0, 11.0, 21.0], "power": [(value - 70 / 3) * 4 for value in (10, 20, 40)], "found": [10.0, 20.0, 40.0],
    }  # fmt: skip


@pytest.mark.parametrize(
    "expression", ["a +", "nowhere", "e1 + 1", "ANOMALY_DETECTION_BAND(a)", "1 + 1", "((a)", "a ~ b", "-" * 900 + "a"]
)
def test_expressions_that_cannot_be_reckoned_are_refused(cbor: Any, expression: str) -> None:
    """With the id of the expression in the text."""
    queries = [query("a", "Math", "a"), {"Id": "e1", "Expression": expression}]
    code, text = refused(cbor.get_metric_data, MetricDataQueries=queries, StartTime=minute(9), EndTime=minute())
    assert (code, "'e1'" in text) == ("ValidationError", True)


def test_pages_hold_so_many_points(cbor: Any) -> None:
    """A paginator finds every point once, the newest first unless told otherwise."""
    put(cbor, "Paged", *({"Value": float(back), "Timestamp": minute(back)} for back in range(1, 8)))
    pages = cbor.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[query("one", "Paged", "m"), query("two", "Paged", "m", "Maximum")],
        StartTime=minute(30), EndTime=minute(), MaxDatapoints=3,
    )  # fmt: skip
    found: dict[str, list[float]] = {"one": [], "two": []}
    for page in pages:
        assert sum(len(one["Values"]) for one in page["MetricDataResults"]) <= 3
        for one in page["MetricDataResults"]:
            found[one["Id"]] += one["Values"]
    assert found == {"one": [float(back) for back in range(1, 8)], "two": [float(back) for back in range(1, 8)]}


def test_percentiles_are_near(cbor: Any) -> None:
    """Within 1 % of the sample; unknown where samples came summed up."""
    values = [float(number) for number in range(1, 101)]
    put(cbor, "Spread", {"Values": values, "Timestamp": minute(3)}, {"Values": values, "Timestamp": minute(2)})
    found = data(cbor, query("p", "Spread", "m", "p90", 300), query("t", "Spread", "m", "tm90", 300), back=4)
    assert found["p"]["Values"] == [pytest.approx(90, rel=0.02)]
    assert found["t"]["Values"] == [pytest.approx(45.5, rel=0.02)]
    put(cbor, "Spread", {"Timestamp": minute(2),
                         "StatisticValues": {"SampleCount": 5.0, "Sum": 20.0, "Minimum": 1.0, "Maximum": 9.0}})  # fmt: skip
    assert data(cbor, query("p", "Spread", "m", "p90", 300), back=4)["p"]["Values"] == []


def test_a_namespace_is_a_condition(server: Running) -> None:
    """A policy may let somebody put into one namespace alone, and nobody reads without a right to."""
    statement = allow("cloudwatch:PutMetricData", Condition={"StringEquals": {"cloudwatch:namespace": "Mine"}})
    mine, _ = of_user(server, "putter", statement, service="cloudwatch")
    put(mine, "Mine", {"Value": 1.0})
    assert (
        refused(mine.put_metric_data, Namespace="Other", MetricData=[{"MetricName": "m", "Value": 1.0}])[0]
        == "AccessDenied"
    )
    assert refused(mine.list_metrics)[0] == "AccessDenied"


def test_a_span_has_its_limits(cbor: Any) -> None:
    """1,440 points of one metric, and times in their order."""
    asked = {"Namespace": "x", "MetricName": "m", "Period": 60, "Statistics": ["Sum"], "EndTime": minute()}
    assert refused(cbor.get_metric_statistics, **asked, StartTime=minute(1441))[0] == "InvalidParameterCombination"
    early = {**asked, "EndTime": asked["EndTime"] + timedelta(milliseconds=600)}
    for start in (minute(-5), asked["EndTime"]):
        assert refused(cbor.get_metric_statistics, **early, StartTime=start)[0] == "InvalidParameterValue"
        data_of = {"StartTime": start, "EndTime": asked["EndTime"], "MetricDataQueries": [query("q", "x", "m")]}
        assert refused(cbor.get_metric_data, **data_of)[0] == "ValidationError"
    assert (
        refused(cbor.get_metric_statistics, **{**asked, "Period": 61}, StartTime=minute(5))[0]
        == "InvalidParameterValue"
    )

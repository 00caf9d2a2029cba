"""Dashboards through boto3 in the protocols that SDKs speak, and widgets as pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests.acceptance.metrics import PROTOCOLS, client, minute
from tests.running import Running

WIDGET = {"type": "metric", "properties": {"metrics": [["AWS/Bedrock", "Invocations"]], "region": "us-east-1"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("dashboards")) as running:
        made = client(running)
        data = [{"MetricName": "m", "Value": float(at), "Timestamp": minute(at)} for at in range(1, 60)]
        made.put_metric_data(Namespace="Drawn", MetricData=data)
        yield running


@pytest.fixture(scope="module", params=PROTOCOLS)
def cloudwatch(server: Running, request: pytest.FixtureRequest) -> Any:
    return client(server, request.param)


def picture(cloudwatch: Any, **widget: Any) -> Image.Image:
    found = cloudwatch.get_metric_widget_image(MetricWidget=json.dumps(widget))["MetricWidgetImage"]
    return Image.open(io.BytesIO(found)).convert("RGB")


def colors(image: Image.Image) -> set[Any]:
    return {color for _, color in image.getcolors(1 << 24) or []}


def test_a_dashboard_lives(cloudwatch: Any) -> None:
    """Put, shown, listed, tagged, deleted; the body is kept to the letter."""
    body = json.dumps({"widgets": [WIDGET]}, indent=3)
    assert cloudwatch.put_dashboard(DashboardName="board-1", DashboardBody=body)["DashboardValidationMessages"] == []
    shown = cloudwatch.get_dashboard(DashboardName="board-1")
    assert shown["DashboardBody"] == body
    assert shown["DashboardArn"] == "arn:aws:cloudwatch::000000000000:dashboard/board-1"
    (entry,) = cloudwatch.list_dashboards(DashboardNamePrefix="board")["DashboardEntries"]
    assert (entry["DashboardName"], entry["Size"]) == ("board-1", len(body))
    cloudwatch.tag_resource(ResourceARN=shown["DashboardArn"], Tags=[{"Key": "a", "Value": "b"}])
    cloudwatch.put_dashboard(DashboardName="board-1", DashboardBody='{"widgets": []}')
    tags = cloudwatch.list_tags_for_resource(ResourceARN=shown["DashboardArn"])["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    with pytest.raises(ClientError, match="ResourceNotFound"):
        cloudwatch.delete_dashboards(DashboardNames=["board-1", "gone"])
    cloudwatch.delete_dashboards(DashboardNames=["board-1"])
    with pytest.raises(ClientError, match="ResourceNotFound"):
        cloudwatch.get_dashboard(DashboardName="board-1")


def test_bodies_are_checked(cloudwatch: Any) -> None:
    """What is no dashboard is refused with the place of each fault; what will not be shown is remarked on."""
    bad = ("no json", "[]", "{}", '{"widgets": [{"type": "metric"}]}', '{"widgets": [{"type": "x", "properties": {}}]}')
    for body in bad:
        with pytest.raises(ClientError) as caught:
            cloudwatch.put_dashboard(DashboardName="bad", DashboardBody=body)
        assert caught.value.response["Error"]["Code"] == "InvalidParameterInput"
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        cloudwatch.put_dashboard(DashboardName="no such/name", DashboardBody='{"widgets": []}')
    widget = {"type": "metric", "properties": {"metrics": [["AWS/Bedrock"]], "region": "us-east-1"}}
    told = cloudwatch.put_dashboard(DashboardName="odd", DashboardBody=json.dumps({"widgets": [widget]}))
    (message,) = told["DashboardValidationMessages"]
    assert message["DataPath"] == "/widgets/0/properties/metrics/0"


def test_a_widget_is_a_picture(cloudwatch: Any) -> None:
    """A PNG of the size that was asked for, in the colour of its line."""
    line = ["Drawn", "m", {"color": "#00ff00", "stat": "Sum", "period": 60}]
    image = picture(cloudwatch, metrics=[line], title="Drawn", width=500, height=300, start="-PT1H")
    assert image.size == (500, 300)
    assert any(green > 200 and red < 80 and blue < 80 for red, green, blue in colors(image))


@pytest.mark.parametrize(
    "more",
    [
        {"stacked": True, "legend": {"position": "right"}},
        {"view": "singleValue", "legend": {"position": "hidden"}},
        {"view": "bar"},
        {"view": "pie"},
        {"start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z", "period": 3600},
        {"width": 1, "height": 1},
        {"annotations": {"horizontal": [{"value": 20, "fill": "above"}, [{"value": 1}, {"value": 5, "label": "x"}]]}},
        {"yAxis": {"left": {"min": 0, "max": 10, "label": "n"}, "right": {"label": "m"}}, "timezone": "-0330"},
    ],
)
def test_every_view_is_drawn(server: Running, more: dict[str, Any]) -> None:
    """Views, legends, axes, marks, a span without data, expressions, abbreviations."""
    metrics = [
        ["Drawn", "m", {"id": "m1", "stat": "Sum"}],
        [".", ".", {"stat": "p90", "yAxis": "right", "label": "tail"}],
        ["...", {"visible": False}],
        [{"expression": "m1 * 2", "label": "twice", "id": "e1"}],
        [{"expression": "SEARCH('{Drawn} m', 'Average', 300)", "id": "found"}],
    ]
    image = picture(client(server), **{"metrics": metrics, "width": 400, "height": 200, **more})
    assert image.size == (more.get("width", 400), more.get("height", 200))


@pytest.mark.parametrize(
    "widget",
    [
        "no json",
        "[" * 100_000,
        "{}",
        json.dumps({"metrics": [["A", "b"]], "width": 2001}),
        json.dumps({"metrics": [["A", "b"]], "start": "yesterday"}),
        json.dumps({"metrics": [["A", "b", {"color": "red"}]]}),
        json.dumps({"metrics": [["..."]]}),
        json.dumps({"metrics": [["A", "b"]] * 101}),
        json.dumps({"metrics": [[{"expression": "nothing + 1"}]]}),
        json.dumps({"metrics": [["A", "b", {"period": 1}]], "start": "-P90D"}),
        json.dumps({"metrics": [["A", "b"]], "yAxis": {"left": {"min": "low"}}}),
    ],
)
def test_what_is_no_widget(server: Running, widget: str) -> None:
    """Refused, with the place that is wrong."""
    with pytest.raises(ClientError) as caught:
        client(server).get_metric_widget_image(MetricWidget=widget)
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_what_is_not_built_says_so(server: Running) -> None:
    """Anomaly detectors, metric streams and insight rules answer a modelled refusal."""
    made = client(server)
    for work in (made.describe_anomaly_detectors, made.list_metric_streams, made.describe_insight_rules):
        with pytest.raises(ClientError) as caught:
            work()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 501)

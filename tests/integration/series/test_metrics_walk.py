"""Every operation of CloudWatch, walked by a user that may nothing or one thing, and by root: built or not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError

from craton.services.cloudwatch.all import HANDLERS
from craton.services.operation import labelled
from tests.integration.access.inprocess import HOST, REGION, ROOT_KEY, SECRET, USER_KEY, Raw, Scene, allow
from tests.unit.wire.generate import Draw, service_model

BUILT = frozenset(name for _, name in labelled(HANDLERS))
# Requests that cannot be drawn: what they need is not in the model, or the pattern is none of Python's.
SPAN = {"StartTime": datetime(2026, 1, 1, tzinfo=UTC), "EndTime": datetime(2026, 1, 2, tzinfo=UTC)}
MORE: dict[str, dict[str, Any]] = {
    "PutMetricData": {"Namespace": "Own", "MetricData": [{"MetricName": "m", "Value": 1.0}]},
    "PutMetricDataQueryDefinition": {"Path": "a", "Expression": "a", "Type": "METRIC_MATH"},
    "PutMetricAlarm": {
        "AlarmName": "a", "Namespace": "Own", "MetricName": "m", "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold",
    },
    "PutCompositeAlarm": {"AlarmName": "b", "AlarmRule": "TRUE"},
    "PutDashboard": {"DashboardName": "a", "DashboardBody": '{"widgets": []}'},
    "GetMetricWidgetImage": {"MetricWidget": '{"metrics": [["Own", "m"]]}'},
    "GetMetricStatistics": {"Namespace": "Own", "MetricName": "m", **SPAN, "Period": 3600, "Statistics": ["Sum"]},
    "GetMetricData": {
        **SPAN,
        "MetricDataQueries": [{
            "Id": "a", "MetricStat": {"Metric": {"Namespace": "Own", "MetricName": "m"}, "Period": 60, "Stat": "Sum"},
        }],
    },
}  # fmt: skip

# What those answer who are let in and ask for what is not there.
MISSING = {
    "DeleteDashboards": "ResourceNotFound", "GetDashboard": "ResourceNotFound", "SetAlarmState": "ResourceNotFound",
    "ListTagsForResource": "ResourceNotFoundException", "TagResource": "ResourceNotFoundException",
    "UntagResource": "ResourceNotFoundException",
}  # fmt: skip


async def nothing() -> None:
    """No other worker has to hear of a write."""


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("home"), {"audit": {"enabled": False}})
    made.worker.storage._refresh = nothing
    yield made
    made.worker.storage.close()


def client_of(scene: Scene, key: str) -> Any:
    """boto3's client with this key, whose requests go to the scene as they are signed."""
    made = boto3.client(
        "cloudwatch", endpoint_url=f"http://{HOST}", region_name=REGION, aws_access_key_id=key,
        aws_secret_access_key=SECRET, config=Config(retries={"max_attempts": 0}, inject_host_prefix=False),
    )  # fmt: skip

    def answer(request: Any, **_: Any) -> AWSResponse:
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        headers = {
            name: value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        got = scene.send(request.method, urlsplit(request.url).path, {"host": HOST, **headers}, body)
        return AWSResponse(request.url, got.status, got.headers, Raw(got.body))

    made.meta.events.register("before-send.cloudwatch.*", answer)
    return made


def told(client: Any, name: str) -> str:
    """The name of the error; empty for an answer."""
    model = service_model("cloudwatch").operation_model(name)
    least = MORE.get(name)
    if least is None and model.input_shape is not None:
        drawn = Draw(f"cloudwatch.{name}", 0.0).structure(model.input_shape)
        least = {member: drawn[member] for member in model.input_shape.required_members}
    method = next(each for each, operation in client.meta.method_to_api_mapping.items() if operation == name)
    try:
        getattr(client, method)(**(least or {}))
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


@pytest.mark.parametrize("name", service_model("cloudwatch").operation_names)
def test_every_operation_refuses(scene: Scene, name: str) -> None:
    """Whoever may nothing is refused by each of them, before anything is done or told."""
    scene.grant()
    assert told(client_of(scene, USER_KEY), name) == "AccessDenied"


@pytest.mark.parametrize("name", sorted(BUILT))
def test_the_own_action_opens(scene: Scene, name: str) -> None:
    """With the action of the operation's own name it is answered."""
    scene.grant(allow(f"cloudwatch:{name}"))
    assert told(client_of(scene, USER_KEY), name) == MISSING.get(name, "")


@pytest.mark.parametrize("name", sorted(set(service_model("cloudwatch").operation_names) - BUILT))
def test_what_is_not_built_says_so(scene: Scene, name: str) -> None:
    """Root learns which operations are not here; none pretends."""
    assert told(client_of(scene, ROOT_KEY), name) == "UnsupportedOperationException"

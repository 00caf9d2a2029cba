"""Clients of CloudWatch's metrics in each of the protocols that SDKs speak, and the calls that tests share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from tests.running import ACCESS_KEY, SECRET_KEY, Running

PROTOCOLS = ("smithy-rpc-v2-cbor", "json", "query")


def client(server: Running, protocol: str = PROTOCOLS[0], **more: Any) -> Any:
    """A boto3 client that speaks one protocol: botocore takes the first of those that its model names."""
    session = boto3.session.Session(region_name="us-east-1")
    loader = session._session.get_component("data_loader")
    loader.load_service_model("cloudwatch", "service-2")["metadata"].update(protocol=protocol, protocols=[protocol])
    given = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, **more}
    return session.client("cloudwatch", endpoint_url=server.url, **given)


def minute(back: int = 0) -> datetime:
    """The whole minute so many minutes ago."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=back)


def query(
    name: str, namespace: str, metric: str, stat: str = "Sum", period: int = 60, **dimensions: str
) -> dict[str, Any]:
    """A MetricDataQuery for a statistic of a metric."""
    named = [{"Name": key, "Value": value} for key, value in dimensions.items() if value]
    of = {"Namespace": namespace, "MetricName": metric, "Dimensions": named}
    return {"Id": name, "MetricStat": {"Metric": of, "Period": period, "Stat": stat}}

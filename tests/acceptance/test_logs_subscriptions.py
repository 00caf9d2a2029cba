"""Subscription filters through boto3: events reach a function, also after a crash; what may be a destination."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.functions import make, make_role, until
from tests.running import Running

# Tells its own log what it was sent.
TELLER = """
import base64, gzip, json
def handler(event, context):
    print("GOT " + gzip.decompress(base64.b64decode(event["awslogs"]["data"])).decode())
"""
LOGS = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("subscribed"), "[jobs]\nidle_timeout_s = 30.0\n") as running:
        yield running


def teller(server: Running, name: str, *, may: bool = True) -> str:
    """A function that logs what it gets; its ARN."""
    functions = server.client("lambda")
    arn: str = make(functions, name, make_role(server, name, LOGS), TELLER)["FunctionArn"]
    if may:
        functions.add_permission(
            FunctionName=name, StatementId="logs", Action="lambda:InvokeFunction", Principal="logs.amazonaws.com"
        )
    return arn


def grouped(logs: Any, name: str, *streams: str) -> None:
    logs.create_log_group(logGroupName=name)
    for stream in streams:
        logs.create_log_stream(logGroupName=name, logStreamName=stream)


def put(logs: Any, group: str, stream: str, *messages: str) -> None:
    at = int(time.time() * 1000)
    events = [{"timestamp": at + number, "message": message} for number, message in enumerate(messages)]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def subscribe(logs: Any, group: str, pattern: str, destination: str, name: str = "f") -> None:
    logs.put_subscription_filter(logGroupName=group, filterName=name, filterPattern=pattern, destinationArn=destination)


def got(server: Running, function: str) -> list[dict[str, Any]]:
    """The messages that the function was sent."""
    logs, group = server.client("logs"), f"/aws/lambda/{function}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    events = logs.filter_log_events(logGroupName=group, filterPattern="GOT")["events"]
    return [json.loads(event["message"].strip()[4:]) for event in events]


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [event["message"] for message in messages for event in message["logEvents"]]


def test_matching_events_reach_the_function(server: Running) -> None:
    """A message names its group, stream and filter, and holds the events that match, with their ids and times."""
    logs = server.client("logs")
    destination = teller(server, "hears")
    grouped(logs, "told", "a", "b")
    subscribe(logs, "told", "ERROR", destination)
    put(logs, "told", "a", "ERROR one", "fine", "ERROR two")
    put(logs, "told", "b", "ERROR three")
    assert until(lambda: len(texts(got(server, "hears"))) >= 3), server.output()[-3000:]
    messages = {message["logStream"]: message for message in got(server, "hears")}
    assert texts([messages["a"], messages["b"]]) == ["ERROR one", "ERROR two", "ERROR three"]
    head = {name: messages["a"][name] for name in ("messageType", "logGroup", "subscriptionFilters")}
    assert head == {"messageType": "DATA_MESSAGE", "logGroup": "told", "subscriptionFilters": ["f"]}
    ids = {event["eventId"] for event in logs.filter_log_events(logGroupName="told")["events"]}
    assert {event["id"] for event in messages["a"]["logEvents"]} <= ids


def test_filters_are_described_replaced_and_deleted(server: Running) -> None:
    """Two filters of a group at most; after DeleteSubscriptionFilter nothing goes out any more."""
    logs = server.client("logs")
    destination = teller(server, "kept")
    grouped(logs, "few", "s")
    for name in ("f1", "f2"):
        subscribe(logs, "few", "x", destination, name)
    subscribe(logs, "few", "y", destination, "f2")
    with pytest.raises(ClientError, match="LimitExceededException"):
        subscribe(logs, "few", "x", destination, "f3")
    found = logs.describe_subscription_filters(logGroupName="few")["subscriptionFilters"]
    assert [(one["filterName"], one["filterPattern"]) for one in found] == [("f1", "x"), ("f2", "y")]
    assert found[0]["destinationArn"] == destination
    logs.delete_subscription_filter(logGroupName="few", filterName="f1")
    put(logs, "few", "s", "x", "y")
    assert until(lambda: texts(got(server, "kept")) == ["y"])
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.delete_subscription_filter(logGroupName="few", filterName="f1")


def test_what_cannot_be_a_destination_is_refused(server: Running) -> None:
    """A function that Logs may not invoke, one that is not there, its own log group, and other services."""
    logs = server.client("logs")
    closed = teller(server, "closed", may=False)
    own = teller(server, "own")
    grouped(logs, "picky", "s")
    grouped(logs, "/aws/lambda/own", "s")
    for group, destination in (
        ("picky", closed),
        ("picky", closed.replace("closed", "nowhere")),
        ("picky", "arn:aws:kinesis:us-east-1:000000000000:stream/x"),
        ("/aws/lambda/own", own),
    ):
        with pytest.raises(ClientError, match="InvalidParameterException"):
            subscribe(logs, group, "", destination)


def test_a_crash_loses_nothing_that_was_acknowledged(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Events that were taken before SIGKILL reach the function after the next start, at least once."""
    home = tmp_path_factory.mktemp("crash")
    with Running(home) as server:
        logs = server.client("logs")
        destination = teller(server, "survives")
        grouped(logs, "crash", "s")
        subscribe(logs, "crash", "", destination)
        for number in range(10):
            put(logs, "crash", "s", f"event {number}")
        server.stop(signal.SIGKILL)
    with Running(home) as server:
        wanted = {f"event {number}" for number in range(10)}
        assert until(lambda: set(texts(got(server, "survives"))) == wanted), server.output()[-3000:]

"""Asynchronous invocations: acknowledged, tried, retried, told of; by callers and by buckets; nothing lost by a kill."""

from __future__ import annotations

import json
import signal
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.functions import make, make_role, until
from tests.running import Running

CONFIG = "[lambda]\nevent_retry_s = 0.1\n"
RIGHTS = {"Effect": "Allow", "Action": ["logs:*", "s3:*", "lambda:InvokeFunction"], "Resource": "*"}
ACCOUNT = "000000000000"
COPYING = """
import boto3
s3 = boto3.client("s3")
def handler(event, context):
    here = event["Records"][0]["s3"]
    number = int(here["object"]["key"])
    s3.put_object(Bucket=here["bucket"]["name"], Key=str(number + 1), Body=b"")
"""
FAILING = "def handler(event, context):\n    raise ValueError('no')\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home"), CONFIG) as running:
        s3 = running.client("s3")
        s3.create_bucket(Bucket="outcomes")
        s3.create_bucket(Bucket="inbox")
        make_role(running, "events", RIGHTS)
        yield running


@pytest.fixture(scope="module")
def role() -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/events"


@pytest.fixture(scope="module")
def functions(server: Running) -> Any:
    return server.client("lambda")


def told(client: Any, function: str, *, on: str = "OnSuccess", **more: Any) -> None:
    """Have the outcomes of a function put into the bucket."""
    client.put_function_event_invoke_config(
        FunctionName=function, DestinationConfig={on: {"Destination": "arn:aws:s3:::outcomes"}}, **more
    )


def records(server: Running, function: str, count: int = 1, within_s: float = 120.0) -> list[dict[str, Any]]:
    """The records of a function's outcomes, as soon as there are so many."""
    s3 = server.client("s3")

    def found() -> list[dict[str, Any]]:
        listed = s3.list_objects_v2(Bucket="outcomes", Prefix=f"aws/lambda/async/{function}/").get("Contents", [])
        bodies = [s3.get_object(Bucket="outcomes", Key=one["Key"])["Body"].read() for one in listed]
        return [json.loads(body) for body in bodies] if len(listed) >= count else []

    return list(until(found, within_s=within_s))


def test_an_event_is_acknowledged_and_its_outcome_told(server: Running, functions: Any, role: str) -> None:
    """202 and no payload at once; the record with request and answer later."""
    make(functions, "well", role)
    told(functions, "well")
    answer = functions.invoke(FunctionName="well", InvocationType="Event", Payload=b'{"n":1}')
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    (record,) = records(server, "well")
    assert record["requestPayload"] == record["responsePayload"] == {"n": 1}
    context = record["requestContext"]
    assert context["condition"] == "Success"
    assert context["requestId"] == answer["ResponseMetadata"]["RequestId"]
    assert context["functionArn"] == f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:well:$LATEST"


def test_a_failing_function_is_tried_three_times(server: Running, functions: Any, role: str) -> None:
    """Then the destination of failures gets the record, and the dead-letter target the event itself."""
    server.client("logs").create_log_group(logGroupName="dead")
    dead = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:dead"
    make(functions, "ill", role, FAILING, DeadLetterConfig={"TargetArn": dead})
    told(functions, "ill", on="OnFailure")
    functions.invoke(FunctionName="ill", InvocationType="Event", Payload=b'{"n":2}')
    (record,) = records(server, "ill")
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "no"
    logs = server.client("logs")
    events = until(lambda: logs.filter_log_events(logGroupName="dead")["events"])
    assert [json.loads(one["message"]) for one in events] == [{"n": 2}]


def test_retries_are_the_owners_to_choose(server: Running, functions: Any, role: str) -> None:
    """MaximumRetryAttempts of 0: one try."""
    make(functions, "once", role, FAILING)
    told(functions, "once", on="OnFailure", MaximumRetryAttempts=0)
    functions.invoke(FunctionName="once", InvocationType="Event", Payload=b"{}")
    (record,) = records(server, "once")
    assert record["requestContext"]["approximateInvokeCount"] == 1


def test_an_object_that_is_created_calls_the_function(server: Running, functions: Any, role: str) -> None:
    """With S3's event, as s3.amazonaws.com; only what passes the filter; not a function that lets nobody in, which is
    refused when it is named, unless who names it wants no such look.
    """
    made = make(functions, "on-object", role)
    closed = make(functions, "closed", role)
    for name in ("on-object", "closed"):
        told(functions, name)
    functions.add_permission(
        FunctionName="on-object", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::inbox", SourceAccount=ACCOUNT,
    )  # fmt: skip
    rule = {"Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".txt"}]}}}
    other = {**rule, "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".csv"}]}}}
    s3 = server.client("s3")
    both = {
        "LambdaFunctionConfigurations": [
            {"LambdaFunctionArn": made["FunctionArn"], **rule},
            {"LambdaFunctionArn": closed["FunctionArn"], **other},
        ]
    }
    with pytest.raises(ClientError, match="Unable to validate the following destination") as refused:
        s3.put_bucket_notification_configuration(Bucket="inbox", NotificationConfiguration=both)
    assert refused.value.response["Error"]["Code"] == "InvalidArgument"
    assert refused.value.response["Error"]["ArgumentName1"].startswith(closed["FunctionArn"])
    assert "LambdaFunctionConfigurations" not in s3.get_bucket_notification_configuration(Bucket="inbox")
    s3.put_bucket_notification_configuration(
        Bucket="inbox", NotificationConfiguration=both, SkipDestinationValidation=True
    )
    s3.put_object(Bucket="inbox", Key="skipped.bin", Body=b"x")
    s3.put_object(Bucket="inbox", Key="closed.csv", Body=b"x")
    s3.put_object(Bucket="inbox", Key="a b+c/ü.txt", Body=b"four")
    (record,) = records(server, "on-object")
    (event,) = record["requestPayload"]["Records"]
    assert (event["eventSource"], event["eventName"], event["eventVersion"]) == ("aws:s3", "ObjectCreated:Put", "2.1")
    assert event["s3"]["object"]["key"] == "a+b%2Bc/%C3%BC.txt"
    assert event["s3"]["object"]["size"] == 4
    assert event["s3"]["bucket"]["arn"] == "arn:aws:s3:::inbox"
    assert records(server, "closed", within_s=0) == []


def test_a_chain_of_causes_ends_after_sixteen_rounds(functions: Any, role: str) -> None:
    """The trace header carries the count; a function may be allowed to go round for ever."""
    arn = make(functions, "circle", role)["FunctionArn"]
    mark = f"{zlib.crc32(arn.encode()):08x}"
    header = ""

    def with_header(request: Any, **_: Any) -> None:
        request.headers["X-Amzn-Trace-Id"] = header

    functions.meta.events.register("before-sign.lambda.Invoke", with_header)
    try:
        header = f"Root=1-0;Lineage={mark}:15"
        assert functions.invoke(FunctionName="circle")["StatusCode"] == 200
        header = f"Root=1-0;Lineage={mark}:16"
        with pytest.raises(ClientError) as caught:
            functions.invoke(FunctionName="circle")
        assert caught.value.response["Error"]["Code"] == "RecursiveInvocationException"
        functions.put_function_recursion_config(FunctionName="circle", RecursiveLoop="Allow")
        assert functions.invoke(FunctionName="circle")["StatusCode"] == 200
    finally:
        functions.meta.events.unregister("before-sign.lambda.Invoke", with_header)


def test_a_function_that_feeds_itself_is_stopped(server: Running, functions: Any, role: str) -> None:
    """Its own outcome is its next event, sixteen times."""
    arn = make(functions, "ouroboros", role)["FunctionArn"]
    functions.put_function_event_invoke_config(
        FunctionName="ouroboros", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    functions.invoke(FunctionName="ouroboros", InvocationType="Event", Payload=b"{}")

    def refused() -> bool:
        return f"did not reach {arn}: RecursiveInvocationException" in server.output()

    assert until(refused)


def test_a_function_and_a_bucket_that_feed_each_other_are_stopped(server: Running, functions: Any, role: str) -> None:
    """Each object calls the function that puts the next one: sixteen times."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket="round")
    arn = make(functions, "copies", role, COPYING, Timeout=60)["FunctionArn"]
    functions.add_permission(
        FunctionName="copies", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::round",
    )  # fmt: skip
    rule = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="round", NotificationConfiguration={"LambdaFunctionConfigurations": [rule]}
    )
    s3.put_object(Bucket="round", Key="0", Body=b"")
    refusal = f"{arn} refuses an event of s3.amazonaws.com for arn:aws:s3:::round: RecursiveInvocationException"
    assert until(lambda: refusal in server.output())
    assert {one["Key"] for one in s3.list_objects_v2(Bucket="round")["Contents"]} == {str(n) for n in range(17)}


def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    """Killed with -9 right after the last 202; started again, every event comes to its end."""
    with Running(tmp_path / "home", CONFIG) as running:
        running.client("s3").create_bucket(Bucket="outcomes")
        role = make_role(running, "events", RIGHTS)
        client = running.client("lambda")
        make(client, "kept", role)
        told(client, "kept")
        for number in range(8):
            client.invoke(FunctionName="kept", InvocationType="Event", Payload=json.dumps({"n": number}).encode())
        running.stop(signal.SIGKILL)
    with Running(tmp_path / "home", CONFIG) as again:
        found = records(again, "kept", 8)
        assert sorted(one["requestPayload"]["n"] for one in found) == list(range(8))

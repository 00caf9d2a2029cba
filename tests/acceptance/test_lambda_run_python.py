"""Functions as boto3 sees them run: their role, their log, their errors, their limits; a host that dies; Powertools."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import re
import signal
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.functions import called, make, make_role, until
from tests.running import Running

LOGS = {"Effect": "Allow", "Action": "logs:*", "Resource": "*"}
MODEL = "amazon.nova-lite-v1:0"
CONVERSE = f"""
import boto3
runtime = boto3.client("bedrock-runtime")
def handler(event, context):
    said = runtime.converse(modelId="{MODEL}", messages=[{{"role": "user", "content": [{{"text": event}}]}}])
    return said["output"]["message"]["content"][0]["text"]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home"), "[lambda]\nconcurrency = 200\n", "--workers", "2") as running:
        yield running


@pytest.fixture(scope="module")
def functions(server: Running) -> Any:
    return server.client("lambda")


@pytest.fixture(scope="module")
def role(server: Running) -> str:
    return make_role(server, "logging", LOGS)


def host_of(server: Running) -> int:
    """The process of the functions' host."""
    assert server.process is not None
    for child in Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split():
        if b"craton.functioning" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    return 0


def log_of(server: Running, group: str) -> list[str]:
    """The events of a log group."""
    logs = server.client("logs")
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return []
    return [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]


def test_a_function_calls_a_model_under_its_role(server: Running, functions: Any, role: str) -> None:
    """boto3 in a function finds this server by itself, and may what the role may: one asks a model, the other must not."""
    model = {
        "Effect": "Allow",
        "Action": "bedrock:InvokeModel",
        "Resource": f"arn:aws:bedrock:*::foundation-model/{MODEL}",
    }
    make(functions, "asks", make_role(server, "asking", model), CONVERSE, Timeout=30)
    assert called(functions, "asks", "Hello")
    make(functions, "must-not", role, CONVERSE, Timeout=30)
    answer = functions.invoke(FunctionName="must-not", Payload=b'"Hello"')
    assert answer["FunctionError"] == "Unhandled"
    told = json.loads(answer["Payload"].read())
    assert told["errorType"] == "AccessDeniedException"
    assert "assumed-role/logging/must-not" in told["errorMessage"]


def test_the_answer_brings_the_tail_and_the_version(functions: Any, role: str) -> None:
    """LogType=Tail brings the last of the log; the header names the version that ran."""
    make(
        functions,
        "tails",
        role,
        "def handler(event, context):\n    print('here I am')\n    return context.function_version",
    )
    published = functions.publish_version(FunctionName="tails")["Version"]
    answer = functions.invoke(FunctionName="tails", Qualifier=published, LogType="Tail")
    assert answer["ExecutedVersion"] == published
    assert json.loads(answer["Payload"].read()) == published
    tail = base64.b64decode(answer["LogResult"]).decode()
    ident = answer["ResponseMetadata"]["RequestId"]
    assert tail.startswith(f"START RequestId: {ident} Version: {published}\nhere I am\nEND RequestId: {ident}\nREPORT")


def test_the_log_is_in_cloudwatch(server: Running, functions: Any, role: str) -> None:
    """A group made on first use holds what was printed, between START and REPORT; nothing where the role may not write."""
    source = "def handler(event, context):\n    print('line', event)"
    make(functions, "writes", role, source)
    make(functions, "silent", make_role(server, "silent"), source)
    for name in ("writes", "silent"):
        called(functions, name, 7)
    lines = until(lambda: [one for one in [log_of(server, "/aws/lambda/writes")] if any("REPORT" in x for x in one)])[0]
    assert "line 7" in lines
    assert [line.split()[0] for line in lines] == ["INIT_START", "START", "line", "END", "REPORT"]
    assert log_of(server, "/aws/lambda/silent") == []


def test_the_metrics_of_a_function(server: Running, functions: Any, role: str) -> None:
    """Invocations, errors and durations are counted, for the function and for all."""
    make(functions, "counted", role, "def handler(event, context):\n    return 1 / event")
    for event in (1, 2, 0):
        functions.invoke(FunctionName="counted", Payload=json.dumps(event).encode())
    now = datetime.now(UTC)

    def total(name: str) -> tuple[float, float]:
        found = server.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda", MetricName=name, Dimensions=[{"Name": "FunctionName", "Value": "counted"}], Period=60,
            StartTime=now - timedelta(minutes=10), EndTime=now + timedelta(minutes=10), Statistics=["Sum", "SampleCount"],
        )["Datapoints"]  # fmt: skip
        return sum(one["Sum"] for one in found), sum(one["SampleCount"] for one in found)

    until(lambda: total("Invocations") == (3, 3))
    assert total("Invocations") == (3, 3)
    assert total("Errors") == (1, 3)
    assert total("Duration")[1] == 3


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("def handler(event, context):\n    raise KeyError('k')", "KeyError"),
        ("def handler(event, context):\n    return {1, 2}", "Runtime.MarshalError"),
        ("import sys\ndef handler(event, context):\n    sys.exit(4)", "Runtime.ExitError"),
        ("def handler(event, context):\n    while True: pass", "Sandbox.Timedout"),
    ],
)
def test_errors_of_functions_are_answers(functions: Any, role: str, source: str, kind: str) -> None:
    """Status 200 with the header of an error, and the error as payload."""
    name = f"bad-{kind.replace('.', '-')}"
    make(functions, name, role, source, Timeout=1)
    answer = functions.invoke(FunctionName=name)
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.loads(answer["Payload"].read())["errorType"] == kind


def test_a_role_without_trust_is_refused(server: Running, functions: Any) -> None:
    """A function whose role no longer trusts Lambda is not run."""
    role = make_role(server, "turned", LOGS)
    make(functions, "orphan", role)
    nobody = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ],
        }
    )
    server.client("iam").update_assume_role_policy(RoleName="turned", PolicyDocument=nobody)
    with pytest.raises(ClientError) as refused:
        functions.invoke(FunctionName="orphan")
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
    assert "cannot be assumed by Lambda" in refused.value.response["Error"]["Message"]


def test_variables_are_there_and_a_disabled_key_is_told(server: Running, functions: Any, role: str) -> None:
    """Variables sealed under the customer's key reach the function; a disabled key refuses a new environment."""
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    source = "import os\ndef handler(event, context):\n    return os.environ['WORD']"
    make(functions, "sealed", role, source, Environment={"Variables": {"WORD": "open"}}, KMSKeyArn=key)
    assert called(functions, "sealed") == "open"
    functions.update_function_configuration(FunctionName="sealed", Timeout=9)
    kms.disable_key(KeyId=key)
    with pytest.raises(ClientError) as refused:
        functions.invoke(FunctionName="sealed")
    assert refused.value.response["Error"]["Code"] == "KMSDisabledException"
    kms.enable_key(KeyId=key)
    assert called(functions, "sealed") == "open"


def test_fifty_at_once_and_the_limit(functions: Any, role: str) -> None:
    """Fifty invocations at once are answered without loss; beyond a function's own limit there is a 429 with its reason."""
    make(
        functions,
        "many",
        role,
        "import time\ndef handler(event, context):\n    time.sleep(0.2)\n    return event",
        Timeout=60,
    )
    with ThreadPoolExecutor(50) as threads:
        found = list(threads.map(lambda number: called(functions, "many", number), range(50)))
    assert found == list(range(50))
    functions.put_function_concurrency(FunctionName="many", ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(2) as threads:
        both = [threads.submit(functions.invoke, FunctionName="many", Payload=b"1") for _ in range(2)]
    refused = [one.exception() for one in both if one.exception() is not None]
    assert len(refused) == 1
    assert isinstance(refused[0], ClientError)
    assert refused[0].response["Error"]["Code"] == "TooManyRequestsException"
    assert refused[0].response["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert refused[0].response["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_a_changed_function_answers_anew(functions: Any, role: str) -> None:
    """After an update no invocation is answered by the code before."""
    make(functions, "changes", role, "def handler(event, context):\n    return 1")
    assert called(functions, "changes") == 1
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return 2")
    functions.update_function_code(FunctionName="changes", ZipFile=target.getvalue())
    assert called(functions, "changes") == 2


def test_a_host_that_dies_costs_what_was_under_way(server: Running, functions: Any, role: str) -> None:
    """Killed with an invocation under way: that one is a ServiceException, nothing of it lives on, and the next one runs."""
    source = "import os, time\ndef handler(event, context):\n    time.sleep(event)\n    return os.environ['AWS_LAMBDA_LOG_STREAM_NAME']"
    make(functions, "dies", role, source, Timeout=60)
    before = called(functions, "dies", 0)
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            called(functions, "dies", 50)
        except ClientError as error:
            errors.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    pid = host_of(server)
    assert pid
    threading.Event().wait(0.5)
    os.kill(pid, signal.SIGKILL)
    asking.join(20)
    assert isinstance(errors[0], ClientError)
    assert errors[0].response["Error"]["Code"] == "ServiceException"
    assert errors[0].response["ResponseMetadata"]["HTTPStatusCode"] == 500
    assert called(functions, "dies", 0) != before


def test_powertools_work_in_a_function(server: Running, functions: Any, role: str) -> None:
    """Powertools' logger, metrics (which CloudWatch then has), event parser and idempotence-free resolver run from a layer."""
    found = importlib.util.find_spec("aws_lambda_powertools")
    if found is None or found.origin is None:
        pytest.skip("aws-lambda-powertools is not installed")
    target = io.BytesIO()
    place = Path(found.origin).parent
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in sorted(place.rglob("*.py")):
            archive.write(path, f"python/aws_lambda_powertools/{path.relative_to(place)}")
        extensions = importlib.util.find_spec("typing_extensions")
        assert extensions is not None
        archive.write(str(extensions.origin), "python/typing_extensions.py")
    layer = functions.publish_layer_version(LayerName="powertools", Content={"ZipFile": target.getvalue()})
    source = """
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import LambdaFunctionUrlResolver
from aws_lambda_powertools.metrics import MetricUnit
logger, metrics, app = Logger(service="s"), Metrics(namespace="N", service="s"), LambdaFunctionUrlResolver()
@app.get("/hello/<name>")
def hello(name):
    metrics.add_metric(name="Greeted", unit=MetricUnit.Count, value=1)
    logger.info("greeting", name_of=name)
    return {"hello": name}
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event, context):
    return app.resolve(event, context)
"""
    make(functions, "powered", role, source, Timeout=30, Layers=[layer["LayerVersionArn"]])
    event = {
        "version": "2.0", "rawPath": "/hello/you", "headers": {}, "isBase64Encoded": False,
        "requestContext": {"http": {"method": "GET", "path": "/hello/you"}, "stage": "$default"},
    }  # fmt: skip
    answer = functions.invoke(FunctionName="powered", Payload=json.dumps(event).encode(), LogType="Tail")
    said = json.loads(answer["Payload"].read())
    assert (said.get("statusCode"), said.get("body")) == (200, '{"hello":"you"}')
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert re.search(r'"message":"greeting".*"function_name":"powered"', tail)
    assert '"CloudWatchMetrics"' in tail
    asked: dict[str, Any] = {
        "Namespace": "N",
        "MetricName": "Greeted",
        "Dimensions": [{"Name": "service", "Value": "s"}],
    }
    cloudwatch, now = server.client("cloudwatch"), datetime.now(UTC)
    asked |= {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(hours=1), "Period": 3600}
    points = until(lambda: cloudwatch.get_metric_statistics(**asked, Statistics=["Sum"])["Datapoints"])
    assert [(point["Sum"], point["Unit"]) for point in points] == [(1.0, "Count")]

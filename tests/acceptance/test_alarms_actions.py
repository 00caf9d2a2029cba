"""Alarms that are raised by what is measured, and what follows: functions, webhooks, history; through a kill as well."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.functions import make, make_role, until
from tests.acceptance.metrics import client, minute
from tests.running import Running

ACCOUNT = "000000000000"
HOOK = "arn:craton:webhook:::ops"
TOPIC = f"arn:aws:sns:us-east-1:{ACCOUNT}:oncall"
OPS_KEY = "known to both"
WRITES = {"Effect": "Allow", "Action": ["s3:PutObject", "logs:*"], "Resource": "*"}
KEEPS = """
import boto3, json
def handler(event, context):
    name = event["alarmData"]["alarmName"]
    boto3.client("s3").put_object(Bucket="raised", Key=name, Body=json.dumps(event).encode())
"""


class Hooks:
    """An address that takes notices; the first `refusals` of them are answered 503."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.refusals = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                refused = outer.refusals > 0
                if refused:
                    outer.refusals -= 1
                else:
                    outer.got.append({"path": self.path, "body": json.loads(raw), "raw": raw, "headers": headers})
                self.send_response(503 if refused else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def about(self, name: str) -> list[dict[str, Any]]:
        return [one["body"] for one in self.got if one["body"].get("AlarmName") == name]


@contextmanager
def hooks() -> Iterator[Hooks]:
    made = Hooks()
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()


def config(hook: Hooks) -> str:
    keys = '[cloudwatch.webhook_keys]\nops = "env:OPS_KEY"\n'
    return f'[cloudwatch.webhooks]\nops = "{hook.url}/ops?key=1"\n"{TOPIC}" = "{hook.url}/topic"\n{keys}'


@pytest.fixture(scope="module")
def hook() -> Iterator[Hooks]:
    with hooks() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hook: Hooks) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("alarms"), config(hook), env={"OPS_KEY": OPS_KEY}) as running:
        yield running


@pytest.fixture(scope="module")
def cloudwatch(server: Running) -> Any:
    return client(server)


def measured(cloudwatch: Any, metric: str, *values: float) -> None:
    """Samples of the last whole minutes, the newest last."""
    count = len(values)
    data = [
        {"MetricName": metric, "Value": value, "Timestamp": minute(count - index + 1)}
        for index, value in enumerate(values)
    ]
    cloudwatch.put_metric_data(Namespace="Test", MetricData=data)


def put(cloudwatch: Any, name: str, metric: str, **more: Any) -> None:
    asked = {
        "AlarmName": name, "Namespace": "Test", "MetricName": metric, "Statistic": "Sum", "Period": 60,
        "EvaluationPeriods": 1, "Threshold": 5.0, "ComparisonOperator": "GreaterThanThreshold",
    }  # fmt: skip
    cloudwatch.put_metric_alarm(**{**asked, **more})


def state(cloudwatch: Any, name: str, wanted: str) -> dict[str, Any]:
    """The alarm, as soon as it is in the state."""

    def found() -> dict[str, Any]:
        answer = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        (alarm,) = answer["MetricAlarms"] + answer["CompositeAlarms"]
        return dict(alarm) if alarm["StateValue"] == wanted else {}

    return dict(until(found))


def items(cloudwatch: Any, name: str, kind: str, count: int = 1) -> list[dict[str, Any]]:
    """The history of an alarm, as soon as it has so much of it."""

    def found() -> list[dict[str, Any]]:
        listed = cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType=kind)["AlarmHistoryItems"]
        return list(listed) if len(listed) >= count else []

    return list(until(found))


def test_a_function_is_told_of_an_alarm(server: Running, cloudwatch: Any) -> None:
    """What is measured raises the alarm; its function, which lets CloudWatch in, gets AWS's event."""
    server.client("s3").create_bucket(Bucket="raised")
    functions = server.client("lambda")
    make(functions, "keeps", make_role(server, "keeps", WRITES), KEEPS)
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:keeps"
    functions.add_permission(
        FunctionName="keeps", StatementId="alarms", Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com", SourceAccount=ACCOUNT,
        SourceArn=f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:busy",
    )  # fmt: skip
    measured(cloudwatch, "load", 9.0)
    put(cloudwatch, "busy", "load", AlarmActions=[arn], AlarmDescription="too much")
    alarm = state(cloudwatch, "busy", "ALARM")
    assert alarm["StateReason"].startswith("Threshold Crossed: 1 out of the last 1 datapoint [9.0 (")
    assert json.loads(alarm["StateReasonData"])["recentDatapoints"] == [9.0]
    (done,) = items(cloudwatch, "busy", "Action")
    assert done["HistorySummary"] == f"Successfully executed action {arn}"
    s3 = server.client("s3")
    until(lambda: s3.list_objects_v2(Bucket="raised").get("KeyCount"))
    event = json.loads(s3.get_object(Bucket="raised", Key="busy")["Body"].read())
    assert (event["source"], event["alarmArn"], event["accountId"]) == ("aws.cloudwatch", alarm["AlarmArn"], ACCOUNT)
    data = event["alarmData"]
    assert (data["state"]["value"], data["previousState"]["value"]) == ("ALARM", "INSUFFICIENT_DATA")
    stat = data["configuration"]["metrics"][0]["metricStat"]
    assert stat == {"metric": {"namespace": "Test", "name": "load", "dimensions": {}}, "period": 60, "stat": "Sum"}


def test_a_function_that_lets_nobody_in_is_told_of_in_the_history(server: Running, cloudwatch: Any) -> None:
    """Without a permission for CloudWatch the action fails, and the alarm's history says so."""
    functions = server.client("lambda")
    make(functions, "closed", make_role(server, "closed"))
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:closed"
    put(cloudwatch, "unheard", "nothing", AlarmActions=[arn])
    cloudwatch.set_alarm_state(AlarmName="unheard", StateValue="ALARM", StateReason="by hand")
    (failed,) = items(cloudwatch, "unheard", "Action")
    assert failed["HistorySummary"] == f"Failed to execute action {arn}"
    assert "403" in json.loads(failed["HistoryData"])["error"]


def test_a_webhook_is_called_until_it_takes_the_notice(cloudwatch: Any, hook: Hooks) -> None:
    """A webhook that is away for a moment is called again; the notice is the one that topics carry."""
    hook.refusals = 1
    put(cloudwatch, "hooked", "nothing", AlarmActions=[HOOK], OKActions=[HOOK])
    cloudwatch.set_alarm_state(AlarmName="hooked", StateValue="ALARM", StateReason="by hand")
    until(lambda: hook.about("hooked"))
    (notice,) = hook.about("hooked")
    assert (notice["NewStateValue"], notice["NewStateReason"]) == ("ALARM", "by hand")
    assert notice["Trigger"]["MetricName"] == "nothing"
    got = next(one for one in hook.got if one["body"].get("AlarmName") == "hooked")
    assert got["path"] == "/ops?key=1"
    said = f"{got['headers']['webhook-id']}.{got['headers']['webhook-timestamp']}.".encode() + got["raw"]
    digest = hmac.new(OPS_KEY.encode(), said, hashlib.sha256).digest()
    assert got["headers"]["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert items(cloudwatch, "hooked", "Action")


def test_a_topic_that_the_configuration_names_is_notified(cloudwatch: Any, hook: Hooks) -> None:
    """An address that stands for a topic gets what a topic's subscriber would."""
    put(cloudwatch, "paged", "nothing", OKActions=[TOPIC])
    cloudwatch.set_alarm_state(AlarmName="paged", StateValue="OK", StateReason="by hand")
    told = until(lambda: [one["body"] for one in hook.got if one["path"] == "/topic"])[0]
    assert (told["Type"], told["TopicArn"]) == ("Notification", TOPIC)
    assert json.loads(told["Message"])["AlarmName"] == "paged"


def test_actions_that_lead_nowhere_are_refused(cloudwatch: Any) -> None:
    """A target that is no function and has no address in the configuration is refused when the alarm is made."""
    for target in ("arn:aws:sns:us-east-1:000000000000:other", "https://10.0.0.1/", "arn:craton:webhook:::else"):
        with pytest.raises(ClientError, match=r"InvalidParameterValue.*cannot be carried out here"):
            put(cloudwatch, "nowhere", "nothing", AlarmActions=[target])


def test_actions_that_are_switched_off_do_nothing(cloudwatch: Any, hook: Hooks) -> None:
    """A disabled alarm changes its state and calls nobody."""
    put(cloudwatch, "quiet", "nothing", AlarmActions=[HOOK])
    cloudwatch.disable_alarm_actions(AlarmNames=["quiet", "not-there"])
    cloudwatch.set_alarm_state(AlarmName="quiet", StateValue="ALARM", StateReason="by hand")
    assert cloudwatch.describe_alarms(AlarmNames=["quiet"])["MetricAlarms"][0]["ActionsEnabled"] is False
    cloudwatch.enable_alarm_actions(AlarmNames=["quiet"])
    cloudwatch.set_alarm_state(AlarmName="quiet", StateValue="OK", StateReason="by hand")
    cloudwatch.set_alarm_state(AlarmName="quiet", StateValue="ALARM", StateReason="again")
    until(lambda: hook.about("quiet"))
    assert [one["NewStateReason"] for one in hook.about("quiet")] == ["again"]


def test_a_change_survives_a_kill(tmp_path: Path) -> None:
    """A change that was acknowledged is told of after the whole server was killed."""
    with hooks() as hook:
        with Running(tmp_path, config(hook), env={"OPS_KEY": OPS_KEY}) as running:
            hook.refusals = 1_000_000
            cloudwatch = client(running)
            put(cloudwatch, "lasting", "nothing", AlarmActions=[HOOK])
            cloudwatch.set_alarm_state(AlarmName="lasting", StateValue="ALARM", StateReason="by hand")
            assert running.process is not None
            running.process.send_signal(signal.SIGKILL)
            running.process.wait()
        hook.refusals = 0
        with Running(tmp_path, config(hook), env={"OPS_KEY": OPS_KEY}):
            until(lambda: hook.about("lasting"))
    assert {one["NewStateReason"] for one in hook.about("lasting")} == {"by hand"}

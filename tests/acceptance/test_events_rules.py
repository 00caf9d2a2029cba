"""EventBridge: rules by pattern and by time, their targets, and what becomes of events that cannot be delivered."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.batching import asked, finished, s3_rights, said
from tests.acceptance.batching import role as job_role
from tests.acceptance.functions import make, make_role, until
from tests.acceptance.identities import allow, document, user_key, with_key
from tests.running import Running

CONFIG = "[limits]\nbatch_min_records = 3\n[events]\nretry_s = 0.05\nretry_most_s = 0.2\nminute_s = 0.2\n"
ACCOUNT = "000000000000"
REGION = "us-east-1"
RIGHTS = {"Effect": "Allow", "Action": ["logs:*", "s3:*"], "Resource": "*"}
KEEPING = """
import json, boto3
def handler(event, context):
    boto3.client("s3").put_object(Bucket="kept", Key=event["id"], Body=json.dumps(event).encode())
"""
CIRCLING = """
import boto3
def handler(event, context):
    boto3.client("s3").put_object(Bucket="circled", Key=event["id"])
    boto3.client("events").put_events(Entries=[{"Source": "circle", "DetailType": "again", "Detail": "{}"}])
"""
MODEL = "anthropic.claude-3-haiku-20240307-v1:0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home"), CONFIG) as running:
        running.client("s3").create_bucket(Bucket="kept")
        make_role(running, "keeper", RIGHTS)
        yield running


@pytest.fixture(scope="module")
def events(server: Running) -> Any:
    return server.client("events")


@pytest.fixture(scope="module")
def keeper(server: Running) -> str:
    """A function that puts the events it gets into a bucket, and lets EventBridge in; its ARN."""
    functions = server.client("lambda")
    arn: str = make(functions, "keeper", f"arn:aws:iam::{ACCOUNT}:role/keeper", KEEPING, Timeout=20)["FunctionArn"]
    functions.add_permission(
        FunctionName="keeper", StatementId="events", Action="lambda:InvokeFunction", Principal="events.amazonaws.com",
        SourceArn=f"arn:aws:events:{REGION}:{ACCOUNT}:rule/*",
    )  # fmt: skip
    return arn


def group(server: Running, name: str) -> str:
    """A log group that lets EventBridge in; its ARN."""
    logs = server.client("logs")
    logs.create_log_group(logGroupName=name)
    rights = allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/*:*")
    rights["Principal"] = {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]}
    logs.put_resource_policy(policyName="events", policyDocument=document(rights))
    return f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}"


def logged(server: Running, name: str, count: int = 1) -> list[str]:
    """The messages in a log group, as soon as there are so many."""
    logs = server.client("logs")

    def found() -> list[str]:
        got = [one["message"] for one in logs.filter_log_events(logGroupName=name)["events"]]
        return got if len(got) >= count else []

    return list(until(found))


def rule(events: Any, name: str, target: str, pattern: dict[str, Any] | None = None, **more: Any) -> str:
    """A rule of the default bus with one target; its ARN."""
    asked = {"EventPattern": json.dumps(pattern)} if pattern is not None else {}
    target_more = more.pop("extra", {})
    arn: str = events.put_rule(Name=name, **asked, **more)["RuleArn"]
    assert events.put_targets(Rule=name, Targets=[{"Id": "one", "Arn": target, **target_more}])["FailedEntryCount"] == 0
    return arn


def put(events: Any, source: str, detail: Any = None, **more: Any) -> str:
    entry = {"Source": source, "DetailType": "test", "Detail": json.dumps(detail or {}), **more}
    told = events.put_events(Entries=[entry])
    assert told["FailedEntryCount"] == 0
    ident: str = told["Entries"][0]["EventId"]
    return ident


def test_an_event_reaches_a_function(server: Running, events: Any, keeper: str) -> None:
    """A function gets the whole event of a rule that matches it, as EventBridge on behalf of the rule."""
    rule(events, "to-function", keeper, {"source": ["shop"], "detail": {"total": [{"numeric": [">", 10]}]}})
    put(events, "shop", {"total": 5})
    ident = put(events, "shop", {"total": 50}, Resources=["arn:aws:s3:::x"])
    s3 = server.client("s3")

    def keys() -> list[str]:
        return [one["Key"] for one in s3.list_objects_v2(Bucket="kept").get("Contents", [])]

    assert until(lambda: ident in keys())
    event = json.loads(s3.get_object(Bucket="kept", Key=ident)["Body"].read())
    assert event["detail"] == {"total": 50}
    assert event["detail-type"] == "test"
    assert event["resources"] == ["arn:aws:s3:::x"]
    assert keys() == [ident]


def test_an_event_reaches_a_log_group(server: Running, events: Any) -> None:
    """A log group gets the event as JSON, or what a template makes of it."""
    rule(events, "to-logs", group(server, "/events/plain"), {"source": ["lab"]})
    events.put_targets(
        Rule="to-logs",
        Targets=[{"Id": "two", "Arn": group(server, "/events/made"), "InputTransformer": {
            "InputPathsMap": {"who": "$.detail.who", "all": "$.detail"},
            "InputTemplate": '{"text": "hello <who>", "who": <who>, "detail": <all>, "rule": "<aws.events.rule-name>"}',
        }}],
    )  # fmt: skip
    ident = put(events, "lab", {"who": 'a"b'})
    assert json.loads(logged(server, "/events/plain")[0])["id"] == ident
    made = json.loads(logged(server, "/events/made")[0])
    assert made == {"text": 'hello a"b', "who": 'a"b', "detail": {"who": 'a"b'}, "rule": "to-logs"}


def test_a_schedule_is_kept(server: Running, events: Any) -> None:
    """A rule with a rate tells its event each time, and no more once it is disabled."""
    arn = rule(events, "clock", group(server, "/events/clock"), ScheduleExpression="rate(1 minute)")
    told = [json.loads(one) for one in logged(server, "/events/clock", 2)]
    assert told[0]["source"] == "aws.events"
    assert told[0]["detail-type"] == "Scheduled Event"
    assert told[0]["resources"] == [arn]
    assert len({one["id"] for one in told}) == len(told)
    events.disable_rule(Name="clock")
    assert events.describe_rule(Name="clock")["State"] == "DISABLED"


def test_what_cannot_be_delivered_goes_to_the_dead_letters(server: Running, events: Any) -> None:
    """A target that refuses, or is not there, costs no event where there are dead letters."""
    letters = group(server, "/events/dead")
    missing = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:missing"
    rule(events, "dying", missing, {"source": ["doomed"]}, extra={"DeadLetterConfig": {"Arn": letters}})
    ident = put(events, "doomed")
    told = json.loads(logged(server, "/events/dead")[0])
    assert told["ERROR_CODE"] == "ResourceNotFoundException" or told["ERROR_CODE"].startswith("AccessDenied")
    assert told["TARGET_ARN"] == missing
    assert told["event"]["id"] == ident


def test_entries_are_judged_one_by_one(events: Any) -> None:
    """An entry that cannot be taken has an error of its own; the others are kept."""
    good = {"Source": "x", "DetailType": "y", "Detail": "{}"}
    told = events.put_events(
        Entries=[good, {**good, "Detail": "["}, {**good, "Source": "aws.s3"}, {"Source": "x", "Detail": "{}"}]
    )
    assert told["FailedEntryCount"] == 3
    codes = [one.get("ErrorCode") for one in told["Entries"]]
    assert codes == [None, "MalformedDetail", "NotAuthorizedForSourceException", "InvalidArgument"]


def test_who_may_not_put_is_refused(server: Running) -> None:
    """A policy may allow a caller the events of one source alone."""
    rights = allow("events:PutEvents", "*")
    rights["Condition"] = {"StringEquals": {"events:source": "mine"}}
    mine = with_key(server, user_key(server, "teller", document(rights)), "events")
    put(mine, "mine")
    with pytest.raises(ClientError) as error:
        put(mine, "yours")
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({}, "ValidationException"),
        ({"EventPattern": "{"}, "InvalidEventPatternException"),
        ({"EventPattern": '{"source": "x"}'}, "InvalidEventPatternException"),
        ({"EventPattern": '{"source": [{"nonsense": 1}]}'}, "InvalidEventPatternException"),
        ({"ScheduleExpression": "rate(1 minutes)"}, "ValidationException"),
        ({"ScheduleExpression": "cron(0 10 * * * *)"}, "ValidationException"),
        ({"EventBusName": "nowhere", "EventPattern": '{"source": ["x"]}'}, "ResourceNotFoundException"),
    ],
)
def test_a_bad_rule_is_refused(events: Any, asked: dict[str, Any], code: str) -> None:
    """What no rule can be made of gets AWS's error."""
    with pytest.raises(ClientError) as error:
        events.put_rule(Name="bad", **asked)
    assert error.value.response["Error"]["Code"] == code


def test_rules_are_kept_as_they_are_given(events: Any) -> None:
    """A rule is shown, listed, found by its target, tagged, and deleted once it has no targets."""
    events.create_event_bus(Name="side", Tags=[{"Key": "team", "Value": "a"}])
    arn = events.put_rule(Name="r", EventBusName="side", EventPattern='{"source":["x"]}', Description="d")["RuleArn"]
    assert arn == f"arn:aws:events:{REGION}:{ACCOUNT}:rule/side/r"
    target = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/some"
    policy = {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60}
    events.put_targets(Rule="r", EventBusName="side", Targets=[{"Id": "t", "Arn": target, "RetryPolicy": policy}])
    shown = events.describe_rule(Name="r", EventBusName="side")
    assert (shown["State"], shown["Description"], shown["EventBusName"]) == ("ENABLED", "d", "side")
    assert [one["Name"] for one in events.list_rules(EventBusName="side")["Rules"]] == ["r"]
    assert events.list_rule_names_by_target(TargetArn=target, EventBusName="side")["RuleNames"] == ["r"]
    assert events.list_targets_by_rule(Rule="r", EventBusName="side")["Targets"][0]["RetryPolicy"] == policy
    assert events.list_tags_for_resource(ResourceARN=f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/side")["Tags"]
    with pytest.raises(ClientError, match="has targets"):
        events.delete_rule(Name="r", EventBusName="side")
    with pytest.raises(ClientError, match="has rules"):
        events.delete_event_bus(Name="side")
    assert events.remove_targets(Rule="r", EventBusName="side", Ids=["t", "u"])["FailedEntryCount"] == 1
    events.delete_rule(Name="r", EventBusName="side")
    events.delete_event_bus(Name="side")
    assert [one["Name"] for one in events.list_event_buses()["EventBuses"]] == ["default"]


def test_targets_that_are_not_here_are_refused(events: Any) -> None:
    """Nothing is taken that would never be delivered."""
    events.put_rule(Name="elsewhere", EventPattern='{"source":["x"]}')
    for arn in ("nonsense", f"arn:aws:sqs:{REGION}:{ACCOUNT}:queue"):
        with pytest.raises(ClientError, match="is not valid"):
            events.put_targets(Rule="elsewhere", Targets=[{"Id": "q", "Arn": arn}])


def test_what_is_not_built_says_so(events: Any) -> None:
    """An operation that is not here answers an error that AWS's clients know."""
    with pytest.raises(ClientError) as error:
        events.list_archives()
    assert error.value.response["Error"]["Code"] == "UnsupportedOperationException"


def test_a_function_that_calls_itself_by_events_is_stopped(server: Running, events: Any) -> None:
    """A function whose event calls the function again ends after AWS's sixteen times."""
    putting = {"Effect": "Allow", "Action": "events:PutEvents", "Resource": "*"}
    role = make_role(server, "circle", RIGHTS, putting)
    functions = server.client("lambda")
    arn = make(functions, "circle", role, CIRCLING, Timeout=20)["FunctionArn"]
    functions.add_permission(
        FunctionName="circle", StatementId="events", Action="lambda:InvokeFunction", Principal="events.amazonaws.com"
    )
    server.client("s3").create_bucket(Bucket="circled")
    rule(events, "circle", arn, {"source": ["circle"]})
    put(events, "circle")
    assert until(lambda: "RecursiveInvocation" in server.output()), server.output()[-3000:]
    assert 1 < server.client("s3").list_objects_v2(Bucket="circled")["KeyCount"] <= 17


def test_a_job_tells_of_its_states(server: Running, events: Any) -> None:
    """A batch job tells of each of its states, from its submission to its end."""
    rule(events, "states", group(server, "/events/states"), {"source": ["aws.bedrock"]})
    s3, bedrock = server.client("s3"), server.client("bedrock")
    s3.create_bucket(Bucket="batched")
    s3.put_object(Bucket="batched", Key="in/a.jsonl", Body=said(range(3)))
    job = asked(
        "told", MODEL, job_role(server, "batched", s3_rights("batched")), "s3://batched/in/", "s3://batched/out/"
    )
    arn = bedrock.create_model_invocation_job(**job)["jobArn"]
    assert finished(bedrock, arn)["status"] == "Completed"

    def states() -> set[str]:
        found = {json.loads(one)["detail"]["status"] for one in logged(server, "/events/states")}
        return found if "Completed" in found else set()

    assert {"Submitted", "InProgress", "Completed"} <= until(states)
    told = [json.loads(one) for one in logged(server, "/events/states")]
    assert {one["resources"][0] for one in told} == {arn}
    assert {one["detail"]["batchJobName"] for one in told} == {"told"}


def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Events that were acknowledged right before a kill are delivered by the next server."""
    count = 20
    with Running(tmp_path / "home", CONFIG) as server:
        events = server.client("events")
        rule(events, "all", group(server, "/all"), {"source": ["crash"]})
        acknowledged = {put(events, "crash", {"n": number}) for number in range(count)}
        server.stop(signal.SIGKILL)
    with Running(tmp_path / "home", CONFIG) as again:
        got = {json.loads(one)["id"] for one in logged(again, "/all", count)}
        assert acknowledged <= got

"""CloudWatch Logs through boto3: groups, streams, events in and out, keys, rights and what is told of mistakes."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.kms import ACCOUNT, made, of_user, others, refused, serving_keys
from tests.running import Running

CANARY = "canary-7c1b5e0f"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving_keys(tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture(scope="module")
def logs(server: Running) -> Any:
    return server.client("logs")


def now_ms() -> int:
    return int(time.time() * 1000)


def grouped(logs: Any, name: str, *streams: str, **more: Any) -> str:
    logs.create_log_group(logGroupName=name, **more)
    for stream in streams or ("s",):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
    return name


def put(logs: Any, group: str, messages: list[str], stream: str = "s", start: int | None = None) -> Any:
    at = now_ms() - 1000 if start is None else start
    events = [{"timestamp": at + number, "message": message} for number, message in enumerate(messages)]
    return logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def test_pages_of_a_stream_go_back_and_forth(logs: Any) -> None:
    """Tokens lead forward and backward, stay the same at the ends, and show what came since."""
    grouped(logs, "paged")
    put(logs, "paged", [str(number) for number in range(30)])
    ask = {"logGroupName": "paged", "logStreamName": "s", "limit": 10}
    last = logs.get_log_events(**ask)
    assert [event["message"] for event in last["events"]] == [str(number) for number in range(20, 30)]
    middle = logs.get_log_events(**ask, nextToken=last["nextBackwardToken"])
    assert [event["message"] for event in middle["events"]] == [str(number) for number in range(10, 20)]
    again = logs.get_log_events(**ask, nextToken=middle["nextForwardToken"])
    assert again["events"] == last["events"]
    end = logs.get_log_events(**ask, nextToken=last["nextForwardToken"])
    assert (end["events"], end["nextForwardToken"]) == ([], last["nextForwardToken"])
    assert logs.get_log_events(**ask, nextToken=end["nextBackwardToken"])["events"] == last["events"]
    put(logs, "paged", ["new"], start=now_ms())
    assert [event["message"] for event in logs.get_log_events(**ask, nextToken=end["nextForwardToken"])["events"]] == [
        "new"
    ]
    first = logs.get_log_events(**ask, startFromHead=True)
    start = logs.get_log_events(**ask, nextToken=first["nextBackwardToken"])
    assert (start["events"], start["nextBackwardToken"]) == ([], first["nextBackwardToken"])


def test_a_filter_reads_all_streams_in_order(logs: Any) -> None:
    """Events of several streams come by time; pattern, streams, times and pages narrow them."""
    grouped(logs, "filtered", "a1", "a2", "b")
    at = now_ms() - 10_000
    for number, stream in enumerate(("a1", "a2", "b")):
        put(logs, "filtered", [f'{{"n": {number}, "k": {k}}}' for k in range(20)], stream, at + number)
    pages = logs.get_paginator("filter_log_events").paginate
    found = [e for page in pages(logGroupName="filtered", PaginationConfig={"PageSize": 7}) for e in page["events"]]
    assert len(found) == 60
    assert [event["timestamp"] for event in found] == sorted(event["timestamp"] for event in found)
    assert len({event["eventId"] for event in found}) == 60
    ask = logs.filter_log_events
    assert len(ask(logGroupName="filtered", filterPattern="{ $.n = 2 && $.k >= 10 }")["events"]) == 10
    assert {e["logStreamName"] for e in ask(logGroupName="filtered", logStreamNamePrefix="a")["events"]} == {"a1", "a2"}
    assert len(ask(logGroupName="filtered", logStreamNames=["b"], startTime=at + 2, endTime=at + 3)["events"]) == 2
    newest = ask(logGroupName="filtered", startTime=at, startFromHead=False, limit=1)["events"]
    assert [event["timestamp"] for event in newest] == [at + 21]
    arn = logs.describe_log_groups(logGroupNamePrefix="filtered")["logGroups"][0]["logGroupArn"]
    assert len(ask(logGroupIdentifier=arn)["events"]) == 60


def test_groups_are_found_by_prefix_and_pattern(logs: Any) -> None:
    """Listings page by name and tell what a group is."""
    for name in ("/list/a", "/list/b", "/list/c"):
        grouped(logs, name, tags={"team": "x"})
    put(logs, "/list/a", ["12345"])
    pages = logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix="/list/", PaginationConfig={"PageSize": 2}
    )
    found = [group for page in pages for group in page["logGroups"]]
    assert [group["logGroupName"] for group in found] == ["/list/a", "/list/b", "/list/c"]
    assert (found[0]["storedBytes"], found[0]["logGroupClass"]) == (31, "STANDARD")
    assert found[0]["arn"] == f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/list/a:*"
    matched = logs.describe_log_groups(logGroupNamePattern="st/b")["logGroups"]
    assert [set(group) for group in matched] == [{"arn", "creationTime", "logGroupName"}]
    assert logs.list_tags_for_resource(resourceArn=found[0]["logGroupArn"])["tags"] == {"team": "x"}


def test_retention_hides_and_refuses(logs: Any) -> None:
    """Events older than the group keeps them are no longer seen, and no longer taken."""
    grouped(logs, "kept")
    old = now_ms() - 3 * 86_400_000
    put(logs, "kept", ["old"], start=old)
    put(logs, "kept", ["new"])
    logs.put_retention_policy(logGroupName="kept", retentionInDays=1)
    assert [e["message"] for e in logs.filter_log_events(logGroupName="kept")["events"]] == ["new"]
    told = put(logs, "kept", ["older"], start=old)["rejectedLogEventsInfo"]
    assert told == {"expiredLogEventEndIndex": 1}
    assert logs.describe_log_groups(logGroupNamePrefix="kept")["logGroups"][0]["retentionInDays"] == 1
    logs.delete_retention_policy(logGroupName="kept")
    assert len(logs.filter_log_events(logGroupName="kept")["events"]) == 2


def test_nothing_is_readable_on_the_disk(server: Running, logs: Any) -> None:
    """No message stands in any file of the home, in no form that a search for its words would find."""
    grouped(logs, "sealed")
    put(logs, "sealed", [f"{CANARY} {number}" for number in range(50)])
    assert len(logs.filter_log_events(logGroupName="sealed", filterPattern=f'"{CANARY}"')["events"]) == 50
    files = [path for path in Path(server.home).rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


def test_a_disabled_key_makes_a_group_unreadable(server: Running, logs: Any) -> None:
    """A group under a customer's key is read with it and not without."""
    kms = server.client("kms")
    key = made(kms)
    grouped(logs, "keyed", kmsKeyId=key)
    assert logs.describe_log_groups(logGroupNamePrefix="keyed")["logGroups"][0]["kmsKeyId"] == key
    put(logs, "keyed", ["secret"])
    kms.disable_key(KeyId=key)
    refused("AccessDeniedException", "its KMS key cannot be used", logs.filter_log_events, logGroupName="keyed")
    refused("InvalidParameterException", "KMS key", logs.create_log_group, logGroupName="other", kmsKeyId=key)
    kms.enable_key(KeyId=key)
    assert [e["message"] for e in logs.filter_log_events(logGroupName="keyed")["events"]] == ["secret"]
    logs.disassociate_kms_key(logGroupName="keyed")
    put(logs, "keyed", ["plain"])
    assert len(logs.filter_log_events(logGroupName="keyed")["events"]) == 2


def test_rights_are_of_groups_and_streams(server: Running, logs: Any) -> None:
    """A user who may write one stream may not read it, nor write another; other accounts see nothing."""
    grouped(logs, "mine", "s", "t")
    resource = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:mine:log-stream:s"
    writer, _ = of_user(
        server, "writer", {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": resource}, service="logs"
    )
    put(writer, "mine", ["x"])
    for call, given in (
        (writer.get_log_events, {"logGroupName": "mine", "logStreamName": "s"}),
        (writer.filter_log_events, {"logGroupName": "mine"}),
        (writer.delete_log_group, {"logGroupName": "mine"}),
        (writer.describe_log_groups, {}),
        (writer.describe_log_streams, {"logGroupName": "not-there"}),
    ):
        refused("AccessDeniedException", "not authorized to perform: logs:", call, **given)
    with pytest.raises(writer.exceptions.ClientError, match="log-stream:t"):
        put(writer, "mine", ["x"], "t")
    refused("ResourceNotFoundException", "log group", others(server, "logs").filter_log_events, logGroupName="mine")


@pytest.mark.parametrize(
    ("operation", "given", "name", "told"),
    [
        ("create_log_group", {"logGroupName": "bad"}, "ResourceAlreadyExistsException", "group already exists"),
        ("create_log_group", {"logGroupName": "a:b"}, "InvalidParameterException", "'logGroupName' failed"),
        ("create_log_group", {"logGroupName": "aws/x"}, "InvalidParameterException", "reserved"),
        ("create_log_stream", {"logGroupName": "bad", "logStreamName": "s"}, "ResourceAlreadyExistsException", "stream"),
        ("create_log_stream", {"logGroupName": "bad", "logStreamName": "a:b"}, "InvalidParameterException", "[^:*]*"),
        ("create_log_stream", {"logGroupName": "no", "logStreamName": "s"}, "ResourceNotFoundException", "log group"),
        ("delete_log_stream", {"logGroupName": "bad", "logStreamName": "t"}, "ResourceNotFoundException", "log stream"),
        ("get_log_events", {"logGroupName": "bad", "logStreamName": "t"}, "ResourceNotFoundException", "log stream"),
        ("get_log_events", {"logGroupName": "bad", "logStreamName": "s", "nextToken": "x"}, "InvalidParameterException",
         "The specified nextToken is invalid."),
        ("get_log_events", {"logStreamName": "s"}, "InvalidParameterException", "logGroupIdentifier"),
        ("filter_log_events", {"logGroupName": "bad", "filterPattern": "{ $.a }"}, "InvalidParameterException",
         "Invalid filter pattern"),
        ("filter_log_events", {"logGroupName": "bad", "nextToken": "x"}, "InvalidParameterException", "nextToken"),
        ("filter_log_events", {"logGroupName": "bad", "limit": 10_001}, "InvalidParameterException", "10000"),
        ("filter_log_events", {"logGroupName": "bad", "logStreamNames": ["t"]}, "ResourceNotFoundException", "stream"),
        ("put_retention_policy", {"logGroupName": "bad", "retentionInDays": 2}, "InvalidParameterException",
         "retentionInDays"),
        ("describe_log_streams", {"logGroupName": "bad", "orderBy": "LastEventTime", "logStreamNamePrefix": "s"},
         "InvalidParameterException", "Cannot order by LastEventTime"),
        ("tag_resource", {"resourceArn": "arn:aws:logs:us-east-1:000000000000:log-group:no", "tags": {"a": "b"}},
         "ResourceNotFoundException", "log group"),
        ("describe_export_tasks", {}, "UnsupportedOperationException", "not implemented"),
    ],
)  # fmt: skip
def test_mistakes_are_told(logs: Any, operation: str, given: dict[str, Any], name: str, told: str) -> None:
    """What is wrong with a request is said as CloudWatch Logs says it."""
    if not logs.describe_log_groups(logGroupNamePrefix="bad")["logGroups"]:
        grouped(logs, "bad")
    refused(name, told, getattr(logs, operation), **given)


def test_a_new_group_of_an_old_name_is_empty(logs: Any) -> None:
    """What was deleted stays deleted when the name comes back."""
    grouped(logs, "phoenix")
    put(logs, "phoenix", ["before"])
    logs.delete_log_group(logGroupName="phoenix")
    grouped(logs, "phoenix")
    assert logs.filter_log_events(logGroupName="phoenix")["events"] == []


def test_what_was_acknowledged_survives_the_death_of_the_server(tmp_path: Path) -> None:
    """Writers on several connections; the server is killed in their midst; every answered event is there afterwards."""
    answered: list[str] = []

    def write(logs: Any, number: int) -> None:
        for round_ in range(1000):
            names = [f"{number}-{round_}-{part}" for part in range(5)]
            try:
                put(logs, "crash", names, f"s{number}")
            except Exception:  # whatever the client makes of a server that is gone
                return
            answered.extend(names)

    with serving_keys(tmp_path) as server:
        logs = server.client("logs")
        grouped(logs, "crash", *(f"s{number}" for number in range(6)))
        with ThreadPoolExecutor(6) as pool:
            writing = [pool.submit(write, logs, number) for number in range(6)]
            while len(answered) < 500:
                time.sleep(0.01)
            assert server.process is not None
            server.process.kill()
            for one in writing:
                one.result()
    with serving_keys(tmp_path) as server:
        pages = server.client("logs").get_paginator("filter_log_events").paginate(logGroupName="crash")
        kept = [event["message"] for page in pages for event in page["events"]]
    assert set(answered) <= set(kept)
    assert len(kept) == len(set(kept))


def test_a_reset_forgets_everything(tmp_path: Path) -> None:
    """An ephemeral server is as new afterwards, and takes the same names again."""
    with serving_keys(tmp_path, "", "--ephemeral") as server:
        logs = server.client("logs")
        for _ in range(2):
            grouped(logs, "g")
            put(logs, "g", ["x"])
            assert len(logs.filter_log_events(logGroupName="g")["events"]) == 1
            reset(server)


def reset(server: Running) -> None:
    with urllib.request.urlopen(urllib.request.Request(f"{server.url}/craton/reset", method="POST")) as answer:
        assert answer.status < 300

"""Insights queries through boto3: results, statistics, mistakes, rights, bounds and ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.kms import of_user, refused
from tests.running import Running

_HOUR_S = 3600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("queries"), "[logs]\nquery_timeout_s = 4.0\n") as running:
        yield running


@pytest.fixture(scope="module")
def logs(server: Running) -> Any:
    return server.client("logs")


def filled(logs: Any, group: str, messages: list[Any], streams: int = 1) -> str:
    """A group with these messages, a second apart, the last one now."""
    logs.create_log_group(logGroupName=group)
    begin = int(time.time() * 1000) - 1000 * len(messages)
    for stream in range(streams):
        logs.create_log_stream(logGroupName=group, logStreamName=f"s{stream}")
        events = [
            {"timestamp": begin + 1000 * at, "message": one if isinstance(one, str) else json.dumps(one)}
            for at, one in enumerate(messages)
            if at % streams == stream
        ]
        logs.put_log_events(logGroupName=group, logStreamName=f"s{stream}", logEvents=events)
    return group


def ended(logs: Any, query: str) -> Any:
    deadline = time.monotonic() + 90
    while True:
        answer = logs.get_query_results(queryId=query)
        if answer["status"] not in ("Scheduled", "Running"):
            return answer
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)


def asked(logs: Any, query: str, *groups: str, **more: Any) -> Any:
    now = int(time.time())
    span = {"startTime": now - _HOUR_S, "endTime": now + 1} | more
    started = logs.start_query(logGroupNames=list(groups), queryString=query, **span)
    return ended(logs, started["queryId"])


def rows(answer: Any) -> list[dict[str, str]]:
    return [{cell["field"]: cell["value"] for cell in row} for row in answer["results"]]


def test_a_query_filters_and_sums_up(logs: Any) -> None:
    """Figures by a discovered field, over all streams, with statistics that count every event."""
    filled(logs, "sums", [{"user": {"name": f"u{n % 3}"}, "ms": n} for n in range(60)], streams=3)
    answer = asked(logs, "filter ms >= 30 | stats count(*) as n, sum(ms) by user.name | sort user.name", "sums")
    assert answer["status"] == "Complete"
    assert rows(answer)[0] == {"user.name": "u0", "n": "10", "sum(ms)": str(sum(range(30, 60, 3)))}
    statistics = answer["statistics"]
    assert (statistics["recordsScanned"], statistics["recordsMatched"]) == (60, 30)
    assert statistics["bytesScanned"] > 0


def test_events_come_newest_first_and_lead_to_their_records(logs: Any) -> None:
    """Without a command the newest events come with time, message and a pointer that GetLogRecord opens."""
    filled(logs, "plain", [{"n": number, "deep": {"list": [number]}} for number in range(5)])
    answer = asked(logs, "", "plain", limit=2)
    found = rows(answer)
    assert [json.loads(row["@message"])["n"] for row in found] == [4, 3]
    record = logs.get_log_record(logRecordPointer=found[0]["@ptr"])["logRecord"]
    assert (record["deep.list.0"], record["@logStream"], record["@message"]) == ("4", "s0", found[0]["@message"])


def test_several_groups_are_one_query(logs: Any) -> None:
    """@log tells the groups apart, and times bound what is read."""
    filled(logs, "one", ["a", "b"])
    filled(logs, "two", ["c"])
    answer = asked(logs, "stats count(*) by @log | sort @log", "one", "two")
    assert [row["@log"].split(":")[1] for row in rows(answer)] == ["one", "two"]
    now = int(time.time())
    assert asked(logs, "fields @message", "one", startTime=now - 7200, endTime=now - 3600)["results"] == []


def test_a_mistake_names_its_place(logs: Any) -> None:
    """MalformedQueryException has where the query stops to make sense."""
    filled(logs, "wrong", ["x"])
    with pytest.raises(ClientError) as caught:
        asked(logs, "fields a | filter b ==== 3", "wrong")
    error = caught.value.response
    assert error["Error"]["Code"] == "MalformedQueryException"
    assert error["queryCompileError"]["location"] == {"startCharOffset": 22, "endCharOffset": 24}


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"logGroupNames": ["nowhere"]}, "ResourceNotFoundException"),
        ({"logGroupNames": []}, "InvalidParameterException"),
        ({"logGroupNames": ["x"], "logGroupName": "x"}, "InvalidParameterException"),
        ({"logGroupName": "nowhere", "queryLanguage": "SQL"}, "InvalidParameterException"),
    ],
)
def test_what_cannot_be_asked_is_refused(logs: Any, more: dict[str, Any], code: str) -> None:
    """Groups that are not there, two ways at once and other languages have AWS's errors."""
    with pytest.raises(ClientError) as caught:
        logs.start_query(startTime=0, endTime=1, queryString="fields @message", **more)
    assert caught.value.response["Error"]["Code"] == code


def test_an_endless_expression_is_cut_short(logs: Any) -> None:
    """A record on which an expression backtracks for ever is left out and counted; the query ends in its time."""
    filled(logs, "evil", ["a" * 40 + "!", "fine"])
    answer = asked(logs, "filter @message like /(a+)+$/ or @message = 'fine'", "evil")
    assert answer["status"] == "Complete"
    assert [row["@message"] for row in rows(answer)] == ["fine"]
    assert answer["statistics"]["estimatedRecordsSkipped"] == 1


def test_a_query_that_takes_too_long_ends_with_what_it_has(logs: Any) -> None:
    """A query is Timeout when its time is over, with statistics; StopQuery ends one before."""
    filled(logs, "slow", ["a" * 40 + "!"] * 40)
    answer = asked(logs, "filter @message like /(a+)+$/", "slow")
    assert answer["status"] == "Timeout"
    assert 1 <= answer["statistics"]["recordsScanned"] < 40
    now = int(time.time())
    ask = {"logGroupName": "slow", "startTime": now - _HOUR_S, "endTime": now}
    query = logs.start_query(queryString="filter @message like /(a+)+$/", **ask)["queryId"]
    time.sleep(0.5)
    assert logs.stop_query(queryId=query)["success"]
    assert logs.get_query_results(queryId=query)["status"] == "Cancelled"
    with pytest.raises(ClientError, match="InvalidParameterException"):
        logs.stop_query(queryId=query)


def test_rights_hold_for_every_group_of_a_query(server: Running, logs: Any) -> None:
    """Who may query one group gets nothing of another, neither by asking nor from somebody else's query."""
    for group in ("mine", "theirs"):
        filled(logs, group, ["x"])
    resource = "arn:aws:logs:*:*:log-group:mine:*"
    actions = ["logs:StartQuery", "logs:GetQueryResults", "logs:StopQuery", "logs:GetLogRecord"]
    user, _ = of_user(server, "asker", {"Effect": "Allow", "Action": actions, "Resource": resource}, service="logs")
    found = asked(user, "fields @message", "mine")
    assert [row["@message"] for row in rows(found)] == ["x"]
    span = {"startTime": 0, "endTime": int(time.time()), "queryString": "fields @message"}
    refused("AccessDeniedException", "StartQuery", user.start_query, logGroupNames=["mine", "theirs"], **span)
    both = logs.start_query(logGroupNames=["mine", "theirs"], **span)["queryId"]
    refused("AccessDeniedException", "GetQueryResults", user.get_query_results, queryId=both)
    (row,) = rows(asked(logs, "fields @message", "theirs"))
    refused("AccessDeniedException", "GetLogRecord", user.get_log_record, logRecordPointer=row["@ptr"])
    refused("AccessDeniedException", "DescribeQueries", user.describe_queries)
    refused("ResourceNotFoundException", "Query", logs.get_query_results, queryId="nothing")


def test_queries_and_definitions_are_listed(logs: Any) -> None:
    """DescribeQueries tells of those of a group; definitions are kept, changed, found by prefix and deleted."""
    filled(logs, "listed", ["x"])
    for number in range(3):
        asked(logs, f"fields @message | limit {number + 1}", "listed")
    pages = [logs.describe_queries(logGroupName="listed", maxResults=2)]
    pages.append(logs.describe_queries(logGroupName="listed", maxResults=2, nextToken=pages[0]["nextToken"]))
    found = [one["queryString"] for page in pages for one in page["queries"]]
    assert found == [f"fields @message | limit {number}" for number in (3, 2, 1)]
    assert logs.describe_queries(logGroupName="listed", status="Running")["queries"] == []
    made = [
        logs.put_query_definition(name=name, queryString="fields a", logGroupNames=["listed"])["queryDefinitionId"]
        for name in ("team/b", "team/a", "other")
    ]
    logs.put_query_definition(name="team/c", queryString="fields b", queryDefinitionId=made[0])
    kept = logs.describe_query_definitions(queryDefinitionNamePrefix="team/")["queryDefinitions"]
    assert [(one["name"], one["queryString"]) for one in kept] == [("team/a", "fields a"), ("team/c", "fields b")]
    assert logs.delete_query_definition(queryDefinitionId=made[0])["success"]
    refused("ResourceNotFoundException", "definition", logs.delete_query_definition, queryDefinitionId=made[0])


def test_fields_of_a_group_are_told(logs: Any) -> None:
    """Members of recent events, with how many of the events have them."""
    filled(logs, "fields", [{"a": 1, "b": {"c": 2}}, {"a": 1}, "text", {"a": 3}])
    found = {one["name"]: one["percent"] for one in logs.get_log_group_fields(logGroupName="fields")["logGroupFields"]}
    assert found == {"@ingestionTime": 100, "@log": 100, "@logStream": 100, "@message": 100, "@timestamp": 100,
                     "a": 75, "b.c": 25}  # fmt: skip


def test_a_page_of_results_leads_to_the_next(logs: Any) -> None:
    """maxItems and nextToken walk through the rows of a query that has ended."""
    filled(logs, "paged", [str(number) for number in range(7)])
    query = logs.start_query(
        logGroupName="paged", startTime=0, endTime=int(time.time()) + 1, queryString="fields @message | sort @message"
    )["queryId"]
    ended(logs, query)
    found: list[str] = []
    more: dict[str, str] = {}
    while True:
        page = logs.get_query_results(queryId=query, maxItems=3, **more)
        found += [row[0]["value"] for row in page["results"]]
        if "nextToken" not in page:
            break
        more = {"nextToken": page["nextToken"]}
    assert found == [str(number) for number in range(7)]

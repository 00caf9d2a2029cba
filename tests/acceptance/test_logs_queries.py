"""Insights queries through boto3: results, statistics, mistakes, rights, bounds and ends."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

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
    deadline = time.monotonic() + 30
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
    with pytest.raises(ClientError) as refused:
        asked(logs, "fields a | filter b ==== 3", "wrong")
    error = refused.value.response
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
    with pytest.raises(ClientError) as refused:
        logs.start_query(startTime=0, endTime=1, queryString="fields @message", **more)
    assert refused.value.response["Error"]["Code"] == code


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

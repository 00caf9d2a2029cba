"""Command lines at CloudWatch Logs: the AWS CLI, unmodified, and `craton logs`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_iam_awscli import answer, aws
from tests.running import ACCESS_KEY, SECRET_KEY, Running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("home")) as running:
        yield running


def test_events_go_in_and_out(server: Running) -> None:
    """The CLI's own pager finds the events of all streams by time, and with a pattern those that match."""
    answer(aws(server, "logs", "create-log-group", "--log-group-name", "/app/web"))
    for stream in ("one", "two"):
        place = ("--log-group-name", "/app/web", "--log-stream-name", stream)
        answer(aws(server, "logs", "create-log-stream", *place))
        event = f"timestamp={int(time.time() * 1000)},message=ERROR from {stream}"
        answer(aws(server, "logs", "put-log-events", *place, "--log-events", event))
    found = answer(aws(server, "logs", "filter-log-events", "--log-group-name", "/app/web"))["events"]
    assert [event["message"] for event in found] == ["ERROR from one", "ERROR from two"]
    words = ("--log-group-name", "/app/web", "--filter-pattern", '"from two"', "--page-size", "1")
    assert len(answer(aws(server, "logs", "filter-log-events", *words))["events"]) == 1
    gone = aws(server, "logs", "describe-log-streams", "--log-group-name", "nowhere")
    assert "(ResourceNotFoundException)" in gone.stderr


def cli2() -> str:
    """The AWS CLI 2 of this machine: version 1 has no `logs tail`."""
    for program in dict.fromkeys(["/usr/bin/aws", shutil.which("aws") or ""]):
        if program and Path(program).exists():
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
            if said.startswith("aws-cli/2."):
                return program
    raise AssertionError("tests/acceptance/clients/install puts the AWS CLI 2 on this machine")


def test_aws_logs_tail_follows_a_group(server: Running) -> None:
    """`aws logs tail` shows what all streams have in the order of time, and what comes while it follows."""
    logs = server.client("logs")
    logs.create_log_group(logGroupName="g")
    for stream in ("one", "two"):
        logs.create_log_stream(logGroupName="g", logStreamName=stream)

    def put(stream: str, message: str) -> None:
        event = {"timestamp": int(time.time() * 1000), "message": message}
        logs.put_log_events(logGroupName="g", logStreamName=stream, logEvents=[event])

    for number in range(3):
        put(("one", "two")[number % 2], f"ERROR {number}")
    put("one", "fine")
    words = ("logs", "tail", "g", "--filter-pattern", "ERROR", "--since", "1h", "--follow")
    command = [cli2(), "--endpoint-url", server.url, *words]
    env = {**os.environ, **server.environment(), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as tail:
        assert tail.stdout is not None
        shown = [tail.stdout.readline() for _ in range(3)]
        put("two", "ERROR at last")
        shown.append(tail.stdout.readline())
        tail.kill()
    said = [line.rstrip("\n").split(" ", 1)[1] for line in shown]
    assert said == ["one ERROR 0", "two ERROR 1", "one ERROR 2", "two ERROR at last"]


def test_craton_logs_follows_a_group(server: Running) -> None:
    """What is there is shown at once, what comes is shown when it comes, and only what fits the pattern."""
    logs = server.client("logs")
    place = {"logGroupName": "h", "logStreamName": "s"}
    logs.create_log_group(logGroupName="h")
    logs.create_log_stream(**place)

    def put(message: str) -> None:
        logs.put_log_events(**place, logEvents=[{"timestamp": int(time.time() * 1000), "message": message}])

    put("ERROR one")
    put("fine")
    keys = {"CRATON_ROOT_ACCESS_KEY_ID": ACCESS_KEY, "CRATON_ROOT_SECRET_ACCESS_KEY": SECRET_KEY}
    env = {**os.environ, **keys}
    command = [sys.executable, "-m", "craton.cli.main", "logs", "h", "--home", str(server.home), "--follow"]
    with subprocess.Popen([*command, "--filter", "ERROR"], stdout=subprocess.PIPE, text=True, env=env) as tail:
        assert tail.stdout is not None
        first = tail.stdout.readline()
        put("ERROR two")
        second = tail.stdout.readline()
        tail.kill()
    assert [first.rstrip().endswith(" s ERROR one"), second.rstrip().endswith(" s ERROR two")] == [True, True]

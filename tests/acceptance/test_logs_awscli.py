"""Command lines at CloudWatch Logs: the AWS CLI, unmodified, and `craton logs`."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.acceptance.test_iam_awscli import answer, aws
from tests.running import ACCESS_KEY, SECRET_KEY, Running


def test_events_go_in_and_out(tmp_path: Path) -> None:
    """The CLI's own pager finds the events of all streams by time, and with a pattern those that match."""
    with Running(tmp_path / "home") as server:
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


def test_craton_logs_follows_a_group(tmp_path: Path) -> None:
    """What is there is shown at once, what comes is shown when it comes, and only what fits the pattern."""
    with Running(tmp_path / "home") as server:
        logs = server.client("logs")
        place = {"logGroupName": "g", "logStreamName": "s"}
        logs.create_log_group(logGroupName="g")
        logs.create_log_stream(**place)

        def put(message: str) -> None:
            logs.put_log_events(**place, logEvents=[{"timestamp": int(time.time() * 1000), "message": message}])

        put("ERROR one")
        put("fine")
        keys = {"CRATON_ROOT_ACCESS_KEY_ID": ACCESS_KEY, "CRATON_ROOT_SECRET_ACCESS_KEY": SECRET_KEY}
        env = {**os.environ, **keys}
        command = [sys.executable, "-m", "craton.cli.main", "logs", "g", "--home", str(server.home), "--follow"]
        with subprocess.Popen([*command, "--filter", "ERROR"], stdout=subprocess.PIPE, text=True, env=env) as tail:
            assert tail.stdout is not None
            first = tail.stdout.readline()
            put("ERROR two")
            second = tail.stdout.readline()
            tail.kill()
        assert [first.rstrip().endswith(" s ERROR one"), second.rstrip().endswith(" s ERROR two")] == [True, True]

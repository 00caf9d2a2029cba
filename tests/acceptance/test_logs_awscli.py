"""The AWS CLI, unmodified, with CloudWatch Logs: put and filter, page by page."""

from __future__ import annotations

import time
from pathlib import Path

from tests.acceptance.test_iam_awscli import answer, aws
from tests.running import Running


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

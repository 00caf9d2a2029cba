"""The platform's lines and error payloads, as text and as JSON."""

from __future__ import annotations

import json

import pytest

from craton.features.functions.host import lines
from craton.features.functions.host.lines import Lines, Report

REPORT = Report(request_id="r", duration_ms=12.345, memory_mb=128, used_mb=40, init_ms=100.5)


def test_the_report_bills_whole_milliseconds() -> None:
    """What is billed is the duration with the start, rounded up."""
    text = "REPORT RequestId: r\tDuration: 12.35 ms\tBilled Duration: 113 ms\tMemory Size: 128 MB\t"
    assert Lines("Text").report(REPORT) == text + "Max Memory Used: 40 MB\tInit Duration: 100.50 ms\t\n"


def test_json_lines_are_events() -> None:
    """In JSON each line is one event with its record; END is part of the report."""
    told = json.loads(Lines("JSON").report(REPORT))
    assert told["type"] == "platform.report"
    assert told["record"]["metrics"]["billedDurationMs"] == 113
    assert told["record"]["status"] == "success"
    assert Lines("JSON").end("r") == ""


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "Runtime exited without providing a reason"),
        (3, "Runtime exited with error: exit status 3"),
        (-9, "Runtime exited with error: signal: killed"),
        (139, "Runtime exited with error: signal: segmentation fault"),
        (-33, "Runtime exited with error: signal: signal 33"),
    ],
)
def test_an_exit_has_its_words(status: int, words: str) -> None:
    """Codes and signals are named as AWS names them; bubblewrap's 128 and more are signals."""
    assert lines.ended(status) == words


def test_an_error_names_its_request() -> None:
    """A payload in a function's place has type and message."""
    assert json.loads(lines.error("Runtime.ExitError", "it ended", "r")) == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: r Error: it ended",
    }

"""The loop of a judge's program: it reads which scenario to play, plays it and prints what the program's user got.

Runs in the judges' own environment, beside the client under test, so it knows nothing of Craton and of pytest. One
line of JSON in (`{"name": …, "arguments": {…}}`), one line out (`{"value": …}` or `{"error": …}`); a client's own
prints go to standard error.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
from collections.abc import Callable
from typing import Any

CLAUDE = "anthropic.claude-3-5-sonnet-20240620-v1:0"


def told(error: BaseException) -> dict[str, Any]:
    """What somebody who catches it can see: its classes, its words, its status and what caused it."""
    cause = error.__cause__ or error.__context__
    return {
        "error": type(error).__name__,
        "classes": [kind.__name__ for kind in type(error).__mro__],
        "message": str(error),
        "status": getattr(error, "status_code", None),
        "code": getattr(error, "response", None)
        and isinstance(error.response, dict)
        and error.response.get("Error", {}).get("Code"),
        "cause": told(cause) if cause is not None else None,
    }


def play(scenario: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """One scenario, to its end."""
    try:
        value = scenario(**arguments)
        return {"value": asyncio.run(value) if inspect.iscoroutine(value) else value}
    except Exception as error:  # the test judges what was raised
        return told(error)


def serve(scenarios: list[Callable[..., Any]]) -> None:
    """Play scenarios by their names until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    by_name = {scenario.__name__: scenario for scenario in scenarios}
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(play(by_name[asked["name"]], asked["arguments"]), default=str) + "\n")
        answers.flush()

"""A small agent on plain boto3: it asks a model, runs the tool that the model wants, and streams a summary.

Nothing here knows of Craton or of tests; `test_weather.py` beside it shows how such a program is tested.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import EventStreamError

MODEL = "anthropic.claude-3-haiku-20240307-v1:0"
TOOLS = {
    "tools": [
        {
            "toolSpec": {
                "name": "get_weather",
                "description": "The weather of a city.",
                "inputSchema": {
                    "json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
                },
            }
        }
    ]
}


def ask(question: str, get_weather: Callable[[str], str]) -> str:
    """Answer a question, with the weather where the model wants to know it."""
    runtime = boto3.client("bedrock-runtime")
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"text": question}]}]
    while True:
        answer = runtime.converse(modelId=MODEL, messages=messages, toolConfig=TOOLS)
        message = answer["output"]["message"]
        messages.append(message)
        if answer["stopReason"] != "tool_use":
            return "".join(block.get("text", "") for block in message["content"])
        results = [
            {
                "toolResult": {
                    "toolUseId": block["toolUse"]["toolUseId"],
                    "content": [{"text": get_weather(**block["toolUse"]["input"])}],
                }
            }
            for block in message["content"]
            if "toolUse" in block
        ]
        messages.append({"role": "user", "content": results})


def summarise(text: str) -> tuple[str, bool]:
    """A summary as it streams, and whether it came to its end."""
    runtime = boto3.client("bedrock-runtime")
    stream = runtime.converse_stream(
        modelId=MODEL, messages=[{"role": "user", "content": [{"text": f"Summarise: {text}"}]}]
    )
    summary = ""
    try:
        for event in stream["stream"]:
            summary += event.get("contentBlockDelta", {}).get("delta", {}).get("text", "")
    except EventStreamError:
        return summary, False
    return summary, True

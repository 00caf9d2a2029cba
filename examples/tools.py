"""A tool call and its result, as Bedrock programs do it.

eval "$(craton env)"; python examples/tools.py
"""

from __future__ import annotations

from typing import Any

import boto3

MODEL = "craton.chat-mini-v1:0"
TOOLS = [
    {
        "toolSpec": {
            "name": "get_weather",
            "description": "Get the current weather in a city.",
            "inputSchema": {
                "json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
            },
        }
    }
]


def get_weather(city: str) -> dict[str, Any]:
    """Your own code."""
    return {"city": city, "condition": "sunny", "temperature": 21}


runtime = boto3.client("bedrock-runtime")
messages: list[dict[str, Any]] = [{"role": "user", "content": [{"text": "What's the weather in Paris?"}]}]
for _ in range(3):
    answer = runtime.converse(modelId=MODEL, messages=messages, toolConfig={"tools": TOOLS})
    turn = answer["output"]["message"]
    messages.append(turn)
    if answer["stopReason"] != "tool_use":
        print(turn["content"][0]["text"])
        break
    calls = [block["toolUse"] for block in turn["content"] if "toolUse" in block]
    print("calls:", [(call["name"], call["input"]) for call in calls])
    results = [
        {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"json": get_weather(**call["input"])}]}}
        for call in calls
    ]
    messages.append({"role": "user", "content": results})

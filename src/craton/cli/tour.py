"""What the quickstart tour runs. The body of each function below is printed as it stands, then run: what a person
sees is what happened.

Owns the requests alone: `stage` prints, `quickstart` decides the order. `bedrock` and `runtime` are boto3's clients,
`show` takes what is to be seen of an answer.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Callable
from typing import Any, cast

from craton.config_tables import SAMPLE_MODEL as MODEL

Show = Callable[[Any], None]

WEATHER: dict[str, Any] = {
    "toolSpec": {
        "name": "get_weather",
        "description": "Get the current weather in a city.",
        "inputSchema": {
            "json": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
}


def list_models(bedrock: Any, show: Show) -> None:
    models = bedrock.list_foundation_models()["modelSummaries"]
    show(models)


def converse(runtime: Any, show: Show) -> None:
    question = {"role": "user", "content": [{"text": "What is the capital of France?"}]}
    answer = runtime.converse(modelId=MODEL, messages=[question])
    show(answer["output"]["message"]["content"][0]["text"])


def stream(runtime: Any, show: Show) -> None:
    question = {"role": "user", "content": [{"text": "Who are you?"}]}
    answer = runtime.converse_stream(modelId=MODEL, messages=[question])
    for event in answer["stream"]:
        if "contentBlockDelta" in event:
            show(event["contentBlockDelta"]["delta"]["text"])


def invoke_claude(runtime: Any, show: Show) -> None:
    prompt = "\n\nHuman: What is the capital of Italy?\n\nAssistant:"
    body = {"prompt": prompt, "max_tokens_to_sample": 60}
    reply = runtime.invoke_model(modelId="anthropic.claude-v2", body=json.dumps(body))
    show(reply)


def invoke_jurassic(runtime: Any, show: Show) -> None:
    body = {"prompt": "What is the capital of Italy?", "maxTokens": 60}
    reply = runtime.invoke_model(modelId="ai21.j2-ultra-v1", body=json.dumps(body))
    show(reply)


def call_a_tool(runtime: Any, show: Show) -> None:
    question = {"role": "user", "content": [{"text": "What's the weather in Paris?"}]}
    tools = {"tools": [WEATHER], "toolChoice": {"any": {}}}
    answer = runtime.converse(modelId=MODEL, messages=[question], toolConfig=tools)
    turn = answer["output"]["message"]
    show(turn["content"][-1])
    call = turn["content"][-1]["toolUse"]
    weather = {"condition": "sunny", "temperature": 21}
    result = {"toolUseId": call["toolUseId"], "content": [{"json": weather}]}
    messages = [question, turn, {"role": "user", "content": [{"toolResult": result}]}]
    answer = runtime.converse(modelId=MODEL, messages=messages, toolConfig={"tools": [WEATHER]})
    show(answer["output"]["message"]["content"][0])


def source_of(step: Callable[..., None]) -> str:
    """The body of a step, as it stands in this file."""
    text = textwrap.dedent(inspect.getsource(step))
    function = cast("ast.FunctionDef", ast.parse(text).body[0])
    return textwrap.dedent("\n".join(text.splitlines()[function.body[0].lineno - 1 :]))

"""Ask a model, then stream an answer. Nothing here knows of Craton: the environment points boto3 at it.

eval "$(craton env)"; python examples/converse.py
"""

from __future__ import annotations

import boto3

MODEL = "anthropic.claude-v2"

runtime = boto3.client("bedrock-runtime")

answer = runtime.converse(
    modelId=MODEL,
    messages=[{"role": "user", "content": [{"text": "What is the capital of France?"}]}],
    inferenceConfig={"maxTokens": 100, "temperature": 0},
)
print(answer["output"]["message"]["content"][0]["text"])
print(answer["usage"], answer["stopReason"])

stream = runtime.converse_stream(
    modelId=MODEL,
    messages=[{"role": "user", "content": [{"text": "Who are you?"}]}],
)
for event in stream["stream"]:
    if "contentBlockDelta" in event:
        print(event["contentBlockDelta"]["delta"]["text"], end="", flush=True)
print()

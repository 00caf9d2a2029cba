"""A text that was put below `uploads/` is summarised by a model; the summary goes below `summaries/`."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import unquote_plus

import boto3

MOST_CHARS = 20_000

s3 = boto3.client("s3")
bedrock = boto3.client("bedrock-runtime")


def handler(event: dict[str, Any], context: Any) -> list[str]:
    """Summarise each object of an event; the keys of the summaries."""
    return [
        summarise(one["s3"]["bucket"]["name"], unquote_plus(one["s3"]["object"]["key"])) for one in event["Records"]
    ]


def summarise(bucket: str, key: str) -> str:
    text = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()[:MOST_CHARS]
    answer = bedrock.converse(
        modelId=os.environ["MODEL"],
        system=[{"text": "Summarise the text in one sentence."}],
        messages=[{"role": "user", "content": [{"text": text}]}],
        inferenceConfig={"maxTokens": 128},
    )
    summary = "".join(block.get("text", "") for block in answer["output"]["message"]["content"])
    made = f"summaries/{key.removeprefix('uploads/')}"
    s3.put_object(Bucket=bucket, Key=made, Body=summary.encode(), ContentType="text/plain")
    print(f"{key} -> {made}: {answer['usage']['totalTokens']} tokens")
    return made

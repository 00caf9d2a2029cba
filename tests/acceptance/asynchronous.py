"""What the tests of asynchronous invocations share: Nova Reel's example, a bucket, and waiting for the end."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.running import Running

REEL, REEL_0, RAY = "amazon.nova-reel-v1:1", "amazon.nova-reel-v1:0", "luma.ray-v2:0"
NOVA_EMBED, MARENGO = "amazon.nova-2-multimodal-embeddings-v1:0", "twelvelabs.marengo-embed-2-7-v1:0"
CANVAS, LITE = "amazon.nova-canvas-v1:0", "amazon.nova-lite-v1:0"
FILM: dict[str, Any] = {
    "taskType": "TEXT_VIDEO",
    "textToVideoParams": {"text": "A lighthouse above a stormy sea at dusk."},
    "videoGenerationConfig": {"durationSeconds": 6, "fps": 24, "dimension": "1280x720", "seed": 7},
}
PAINTING: dict[str, Any] = {
    "taskType": "TEXT_IMAGE",
    "textToImageParams": {"text": "a lighthouse"},
    "imageGenerationConfig": {"width": 320, "height": 320},
}


def to(bucket: str, folder: str = "", **more: str) -> dict[str, Any]:
    """An outputDataConfig."""
    return {"s3OutputDataConfig": {"s3Uri": f"s3://{bucket}{folder}", **more}}


def finished(runtime: Any, arn: str, timeout_s: float = 240.0) -> dict[str, Any]:
    """The invocation once it is over."""
    end = time.monotonic() + timeout_s
    while True:
        found: dict[str, Any] = runtime.get_async_invoke(invocationArn=arn)
        if found["status"] != "InProgress":
            return found
        assert time.monotonic() < end, found
        time.sleep(0.1)


def read(s3: Any, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    data: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return data


def names(s3: Any, bucket: str, prefix: str = "") -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())]


def uri_of(found: dict[str, Any]) -> str:
    """Where an invocation's results are."""
    uri: str = found["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]
    return uri


def manifest(s3: Any, found: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(
        read(s3, found["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"] + "/manifest.json")
    )
    return told


def bucket(server: Running, name: str) -> str:
    server.client("s3").create_bucket(Bucket=name)
    return name

"""Invocations that another Bedrock answers: started there, waited for, and its files brought here.

Owns the upstream's two clients, the waiting, and the places in its files that name its own bucket. The start is
journaled and bears a token of its own, so nothing is asked for twice. It must not know what the files say.
"""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import msgspec

from craton.config import ConfigError, secret
from craton.config_tables import TargetTable
from craton.features.async_invoke.upstreams import relays, target_of
from craton.workflows.async_invoke.output import JSON, MANIFEST, VIDEO, Output
from craton.workflows.workflow import Job, JobFailed

_AMAZON = (".amazonaws.com", ".amazonaws.com.cn")
_PAUSE_FIRST_S, _PAUSE_MAX_S = 0.5, 15.0
_REWRITTEN_BYTES = 8 * 1024 * 1024
_KINDS = {"mp4": VIDEO, "json": JSON}
_OTHER = "application/octet-stream"


class Elsewhere(msgspec.Struct, frozen=True):
    """Another Bedrock: boto3's clients of it and of its S3."""

    bedrock: Any
    s3: Any


async def made(job: Job, model_id: str, plain: bytes, output: Output) -> dict[str, Any]:
    """Have it made and bring it here; what the manifest tells of it. Raises JobFailed."""
    target = target_of(job.tools.settings.file, model_id)
    if target is None or not relays(target):
        raise JobFailed(f"The target of {model_id} is no longer another Bedrock. Start the invocation again.")
    there = await asyncio.to_thread(opened, job, target)
    start = partial(asyncio.to_thread, started, there, job.arn, target, model_id, plain)
    arn = await job.step("started", start, str)
    uri = await waited(there, arn)
    names = await brought(job, there, uri, output)
    return {"madeBy": {"bedrock": arn}, "outputs": names}


def opened(job: Job, target: TargetTable) -> Elsewhere:
    """The clients. What serves Bedrock serves S3 as well, unless it is AWS."""
    try:
        keys = secret(target.access_key_id), secret(target.secret_access_key), secret(target.session_token)
    except ConfigError as error:
        raise JobFailed(str(error)) from None
    region = target.region or job.region
    host = urlsplit(target.base_url).hostname or ""
    s3 = "" if host.endswith(_AMAZON) else target.base_url
    outside = job.tools.outside
    return Elsewhere(outside("bedrock-runtime", target.base_url, region, keys), outside("s3", s3, region, keys))


def started(there: Elsewhere, arn: str, target: TargetTable, model_id: str, plain: bytes) -> str:
    """The ARN that the upstream gives."""
    answer = there.bedrock.start_async_invoke(
        clientRequestToken=hashlib.sha256(arn.encode()).hexdigest(),
        modelId=target.model or model_id,
        modelInput=msgspec.json.decode(plain),
        outputDataConfig={"s3OutputDataConfig": {"s3Uri": target.output_s3}},
    )
    return str(answer["invocationArn"])


async def waited(there: Elsewhere, arn: str) -> str:
    """Where the upstream's files are, once they are there. Raises JobFailed with its message."""
    pause_s = _PAUSE_FIRST_S
    while True:
        found = await asyncio.to_thread(there.bedrock.get_async_invoke, invocationArn=arn)
        if found["status"] == "Failed":
            raise JobFailed(found.get("failureMessage") or "The upstream's invocation failed and it did not say why.")
        if found["status"] == "Completed":
            uri = str(found["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"]).rstrip("/")
            ident = arn.rpartition("/")[2]
            return uri if uri.endswith(f"/{ident}") else f"{uri}/{ident}"
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _PAUSE_MAX_S)


async def brought(job: Job, there: Elsewhere, uri: str, output: Output) -> list[str]:
    """Copy every file of the upstream's folder but its manifest; their names."""
    bucket, _, folder = uri.removeprefix("s3://").partition("/")
    listing = there.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{folder}/")
    pages = await asyncio.to_thread(list, listing)
    found = [one for page in pages for one in page.get("Contents", ())]
    names: list[str] = []
    for number, one in enumerate(found):
        name = str(one["Key"]).removeprefix(f"{folder}/")
        if name != MANIFEST:
            await copied(there, bucket, one, name, uri, output)
            names.append(name)
        job.progress(number + 1, len(found), "files")
    if not names:
        raise JobFailed(f"The upstream's invocation is over, and left no file in {uri}.")
    return names


async def copied(there: Elsewhere, bucket: str, one: dict[str, Any], name: str, uri: str, output: Output) -> None:
    """One file; the upstream's folder in a small JSON file becomes ours."""
    kind = _KINDS.get(name.rpartition(".")[2], _OTHER)
    got = await asyncio.to_thread(there.s3.get_object, Bucket=bucket, Key=one["Key"])
    with got["Body"] as source:
        if kind == JSON and one["Size"] <= _REWRITTEN_BYTES:
            data = await asyncio.to_thread(source.read)
            await output.put(name, data.replace(f"{uri}/".encode(), output.uri("").encode()), kind)
        else:
            await output.stream(name, source, kind)

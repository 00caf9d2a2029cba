"""Where the outcome of an asynchronous invocation goes: another function, a log group, a bucket.

Owns how each is reached, with the rights of the function's execution role. One that refuses is told of in the server's log
and not asked again; one that is away is asked again by the run. It must not know what an outcome is.
"""

from __future__ import annotations

import asyncio
import base64
import sys
import time
from typing import Any

from craton.features.functions.function import SERVICE
from craton.features.functions.outcome import qualified
from craton.features.functions.pending import Event
from craton.workflows.tools import JobCredentials
from craton.workflows.workflow import Job, JobFailed

_SESSION = "LambdaDestination"
_STREAM = "aws/lambda/destinations"
_THERE = "ResourceAlreadyExistsException"


async def tell(job: Job, event: Event, role: str, target: str, told: bytes) -> None:
    """Bring a record to a destination, once. Raises what a destination that is away raises."""
    name = f"told {target}"
    if not job.done(name):
        await job.step(name, lambda: _told(job, event, role, target, told), bool)


async def _told(job: Job, event: Event, role: str, target: str, told: bytes) -> bool:
    arn = qualified(event.function).rpartition(":")[0]
    credentials = job.tools.credentials(role, _SESSION, arn, SERVICE)
    try:
        await _WAYS[target.split(":")[2]](job, credentials, event, target, told)
    except (JobFailed, Refused) as error:
        _say(event, target, str(error))
        return False
    return True


class Refused(Exception):
    """The destination does not take it; the message is AWS's error code."""


async def _function(job: Job, credentials: JobCredentials, event: Event, target: str, told: bytes) -> None:
    headers = [(b"x-amz-invocation-type", b"Event")]
    if event.trace:
        headers.append((b"x-amzn-trace-id", event.trace.encode()))
    status, answered, _ = await job.tools.functions(credentials).invoke(target, told, headers=headers)
    if status >= 500 or status == 429:
        raise ConnectionError(f"the function {target} cannot be invoked now")
    if status >= 300:
        raise Refused(answered.get(b"x-amzn-errortype", b"").decode("latin-1") or str(status))


async def _log_group(job: Job, credentials: JobCredentials, event: Event, target: str, told: bytes) -> None:
    group = target.rsplit(":log-group:", maxsplit=1)[-1].removesuffix(":*")
    entry = {"timestamp": int(time.time() * 1000), "message": told.decode()}

    def put(client: Any) -> None:
        _unless_there(lambda: client.create_log_stream(logGroupName=group, logStreamName=_STREAM))
        client.put_log_events(logGroupName=group, logStreamName=_STREAM, logEvents=[entry])

    await _called(lambda: put(job.tools.aws("logs", credentials)))


async def _bucket(job: Job, credentials: JobCredentials, event: Event, target: str, told: bytes) -> None:
    bucket = target.rpartition(":")[2]
    name = qualified(event.function).split(":")[6]
    at = job.tools.clock.now()
    key = f"aws/lambda/async/{name}/{at:%Y/%m/%d}/{at:%Y-%m-%dT%H.%M.%S}-{event.request_id}"
    await _called(
        lambda: job.tools.s3(credentials).put_object(
            Bucket=bucket, Key=key, Body=told, ContentType="application/json"
        )
    )  # fmt: skip


_WAYS = {"lambda": _function, "logs": _log_group, "s3": _bucket}


async def _called(work: Any) -> None:
    """Blocking work in a thread. Raises Refused for what AWS refuses for good."""
    from botocore.exceptions import ClientError

    try:
        await asyncio.to_thread(work)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise
        raise Refused(error.response["Error"]["Code"]) from None


def _unless_there(make: Any) -> None:
    from botocore.exceptions import ClientError

    try:
        make()
    except ClientError as error:
        if error.response["Error"]["Code"] != _THERE:
            raise


def context_header(context: str) -> bytes:
    """A client context as requests carry it."""
    return base64.b64encode(context.encode())


def _say(event: Event, target: str, why: str) -> None:
    print(
        f"craton: functions: the outcome of {event.function} did not reach {target}: {why}", file=sys.stderr, flush=True
    )

"""The delivery of invocation logs: a run for each account, region and home, put down by whoever has spooled something.

Owns how long the run lives and as whom it writes: to buckets as Bedrock's service principal on behalf of the account,
to log groups as the role that the account has named. What is delivered is `features.invocations.delivery`'s. The run
keeps no steps: the spool says what is left.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from craton.features.invocations import terms
from craton.features.invocations.delivery import STREAM, Delivery, SinkFailed
from craton.features.invocations.notice import KIND
from craton.infra.cipher.port import CipherError
from craton.infra.store.own_rows import own_arn
from craton.workflows.workflow import Job, JobFailed, workflow

_LINGER_S = 5.0
_LOOK_S = 0.5
_BACKOFF_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_SESSION = "BedrockModelInvocationLogging"
_THERE = "ResourceAlreadyExistsException"


async def nothing_to_mark(job: Job, message: str) -> None:
    """The run has no row: what it leaves stays in the spool until it is run again."""
    print(f"craton: invocation logs of {job.account} in {job.region}: {message}", file=sys.stderr, flush=True)


@workflow(KIND, failed=nothing_to_mark)
async def deliver(job: Job) -> None:
    """Deliver until nothing has come for a while; a sink that is away is asked again, ever more seldom."""
    arn = own_arn(terms.KIND, job.account, job.region)

    async def in_force() -> bytes | None:
        row = await job.tools.storage.read(lambda store: store.get(arn))
        return None if row is None else bytes(row.body)

    path = job.tools.settings.spool_path
    delivery = Delivery(path, job.tools.cipher, AwsSinks(job), in_force)
    failures = 0
    idle_s = 0.0
    while idle_s < _LINGER_S and not job.stopping:
        try:
            idle_s = 0.0 if await delivery.empty(job.account, job.region) else idle_s + _LOOK_S
            failures = 0
        except (SinkFailed, CipherError) as error:
            if not failures:
                await nothing_to_mark(job, f"not delivered, will be tried again: {error}")
            failures += 1
            await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1])
            continue
        job.progress(sum(delivery.counted.counts.values()), unit="deliveries")
        if idle_s:
            await asyncio.sleep(_LOOK_S)


class AwsSinks:
    """`delivery.Sinks` through the gateway, or the outside S3 that the configuration names."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._s3: Any = None
        self._logs: dict[str, Any] = {}
        self._streams: set[str] = set()

    async def put_object(self, bucket: str, key: str, body: bytes, content_type: str) -> None:
        tools = self._job.tools

        def put() -> None:
            if self._s3 is None:
                self._s3 = tools.s3(tools.service())
            self._s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType=content_type, ContentEncoding="gzip")

        await _done(put, f"the bucket {bucket}")

    async def put_events(self, group: str, role_arn: str, events: list[tuple[int, str]]) -> None:
        tools = self._job.tools

        def put() -> None:
            logs = self._logs.get(role_arn)
            if logs is None:
                logs = self._logs[role_arn] = tools.aws("logs", tools.credentials(role_arn, _SESSION))
            if group not in self._streams:
                make_stream(logs, group)
                self._streams.add(group)
            rows = [{"timestamp": at, "message": text} for at, text in events]
            logs.put_log_events(logGroupName=group, logStreamName=STREAM, logEvents=rows)

        try:
            await _done(put, f"the log group {group}")
        except SinkFailed:
            self._streams.discard(group)
            raise


def make_stream(logs: Any, group: str) -> None:
    """The stream, unless it is there."""
    from botocore.exceptions import ClientError

    try:
        logs.create_log_stream(logGroupName=group, logStreamName=STREAM)
    except ClientError as error:
        if error.response["Error"]["Code"] != _THERE:
            raise


async def _done(put: Any, where: str) -> None:
    """Raise SinkFailed, by AWS's code, for whatever kept something from arriving."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        await asyncio.to_thread(put)
    except ClientError as error:
        raise SinkFailed(f"{where}: {error.response['Error']['Code']}") from error
    except (BotoCoreError, OSError, JobFailed) as error:
        raise SinkFailed(f"{where}: {error if isinstance(error, JobFailed) else type(error).__name__}") from error

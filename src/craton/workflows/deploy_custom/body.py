"""The life of a custom model's deployment until it is Active: ask it until it answers, and only then let callers in.

Owns when a deployment is good. The question goes through the gateway, by the ARN of the deployment's probe: what answers
there has the very route, replicas and adapter that callers are about to have, which a question to a replica would not
show. The account asks, for this ARN alone. It must not know how adapters come into replicas.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime

import msgspec

from craton.aws.access.credentials import Principal
from craton.features.hosting import custom
from craton.features.hosting import custom_deployment as rows
from craton.features.hosting.custom import CustomModel, stamp_of, wrong_base
from craton.features.hosting.custom_deployment import DeploymentBody, Served, probe_arn
from craton.infra.store.port import Resource
from craton.workflows.customize import bases
from craton.workflows.customize.gathering import message_of
from craton.workflows.tools import ModelCaller
from craton.workflows.workflow import Job, JobFailed, workflow

QUESTION = msgspec.json.encode(
    {
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
        "inferenceConfig": {"maxTokens": 1, "temperature": 0.0},
    }
)
GONE = "The custom model {arn} was deleted."
_ASK_AGAIN_S = 0.25
_MORE_S = 60.0
_GOOD, _THROTTLED, _ERRORS = 200, 429, 500
_UNKNOWN = 400
"""A worker that has not yet heard of the probe's ARN calls it invalid."""
_SETTLES_S = 5.0


async def fail(job: Job, message: str) -> None:
    """A new deployment has Failed; one that had another model before keeps that one."""
    now = job.tools.clock.now()
    await job.amend(lambda row: failed(row, message, now))
    await job.spread()


def failed(row: Resource, message: str, now: datetime) -> Resource:
    body = row.read(DeploymentBody)
    if body.coming is None:
        return row
    shown = body.update_model or body.coming.arn
    body = msgspec.structs.replace(
        body, coming=None, message=message[: rows.MAX_MESSAGE], update_model=shown,
        update=rows.UPDATE_FAILED if body.update else "",
    )  # fmt: skip
    status = rows.ACTIVE if body.current is not None else rows.FAILED
    return msgspec.structs.replace(row, status=status, updated_at=now, body=msgspec.json.encode(body))


@workflow(rows.KIND, format=1, failed=fail)
async def run(job: Job) -> None:
    """Bring what is coming into its place."""
    row = await job.row()
    body = row.read(DeploymentBody)
    if body.coming is not None:
        await job.spread()
        await check(job, body.coming)
        timeout_s = job.tools.settings.file.compute.start_timeout_s + _MORE_S
        await answered(models(job, row), probe_arn(row), timeout_s)
        await job.amend(promoted)
    # Callers are let in before they are told that they may come.
    await job.spread()
    await job.amend(lambda row: settled(row, job.tools.clock.now()))


def settled(row: Resource, now: datetime) -> Resource:
    """The row with the status of one that answers."""
    body = row.read(DeploymentBody)
    if body.current is None or (row.status == rows.ACTIVE and body.update != rows.UPDATING):
        return row
    body = msgspec.structs.replace(body, update=rows.UPDATED if body.update else "")
    return msgspec.structs.replace(row, status=rows.ACTIVE, updated_at=now, body=msgspec.json.encode(body))


async def check(job: Job, served: Served) -> None:
    """The model is there, and its base is the one it was made of. Raises JobFailed."""
    found = await job.read(lambda store: store.get(served.arn))
    if found is None:
        raise JobFailed(GONE.format(arn=served.arn))
    directory = await bases.lookup(job, served.base)
    stamp = await asyncio.to_thread(stamp_of, directory)
    fault = await asyncio.to_thread(wrong_base, found.read(CustomModel), custom.named(found), directory, stamp)
    if fault:
        raise JobFailed(fault)


def models(job: Job, row: Resource) -> ModelCaller:
    """The account asks, and may ask nothing but this."""
    allow = {"Effect": "Allow", "Action": "bedrock:InvokeModel", "Resource": [probe_arn(row)]}
    account = Principal(
        account=job.account,
        arn=f"arn:aws:iam::{job.account}:root",
        kind="root",
        user_id=job.account,
        session_policies=(msgspec.json.encode({"Version": "2012-10-17", "Statement": [allow]}).decode(),),
        source_identity="bedrock.amazonaws.com",
    )
    return job.tools.models(job.tools.on_behalf(account))


async def answered(caller: ModelCaller, arn: str, timeout_s: float) -> None:
    """Ask until there is an answer. Raises JobFailed with what was said last, where there is none in time."""
    began = time.monotonic()
    while True:
        status, _, said = await caller.converse(arn, QUESTION, timeout_s=timeout_s)
        if status == _GOOD:
            return
        passed_s = time.monotonic() - began
        settling = status == _UNKNOWN and passed_s < _SETTLES_S
        if passed_s > timeout_s or not (settling or status == _THROTTLED or status >= _ERRORS):
            raise JobFailed(f"The deployment does not answer: {message_of(said)}")
        await asyncio.sleep(_ASK_AGAIN_S)


def promoted(row: Resource) -> Resource:
    """The row once what was coming answers by the deployment's own ARN."""
    body = row.read(DeploymentBody)
    if body.coming is None:
        return row
    body = msgspec.structs.replace(body, current=body.coming, coming=None, message=None)
    return msgspec.structs.replace(row, body=msgspec.json.encode(body))

"""The life of an asynchronous invocation: its input opened, the model asked, the results put, the row ended.

Owns the order of these. What a model makes is journaled before it is put, so a run that is taken up again asks nobody
twice whose answer was kept; the input and all answers go with the run's steps when it is over. It must not know how a
run is leased (`workflows.workflow`).
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from craton.features.async_invoke import invocation as rows
from craton.features.async_invoke.invocation import AsyncInvocation
from craton.infra.store.port import Resource
from craton.workflows.async_invoke import reels, relay, segments
from craton.workflows.async_invoke.asking import answered
from craton.workflows.async_invoke.output import JSON, Output
from craton.workflows.tools import ModelCaller
from craton.workflows.workflow import Job, JobFailed, until_stopped, workflow

REPLY = "output.json"
STOPPED = "The invocation was stopped on the server."
"""Bedrock has no operation for it; `craton jobs stop` does it."""


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """A reply, and the local model that gave it in the place of the one that was asked, or ""."""

    body: bytes
    standin: str = ""


async def fail(job: Job, message: str) -> None:
    """The end of an invocation that could not be done."""
    await end(job, rows.FAILED, message)


@workflow(rows.KIND, format=1, failed=fail)
async def run(job: Job) -> None:
    """Bring an invocation to its end. Whoever started it reads in the row what that is."""
    row = await job.row()
    if row.status == rows.IN_PROGRESS:
        await perform(job, row)
        await end(job, rows.COMPLETED)


async def perform(job: Job, row: Resource) -> None:
    """From the input to the last file. Raises JobFailed."""
    body = row.read(AsyncInvocation)
    plain = await job.step(rows.INPUT, lost, bytes, sealed=True)
    caller = job.tools.on_behalf(body.caller)
    client = await asyncio.to_thread(job.tools.s3, caller)
    output = Output(client, body.target, row.id)
    told: dict[str, Any] = {
        "invocationArn": row.arn, "modelId": body.model_id, "modelArn": body.model_arn, "submitTime": row.created_at,
    }  # fmt: skip
    await output.manifest(told)
    made = await until_stopped(job, results(job, body, plain, output, job.tools.models(caller)))
    if made is None:
        raise JobFailed(STOPPED)
    await output.manifest(told | made)


async def results(job: Job, body: AsyncInvocation, plain: bytes, output: Output, models: ModelCaller) -> dict[str, Any]:
    """Do the invocation's task; what the manifest tells of it."""
    if body.task == "film":
        return await reels.made(job, body.model_id, body.schema, plain, output)
    if body.task == "relay":
        return await relay.made(job, body.model_id, plain, output)
    if body.task == "segments":
        return await segments.made(job, models, body.called, plain, output)
    found = await job.step("reply", lambda: replied(models, body.called, plain), Answered, sealed=True)
    await output.put(REPLY, found.body, JSON)
    told: dict[str, Any] = {"outputs": [REPLY]}
    return {**told, "madeBy": {"standin": found.standin}} if found.standin else told


async def replied(models: ModelCaller, called: str, plain: bytes) -> Answered:
    reply, headers = await answered(models, called, plain)
    return Answered(reply, headers.get(b"x-craton-standin", b"").decode("latin-1"))


async def lost() -> bytes:
    """The input is there from the beginning, as a step that is done; without it there is nothing to do."""
    raise JobFailed("The input of the invocation is lost. Start it again.")


async def end(job: Job, status: str, message: str | None = None) -> None:
    """The row's last change."""
    now = job.tools.clock.now()
    await job.amend(lambda row: rows.ended(row, status, now, message))

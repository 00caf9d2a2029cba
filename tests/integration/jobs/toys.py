"""Kinds of jobs whose every effect leaves a line in a file, so that a test can count what was done how often."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from craton.aws.access.credentials import Principal
from craton.infra.store.port import Resource
from craton.workflows.workflow import Job, JobFailed, workflow, workflows_in

COUNT, ASK, BREAK = "toy-count", "toy-ask", "toy-break"


class Spec(msgspec.Struct, kw_only=True):
    """What a toy is to do; the body of its row."""

    folder: str
    steps: int = 3
    pause_s: float = 0.0
    role: str = ""
    caller: Principal | None = None
    model: str = ""
    how: str = ""
    total: int = 0
    message: str = ""


def note(spec: Spec, line: str) -> None:
    """One line, whole, from whichever process."""
    with (Path(spec.folder) / "done").open("ab", buffering=0) as file:
        file.write(f"{line}\n".encode())


def ended(row: Resource, status: str, **changes: object) -> Resource:
    body = msgspec.structs.replace(row.read(Spec), **changes)
    return msgspec.structs.replace(row, status=status, body=msgspec.json.encode(body), updated_at=datetime.now(UTC))


async def fail(job: Job, message: str) -> None:
    await job.amend(lambda row: ended(row, "Failed", message=message))


@workflow(COUNT, failed=fail)
async def count(job: Job) -> None:
    """Sum up the results of its steps."""
    spec = (await job.row()).read(Spec)
    total = 0

    async def one(number: int) -> int:
        note(spec, str(number))
        await asyncio.sleep(spec.pause_s)
        return number

    for number in range(spec.steps):
        if job.stopping:
            await job.amend(lambda row: ended(row, "Stopped"))
            return
        total += await job.step(f"step {number}", lambda number=number: one(number), int, sealed=number % 2 == 1)
        job.progress(number + 1, spec.steps, "steps")
    await job.amend(lambda row: ended(row, "Completed", total=total))


@workflow(ASK, failed=fail)
async def ask(job: Job) -> None:
    """Ask a model, and IAM, as whoever the row says; the status stands in the total."""
    spec = (await job.row()).read(Spec)
    tools = job.tools
    credentials = tools.on_behalf(spec.caller) if spec.caller is not None else tools.credentials(spec.role, "toy")
    body = b'{"messages":[{"role":"user","content":[{"text":"Hello"}]}],"inferenceConfig":{"maxTokens":3}}'
    status, _, said = await tools.models(credentials).converse(spec.model, body)
    who = await asyncio.to_thread(lambda: tools.aws("sts", credentials).get_caller_identity()["Arn"])
    await job.amend(lambda row: ended(row, "Completed", total=status, message=f"{who} {said.decode()}"))


@workflow(BREAK, failed=fail)
async def break_down(job: Job) -> None:
    """End as the row says: by its own word, by a mistake, by a cut line that comes back, by killing its worker."""
    spec = (await job.row()).read(Spec)
    note(spec, spec.how)
    if spec.how == "refused":
        raise JobFailed("The file s3://b/k is not there.")
    if spec.how == "mistake":
        raise KeyError("x")
    if spec.how == "cut" and job.attempt < 3:
        raise ConnectionResetError("gone")
    if spec.how == "poison":
        os.kill(os.getpid(), 9)
    await job.amend(lambda row: ended(row, "Completed"))


WORKFLOWS = workflows_in(__import__("sys").modules[__name__])

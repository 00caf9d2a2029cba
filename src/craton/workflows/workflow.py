"""What the body of a durable job is given, and how a function says that it is one.

Owns `Job`, the label `@workflow`, and how a job fails on purpose. It must not know any kind of job, nor how runs are
kept (`infra.jobs`) or composed (`craton.labor`).

A body is run from its beginning each time its run is taken up: what it did before is told by its steps, whose results
are kept. So between steps it only decides, and a step does one thing that may happen twice if the worker dies inside
it: writing a file under a fixed name, making a call whose answer is then kept.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from craton.features.events import job_change
from craton.infra.jobs.hold import Hold
from craton.infra.jobs.runs import STEP_PURPOSE, bound, forget
from craton.infra.store.port import Reader, Resource, Transaction
from craton.workflows.tools import Tools

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class JobFailed(Exception):
    """The job cannot reach its end. The message is shown to whoever started it: what is wrong, and with what."""


class Later(Exception):
    """The job has to wait for something, and lets its worker go meanwhile; the message says for what."""

    def __init__(self, reason: str, after_s: float) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Workflow(msgspec.Struct, frozen=True):
    """A kind of job: its body, and what writes the job's Failed state (`mark_failed` unless the kind has its own).

    `format` is raised by hand whenever the steps of a run that began under the older body would not fit the new one;
    the older body may stay in the tuple under its own number until its runs have ended. `failed` may be called more
    than once for a run, and a run that was Failed before is not run again. `room` is how many a process does at once
    where the configuration does not say, 0 for as many as of most kinds.
    """

    kind: str
    format: int
    run: Callable[[Job], Awaitable[None]]
    failed: Callable[[Job, str], Awaitable[None]]
    room: int = 0


def workflow(
    kind: str, *, format: int = 1, failed: Callable[[Job, str], Awaitable[None]] | None = None, room: int = 0
) -> Callable[[F], F]:
    """Label the body of a kind of job: `@workflow("model-invocation-job", failed=write_failure)`."""

    def label(function: F) -> F:
        function.__craton_workflow__ = Workflow(kind, format, function, failed or mark_failed, room)  # type: ignore[attr-defined]
        return function

    return label


def workflows_in(*modules: object) -> tuple[Workflow, ...]:
    """The labelled functions of modules; two for one kind and format are a mistake."""
    found: dict[tuple[str, int], Workflow] = {}
    for module in modules:
        for value in vars(module).values():
            one = getattr(value, "__craton_workflow__", None)
            # A body that is imported elsewhere is one body still.
            if one is not None and found.setdefault((one.kind, one.format), one) is not one:
                raise ValueError(f"{one.kind} has two bodies of format {one.format}")
    return tuple(found.values())


class Job:
    """One run of a job, as its body sees it. Every write raises LeaseLost once another worker has taken the run."""

    def __init__(self, hold: Hold, tools: Tools) -> None:
        self._hold = hold
        self.tools = tools

    @property
    def arn(self) -> str:
        return self._hold.run.arn

    @property
    def account(self) -> str:
        return self._hold.run.account

    @property
    def region(self) -> str:
        return self._hold.run.region

    @property
    def attempt(self) -> int:
        """How often the run has been taken up, this time included."""
        return self._hold.run.attempts

    @property
    def stopping(self) -> bool:
        """Whether somebody asked the job to stop; the body then ends it in order, and writes that down."""
        return self._hold.stop_asked.is_set()

    async def stop_asked(self) -> None:
        """Return when somebody asks the job to stop."""
        await self._hold.stop_asked.wait()

    async def row(self) -> Resource:
        """The job's row as it is now. Raises JobFailed if it was deleted."""
        found = await self._hold.read(lambda store: store.get(self.arn))
        if found is None:
            raise JobFailed("The job was deleted.")
        return found

    async def amend(self, change: Callable[[Resource], Resource]) -> Resource:
        """Change the job's row in one transaction, and announce a new status; the row as it is then.

        `change` gets the row as it is at that moment, and may be called again if the store went away meanwhile.
        """
        before: Resource | None = None

        def work(transaction: Transaction) -> Resource:
            nonlocal before
            before = transaction.get(self.arn)
            if before is None:
                raise JobFailed("The job was deleted.")
            after = change(before)
            if after == before:
                return before
            made = transaction.update(after)
            job_change.tell(transaction, before, made, self.tools.clock.now())
            return made

        after = await self._hold.write(work)
        if before is not None and before.status != after.status:
            announce(before, after)
        return after

    async def read(self, work: Callable[[Reader], T]) -> T:
        """What the store holds beside the job's row."""
        return await self._hold.read(work)

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """One transaction of the job's own, such as one that makes what the job was for. `work` may be called again."""
        return await self._hold.write(work)

    async def forget(self) -> None:
        """The job's row, what it holds, and its run go: for jobs that nobody asks after."""

        def work(transaction: Transaction) -> None:
            if transaction.get(self.arn) is not None:
                transaction.delete(self.arn)
            transaction.run(lambda connection: forget(connection, self.arn))

        await self._hold.write(work)

    async def spread(self) -> None:
        """Return when the servers here live by what was written; those elsewhere see it by themselves in a moment."""
        await self.tools.storage.write(lambda _: None)

    async def step(self, name: str, work: Callable[[], Awaitable[T]], kind: type[T], *, sealed: bool = False) -> T:
        """The result of a piece of work that is kept once it is there: whoever takes the run up later gets it unrun.

        `name` is unique in the run and must not change between attempts. `kind` is what the result is decoded as; keep
        it small (offsets, ids). `sealed`: it holds customers' content, and is kept under the account's key.
        Steps may run at the same time.
        """
        kept = self._hold.steps.get(name)
        if kept is not None:
            plain = await self._opened(name, kept) if sealed else kept
            return msgspec.msgpack.decode(plain, type=kind)
        async with self._hold.working():
            result = await work()
            plain = msgspec.msgpack.encode(result)
            await self._hold.keep_step(name, await self._sealed(name, plain) if sealed else plain)
        return result

    def done(self, name: str) -> bool:
        """Whether the result of this step is there."""
        return name in self._hold.steps

    def progress(self, done: int, total: int | None = None, unit: str = "records") -> None:
        """Say how far the job is, for people; cheap, so call it as often as you like."""
        self._hold.show(done, total, unit)

    async def _sealed(self, name: str, plain: bytes) -> bytes:
        cipher, to = self.tools.cipher, bound(self.arn, name)
        return await cipher.seal(self.account, STEP_PURPOSE, None, plain, to, region=self.region)

    async def _opened(self, name: str, kept: bytes) -> bytes:
        return await self.tools.cipher.open(self.account, STEP_PURPOSE, kept, bound(self.arn, name))


async def mark_failed(job: Job, message: str) -> None:
    """Give the job's row the status Failed, and its body the message."""

    def change(row: Resource) -> Resource:
        body = msgspec.json.encode(row.read(dict[str, Any]) | {"message": message})
        now = job.tools.clock.now()
        return msgspec.structs.replace(row, status="Failed", body=body, updated_at=now)

    await job.amend(change)


def announce(before: Resource, after: Resource) -> None:
    """Say a job's change of state in the log. The bus of events hears of it in the transaction that makes it."""
    print(f"craton: jobs: {after.arn} is {after.status}, was {before.status}", file=sys.stderr, flush=True)


async def until_stopped(job: Job, work: Awaitable[T]) -> T | None:
    """The result of work that is given up as soon as the job is asked to stop; None then."""
    doing, asked = asyncio.ensure_future(work), asyncio.create_task(job.stop_asked())
    try:
        await asyncio.wait((doing, asked), return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        for task in (doing, asked):
            task.cancel()
        await asyncio.gather(doing, asked, return_exceptions=True)

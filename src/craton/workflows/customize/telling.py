"""How far a training is, told to the row of its job while it runs, and to CloudWatch: about once a second.

Owns what of the events people see. It must not know where events come from.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from craton.features.hosting import customization_job as rows
from craton.features.hosting.customization_job import PROCESSING, TRAINING, CustomizationJob
from craton.features.tuning.progress import Began, Event, Stepped
from craton.infra.series import metrics_index
from craton.infra.store.port import Resource, Transaction
from craton.workflows.customize.measuring import Figures
from craton.workflows.workflow import Job, JobFailed

_EVERY_S = 1.0


class Teller:
    """`async with teller:` writes while the block lasts, and once more at its end.

    `row` bears what a training that goes on has behind it. Row and metrics change in one transaction.
    """

    def __init__(self, job: Job, row: Resource) -> None:
        before = row.read(CustomizationJob)
        self._job = job
        self._losses: list[float] = list(before.losses)
        self._figures = Figures(row.account, row.region, row.name or row.id, before.step)
        self._step = self._steps = 0
        self._news = False
        self._task: asyncio.Task[None] | None = None

    def told(self, event: Event) -> None:
        """Hear an event; cheap."""
        self._figures.told(event, self._job.tools.clock.now().timestamp())
        if isinstance(event, Began):
            self._step, self._steps, self._news = event.step, event.steps, True
            if not event.step:
                self._losses.clear()
        elif isinstance(event, Stepped):
            self._losses.append(event.loss)
            self._step, self._news = event.step + 1, True
        if self._steps:
            self._job.progress(min(self._step, self._steps), self._steps, "steps")

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep_writing())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if error is None:
            await self._write()

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self._write()

    async def _write(self) -> None:
        if not self._news:
            return
        self._news = False
        now, samples = self._job.tools.clock.now(), self._figures.take()

        def work(transaction: Transaction) -> None:
            row = transaction.get(self._job.arn)
            if row is None:
                raise JobFailed("The job was deleted.")
            if row.status != rows.STOPPING:
                row = rows.phased(row, PROCESSING, rows.COMPLETED, now)
                row = rows.phased(row, TRAINING, rows.IN_PROGRESS, now)
            transaction.update(rows.learned(row, self._losses, self._step, self._steps, now))
            transaction.run(lambda connection: metrics_index.add(connection, samples, bounded=False))

        await self._job.write(work)

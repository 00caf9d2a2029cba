"""The output of a job: answers in the order of the input, gathered into parts, each part journaled with where it ends.

Owns the grain of what is safe: a part of a file (8 MiB) in the journal, single answers in the scratch. A job that is
taken up again finds its parts in the journal and goes on behind the last. It also watches for what makes a job halt: a
stop, or the end of its time. What is under way then is finished, and written.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from functools import partial

import msgspec

from craton.features.batch import job as rows
from craton.features.batch.job import BatchJob, Counts
from craton.features.batch.records import NOWHERE, Outcome, Place, Splitter
from craton.infra.store.port import StoreError
from craton.workflows.batch.asking import Asking
from craton.workflows.batch.files import Files, InputFile, Written
from craton.workflows.batch.pipeline import EndOfFile, Item, Pipeline
from craton.workflows.batch.spool import Spool
from craton.workflows.workflow import Job, JobFailed

PART_BYTES = 8 * 1024 * 1024
"""S3 wants 5 MiB of every part but the last, and takes 10,000 parts."""
SHOWN_EVERY_S = 3.0
_LOOK_EVERY_S = 0.25


def upload_step(file: int) -> str:
    """The step that begins the upload of a file's output."""
    return f"file-{file}-upload"


class Part(msgspec.Struct, frozen=True, array_like=True):
    """What the journal knows of a part: its counts, and the line of the input (`number`, `offset`) behind which it ends.

    `last`: the file has no further one. `written` is None where there was nothing to write, or all was one object.
    """

    counts: Counts
    number: int
    offset: int
    last: bool
    written: Written | None = None


class Gathered(msgspec.Struct):
    """Answers of one file that become a part."""

    lines: list[bytes]
    counts: Counts
    number: int
    offset: int
    size: int = 0
    last: bool = False

    def take(self, outcome: Outcome) -> None:
        self.lines.append(outcome.line)
        self.size += len(outcome.line)
        self.number, self.offset = outcome.number, outcome.end
        self.counts = self.counts.plus(counted(outcome))


def counted(outcome: Outcome) -> Counts:
    return Counts(None, int(outcome.good), int(not outcome.good), outcome.input_tokens, outcome.output_tokens)


class Writing:
    """Writes the answers of one job."""

    def __init__(
        self, job: Job, files: Files, plan: list[InputFile], asking: Asking, spool: Spool,
        body: BatchJob, part_bytes: int = PART_BYTES,
    ) -> None:  # fmt: skip
        self._job = job
        self._files = files
        self._plan = plan
        self._asking = asking
        self._spool = spool
        self._expires_at = body.expires_at
        self._shown = body.counts.processed
        self._part_bytes = part_bytes
        self._counts = Counts(sum(file.records for file in plan))
        self._gathered: Gathered | None = None
        self._place: Place = NOWHERE
        self._offset = 0
        self._pipeline: Pipeline | None = None
        self._watch: asyncio.Task[None] | None = None
        self._upload: tuple[str, str] | None = None

    async def run(self) -> Counts:
        """Write all there is to write; what was counted. Raises JobFailed."""
        try:
            for index, file in enumerate(self._plan):
                await self._write(index, file)
        except JobFailed:
            if self._upload is not None:
                await self._files.give_up(*self._upload)
            raise
        finally:
            if self._watch is not None:
                self._watch.cancel()
                await asyncio.gather(self._watch, return_exceptions=True)
            if self._pipeline is not None:
                await self._pipeline.close()
                await self._spool.close(remove=False)
        return self._counts

    async def _write(self, index: int, file: InputFile) -> None:
        """One file, part by part, those first that are in the journal."""
        key = self._files.output_key(ident(self._job), file)
        self._place, self._offset = (index, 0), 0
        written: list[Written] = []
        part: Part | None = None
        while part is None or not part.last:
            number = len(written) + 1
            part = await self._job.step(f"file-{index}-part-{number}", partial(self._part, index, key, number), Part)
            self._counts = self._counts.plus(part.counts)
            self._gathered = None
            self._place, self._offset = (index, part.number), part.offset
            if part.written is not None:
                written.append(part.written)
            if self._pipeline is not None:
                await self._spool.settled(self._place)
        if written:
            upload = await self._begun(index, key)
            await self._job.step(f"file-{index}-done", partial(self._complete, key, upload, written), bool)
        self._upload = None

    async def _part(self, index: int, key: str, number: int) -> Part:
        """Gather a part and put it into S3."""
        found = await self._gather(index)
        written = None
        begun = self._job.done(upload_step(index))
        if found.last and number == 1 and not (begun and found.lines):
            # A job that was halted before it came to this file leaves no empty one.
            if found.lines or not self._line().halted:
                await self._files.write(key, b"".join(found.lines))
            if begun:
                await self._files.give_up(key, await self._begun(index, key))
        elif found.lines:
            upload = await self._begun(index, key)
            written = await self._files.part(key, upload, number, b"".join(found.lines))
        return Part(found.counts, found.number, found.offset, found.last, written)

    async def _gather(self, index: int) -> Gathered:
        if self._pipeline is None:
            await self._begin()
        number = self._place[1]
        self._gathered = found = Gathered([], Counts(), number, self._offset)
        line = self._line()
        while found.size < self._part_bytes:
            outcome = await line.next(index)
            if outcome is None:
                found.last = True
                break
            found.take(outcome)
        return found

    async def _begun(self, index: int, key: str) -> str:
        """The file's upload, begun when it has its first part."""
        upload = await self._job.step(upload_step(index), lambda: self._files.begin(key), str)
        self._upload = (key, upload)
        return upload

    async def _complete(self, key: str, upload: str, written: list[Written]) -> bool:
        await self._files.complete(key, upload, written)
        return True

    # --- the line of records ---

    def _line(self) -> Pipeline:
        if self._pipeline is None:
            raise RuntimeError("nothing was begun")
        return self._pipeline

    async def _begin(self) -> None:
        """Take up the input behind the last part that is in the journal."""
        known = await self._spool.open(self._place)
        ready = self._counts
        for outcome in known.values():
            ready = ready.plus(counted(outcome))
        if ready.processed > self._shown:
            # What an earlier worker came to is a step forward, although it did not live to say so.
            await self._show(ready)
        most = self._asking.most
        self._pipeline = Pipeline(
            self._items(*self._place, self._offset), self._asking.outcome, most, known, self._spool.add
        )
        self._watch = asyncio.get_running_loop().create_task(self._look())
        self._halt_if_due()

    async def _items(self, index: int, number: int, offset: int) -> AsyncGenerator[Item]:
        """The records of all files from here on."""
        for at in range(index, len(self._plan)):
            splitter = Splitter(at, offset, number)
            async with aclosing(self._files.read(self._plan[at], offset)) as pieces:
                async for piece in pieces:
                    for line in splitter.feed(piece):
                        yield line
            for line in splitter.finish():
                yield line
            yield EndOfFile(at)
            number = offset = 0

    # --- what goes on meanwhile ---

    async def _look(self) -> None:
        """Halt when it is time, and show how far the job is."""
        shown_at = 0.0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            self._halt_if_due()
            counts = self._counts if self._gathered is None else self._counts.plus(self._gathered.counts)
            self._job.progress(counts.processed, counts.total)
            now = self._job.tools.clock.monotonic()
            # Only what is new is written: a write counts as a step forward (`workflows.life`).
            if counts.processed > self._shown and now - shown_at >= SHOWN_EVERY_S:
                shown_at = now
                with suppress(StoreError):  # figures for people; the next ones follow
                    await self._show(counts)

    async def _show(self, counts: Counts) -> None:
        now = self._job.tools.clock.now()
        await self._job.amend(partial(rows.counted, counts=counts, now=now))
        self._shown = counts.processed

    def _halt_if_due(self) -> None:
        if self._job.stopping or self._job.tools.clock.now() >= self._expires_at:
            self._line().halt()


def ident(job: Job) -> str:
    return job.arn.rpartition("/")[2]

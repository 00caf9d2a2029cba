"""The datasets of an evaluation: found, read, judged line by line, and read again as they were.

Owns how a dataset's faults become a job's message, and the bound on a dataset. Those that come with Craton need no S3. It
must not know metrics beyond what they need of a line.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from craton.features.batch.job import Location
from craton.features.batch.records import BadRecord, Splitter
from craton.features.evaluation import builtin
from craton.features.evaluation.job import Dataset, EvaluationJob
from craton.features.evaluation.names import ACCURACY
from craton.features.evaluation.rag_records import MOST_TURNS, RagNeeds, RagRecord
from craton.features.evaluation.rag_records import read_line as read_conversation
from craton.features.evaluation.records import BadDataset, Judged, Needs, Record, judged, read_line
from craton.workflows.batch.files import Files, InputFile
from craton.workflows.workflow import JobFailed

MAX_BYTES = 64 * 1024 * 1024
"""Of a dataset: it is held in memory while it is worked on."""


class Planned(msgspec.Struct, frozen=True, array_like=True):
    """A dataset as it was found: its files, none for one of ours, and how many records they hold."""

    files: tuple[InputFile, ...]
    records: int


class Reading:
    """Reads the datasets of one job. `client` is boto3's; `most` bounds the records of a dataset."""

    def __init__(self, client: Any, body: EvaluationJob, most: int) -> None:
        self._client = client
        self._body = body
        self._most = most
        self._sources = tuple(one.identifier for one in body.subjects if one.precomputed)
        self._rag = body.subjects[0].rag

    async def planned(self, dataset: Dataset) -> Planned:
        """The dataset, every line judged. Raises JobFailed."""
        if not dataset.uri:
            return Planned((), len(builtin.records(dataset.name)))
        found = tuple(await self._files(dataset).inputs())
        size = sum(file.size for file in found)
        if size > MAX_BYTES:
            raise JobFailed(
                f"The dataset {dataset.name} at {dataset.uri} has {size} bytes. It may have {MAX_BYTES} bytes."
            )
        return Planned(found, len(await self.records(dataset, found)))

    async def records(self, dataset: Dataset, found: tuple[InputFile, ...]) -> list[Record] | list[RagRecord]:
        """The records of a dataset as it was planned. Raises JobFailed, with a line of the message for each fault."""
        if not dataset.uri:
            return builtin.records(dataset.name)
        if self._rag is not None:
            turns = MOST_TURNS if self._rag.generates else 1
            contexts = "Builtin.ContextCoverage" in dataset.metrics
            source = self._sources[0] if self._sources else ""
            wanted = RagNeeds(contexts, source, turns)
            return await self._records(dataset, found, lambda number, data: read_conversation(number, data, wanted))
        needs = Needs(reference=ACCURACY in dataset.metrics, sources=self._sources)
        return await self._records(dataset, found, lambda number, data: read_line(number, data, needs))

    async def _records(self, dataset: Dataset, found: tuple[InputFile, ...], judge: Judged[Any]) -> list[Any]:
        records, files = list[Any](), self._files(dataset)
        for file in found:
            try:
                lines = [one async for one in self._lines(files, file)]
                records += judged(lines, judge)
            except (BadDataset, BadRecord) as error:
                raise JobFailed("\n".join((bad(dataset, file), *faults(error)))) from None
            if len(records) > self._most:
                raise JobFailed(
                    f"The dataset {dataset.name} at {dataset.uri} has more than {self._most} records, which is the most "
                    "that a dataset may have."
                )
        return records

    async def _lines(self, files: Files, file: InputFile) -> AsyncIterator[tuple[int, bytes]]:
        splitter = Splitter()
        async for piece in files.read(file):
            for line in splitter.feed(piece):
                yield line.number, line.data
        for line in splitter.finish():
            yield line.number, line.data

    def _files(self, dataset: Dataset) -> Files:
        place = Location(dataset.uri)
        return Files(self._client, place, place, self._body.role_arn)


def bad(dataset: Dataset, file: InputFile) -> str:
    return f"The dataset {dataset.name} cannot be used. The file {file.key} is not valid:"


def faults(error: Exception) -> tuple[str, ...]:
    return error.faults if isinstance(error, BadDataset) else (str(error),)

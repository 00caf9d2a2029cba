"""What a model import meets, in memory: S3, a journal and rows that outlive its worker, and a workshop without torch.

Each of them calls `Perils.meet` before and after it does something, where a test may have the worker die.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import msgspec

from craton.features.hosting import import_job as rows
from craton.features.hosting import imported
from craton.features.hosting.folders import Folders
from craton.features.hosting.import_job import ImportJob
from craton.features.hosting.imported import ImportedModel, Quality
from craton.features.importing.model import Facts
from craton.infra.store.port import AlreadyExists, Page, Query, Resource
from craton.workflows.import_model import body as import_body
from craton.workflows.workflow import JobFailed
from tests.fakes import tiny_llama
from tests.fakes.batches import NOW, FakeClock, FakeS3, Killed, Perils

T = TypeVar("T")
ARN = rows.job_arn("000000000000", "us-east-1", "abcdefghijkl")
MODEL = imported.model_arn("000000000000", "us-east-1", "modelmodel12")
GRAPH = b"a graph"


class FakeWorkshop:
    """Makes a file. `fails` names the work that comes to nothing, `done` counts what was done."""

    def __init__(self) -> None:
        self.perils = Perils()
        self.fails = ""
        self.done: list[str] = []
        self.quantises = True

    def precision(self, facts: Facts) -> str:
        return "int8" if self.quantises else ""

    def _meet(self, name: str) -> None:
        self.perils.meet()
        self.done.append(name)
        if self.fails == name:
            raise JobFailed(f"It cannot be {name}.")

    async def convert(self, folders: Folders, arn: str, precision: str) -> str:
        self._meet("converted")
        folders.made.mkdir()
        (folders.made / "tokenizer.json").write_bytes((folders.source / "tokenizer.json").read_bytes())
        self.perils.meet()
        (folders.made / "model.onnx").write_bytes(GRAPH)
        return precision

    async def measure(self, folders: Folders) -> Quality | None:
        self._meet("measured")
        return Quality(perplexity=2.5, perplexity_base=2.0, kl_mean_nats=0.25, same_next_token=0.9)

    async def prove(self, arn: str, directory: Path) -> None:
        self._meet("proved")
        assert arn == MODEL
        assert (directory / "config.json").is_file()


class FakeRows:
    """The rows of a store; a write is whole or not at all."""

    def __init__(self) -> None:
        self.by_arn: dict[str, Resource] = {}

    def get(self, arn: str) -> Resource | None:
        return self.by_arn.get(arn)

    def create(self, row: Resource) -> Resource:
        taken = [one.arn for one in self.by_arn.values() if (one.kind, one.name) == (row.kind, row.name)]
        if taken:
            raise AlreadyExists("name", taken[0])
        self.by_arn[row.arn] = row
        return row

    def update(self, row: Resource) -> Resource:
        self.by_arn[row.arn] = row
        return row

    def list(self, query: Query) -> Page:
        found = [one for one in self.by_arn.values() if one.kind == query.kind and query.status in (None, one.status)]
        return Page(tuple(found), None)


class World:
    """All that outlives a worker: rows, the journal, S3, the disk."""

    def __init__(self, home: Path, files: dict[str, bytes] | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.s3 = FakeS3()
        self.workshop = FakeWorkshop()
        self.rows = FakeRows()
        self.clock = FakeClock()
        self.steps: dict[str, bytes] = {}
        self.most_bytes = 10**9
        for name, data in (tiny_llama.sharded() if files is None else files).items():
            self.s3.objects[f"tiny/{name}"] = data
        job = ImportJob(
            model_id="modelmodel12", model_name="mine", role_arn="arn:aws:iam::000000000000:role/importer",
            uri="s3://models/tiny/", model_tags={"team": "blue"},
        )  # fmt: skip
        self.rows.create(
            Resource(
                account="000000000000", region="us-east-1", kind=rows.KIND, id="abcdefghijkl", arn=ARN, created_at=NOW,
                updated_at=NOW, name="job", status=rows.IN_PROGRESS, body=msgspec.json.encode(job),
            )
        )  # fmt: skip

    @property
    def status(self) -> str:
        return self.rows.by_arn[ARN].status

    @property
    def message(self) -> str:
        return self.rows.by_arn[ARN].read(ImportJob).message or ""

    @property
    def model(self) -> ImportedModel | None:
        row = self.rows.get(MODEL)
        return None if row is None else row.read(ImportedModel)

    @property
    def left(self) -> dict[str, bytes]:
        """What is on the disk, by path under HOME/models/imported."""
        folder = imported.folder_of(self.home)
        return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}

    def run(self, *, die_at: int = 0) -> bool:
        """A worker takes the job; whether it came to an end of it."""
        perils = Perils(die_at)
        self.s3.perils = self.workshop.perils = perils
        job: Any = FakeJob(self, perils)

        async def live() -> None:
            row = await job.row()
            if row.status != rows.IN_PROGRESS:
                return
            try:
                await import_body.perform(job, row.read(ImportJob), row.name, self.workshop)  # type: ignore[arg-type]
            except JobFailed as error:
                await import_body.fail(job, str(error))

        try:
            asyncio.run(live())
        except Killed:
            return False
        return True


class FakeJob:
    """`workflows.workflow.Job` over a world."""

    def __init__(self, world: World, perils: Perils) -> None:
        self.world = world
        self.perils = perils
        self.arn, self.account, self.region = ARN, "000000000000", "us-east-1"
        limits = SimpleNamespace(import_model_bytes=world.most_bytes)
        self.tools = SimpleNamespace(
            settings=SimpleNamespace(home_path=world.home, file=SimpleNamespace(limits=limits)), clock=world.clock,
            credentials=lambda role, name: (role, name), s3=lambda credentials: world.s3,
        )  # fmt: skip

    async def row(self) -> Resource:
        return self.world.rows.by_arn[self.arn]

    async def read(self, work: Callable[[Any], T]) -> T:
        return work(self.world.rows)

    async def write(self, work: Callable[[Any], T]) -> T:
        self.perils.meet()
        before = dict(self.world.rows.by_arn)
        try:
            made = work(self.world.rows)
        except BaseException:
            self.world.rows.by_arn = before
            raise
        self.perils.meet()
        return made

    async def spread(self) -> None:
        self.perils.meet()

    async def amend(self, change: Callable[[Resource], Resource]) -> Resource:
        return await self.write(lambda held: held.update(change(held.get(self.arn))))

    async def step(self, name: str, work: Callable[[], Awaitable[T]], kind: type[T]) -> T:
        if name not in self.world.steps:
            result = await work()
            self.perils.meet()
            self.world.steps[name] = msgspec.msgpack.encode(result)
            self.perils.meet()
        return msgspec.msgpack.decode(self.world.steps[name], type=kind)

    def done(self, name: str) -> bool:
        return name in self.world.steps

    def progress(self, done: int, total: int | None = None, unit: str = "records") -> None:
        assert total is None or 0 <= done <= total

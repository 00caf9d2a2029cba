"""What a customization meets, in memory: S3, a journal and rows that outlive its worker, and a trainer without torch.

Each of them calls `Perils.meet` before and after it does something, where a test may have the worker die.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, create_engine, select

from craton.features.hosting import custom
from craton.features.hosting import customization_job as rows
from craton.features.hosting.custom import CustomModel
from craton.features.hosting.customization_job import BaseModel, CustomizationJob
from craton.features.tuning import artifacts
from craton.features.tuning.plan import Plan
from craton.features.tuning.progress import Began, Event, Stepped
from craton.infra.compute.weights_hash import weights_hash
from craton.infra.series.metrics_tables import HOURS, METRICS, WRITERS
from craton.infra.store.port import Resource
from craton.workflows.customize import body as customize
from craton.workflows.customize.training import Trained
from craton.workflows.workflow import JobFailed
from tests.fakes.batches import NOW, FakeClock, FakeS3, Killed, Perils
from tests.fakes.imports import FakeRows

T = TypeVar("T")
BASE = "craton.chat-mini-v1:0"
ARN = rows.job_arn("000000000000", "us-east-1", BASE, "abcdefghijkl")
MODEL = custom.model_arn("000000000000", "us-east-1", BASE, "modelmodel12")
TRAIN = b'{"prompt": "a", "completion": "b"}\n' * 2


class TunedRows(FakeRows):
    """With the tables of metrics beside them."""

    def __init__(self) -> None:
        super().__init__()
        self._engine = create_engine("sqlite://")
        METRICS.metadata.create_all(self._engine, [METRICS, HOURS, WRITERS])

    def run(self, work: Callable[[Connection], T]) -> T:
        with self._engine.begin() as connection:
            return work(connection)

    def measured(self) -> dict[str, tuple[float, float]]:
        """How many samples of each metric there are, and their sum."""
        joined = METRICS.join(HOURS, HOURS.c.metric == METRICS.c.id)
        found = select(METRICS.c.name, HOURS.c.samples, HOURS.c.total).select_from(joined)
        return self.run(
            lambda connection: {name: (samples, total) for name, samples, total in connection.execute(found)}
        )


class FakeTrainer:
    """Leaves what training leaves; `fails` says why it does not. A plan that changed between attempts is an error."""

    def __init__(self, world: World, folder: Path, told: Callable[[Event], None]) -> None:
        self._world, self._folder, self._told = world, folder, told

    async def run(self, file: Path, plan: Plan) -> Trained:
        world = self._world
        world.perils.meet()
        if world.status == rows.STOPPING:
            return self._stopped(plan)
        assert file.read_bytes() == (world.plan or file.read_bytes())
        world.plan = file.read_bytes()
        assert Path(plan.train).read_bytes() == TRAIN
        self._told(Began(step=0, steps=2, weights=1, all_weights=2, settings=plan.settings))
        self._told(Stepped(step=0, epoch=0, loss=1.5, tokens=3, rate=0.1))
        if world.stops:
            return self._stopped(plan)
        if world.fails:
            raise JobFailed(world.fails)
        out = Path(plan.out)
        (out / "adapter").mkdir(exist_ok=True)
        (out / "adapter" / "adapter_model.safetensors").write_bytes(b"adapter")
        (out / artifacts.STEPS).write_text("step_number\n")
        artifacts.write_card(out, {"method": plan.method, "base_sha256": weights_hash(Path(plan.base))})
        world.meanwhile()
        world.perils.meet()
        return Trained(training_loss=0.5)

    def _stopped(self, plan: Plan) -> Trained:
        (Path(plan.work) / "checkpoint.pt").write_bytes(b"kept")
        return Trained(stopped=True)


class Asking(Perils):
    """Has the job asked to stop at a moment instead."""

    def __init__(self, at: int, ask: Callable[[], None]) -> None:
        super().__init__()
        self._stop_at, self._ask = at, ask

    def meet(self) -> None:
        super().meet()
        if self.met == self._stop_at:
            self._ask()


class World:
    """All that outlives a worker: rows, the journal, S3, the disk."""

    def __init__(self, home: Path, train: bytes = TRAIN, **more: Any) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home, self.s3, self.rows, self.clock = home, FakeS3(), TunedRows(), FakeClock()
        self.steps: dict[str, bytes] = {}
        self.perils = Perils()
        self.plan, self.fails, self.stops = b"", "", False
        self.meanwhile: Callable[[], None] = lambda: None
        self.s3.objects["train.jsonl"] = train
        given = {
            "base": BaseModel(id=BASE, local=BASE, context_tokens=2048), "type": "FINE_TUNING",
            "training": {"s3Uri": "s3://tuning/train.jsonl"}, "output": {"s3Uri": "s3://tuning/out"},
        }  # fmt: skip
        job = CustomizationJob(model_id="modelmodel12", model_name="mine", role_arn="role/tuner", **{**given, **more})
        self.rows.create(
            Resource(
                account="000000000000", region="us-east-1", kind=rows.KIND, id="abcdefghijkl", arn=ARN, created_at=NOW,
                updated_at=NOW, name="job", status=rows.IN_PROGRESS, body=msgspec.json.encode(job),
            )
        )  # fmt: skip

    @property
    def job(self) -> CustomizationJob:
        return self.rows.by_arn[ARN].read(CustomizationJob)

    @property
    def status(self) -> str:
        return self.rows.by_arn[ARN].status

    @property
    def model(self) -> CustomModel | None:
        row = self.rows.get(MODEL)
        return None if row is None else row.read(CustomModel)

    @property
    def left(self) -> list[str]:
        """What is on the disk, by path in the home; locks aside."""
        found = (one for one in self.home.rglob("*") if one.is_file() and one.suffix != ".lock")
        return sorted(str(one.relative_to(self.home)) for one in found)

    def stop(self) -> None:
        """Somebody asks the job to stop; it is none that is over."""
        row = self.rows.by_arn[ARN]
        if row.status == rows.IN_PROGRESS:
            self.rows.by_arn[ARN] = msgspec.structs.replace(row, status=rows.STOPPING)

    def run(self, *, die_at: int = 0, stop_at: int = 0) -> bool:
        """A worker takes the job; whether it came to an end of it."""
        self.perils = self.s3.perils = Asking(stop_at, self.stop) if stop_at else Perils(die_at)
        job: Any = FakeJob(self)

        async def live() -> None:
            row = await job.row()
            if row.status not in rows.RUNNING:
                return
            made = customize.Here(
                job,
                row.read(CustomizationJob),
                row.name,
                self.s3,
                lambda folder, told, _: FakeTrainer(self, folder, told),
            )
            try:
                await customize.perform(made)
            except JobFailed as error:
                await customize.fail(job, str(error))

        try:
            asyncio.run(live())
        except Killed:
            return False
        return True


class FakeJob:
    """`workflows.workflow.Job` over a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.arn, self.account, self.region = ARN, "000000000000", "us-east-1"
        limits = SimpleNamespace(customization_train_bytes=1000, customization_validation_bytes=1000)
        file = SimpleNamespace(limits=limits, jobs=SimpleNamespace(training_processes=1))
        self.tools = SimpleNamespace(
            settings=SimpleNamespace(home_path=world.home, account="000000000000", file=file), clock=world.clock
        )

    @property
    def stopping(self) -> bool:
        return self.world.status == rows.STOPPING

    async def stop_asked(self) -> None:
        while not self.stopping:
            await asyncio.sleep(0.001)

    async def row(self) -> Resource:
        return self.world.rows.by_arn[self.arn]

    async def read(self, work: Callable[[Any], T]) -> T:
        return work(self.world.rows)

    async def write(self, work: Callable[[Any], T]) -> T:
        self.world.perils.meet()
        before = dict(self.world.rows.by_arn)
        try:
            made = work(self.world.rows)
        except BaseException:
            self.world.rows.by_arn = before
            raise
        self.world.perils.meet()
        return made

    async def spread(self) -> None:
        self.world.perils.meet()

    async def amend(self, change: Callable[[Resource], Resource]) -> Resource:
        return await self.write(lambda held: held.update(change(held.get(self.arn))))

    async def step(self, name: str, work: Callable[[], Awaitable[T]], kind: type[T]) -> T:
        if name not in self.world.steps:
            result = await work()
            self.world.perils.meet()
            self.world.steps[name] = msgspec.msgpack.encode(result)
            self.world.perils.meet()
        return msgspec.msgpack.decode(self.world.steps[name], type=kind)

    def done(self, name: str) -> bool:
        return name in self.world.steps

    def progress(self, done: int, total: int | None = None, unit: str = "records") -> None:
        assert total is None or 0 <= done <= total

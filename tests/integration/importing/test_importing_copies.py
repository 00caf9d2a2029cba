"""The life of a model copy: files that are shared, a crash at any moment, a source that goes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from craton.features.hosting import copy_job, imported
from craton.features.hosting.copy_job import CopyJob
from craton.features.hosting.folders import discard
from craton.features.hosting.imported import ImportedModel
from craton.infra.store.port import Resource
from craton.workflows.copy_model import body as copying
from craton.workflows.workflow import JobFailed
from tests.fakes.batches import NOW, Killed, Perils
from tests.fakes.imports import FakeJob, World

WEST = imported.model_arn("000000000000", "us-west-2", "copycopycopy")
EAST = imported.model_arn("000000000000", "us-east-1", "sourcesource")
JOB = copy_job.job_arn("000000000000", "us-west-2", "abcdefghijkl")
FILES = {"config.json": b"{}", "model.safetensors": b"weights"}


class CopyWorld(World):
    """A model in one Region, and a job to copy it to another."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, {})
        folder = imported.folder_of(home) / "sourcesource"
        folder.mkdir(parents=True)
        for name, data in FILES.items():
            (folder / name).write_bytes(data)
        model = ImportedModel(
            job_arn="x", job_name="y", uri="s3://a/b", architecture="llama", schema="meta.llama", context_tokens=512,
            parameters=1, units=1, tags={"of": "source"},
        )  # fmt: skip
        self.rows.by_arn.clear()
        self.rows.create(row(imported.KIND, EAST, "us-east-1", "mine", imported.ACTIVE, model))
        job = CopyJob(
            source=imported.custom_arn(EAST), source_row=EAST, source_name="mine", model_id="copycopycopy",
            model_name="copied", model_tags={"of": "copy"},
        )  # fmt: skip
        self.rows.create(row(copy_job.KIND, JOB, "us-west-2", None, copy_job.IN_PROGRESS, job))

    def run(self, *, die_at: int = 0) -> bool:
        job: Any = CopyingJob(self, Perils(die_at))

        async def live() -> None:
            try:
                await copying.run(job)
            except JobFailed as error:
                await copying.fail(job, str(error))

        try:
            asyncio.run(live())
        except Killed:
            return False
        return True


class CopyingJob(FakeJob):
    def __init__(self, world: World, perils: Perils) -> None:
        super().__init__(world, perils)
        self.arn, self.region = JOB, "us-west-2"


def row(kind: str, arn: str, region: str, name: str | None, status: str, body: object) -> Resource:
    ident = arn.rpartition("/")[2]
    return Resource(
        account="000000000000", region=region, kind=kind, id=ident, arn=arn, name=name, status=status,
        created_at=NOW, updated_at=NOW, body=msgspec.json.encode(body),
    )  # fmt: skip


def test_a_copy_shares_its_files(tmp_path: Path) -> None:
    """Its bytes are there once; its row is its own, and deleting the source leaves it whole."""
    world = CopyWorld(tmp_path)
    assert world.run()
    assert world.rows.by_arn[JOB].status == copy_job.COMPLETED
    made = world.rows.by_arn[WEST].read(ImportedModel)
    assert (made.tags, made.source_arn, made.job_arn) == ({"of": "copy"}, imported.custom_arn(EAST), "")
    folder = imported.folder_of(tmp_path)
    for name in FILES:
        assert (folder / "copycopycopy" / name).samefile(folder / "sourcesource" / name)
    discard(tmp_path, "sourcesource")
    assert world.left == {f"copycopycopy/{name}": data for name, data in FILES.items()}


def test_a_worker_that_dies_at_any_moment(tmp_path: Path) -> None:
    """Whoever takes the job up ends with the same copy."""
    for moment in range(1, 12):
        world = CopyWorld(tmp_path / str(moment))
        if not world.run(die_at=moment):
            assert world.run()
        assert world.rows.by_arn[JOB].status == copy_job.COMPLETED, moment
        assert WEST in world.rows.by_arn
        assert len(world.left) == 2 * len(FILES)


@pytest.mark.parametrize("what", ["row", "files"])
def test_a_source_that_is_gone(tmp_path: Path, what: str) -> None:
    """The job says so, and nothing of the copy is left."""
    world = CopyWorld(tmp_path)
    if what == "row":
        del world.rows.by_arn[EAST]
    else:
        discard(tmp_path, "sourcesource")
    assert world.run()
    job = world.rows.by_arn[JOB]
    assert job.status == copy_job.FAILED
    assert "is no longer there" in (job.read(CopyJob).message or "")
    assert not (imported.folder_of(tmp_path) / "copycopycopy").exists()


def test_a_name_that_was_taken_meanwhile(tmp_path: Path) -> None:
    """The model that was first stays."""
    world = CopyWorld(tmp_path)
    taken = row(imported.KIND, WEST.replace("copycopy", "otherone"), "us-west-2", "copied", "Active", {})
    world.rows.create(taken)
    assert world.run()
    assert "name copied was taken" in (world.rows.by_arn[JOB].read(CopyJob).message or "")
    assert WEST not in world.rows.by_arn

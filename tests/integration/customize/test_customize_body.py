"""The life of a customization over an S3 in memory: what it makes, what it leaves, and what a crash at any moment costs."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import pytest

from craton.features.hosting import custom
from craton.features.hosting import customization_job as rows
from craton.features.hosting.customization_job import BaseModel
from craton.infra.store.port import Resource
from craton.models.catalog.local import BOX
from craton.workflows.customize.training import turn
from craton.workflows.workflow import Later
from tests.fakes.batches import NOW
from tests.fakes.customizing import ARN, BASE, MODEL, World

PLACED = ["models/custom/modelmodel12/adapter/adapter_model.safetensors", "models/custom/modelmodel12/adapter/craton_adapter.json"]  # fmt: skip
OUT = "out/model-customization-job-abcdefghijkl/"


def test_a_file_becomes_a_model(tmp_path: Path) -> None:
    """The adapter lies in its place for its owner alone, the row says how it was made, the scratch is empty."""
    world = World(tmp_path, model_tags={"team": "blue"})
    assert world.run()
    assert (world.status, world.job.message) == (rows.COMPLETED, None)
    assert {phase.status for phase in world.job.phases.values()} == {rows.COMPLETED}
    assert (world.job.training_loss, world.job.losses, world.job.steps) == (0.5, (1.5,), 2)
    assert world.left == PLACED
    model = world.model
    assert model is not None
    assert (model.job_arn, model.form, model.tags, model.training_loss) == (ARN, "adapter", {"team": "blue"}, 0.5)
    assert len(model.base_sha256) == 64
    folder = custom.files_of(tmp_path, "modelmodel12", "adapter")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert f"{OUT}model_artifacts/adapter/adapter_model.safetensors" in world.s3.objects
    assert f"{OUT}model_card.md" in world.s3.objects


def test_a_worker_that_dies_at_any_moment(tmp_path: Path) -> None:
    """Whoever takes the job up ends with the very same model, and nothing of an attempt is left beside it."""
    counted = World(tmp_path / "whole")
    assert counted.run()
    moments = counted.perils.met
    assert moments > 30
    for moment in range(1, moments + 1):
        world = World(tmp_path / str(moment))
        assert not world.run(die_at=moment)
        assert world.run()
        assert (world.status, world.left) == (rows.COMPLETED, PLACED), (moment, world.job.message)
        assert world.model == counted.model
        assert world.s3.objects == counted.s3.objects
        assert world.rows.measured() == {"TrainingLoss": (1, 1.5), "TrainedTokenCount": (1, 3)}, moment


def test_stop_at_any_moment(tmp_path: Path) -> None:
    """The job is stopped and leaves no model and no file, or it was too late and the model is whole."""
    counted = World(tmp_path / "whole")
    assert counted.run()
    ends = set()
    for moment in range(1, counted.perils.met + 1):
        world = World(tmp_path / str(moment))
        assert world.run(stop_at=moment)
        ends.add(world.status)
        if world.status == rows.STOPPED:
            assert (world.model, world.left) == (None, []), moment
            assert not any("model_artifacts" in key for key in world.s3.objects), moment
        else:
            assert (world.status, world.model, world.left) == (rows.COMPLETED, counted.model, PLACED), moment
    assert ends == {rows.STOPPED, rows.COMPLETED}


def test_a_base_that_is_deleted_in_the_middle(tmp_path: Path) -> None:
    """Or changed: an adapter of it is good for nothing, so none is left."""
    changes: dict[str, Callable[[Path], None]] = {"is no longer on this server": removed, "are not those": altered}
    for number, (words, change) in enumerate(changes.items()):
        home = tmp_path / str(number)
        whole = custom_base(home)
        world = World(home, base=BaseModel(id=BASE, local=whole.arn, custom_arn=whole.arn))
        world.rows.create(whole)
        folder = custom.files_of(home, whole.id, "model")
        world.meanwhile = partial(change, folder)
        assert world.run()
        assert (world.status, world.model) == (rows.FAILED, None)
        assert words in (world.job.message or "")
        assert [file for file in world.left if "basebasebase" not in file] == []


def custom_base(home: Path) -> Resource:
    """A custom model with weights of its own."""
    arn = custom.model_arn("000000000000", "us-east-1", BASE, "basebasebase")
    shutil.copytree(BOX / "chat-mini-v1", custom.files_of(home, "basebasebase", "model"))
    body = msgspec.json.encode(custom.CustomModel(base=BaseModel(id=BASE, local=BASE), type="x", form="model"))
    return Resource(
        account="000000000000", region="us-east-1", kind=custom.KIND, id="basebasebase", arn=arn, name="whole",
        created_at=NOW, updated_at=NOW, body=body,
    )  # fmt: skip


def removed(folder: Path) -> None:
    shutil.rmtree(folder)


def altered(folder: Path) -> None:
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"more")


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    """Not a file, not a model; the job says why, and the phase it was in has failed."""
    world = World(tmp_path)
    world.fails = "Training failed: the disk is full"
    assert world.run()
    assert (world.status, world.job.message, world.model) == (rows.FAILED, world.fails, None)
    assert world.job.phases[rows.VALIDATION].status == rows.COMPLETED
    assert world.job.phases[rows.PROCESSING].status == rows.FAILED
    assert world.left == []


@pytest.mark.parametrize("stops", ["training", "before"])
def test_stop(tmp_path: Path, stops: str) -> None:
    """The last checkpoint goes into the output; where there is none yet, nothing does."""
    world = World(tmp_path)
    if stops == "training":
        world.stops = True
    else:
        world.rows.update(msgspec.structs.replace(world.rows.by_arn[ARN], status=rows.STOPPING))
    assert world.run()
    assert (world.status, world.model, world.left) == (rows.STOPPED, None, [])
    assert (f"{OUT}checkpoint/checkpoint.pt" in world.s3.objects) is (stops == "training")


@pytest.mark.parametrize(
    ("train", "words"),
    [(b"", "is empty"), (b"x" * 2000, "has 2000 bytes. It may have 1000.")],
)
def test_data_of_the_wrong_size(tmp_path: Path, train: bytes, words: str) -> None:
    """It is refused before a byte is fetched."""
    world = World(tmp_path, train)
    assert world.run()
    assert words in (world.job.message or "")
    assert not [name for name, _ in world.s3.asked if name == "get_object"]


def test_a_base_that_is_gone(tmp_path: Path) -> None:
    """The job says so, whenever it finds out."""
    world = World(tmp_path, base=BaseModel(id="craton.gone-v1:0", local="craton.gone-v1:0"))
    assert world.run()
    assert world.job.message == "The base model craton.gone-v1:0 is no longer on this server."


def test_a_name_that_was_taken_meanwhile(tmp_path: Path) -> None:
    """The model that was first stays; this one leaves nothing."""
    world = World(tmp_path)
    arn = MODEL.replace("modelmodel12", "others")
    world.rows.create(
        Resource(
            account="000000000000", region="us-east-1", kind=custom.KIND, id="others", arn=arn, name="mine",
            created_at=NOW, updated_at=NOW, body=msgspec.json.encode(custom.CustomModel(base=BaseModel(id=BASE, local=BASE), type="x")),
        )
    )  # fmt: skip
    assert world.run()
    assert (world.status, world.model, world.left) == (rows.FAILED, None, [])
    assert "name mine was taken" in (world.job.message or "")


def test_one_trains_at_a_time(tmp_path: Path) -> None:
    """Others are told to come back later; whoever ends, however, makes room."""
    with turn(tmp_path), pytest.raises(Later, match="waits for its turn"), turn(tmp_path):
        pass
    with turn(tmp_path):
        pass

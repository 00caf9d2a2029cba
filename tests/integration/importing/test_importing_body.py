"""The life of a model import over an S3 in memory: what it makes, what it leaves, and what a crash at any moment costs."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from craton.features.hosting import import_job as rows
from craton.features.hosting import imported
from craton.features.hosting.folders import discard
from craton.features.hosting.imported import Quality
from craton.infra.store.port import Resource
from tests.fakes import tiny_llama
from tests.fakes.batches import NOW
from tests.fakes.imports import GRAPH, MODEL, World

MADE = {f"modelmodel12/{name}": data for name, data in tiny_llama.sharded().items()} | {
    "modelmodel12/model.onnx": GRAPH
}


def test_a_folder_becomes_a_model(tmp_path: Path) -> None:
    """Weights and graph lie side by side, for their owner alone; the row says what it is and what quantising cost."""
    world = World(tmp_path)
    assert world.run()
    assert world.status == rows.COMPLETED, world.message
    assert world.left == MADE
    model = world.model
    assert model is not None
    assert (model.architecture, model.schema, model.instruct) == ("llama", "meta.llama", True)
    assert (model.precision, model.tags, model.job_name) == ("int8", {"team": "blue"}, "job")
    assert model.quality == Quality(perplexity=2.5, perplexity_base=2.0, kl_mean_nats=0.25, same_next_token=0.9)
    assert model.size_bytes == sum(len(data) for data in MADE.values())
    folder = imported.folder_of(tmp_path) / "modelmodel12"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert world.s3.asked[0][1]["Prefix"] == "tiny/"


def test_weights_that_are_served_as_they_are(tmp_path: Path) -> None:
    """Nothing is made of them and nothing measured; a model without a template gets one that adds nothing."""
    files = tiny_llama.files()
    del files["chat_template.jinja"]
    world = World(tmp_path, files)
    world.workshop.quantises = False
    assert world.run()
    assert world.model is not None
    assert (world.model.precision, world.model.quality, world.model.instruct) == ("", None, False)
    assert "message['content']" in world.left["modelmodel12/chat_template.jinja"].decode()
    assert world.workshop.done == ["proved"]


def test_a_worker_that_dies_at_any_moment(tmp_path: Path) -> None:
    """Whoever takes the job up ends with the very same model, and nothing of an attempt is left beside it."""
    counted = World(tmp_path / "whole")
    assert counted.run()
    moments = counted.s3.perils.met
    assert moments > 40
    for moment in range(1, moments + 1):
        world = World(tmp_path / str(moment))
        assert not world.run(die_at=moment)
        if not world.run():
            raise AssertionError(moment)
        assert (world.status, world.left) == (rows.COMPLETED, MADE), (moment, world.message)
        assert world.model == counted.model


def test_a_worker_that_dies_again_and_again(tmp_path: Path) -> None:
    """Each of many deaths leaves enough to get further."""
    world, deaths = World(tmp_path), 0
    while not world.run(die_at=18):
        deaths += 1
        assert deaths < 60
    assert deaths > 2
    assert (world.status, world.left) == (rows.COMPLETED, MADE)


@pytest.mark.parametrize("work", ["converted", "proved"])
def test_a_failure_leaves_nothing_behind(tmp_path: Path, work: str) -> None:
    """Not a file, not a model; the job says why."""
    world = World(tmp_path)
    world.workshop.fails = work
    assert world.run()
    assert (world.status, world.message) == (rows.FAILED, f"It cannot be {work}.")
    assert world.left == {}
    assert world.model is None
    assert list(imported.folder_of(tmp_path).iterdir()) == []


@pytest.mark.parametrize(
    ("file", "data", "words"),
    [
        ("pytorch_model.bin", b"\x80\x02}q\x00.", "pytorch_model.bin may be a pickle"),
        ("model-00002-of-00002.safetensors", None, "lacks model-00002-of-00002.safetensors"),
        ("model-00001-of-00002.safetensors", b"\x80\x02}q\x00.", "is not a safetensors file"),
        ("config.json", b"{}", "architecture none is not supported"),
        ("tokenizer.json", None, "lacks tokenizer.json"),
        (
            "model.safetensors.index.json",
            b'{"weight_map":{"a":"../../../etc/passwd.safetensors"}}',
            "must be the plain name of a safetensors file",
        ),
    ],
)
def test_a_folder_that_is_no_model(tmp_path: Path, file: str, data: bytes | None, words: str) -> None:
    """It is refused before a byte of its weights is fetched, and a pickle is never opened."""
    files = tiny_llama.sharded()
    if data is None:
        del files[file]
    else:
        files[file] = data
    world = World(tmp_path, files)
    assert world.run()
    assert world.status == rows.FAILED
    assert words in world.message
    assert world.left == {}
    read = [asked for name, asked in world.s3.asked if name == "get_object"]
    assert not any(asked["Key"].endswith(".bin") for asked in read)
    assert all(int(asked["Range"].partition("-")[2]) < 20_000 for asked in read)


def test_a_role_that_may_not_read(tmp_path: Path) -> None:
    """The job says which right it lacks, where, and of which role."""
    world = World(tmp_path)
    world.s3.denied.add("models")
    assert world.run()
    assert "Could not validate ListBucket permissions to access Amazon S3 bucket: models" in world.message
    assert "role/importer" in world.message


def test_an_empty_folder_and_one_that_is_too_large(tmp_path: Path) -> None:
    """Both are said before anything is fetched."""
    empty = World(tmp_path / "a", {})
    assert empty.run()
    assert "No file was found at the model data source s3://models/tiny/" in empty.message
    large = World(tmp_path / "b")
    large.most_bytes = 1000
    assert large.run()
    assert "A model may have 1000" in large.message


def test_a_name_that_was_taken_meanwhile(tmp_path: Path) -> None:
    """The model that was first stays; this one leaves nothing."""
    world = World(tmp_path)
    other = MODEL.replace("modelmodel12", "others")
    world.rows.create(
        Resource(
            account="000000000000", region="us-east-1", kind=imported.KIND, id="others", arn=other, name="mine",
            created_at=NOW, updated_at=NOW,
        )
    )  # fmt: skip
    assert world.run()
    assert (world.status, world.model, world.left) == (rows.FAILED, None, {})
    assert "name mine was taken" in world.message


def test_what_others_left_is_swept_up(tmp_path: Path) -> None:
    """Half imports and half deletions of jobs and models that are gone; whole models are never touched."""
    folder = imported.folder_of(tmp_path)
    for name in ("dead.partial", "old.gone", "unknown"):
        (folder / name).mkdir(parents=True)
        (folder / name / "x").write_text("x")
    world = World(tmp_path)
    assert world.run()
    assert sorted(one.name for one in folder.iterdir()) == ["modelmodel12", "unknown"]
    discard(tmp_path, "unknown")
    discard(tmp_path, "unknown")
    assert sorted(one.name for one in folder.iterdir()) == ["modelmodel12"]

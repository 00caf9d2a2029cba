"""The programs that an import runs: how they end, that they end with the job, and the proof that a model answers."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from craton.config_tables import ComputeTable
from craton.features.hosting.folders import Folders
from craton.features.hosting.imported import Quality
from craton.features.importing.model import Facts
from craton.infra.compute.process import children
from craton.infra.compute.sandbox import Sandbox
from craton.workflows.import_model import child
from craton.workflows.import_model.making import Workshop, brief, precision_for, probe, quality_of
from craton.workflows.workflow import JobFailed

TINY = Path(__file__).parents[2] / "data" / "engine" / "tiny"
ARN = "arn:aws:bedrock:us-east-1:000000000000:imported-model/modelmodel12"
OFF = Sandbox("off", Path("/"))


def facts(*, exported: bool = True) -> Facts:
    return Facts(
        architecture="llama", schema="meta.llama", converse=True, instruct=True, context_tokens=512,
        parameters=1, exported=exported,
    )  # fmt: skip


def proved(home: Path, directory: Path) -> None:
    asyncio.run(probe(ComputeTable(), ARN, directory, 0.0, Sandbox("auto", home)))


def test_a_model_that_answers(tmp_path: Path) -> None:
    """The engine is started as it will be and ended again; nothing of it is left."""
    shutil.copytree(TINY, tmp_path / "draft" / "made")
    proved(tmp_path, tmp_path / "draft" / "made")
    assert not list((tmp_path / "run").rglob("*"))


def test_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    """The engine's own words say why, without the paths of this machine."""
    made = tmp_path / "draft" / "made"
    shutil.copytree(TINY, made)
    (made / "model.onnx").write_bytes(b"no graph")
    (made / "craton.json").unlink()
    with pytest.raises(JobFailed, match="The model cannot be loaded: the model cannot be opened") as caught:
        proved(tmp_path, made)
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(JobFailed, match="The model cannot be served: the directory holds neither"):
        proved(tmp_path, tmp_path / "draft")


def test_how_a_program_ended(tmp_path: Path) -> None:
    """Its status, and its last words on each stream."""
    ended = asyncio.run(child.run(["this"], tmp_path, OFF))
    assert ended.code == 0
    assert ended.said[-1].startswith("Namespaces are one honking great idea")
    failed = asyncio.run(child.run(["no_such_module_here"], tmp_path, OFF))
    assert failed.code == 1
    assert "No module named no_such_module_here" in failed.complained[-1]


def test_a_program_ends_with_the_job(tmp_path: Path) -> None:
    """Cancelled, it is killed with all that it started, and waited for."""

    others = {*children(own_pid())}

    def started() -> set[int]:
        return {*children(own_pid())} - others

    async def cancelled() -> set[int]:
        doing = asyncio.create_task(child.run(["http.server", "0"], tmp_path, OFF))
        end = time.monotonic() + 60
        while not started() and time.monotonic() < end:
            await asyncio.sleep(0.02)
        before = started()
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
        return before

    before = asyncio.run(cancelled())
    assert before
    assert not before & started()


def own_pid() -> int:
    return int(Path("/proc/self").resolve().name)


@pytest.mark.parametrize(
    ("table", "exported", "gpus", "wanted"),
    [
        (ComputeTable(), True, 0.0, "int8"),
        (ComputeTable(), False, 0.0, ""),
        (ComputeTable(), True, 1.0, ""),
        (ComputeTable(import_precision="int4"), True, 1.0, "int4"),
        (ComputeTable(import_precision="none"), True, 0.0, ""),
        (ComputeTable(engine="transformers"), True, 0.0, ""),
    ],
)
def test_what_weights_become(table: ComputeTable, *, exported: bool, gpus: float, wanted: str) -> None:
    """Int8 where there is no GPU and the exporter knows the architecture; else as they are, or as it was named."""
    assert precision_for(table, facts(exported=exported), gpus) == wanted


def test_a_precision_that_cannot_be() -> None:
    """Named for an architecture that the exporter does not know, it ends the job."""
    with pytest.raises(JobFailed, match='import_precision = "int4", but models of the architecture llama'):
        precision_for(ComputeTable(import_precision="int4"), facts(exported=False), 0.0)


def test_the_figures_of_quantising() -> None:
    """They are the last line that the measuring program wrote; if it failed, there are none."""
    line = '{"perplexity":3,"perplexity_base":2.5,"kl_mean_nats":0.1,"same_next_token":0.9,"tokens":7}'
    found = Quality(perplexity=3.0, perplexity_base=2.5, kl_mean_nats=0.1, same_next_token=0.9)
    assert quality_of(child.Ended(0, ["progress", line], [])) == found
    assert quality_of(child.Ended(1, [line], [])) is None
    assert quality_of(child.Ended(0, ["nothing of the kind"], [])) is None
    assert quality_of(child.Ended(0, [], [])) is None


def test_reasons_are_brief() -> None:
    """The engine's own reason where it gave one, else each line once."""
    folder, sockets = Path("/x/y"), Path("/run/z")
    said = 'exit code 1\n  \x1b[0;93mnoise at /run/z\x1b[m\ncraton-engine state=failed reason="/x/y is damaged"'
    assert brief(said, folder, sockets) == "the model is damaged"
    assert brief("exit code 1\n  /x/y/a is gone\nexit code 1", folder, sockets) == "exit code 1; the model/a is gone"


@pytest.mark.parametrize("named", ["auto", "int8"])
def test_a_model_that_cannot_be_converted(tmp_path: Path, named: str) -> None:
    """It is served as it was imported, unless somebody named a precision: then the job fails with the reason."""
    folders = Folders(tmp_path, "modelmodel12")
    (tmp_path / "models").mkdir()
    folders.begin()
    workshop = Workshop(ComputeTable(import_precision=named, sandbox="off"), tmp_path)  # type: ignore[arg-type]
    doing = workshop.convert(folders, ARN, "int8")
    if named == "auto":
        assert asyncio.run(doing) == ""
    else:
        with pytest.raises(JobFailed, match="cannot be converted to int8: the model cannot be converted: config.json"):
            asyncio.run(doing)
    assert not folders.made.exists()

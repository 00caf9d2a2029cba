"""From the row of an imported model to what serves it and to what callers may do with it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec

from craton.config_tables import ComputeTable
from craton.features.hosting import imported
from craton.features.hosting.engines import Engines
from craton.features.hosting.ground import Ground
from craton.features.hosting.imported import ImportedModel, Quality, deployments_of, hosted_of, named_by
from craton.infra.store.mirror import Mirror
from craton.infra.store.port import Resource

TINY = Path(__file__).parents[2] / "data" / "engine" / "tiny"
ARN = imported.model_arn("000000000000", "us-east-1", "modelmodel12")
MODEL = ImportedModel(
    job_arn="job", job_name="job", uri="s3://a/b", architecture="qwen2", schema="meta.llama", converse=False,
    context_tokens=512, parameters=7, units=1, precision="int8", tags={"team": "blue"},
    quality=Quality(perplexity=3.0, perplexity_base=2.5, kl_mean_nats=0.01, same_next_token=0.95),
)  # fmt: skip


def row(body: ImportedModel = MODEL) -> Resource:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Resource(
        account="000000000000", region="us-east-1", kind=imported.KIND, id="modelmodel12", arn=ARN, name="mine",
        status=imported.ACTIVE, created_at=now, updated_at=now, body=msgspec.json.encode(body),
    )  # fmt: skip


def ground(home: Path) -> Ground:
    settings: Any = SimpleNamespace(home_path=home, file=SimpleNamespace(compute=ComputeTable()))
    return Ground(settings, Mirror(), None, Engines(ComputeTable()))


def test_a_model_is_its_own_deployment(tmp_path: Path) -> None:
    """Under its ARN, from its own folder, asleep until it is called; people are told what quantising cost."""
    folder = imported.folder_of(tmp_path) / "modelmodel12"
    shutil.copytree(TINY, folder)
    (one,) = deployments_of(row(), ground(tmp_path))
    assert (one.id, one.spec.id, one.origin, one.scale.least, one.fault) == (ARN, ARN, "imported", 0, "")
    assert str(folder) in one.spec.command
    assert one.spec.reads == (str(folder),)
    assert one.note.endswith("int8: perplexity 3 (as imported 2.5), 0.01 nats a token, the same next token in 95.0%")


def test_files_that_are_gone(tmp_path: Path) -> None:
    """They are the deployment's fault, and end nothing else."""
    (one,) = deployments_of(row(), ground(tmp_path))
    assert "No such file" in one.fault
    assert one.spec.command == ()
    (imported.folder_of(tmp_path) / "modelmodel12").mkdir(parents=True)
    (other,) = deployments_of(row(), ground(tmp_path))
    assert "holds neither" in other.fault


def test_what_callers_may_do(tmp_path: Path) -> None:
    """The native schema, whether Converse takes it, its context and its tags."""
    found = hosted_of(row())
    assert (found.arn, found.deployment, found.name) == (ARN, ARN, "mine")
    assert (found.schema, found.converse, found.context_tokens, found.tags) == (
        "meta.llama",
        False,
        512,
        {"team": "blue"},
    )
    assert found.active
    assert not hosted_of(msgspec.structs.replace(row(), status="Failed")).active


def test_two_names_for_one_model() -> None:
    """Copying and provisioning know it as a custom model."""
    held: Any = SimpleNamespace(get={ARN: row()}.get)
    assert imported.custom_arn(ARN) == "arn:aws:bedrock:us-east-1:000000000000:custom-model/imported/modelmodel12"
    for arn in (ARN, imported.custom_arn(ARN)):
        assert named_by(held, arn) is not None
    assert named_by(held, "arn:aws:bedrock:us-east-1::foundation-model/meta.llama3-8b-instruct-v1:0") is None

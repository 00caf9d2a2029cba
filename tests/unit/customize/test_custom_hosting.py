"""From custom models and their deployments to what serves them and to what callers may do with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from craton.config_tables import ComputeTable
from craton.features.hosting import custom, provisioned, registry
from craton.features.hosting import custom_deployment as rows
from craton.features.hosting.custom import CustomModel, place
from craton.features.hosting.custom_deployment import DeploymentBody, custom_models, served_of
from craton.features.hosting.customization_job import BaseModel
from craton.features.hosting.engines import Engines
from craton.features.hosting.ground import Found, Ground
from craton.features.hosting.provisioned import ProvisionedBody, Source
from craton.infra.compute.weights_hash import weights_hash, weights_stamp
from craton.infra.store.port import Resource
from craton.models.catalog.local import BOX, LocalModel

BASE = BaseModel(id="my.base-v1", local="my.base-v1", context_tokens=512)
MINI = BOX / "chat-mini-v1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def row(kind: str, ident: str, arn: str, body: object, status: str = "Active") -> Resource:
    return Resource(
        account="000000000000", region="us-east-1", kind=kind, id=ident, arn=arn, name=ident, status=status,
        created_at=NOW, updated_at=NOW, body=msgspec.json.encode(body),
    )  # fmt: skip


class Place:
    """A home with a registered base, and rows."""

    def __init__(self, home: Path) -> None:
        self.home, self.base = home, home / "base"
        shutil.copytree(MINI, self.base)
        local = LocalModel(id=BASE.local, directory=str(self.base))
        self.rows = [row(registry.KIND, local.id, registry.arn_of("000000000000", local.id), local)]

    def model(self, ident: str, **more: Any) -> Resource:
        given = {"base_sha256": weights_hash(self.base), "base_stamp": weights_stamp(self.base), **more}
        body = CustomModel(base=BASE, type="FINE_TUNING", **given)
        made = row(custom.KIND, ident, custom.model_arn("000000000000", "us-east-1", BASE.id, ident), body)
        self.rows.append(made)
        return made

    def deployment(self, model: Resource, ident: str, **more: Any) -> Resource:
        body = DeploymentBody(probe=f"{ident}-probe", **{"current": served_of(model), **more})
        made = row(rows.KIND, ident, rows.deployment_arn("000000000000", "us-east-1", ident), body)
        self.rows.append(made)
        return made

    def look(self) -> Found:
        return custom_models(self.ground())

    def ground(self) -> Ground:
        compute = ComputeTable()
        settings: Any = SimpleNamespace(
            home_path=self.home, account="000000000000", file=SimpleNamespace(compute=compute)
        )
        return Ground(settings, FakeMirror(self.rows), SimpleNamespace(), Engines(compute))  # type: ignore[arg-type]


class FakeMirror:
    """`infra.store.mirror.Mirror` of rows at hand."""

    def __init__(self, held: list[Resource]) -> None:
        self._held = held

    def read(self, _store: object, kind: str, make: Callable[[Resource], Any]) -> tuple[Any, ...]:
        return tuple(make(one) for one in self._held if one.kind == kind)


@pytest.fixture
def here(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_adapters_share_their_bases_replicas(here: Place) -> None:
    """One deployment for a base; those that have a deployment are loaded, the others are not."""
    one, two = here.model("one"), here.model("two")
    here.model("three")
    here.deployment(one, "d1", tags={"team": "blue"})
    here.deployment(two, "d2")
    found = here.look()
    (shared,) = found.deployments
    assert (shared.id, shared.fault, sorted(shared.adapters)) == ("my.base-v1#adapters", "", ["one", "two"])
    assert shared.adapters["one"] == str(custom.files_of(here.home, "one", "adapter"))
    assert str(custom.folder_of(here.home)) in shared.spec.reads
    first, second = found.hosted
    assert (first.deployment, first.adapter, first.foundation) == (shared.id, "one", BASE.id)
    assert (first.tags, second.adapter) == ({"team": "blue"}, "two")


def test_a_model_that_is_coming_answers_by_the_probe(here: Place) -> None:
    """The deployment's own ARN leads to the model before, or nowhere."""
    one, two = here.model("one"), here.model("two")
    here.deployment(one, "moving", coming=served_of(two))
    here.deployment(one, "new", current=None, coming=served_of(one))
    told = [(hosted.arn.rpartition("/")[2], hosted.adapter) for hosted in here.look().hosted]
    assert told == [("moving", "one"), ("moving-probe", "two"), ("new-probe", "one")]


def test_other_weights_refuse(here: Place) -> None:
    """A base that was exchanged, or is gone, is the fault of that deployment alone."""
    good, bad = here.model("good"), here.model("bad", base_sha256="0" * 64, base_stamp="")
    here.deployment(good, "d1")
    here.deployment(bad, "d2")
    shared, broken = here.look().deployments
    assert [*shared.adapters] == ["good"]
    assert "are not those that the custom model bad was trained on" in broken.fault
    hosted = {one.name: one.deployment for one in here.look().hosted}
    assert hosted["d2"] == broken.id
    shutil.rmtree(here.base)
    assert all("no longer on this server" in one.fault for one in here.look().deployments)


def test_weights_that_were_only_touched(here: Place) -> None:
    """Another time of the files is no other model: the hash decides."""
    model = here.model("one", base_stamp="other")
    here.deployment(model, "d1")
    assert [one.fault for one in here.look().deployments] == [""]


def test_weights_of_its_own(here: Place) -> None:
    """Such a model has replicas of its own, whether or not it has a deployment."""
    model = here.model("whole", form="model")
    made = here.home / "made"
    shutil.copytree(MINI, made)
    assert place(here.home, "whole", made, "model") > 1000
    here.deployment(model, "d1")
    found = here.look()
    (own,) = found.deployments
    assert (own.id, own.fault, found.hosted[0].deployment, found.hosted[0].adapter) == (model.arn, "", model.arn, "")


def test_provisioned_throughput_has_the_one_adapter(here: Place) -> None:
    """Its replicas are its own, run as those of the base, with this adapter and no other."""
    one, two = here.model("one"), here.model("two")
    here.deployment(two, "d2")
    ground = here.ground()
    ground.deployments.update((each.id, each) for each in custom_models(ground).deployments)
    served = served_of(one)
    source = Source(
        arn=one.arn, foundation_arn="f", deployment=served.deployment, lineage="custom", adapter=served.adapter
    )
    kept = row(provisioned.KIND, "p", "arn:p", ProvisionedBody(source=source, units=2))
    (found,) = provisioned.deployments_of(kept, ground)
    assert (found.id, [*found.adapters], found.scale.least) == ("arn:p", ["one"], 2)

"""Rows and settings become deployments: what changed is new, what did not is the same object."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from craton.config import Settings
from craton.config_tables import ConfigFile
from craton.features.hosting import registry
from craton.features.hosting.desired import Desires
from craton.features.hosting.local_models import local_models
from craton.infra.store.mirror import Mirror
from craton.infra.store.opening import open_store
from craton.models.catalog.local import LocalModel, boxed_models

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def settings(home: Path, **compute: object) -> Settings:
    return Settings(home=str(home), file=msgspec.convert({"compute": compute}, ConfigFile))


def test_the_box_is_there_without_a_store(tmp_path: Path) -> None:
    """Each boxed model is a deployment under its id that sleeps; a second look gives the same objects."""
    desires = Desires(settings(tmp_path, replicas_max=3))
    first = desires.look(Mirror(), None)
    found = {one.id: one for one in first.deployments}
    assert set(found) >= {model.id for model in boxed_models()}
    one = found[boxed_models()[0].id]
    assert (one.origin, one.scale.least, one.scale.most, one.fault) == ("box", 0, 3, "")
    assert one.spec.memory_bytes > 0
    assert desires.look(Mirror(), None) is first


def test_registered_models_come_and_go_with_their_rows(tmp_path: Path) -> None:
    """One whose directory is gone is a deployment with a fault; removal takes it away."""
    held = settings(tmp_path)
    store, mirror = open_store(f"sqlite:///{tmp_path / 'db'}", durable=False), Mirror()
    desires = Desires(held, sources=(local_models,))
    registry.add(store, held.account, LocalModel(id="gone-1", directory=str(tmp_path / "gone")), NOW)
    registry.add(store, "111111111111", LocalModel(id="other-1", directory=str(tmp_path)), NOW)
    mirror.look(store)
    found = {one.id: one for one in desires.look(mirror, store).deployments}
    assert "No such file" in found["gone-1"].fault
    assert "other-1" not in found
    registry.remove(store, held.account, "gone-1")
    mirror.look(store)
    assert "gone-1" not in {one.id for one in desires.look(mirror, store).deployments}
    store.close()


def test_the_configuration_has_the_last_word_on_scale(tmp_path: Path) -> None:
    """What `[[compute.scale]]` gives holds, the rest stays; a most below the least is lifted to it."""
    model = boxed_models()[0].id
    desires = Desires(settings(tmp_path, idle_timeout_s=77, scale=[{"model": model, "least": 4, "target": 2}]))
    scale = next(one for one in desires.look(Mirror(), None).deployments if one.id == model).scale
    assert (scale.least, scale.most, scale.target, scale.idle_timeout_s) == (4, 4, 2.0, 77.0)

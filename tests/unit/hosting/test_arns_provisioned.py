"""Provisioned throughput: from a row to replicas and to what is called, and from replicas to a status."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from craton import config, config_tables
from craton.features.hosting.deployment import Deployment, Scale
from craton.features.hosting.engines import Engines
from craton.features.hosting.ground import Ground
from craton.features.hosting.provisioned import (
    GONE,
    KIND,
    ProvisionedBody,
    Source,
    deployments_of,
    hosted_of,
    kept_of,
    provisioned_arn,
)
from craton.features.hosting.standing import Status, standing
from craton.infra.compute.port import ModelSpec
from craton.infra.store.mirror import Mirror
from craton.infra.store.opening import open_store
from craton.infra.store.port import Resource

ACCOUNT, REGION, BASE = "123456789012", "us-east-1", "craton.chat-mini-v1:0"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = ModelSpec(id=BASE, command=("engine", "--model", "/box", "--name", BASE, "--uds", "{uds}"), memory_bytes=7)
SOURCE = Source(arn="a", foundation_arn="a", deployment=BASE, lineage="", foundation=BASE, standin=BASE)


def row(ident: str = "aaaaaaaaaaaa", source: Source = SOURCE, units: int = 3, former: Source | None = None) -> Resource:
    body = ProvisionedBody(source=source, units=units, former=former, tags={"team": "a"})
    return Resource(
        account=ACCOUNT,
        region=REGION,
        kind=KIND,
        id=ident,
        arn=provisioned_arn(ACCOUNT, REGION, ident),
        name=f"fast-{ident}",
        status="Creating",
        created_at=NOW,
        updated_at=NOW,
        body=msgspec.json.encode(body),
    )


def ground(*deployments: Deployment) -> Ground:
    settings = config.Settings(home="/nowhere", file=config_tables.ConfigFile())
    made = Ground(settings, Mirror(), None, Engines(settings.file.compute))
    made.deployments.update((one.id, one) for one in deployments)
    return made


def test_model_units_are_replicas_that_stay() -> None:
    """As many as there are units, run like the model's own, above those on demand, and asked by their own name."""
    base = Deployment(id=BASE, spec=SPEC, scale=Scale(most=4, target=5.0, queue=9), slots=16, origin="box")
    (found,) = deployments_of(row(), ground(base))
    assert found.id == found.spec.id == row().arn
    assert found.spec.command == ("engine", "--model", "/box", "--name", row().arn, "--uds", "{uds}")
    assert found.spec.memory_bytes == 7
    assert found.scale == Scale(least=3, most=3, target=5.0, queue=9, idle_timeout_s=0.0)
    assert found.priority > base.priority
    assert (found.slots, found.origin) == (16, "provisioned")


def test_without_its_model_nothing_is_started() -> None:
    """The deployment says why; the row stays."""
    (found,) = deployments_of(row(), ground())
    assert found.fault == GONE


def test_it_is_called_by_its_own_arn_like_its_model() -> None:
    """Rules, schema and stand-in are the model's; name, tags and replicas its own."""
    found = hosted_of(row())
    assert (found.arn, found.deployment, found.name) == (row().arn, row().arn, "fast-aaaaaaaaaaaa")
    assert (found.foundation, found.standin, found.tags) == (BASE, BASE, {"team": "a"})
    assert (found.account, found.region, found.active) == (ACCOUNT, REGION, True)


def test_who_depends_on_a_model_is_known() -> None:
    """Also who is still on the way from it to another."""
    other = msgspec.structs.replace(SOURCE, deployment="other")
    store = open_store("sqlite:///:memory:", durable=False)
    for one in (row(), row("bbbbbbbbbbbb", other), row("cccccccccccc", other, former=SOURCE)):
        store.create(one)
    assert kept_of(store, BASE) == [row().arn, row("cccccccccccc").arn]
    assert len(kept_of(store, "other")) == 2
    assert kept_of(store, "nobody") == []
    store.close()


# --- the status ---

READY, OLD, DEAD = ("ready", True), ("ready", False), ("waiting", True)


def seen(*replicas: tuple[str, bool], state: str = "ready", **more: Any) -> dict[str, Any]:
    rows = [{"state": word, "current": current} for word, current in replicas]
    return {"state": state, "least": 2, "lacks": "", "last_error": "", "replicas": rows, **more}


@pytest.mark.parametrize(
    ("known", "row_", "changing", "status"),
    [
        ("Creating", seen(state="starting"), False, "Creating"),
        ("Creating", seen(READY, DEAD), False, "Creating"),
        ("Creating", seen(READY, READY), False, "InService"),
        ("InService", seen(READY, DEAD), False, "InService"),
        ("Failed", seen(READY, READY), False, "InService"),
        ("Failed", seen(state="starting"), False, "Creating"),
        ("Updating", seen(OLD, OLD, DEAD, state="rolling"), True, "Updating"),
        ("Updating", seen(OLD, READY, state="rolling"), True, "Updating"),
        ("Updating", seen(READY, READY), True, "InService"),
        ("Creating", seen(state="failed", last_error="exit 3"), False, "Failed"),
        ("InService", seen(state="broken", last_error=GONE), False, "Failed"),
        ("InService", None, False, "Failed"),
    ],
)
def test_a_status_follows_from_the_replicas(
    known: Status, row_: dict[str, Any] | None, status: str, *, changing: bool
) -> None:
    """In service once all are there; what was, stays so while replicas come back; failed when they do not."""
    found = standing(known, row_, changing=changing, age_s=1.0)
    assert found.status == status
    assert bool(found.message) == (status == "Failed")


def test_what_has_no_room_fails_after_a_while() -> None:
    """Others may still make room; from then on it is told what is missing, and it recovers by itself."""
    crowded = seen(READY, state="ready", lacks="900 MiB of memory")
    early, late = (standing("Creating", crowded, changing=False, age_s=age_s) for age_s in (5.0, 500.0))
    assert (early.status, late.status) == ("Creating", "Failed")
    assert early.message == late.message
    assert "900 MiB of memory" in late.message

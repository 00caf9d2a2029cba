"""Containers and endpoints as deployments: what a table says, what an instance type adds, which model is meant."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from craton.config import ConfigError, Settings, check, placed
from craton.config_containers import ContainerTable, MarketplaceModelTable, MarketplaceTable
from craton.config_tables import ComputeTable, ConfigFile, ModelTable, TargetTable
from craton.features.hosting import containers, endpoint
from craton.features.hosting.engines import Engines
from craton.features.hosting.ground import Ground
from craton.features.hosting.instances import Instance, instance
from craton.infra.compute.port import Mount
from craton.infra.store.mirror import Mirror
from craton.infra.store.port import Resource

GIB = 1 << 30
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HUB = "arn:aws:sagemaker:us-east-1:aws:hub-content/SageMakerPublicHub/Model/"
COMMAND = ContainerTable(command=("serve-it", "--name", "{model}"), memory_bytes=7, least=1, most=4, target=2.0)


def ground(**tables: Any) -> Ground:
    settings = Settings(home="/home", file=ConfigFile(**tables))
    return Ground(settings, Mirror(), None, Engines(ComputeTable()))


def row(**body: Any) -> Resource:
    terms = endpoint.Terms(count=3, instance_type="ml.g5.12xlarge", role="r")
    given = endpoint.EndpointBody(**{"source": f"{HUB}writer/1.0", "terms": terms, **body})
    arn = endpoint.endpoint_arn("000000000000", "us-east-1", "e")
    return Resource(
        account="000000000000", region="us-east-1", kind=endpoint.KIND, id="i", arn=arn, name="e", status="REGISTERED",
        created_at=NOW, updated_at=NOW, body=msgspec.json.encode(given),
    )  # fmt: skip


def test_a_models_container_is_a_deployment_of_its_id() -> None:
    """The table becomes the spec and the scale, `{model}` the id; a model without one becomes nothing."""
    other = ModelTable(id="b", target=[TargetTable(provider="openai")])
    (found,) = containers.container_models(ground(model=[ModelTable(id="a.b", container=COMMAND), other])).deployments
    assert (found.id, found.origin, found.spec.command) == ("a.b", "container", ("serve-it", "--name", "a.b"))
    assert (found.scale.least, found.scale.most, found.scale.target) == (1, 4, 2.0)
    assert (found.spec.health, found.spec.memory_bytes, found.spec.memory_limit_bytes) == ("/ping", 7, 7)
    assert found.spec.container is not None
    assert found.spec.container.port == 8080


def test_an_image_is_run_as_sagemaker_runs_it() -> None:
    """`serve` stands behind its name and the model at /opt/ml/model; one that speaks like OpenAI gets its own words."""
    compute = ComputeTable(container_runtime="podman --x", container_options=("--y",))
    table = ContainerTable(image="i:1", model_dir="/m", user="1:1")
    spec = containers.spec_of("n", table, compute)
    assert spec.command == ("serve",)
    assert spec.container is not None
    assert spec.container.mounts == (Mount("/m", "/opt/ml/model"),)
    assert (spec.container.runtime, spec.container.options, spec.container.user) == ("podman --x", ("--y",), "1:1")
    plain = containers.spec_of("n", ContainerTable(image="i:1", speaks="openai"), compute)
    assert (plain.command, plain.health) == ((), "/health")


def test_an_endpoint_asks_for_what_its_instances_have() -> None:
    """Count and type become replicas, memory and accelerators, above models on demand."""
    known = MarketplaceModelTable(source="writer", container=ContainerTable(image="w:1"))
    (found,) = endpoint.deployments_of(row(), ground(marketplace=MarketplaceTable(model=[known])))
    assert (found.scale.least, found.scale.most, found.scale.idle_timeout_s) == (3, 3, 0.0)
    assert (found.spec.memory_bytes, found.spec.gpus) == (192 * GIB, 4)
    assert found.priority > 0


def test_a_container_that_says_what_it_needs_is_believed() -> None:
    """Memory and accelerators of the container's own table go before the instance type's."""
    table = ContainerTable(image="w:1", memory_bytes=5, gpus=0)
    known = MarketplaceModelTable(source="writer", container=table)
    (found,) = endpoint.deployments_of(row(), ground(marketplace=MarketplaceTable(model=[known])))
    assert (found.spec.memory_bytes, found.spec.gpus) == (5, 0)


def test_an_endpoint_whose_model_left_the_configuration_is_a_fault() -> None:
    """Nothing is started, and the deployment says why."""
    (found,) = endpoint.deployments_of(row(), ground())
    assert "no container" in found.fault


def test_only_registered_endpoints_are_called() -> None:
    """A deregistered endpoint has no route."""
    hosted = endpoint.hosted_of(row(speaks="openai", context_tokens=9))
    assert hosted is not None
    assert (hosted.deployment, hosted.speaks, hosted.context_tokens) == (hosted.arn, "openai", 9)
    assert endpoint.hosted_of(row(registered=False)) is None


def test_which_model_a_source_means() -> None:
    """The very ARN goes before the name; a name means all its versions; an ARN means that version alone."""
    container = ContainerTable(image="i")
    any_one = MarketplaceModelTable(source="writer", container=container)
    second = MarketplaceModelTable(source=f"{HUB}writer/2.0", container=container)
    known = [any_one, second]
    assert endpoint.known_model(known, f"{HUB}writer/2.0") is second
    assert endpoint.known_model(known, f"{HUB}writer/1.0") is any_one
    assert endpoint.known_model([second], f"{HUB}writer/1.0") is None
    assert endpoint.known_model(known, f"{HUB}reader/1.0") is None


@pytest.mark.parametrize(
    ("name", "has"),
    [
        ("ml.g5.xlarge", Instance(16 * GIB, 1)),
        ("ml.p5.48xlarge", Instance(2048 * GIB, 8)),
        ("ml.m5.large", Instance(8 * GIB, 0)),
        ("g5.xlarge", None),
        ("ml.g5.huge", None),
        ("ml.", None),
    ],
)
def test_instance_types(name: str, has: Instance | None) -> None:
    """Known types have their sizes, others are none."""
    assert instance(name) == has


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (ContainerTable(), "neither an image"),
        (ContainerTable(image="i", root="/r"), "both an image and a root"),
        (ContainerTable(command=("x",), port=0), "{uds}"),
        (ContainerTable(command=("x",), least=3), "most is smaller"),
        (ContainerTable(command=("x",), env={"A B": "1"}), "env"),
    ],
)
def test_containers_that_cannot_be_meant_end_the_start(table: ContainerTable, told: str) -> None:
    """Each mistake is named, with the model that has it."""
    for file in (
        ConfigFile(model=[ModelTable(id="a", container=table)]),
        ConfigFile(marketplace=MarketplaceTable(model=[MarketplaceModelTable(source="a", container=table)])),
    ):
        with pytest.raises(ConfigError, match=r"'a': container") as raised:
            check(Settings(home="/h", file=file))
        assert told in str(raised.value)


def test_a_model_needs_somebody_who_answers() -> None:
    """Neither a target nor a container is a mistake."""
    with pytest.raises(ConfigError, match="neither a target nor a container"):
        check(Settings(home="/h", file=ConfigFile(model=[ModelTable(id="a")])))


def test_paths_are_seen_from_the_configurations_folder() -> None:
    """Folders and a program with a path are relative to the file; a program's bare name is looked up."""
    table = ContainerTable(command=("./serve", "x"), reads=("lib",), model_dir="m", root="")
    bare = ContainerTable(command=("serve",), root="r")
    file = placed(
        ConfigFile(model=[ModelTable(id="a", container=table), ModelTable(id="b", container=bare)]), Path("/c")
    )
    first, second = (one.container for one in file.model)
    assert first is not None
    assert second is not None
    assert (first.command[0], first.reads, first.model_dir) == ("/c/serve", ("/c/lib",), "/c/m")
    assert (second.command, second.root, second.model_dir) == (("serve",), "/c/r", "")

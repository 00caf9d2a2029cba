"""Containers as deployments: those of `[[model]]` tables, and how any container's table becomes the spec of a replica.

Owns that translation. It must not know how a container is started (`infra.compute.containers`), nor who calls it.
"""

from __future__ import annotations

from craton.config import Settings
from craton.config_containers import ContainerTable
from craton.config_tables import ComputeTable
from craton.features.hosting.deployment import Deployment, Scale
from craton.features.hosting.ground import Found, Ground
from craton.features.hosting.instances import Instance
from craton.infra.compute.port import Container, ModelSpec, Mount

ORIGIN = "container"
MODEL_FOLDER = "/opt/ml/model"  # where SageMaker's containers look for the model's files
# What SageMaker adds behind an image's name.
SERVE = ("serve",)
# The health path of those who speak like OpenAI: vLLM, TGI, llama.cpp and SGLang all answer it.
_HEALTH = {"sagemaker": "/ping", "openai": "/health"}
_NOTHING = Instance(0, 0.0)


def container_models(ground: Ground) -> Found:
    """Every `[[model]]` that has a container, as a deployment under the model's own id."""
    return Found(deployments=tuple(_configured(ground.settings)))


def _configured(settings: Settings) -> list[Deployment]:
    found = []
    for table in settings.file.model:
        if table.container is not None:
            spec = spec_of(table.id, table.container, settings.file.compute)
            note = f"{what(table.container)}, speaks {table.container.speaks}"
            found.append(Deployment(id=table.id, spec=spec, scale=scale_of(table.container), origin=ORIGIN, note=note))
    return found


def what(table: ContainerTable) -> str:
    """What runs, in a few words for a person."""
    if table.image:
        return f"image {table.image}"
    return f"root folder {table.root}" if table.root else f"command {table.command[0]}"


def spec_of(name: str, table: ContainerTable, compute: ComputeTable, size: Instance = _NOTHING) -> ModelSpec:
    """How one replica is run; what the table does not say of memory and accelerators, the instance type does.

    `{model}` in the command becomes the name under which the gateway asks for it.
    """
    command = table.command or (SERVE if table.speaks == "sagemaker" else ())
    limit = table.memory_bytes or 0
    return ModelSpec(
        id=name,
        command=tuple(word.replace("{model}", name) for word in command),
        env=table.env,
        reads=table.reads,
        container=Container(
            image=table.image,
            root=table.root,
            port=table.port,
            mounts=(Mount(table.model_dir, MODEL_FOLDER),) if table.model_dir else (),
            processes=table.processes,
            scratch_bytes=table.scratch_bytes,
            runtime=compute.container_runtime,
            options=compute.container_options,
            user=table.user,
            pull=table.pull,
        ),
        health=table.health or _HEALTH[table.speaks],
        threads=table.threads,
        gpus=size.gpus if table.gpus is None else table.gpus,
        memory_bytes=size.memory_bytes if table.memory_bytes is None else table.memory_bytes,
        memory_limit_bytes=limit or size.memory_bytes,
        start_timeout_s=table.start_timeout_s,
    )


def scale_of(table: ContainerTable) -> Scale:
    """As the table has it."""
    return Scale(
        least=table.least,
        most=table.most,
        target=table.target,
        down_after_s=table.down_after_s,
        idle_timeout_s=table.idle_timeout_s,
        queue=table.queue,
    )

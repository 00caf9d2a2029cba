"""All that is to be served: rows and settings become deployments and hosted models, without a memory of yesterday.

Owns the list of sources, and what the configuration says over them (`[[compute.scale]]`). Called in the store's thread
after every change of the store; as long as no source gives anything else, it gives the very same object.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from craton.config import Settings
from craton.config_tables import ScaleTable
from craton.features.hosting.containers import container_models
from craton.features.hosting.custom_deployment import custom_models
from craton.features.hosting.deployment import Deployment, Scale
from craton.features.hosting.endpoint import endpoints
from craton.features.hosting.engines import Engines
from craton.features.hosting.ground import Found, Ground, Source
from craton.features.hosting.imported import imported
from craton.features.hosting.local_models import local_models
from craton.features.hosting.provisioned import provisioned
from craton.infra.store.mirror import Mirror
from craton.infra.store.port import Store
from craton.models.catalog.hosted import Hosted

SOURCES: tuple[Source, ...] = (
    local_models,
    imported,
    custom_models,
    container_models,
    endpoints,
    provisioned,
)  # fmt: skip
"""In this order: a later one sees the deployments of the earlier."""


class Desired(msgspec.Struct, frozen=True):
    """`deployments` are the fleet's, `hosted` the workers'; either is the same object until something in it changes."""

    deployments: tuple[Deployment, ...] = ()
    hosted: tuple[Hosted, ...] = ()


class Desires:
    """Asks the sources, and tells what did not change."""

    def __init__(self, settings: Settings, gpus: float = 0.0, sources: Sequence[Source] = SOURCES) -> None:
        self._settings = settings
        self._engines = Engines(settings.file.compute, gpus)
        self._sources = sources
        self._last = Desired()

    def look(self, mirror: Mirror, store: Store | None) -> Desired:
        """What is to be served now. Raises StoreError."""
        ground = Ground(self._settings, mirror, store, self._engines)
        found: list[Found] = []
        for source in self._sources:
            found.append(source(ground))
            ground.deployments.update((one.id, one) for one in found[-1].deployments)
        scales = {row.model: row for row in self._settings.file.compute.scale}
        deployments = tuple(scaled(one, scales.get(one.id)) for one in ground.deployments.values())
        hosted = tuple(one for each in found for one in each.hosted)
        last = self._last
        if deployments == last.deployments:
            deployments = last.deployments
        if len(hosted) == len(last.hosted) and all(map(_same, hosted, last.hosted)):
            hosted = last.hosted
        if deployments is not last.deployments or hosted is not last.hosted:
            self._last = Desired(deployments, hosted)
        return self._last


def scaled(deployment: Deployment, table: ScaleTable | None) -> Deployment:
    """The deployment as a `[[compute.scale]]` table has it; what the table leaves out stays."""
    if table is None:
        return deployment
    given = {name: value for name in Scale.__struct_fields__ if (value := getattr(table, name)) is not None}
    scale = msgspec.structs.replace(deployment.scale, **given)
    if scale.most < scale.least:
        scale = msgspec.structs.replace(scale, most=scale.least)
    return msgspec.structs.replace(deployment, scale=scale)


def _same(one: object, other: object) -> bool:
    return one is other

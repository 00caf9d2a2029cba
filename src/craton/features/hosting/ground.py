"""What a source of deployments stands on, and what it gives: the rows of the store, the settings, what others gave.

Owns the two records, and how a noun's file (`deployments_of`, `hosted_of`) becomes a source. It must not know which
sources there are: that is `desired`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from craton.config import Settings
from craton.features.hosting.deployment import Deployment, Scale
from craton.features.hosting.engines import Engines
from craton.infra.store.mirror import Mirror
from craton.infra.store.port import Resource, Store
from craton.models.catalog.hosted import Hosted

T = TypeVar("T")


class Found(msgspec.Struct, frozen=True):
    """What one source gave. What did not change must be the same object as the last time: workers are told by it."""

    deployments: tuple[Deployment, ...] = ()
    hosted: tuple[Hosted, ...] = ()


class Ground:
    """`store` is None while there is none. `deployments` are those of the sources asked before, by id."""

    def __init__(self, settings: Settings, mirror: Mirror, store: Store | None, engines: Engines) -> None:
        self.settings = settings
        self.engines = engines
        self.deployments: dict[str, Deployment] = {}
        self._mirror = mirror
        self._store = store

    def rows(self, kind: str, make: Callable[[Resource], T]) -> tuple[T, ...]:
        """What `make` makes of each row of a kind; the same object until one of them changes."""
        return self._mirror.read(self._store, kind, make) if self._store is not None else ()

    @property
    def on_demand(self) -> Scale:
        """How a deployment scales that says nothing of it."""
        compute = self.settings.file.compute
        return Scale(most=compute.replicas_max, idle_timeout_s=compute.idle_timeout_s)


Source = Callable[[Ground], Found]


class _Held(msgspec.Struct, frozen=True):
    row: Resource
    hosted: tuple[Hosted, ...]


def rows_of(
    kind: str,
    deployments_of: Callable[[Resource, Ground], Iterable[Deployment]],
    hosted_of: Callable[[Resource], Hosted | None],
) -> Source:
    """The source that is a noun's rows. `hosted_of` is called once for each version of a row."""

    def held(row: Resource) -> _Held:
        found = hosted_of(row)
        return _Held(row, () if found is None else (found,))

    def source(ground: Ground) -> Found:
        rows = ground.rows(kind, held)
        return Found(
            deployments=tuple(one for each in rows for one in deployments_of(each.row, ground)),
            hosted=tuple(one for each in rows for one in each.hosted),
        )

    return source

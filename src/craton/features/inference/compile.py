"""Compiles the configuration, the catalog and the local models into routes.

Three sources, the first that names an id wins: a `[[model]]` of the configuration, a local model under its own id, and
for every other text model of the catalog the stand-in, if stand-ins are on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import msgspec

from craton.config import ModelTable, Settings, TargetTable, secret
from craton.features.inference.routes import UNLIMITED, Route, Routes, Target
from craton.models.catalog.capabilities import capabilities
from craton.models.catalog.local import LocalModel
from craton.models.catalog.rows import Catalog, Model
from craton.models.dialects.dialect import Dialect
from craton.models.providers.provider import Provider, Upstream

MakeProvider = Callable[[Upstream], Provider]
FindDialect = Callable[[str], Dialect | None]
DEFAULT_MAX_TOKENS = 4096
STANDIN_MAX_TOKENS = 512


class Compiler:
    """Makes routes; one provider object, and so one pool, per upstream server and key."""

    def __init__(self, settings: Settings, catalog: Catalog, make: MakeProvider, dialect: FindDialect) -> None:
        self.settings = settings
        self.catalog = catalog
        self.make = make
        self.dialect = dialect
        self.providers: dict[bytes, Provider] = {}

    def routes(self, local: Iterable[LocalModel]) -> Routes:
        models = {model.id: model for model in local}
        found = [self.configured(table) for table in self.settings.file.model]
        taken = {route.model_id for route in found}
        found += [self.own(model) for model in models.values() if model.id not in taken]
        taken |= set(models)
        standin = models.get(self.settings.file.standins.model)
        if self.settings.file.standins.enabled and standin is not None:
            targets = (self.standin(standin),)
            found += [
                self.of_catalog(model, targets)
                for model in self.catalog.models(output_modality="TEXT")
                if model.model_id not in taken and capabilities(model).converse
            ]
        return Routes(self.catalog, found, relaxed=self.settings.file.compat.relaxed)

    def provider(self, upstream: Upstream) -> Provider:
        # All but the model: it comes with each attempt, so one pool serves every model of a server.
        key = msgspec.json.encode(msgspec.structs.replace(upstream, model=""))
        if key not in self.providers:
            self.providers[key] = self.make(upstream)
        return self.providers[key]

    def configured(self, table: ModelTable) -> Route:
        targets = tuple(self.target(table, target) for target in table.target)
        model = self.catalog.find(table.id)
        if model is not None:
            return self.of_catalog(model, targets)
        dialect = self.dialect(table.dialect) or targets[0].provider.dialect
        return Route(table.id, targets, UNLIMITED, None, lambda: dialect, table.max_output_tokens or DEFAULT_MAX_TOKENS)

    def target(self, table: ModelTable, given: TargetTable) -> Target:
        upstream = Upstream(
            provider=given.provider,
            base_url=given.base_url,
            model=given.model or table.id,
            api_key=secret(given.api_key),
            timeout_s=given.timeout_s,
            quirks=given.quirks,
            region=given.region,
            access_key_id=secret(given.access_key_id),
            secret_access_key=secret(given.secret_access_key),
            session_token=secret(given.session_token),
            native=self.native(given.model or table.id) if given.provider == "bedrock" else "",
        )
        provider = self.provider(upstream)
        return Target(
            provider, upstream.model, given.weight, given.fallback, given.timeout_s, quirks=dict(given.quirks)
        )

    def native(self, model: str) -> str:
        """The schema of a model of the real Bedrock, by its id, inference profile or ARN; "" for one nobody knows."""
        name = model.rpartition("/")[2]
        found = self.catalog.find(name) or self.catalog.find(name.partition(".")[2])
        return found.dialect if found is not None else ""

    def local(self, model: LocalModel) -> Provider:
        return self.provider(Upstream(provider="local", base_url="", model=model.id))

    def own(self, model: LocalModel) -> Route:
        """A local model under its own id: OpenAI-shaped bodies, no rule of Bedrock's."""
        timeout_s = self.settings.file.compute.start_timeout_s + 60
        target = Target(self.local(model), model.id, timeout_s=timeout_s)
        return Route(model.id, (target,), UNLIMITED, None, lambda: target.provider.dialect, model.context_tokens)

    def standin(self, model: LocalModel) -> Target:
        timeout_s = self.settings.file.compute.start_timeout_s + 60
        return Target(self.local(model), model.id, timeout_s=timeout_s, standin=model.id)

    def of_catalog(self, model: Model, targets: tuple[Target, ...]) -> Route:
        limit = model.max_output_tokens or DEFAULT_MAX_TOKENS
        return Route(model.model_id, targets, capabilities(model), model, partial(self.dialect, model.dialect), limit)

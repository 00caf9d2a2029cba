"""Compiles the configuration, the catalog and the local models into routes.

Three sources, the first that names an id wins: a `[[model]]` of the configuration, a local model under its own id, and
for every other model of the catalog the stand-in of its kind, if stand-ins are on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from craton.config import Settings, secret
from craton.config_containers import ContainerTable
from craton.config_tables import ModelTable, TargetTable
from craton.features.inference import kinds
from craton.features.inference.kinds import KINDS
from craton.features.inference.routing.agreements import Agreements
from craton.features.inference.routing.hosted import TEXT_ALONE, Hosting
from craton.features.inference.routing.retention import Modes
from craton.features.inference.routing.routes import UNLIMITED, Retrying, Route, Routes, Target
from craton.features.inference.targets.state import BreakerRules
from craton.features.inference.targets.states import States
from craton.models.catalog.capabilities import capabilities
from craton.models.catalog.local import Kind, LocalModel, standin_of
from craton.models.catalog.rows import Catalog, Model
from craton.models.dialects.dialect import Dialect
from craton.models.providers.cassettes.taping import MATCH_ON, Mode, Taping
from craton.models.providers.provider import Provider, Upstream

if TYPE_CHECKING:
    from craton.models.providers.cassettes.cassette import Cassette
    from craton.models.providers.stage import Stage

MakeProvider = Callable[[Upstream], Provider]
FindDialect = Callable[[str], Dialect | None]
DEFAULT_MAX_TOKENS = 4096
STANDIN_MAX_TOKENS = 512
# What is rehearsed fails as it is told to: no breaker takes it out, and no scripted Retry-After is heeded.
REHEARSED = BreakerRules(failures=0, heed_waits=False)


class Compiler:
    """Makes routes; one provider object, and so one pool, per upstream server and key."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        make: MakeProvider,
        dialect: FindDialect,
        stage: Stage | None = None,
    ) -> None:
        self.settings = settings
        self.catalog = catalog
        self.make = make
        self.dialect = dialect
        self.providers: dict[bytes, Provider] = {}
        self.states = States(settings)
        self.stage = stage
        self.cassettes: dict[Taping, Cassette] = {}
        self.secrets: set[str] = stage.secrets if stage is not None else set()

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
        if self.settings.file.standins.enabled:
            found += self.standins_of_kinds(list(models.values()), taken)
        if self.stage is not None:
            found = [self.staged(route, self.stage) for route in found]
        modes, compat = Modes(self.settings.file.retention.mode), self.settings.file.compat
        agreements = Agreements(demanded=compat.model_access == "agreements")
        host = Hosting(self.provider, self.states, self.dialect, self.answer_s).route
        return Routes(self.catalog, found, relaxed=compat.relaxed, modes=modes, agreements=agreements, host=host)

    def provider(self, upstream: Upstream) -> Provider:
        # All but the model: it comes with each attempt, so one pool serves every model of a server.
        key = msgspec.json.encode(msgspec.structs.replace(upstream, model=""))
        if key not in self.providers:
            self.providers[key] = self.make(upstream)
        return self.providers[key]

    def configured(self, table: ModelTable) -> Route:
        targets = tuple(self.target(table, target) for target in table.target)
        if table.container is not None:
            targets = (self.contained(table, table.container), *targets)
        model = self.catalog.find(table.id)
        kind = kinds.kind_of(model) if model is not None else kinds.kind_of_schema(table.dialect)
        for target in targets:
            kinds.check_target(kind, table.id, target)
        if model is not None:
            return replace(self.of_catalog(model, targets), retrying=self.retrying(table))
        if kind != "chat":
            return replace(of_kind(table.id, targets, kind, table.dialect), retrying=self.retrying(table))
        dialect = self.dialect(table.dialect) or targets[0].provider.dialect
        return Route(
            table.id, targets, UNLIMITED, None, lambda: dialect, table.max_output_tokens or DEFAULT_MAX_TOKENS,
            retrying=self.retrying(table),
        )  # fmt: skip

    def contained(self, table: ModelTable, given: ContainerTable) -> Target:
        """The replicas of a container of our own: a deployment under the model's id."""
        kind = "openai" if given.speaks == "openai" else "container"
        upstream = Upstream(
            provider="local" if kind == "openai" else kind, base_url="", model=table.id, native=given.schema
        )
        quirks: dict[str, object] = {"schema": given.schema} if given.schema else {}
        upstream = msgspec.structs.replace(upstream, quirks=quirks)
        timeout_s = given.start_timeout_s + 60
        return Target(
            self.provider(upstream), table.id, timeout_s=timeout_s, quirks=quirks, state=self.states.of(upstream)
        )

    def target(self, table: ModelTable, given: TargetTable) -> Target:
        upstream = Upstream(
            provider=given.provider,
            base_url=given.base_url,
            model=given.model or table.id,
            api_key=secret(given.api_key),
            timeout_s=given.timeout_s,
            connect_timeout_s=given.connect_timeout_s,
            quirks=given.quirks,
            region=given.region,
            access_key_id=secret(given.access_key_id),
            secret_access_key=secret(given.secret_access_key),
            session_token=secret(given.session_token),
            native=self.native_of(table, given),
            taping=taping(given, given.cassette) if given.cassette else None,
            rules=given.rules,
        )
        provider = self.provider(upstream)
        if given.record:
            provider = self.recorded(provider, table.id, upstream, taping(given, given.record, given.record_mode))
        state = self.states.of(upstream, given)
        if given.provider in ("replay", "script"):
            state = self.states.apart(REHEARSED, state.gate)
        return Target(
            provider, upstream.model, given.weight, given.fallback, given.timeout_s, quirks=dict(given.quirks),
            first_byte_s=given.first_byte_timeout_s, state=state, retains_data=given.retains_data,
        )  # fmt: skip

    def recorded(self, provider: Provider, model_id: str, upstream: Upstream, terms: Taping) -> Provider:
        """The provider behind the cassette of a target's `record`."""
        from craton.models.providers.cassettes.cassette import Cassette
        from craton.models.providers.recorder import recorder

        keys = (upstream.api_key, upstream.access_key_id, upstream.secret_access_key, upstream.session_token)
        self.secrets |= {key for key in keys if key}
        if terms not in self.cassettes:
            self.cassettes[terms] = Cassette(terms, self.secrets)
        return recorder(provider, model_id, self.cassettes[terms])

    def staged(self, route: Route, stage: Stage) -> Route:
        """The route with the stage before each of its targets; a test's scripted faults take no target out."""
        ephemeral = self.settings.ephemeral
        targets = [
            replace(
                target,
                provider=stage.before(target.provider, route.model_id),
                state=self.states.apart(REHEARSED, target.state.gate) if ephemeral else target.state,
            )
            for target in route.targets
        ]
        return replace(route, targets=tuple(targets))

    def retrying(self, table: ModelTable) -> Retrying:
        """How often, and for how long, a configured model's targets are asked."""
        routing = self.settings.file.routing
        asked = table.retries if table.retries is not None else routing.retries
        return Retrying(
            # A sole target's faults are the caller's at once: every SDK tries again by itself.
            retries=(1 if len(table.target) > 1 else 0) if asked is None else asked,
            backoff_s=routing.backoff_s,
            backoff_max_s=routing.backoff_max_s,
            deadline_s=routing.deadline_s if table.deadline_s is None else table.deadline_s,
            hedge_s=table.hedge_after_ms / 1000,
        )

    def native_of(self, table: ModelTable, given: TargetTable) -> str:
        """The schema of a target whose provider alone does not tell it."""
        if given.provider == "bedrock":
            return self.native(given.model or table.id)
        if given.provider == "replay":  # a recording answers in whatever schema its caller speaks
            return table.dialect or self.native(table.id)
        return ""

    def native(self, model: str) -> str:
        """The schema of a model of the real Bedrock, by its id, inference profile or ARN; "" for one nobody knows."""
        name = model.rpartition("/")[2]
        found = self.catalog.find(name) or self.catalog.find(name.partition(".")[2])
        return found.dialect if found is not None else ""

    @property
    def answer_s(self) -> float:
        """What one answer of a model of our own may take: its start, and a minute."""
        return self.settings.file.compute.start_timeout_s + 60

    def local(self, model: LocalModel, standin: str = "") -> Target:
        upstream = Upstream(provider="local", base_url="", model=model.id)
        return Target(
            self.provider(upstream),
            model.id,
            timeout_s=self.answer_s,
            standin=standin,
            quirks=TEXT_ALONE if model.kind == "chat" else {},
            state=self.states.of(upstream),
        )

    def own(self, model: LocalModel) -> Route:
        """A local model under its own id: OpenAI-shaped bodies, no rule of Bedrock's."""
        target = self.local(model)
        if model.kind != "chat":
            return of_kind(model.id, (target,), model.kind, KINDS[model.kind].own_schema)
        return Route(model.id, (target,), UNLIMITED, None, lambda: target.provider.dialect, model.context_tokens)

    def standin(self, model: LocalModel) -> Target:
        return self.local(model, model.id)

    def standins_of_kinds(self, local: list[LocalModel], taken: set[str]) -> list[Route]:
        """Routes for the catalog's models that are no chat models; without a stand-in their calls say how to add one."""
        targets = {kind: self.standin_of(kind, local) for kind in KINDS}
        return [
            self.of_catalog(model, targets[kinds.kind_of(model)])
            for model in self.catalog.models()
            if kinds.kind_of(model) != "chat" and model.model_id not in taken
        ]

    def standin_of(self, kind: Kind, local: list[LocalModel]) -> tuple[Target, ...]:
        """The configured stand-in of a kind, else the first local model of it; an embedding model can also rank."""
        wanted = getattr(self.settings.file.standins, kind)
        model = standin_of(kind, local, wanted)
        if model is not None:
            return (self.standin(model),)
        if kind == "rerank" and not wanted:
            return tuple(
                replace(target, quirks={"rank_by": "embeddings"}) for target in self.standin_of("embedding", local)
            )
        return ()

    def of_catalog(self, model: Model, targets: tuple[Target, ...]) -> Route:
        limit = model.max_output_tokens or DEFAULT_MAX_TOKENS
        schema = partial(self.dialect, model.dialect)
        kind = kinds.kind_of(model)
        native = model.dialect if kind != "chat" else ""
        return Route(model.model_id, targets, capabilities(model), model, schema, limit, kind, native)


def of_kind(model_id: str, targets: tuple[Target, ...], kind: Kind, native: str) -> Route:
    """A route outside the catalog to a model that does not converse."""
    return Route(model_id, targets, kinds.SILENT, kind=kind, native=native)


def taping(given: TargetTable, path: str, mode: Mode = "none") -> Taping:
    """How a target's cassette is used."""
    return Taping(path=path, mode=mode, match_on=given.match_on or MATCH_ON, speed=given.speed, repeats=given.repeats)

"""From the ARN of a model that Craton hosts to its route, made when somebody first calls it.

Owns what such a route is like: one target, the replicas of a deployment; the rules and the schema of the model that it
was made of, where this server has a route to that one, else its own. Two hundred hosted models that nobody calls are
records and nothing more. It must not know where replicas are (`models.providers`), nor who owns which ARN (`routes`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from craton.features.inference import kinds
from craton.features.inference.kinds import KINDS
from craton.features.inference.routing.routes import ONCE, UNLIMITED, Route, Target
from craton.models.providers.provider import Provider, Upstream

if TYPE_CHECKING:
    from craton.features.inference.targets.states import States
    from craton.models.catalog.hosted import Hosted, Speaks
    from craton.models.catalog.local import Kind
    from craton.models.dialects.dialect import Dialect

FindDialect = Callable[[str], "Dialect | None"]
OPENAI = "openai.chat"
DEFAULT_MAX_TOKENS = 4096
# How a replica is spoken to → the provider. An upstream of these without a base URL is a deployment of our own.
PROVIDERS: dict[Speaks, str] = {"engine": "local", "openai": "local", "sagemaker": "container"}
# The engine's chat models see and hear nothing.
TEXT_ALONE: dict[str, object] = {"media": False}
# Schemas whose bodies hold a prompt, so that one with messages can only be OpenAI's.
_PROMPTED = frozenset({"meta.llama", "mistral.text", "deepseek.r1"})
_UNCOUNTED = msgspec.structs.replace(UNLIMITED, count_tokens=False)


class Hosting:
    """Makes routes to deployments; `timeout_s` is what one whole answer may take."""

    def __init__(
        self, provider: Callable[[Upstream], Provider], states: States, dialect: FindDialect, timeout_s: float
    ) -> None:
        self._provider = provider
        self._states = states
        self._dialect = dialect
        self._timeout_s = timeout_s

    def route(self, hosted: Hosted, made_of: Route | None) -> Route:
        """The route to a hosted model; `made_of` leads to the model that it was made of."""
        kind = self._kind(hosted)
        if made_of is not None and made_of.kind == kind:
            target = self._target(hosted, own_like(made_of, hosted))
            able = made_of.capabilities
            if not hosted.standin and hosted.speaks != "sagemaker":  # weights of one's own can always be counted for
                able = msgspec.structs.replace(able, count_tokens=True)
            return replace(made_of, model_id=hosted.arn, targets=(target,), capabilities=able, retrying=ONCE)
        quirks: dict[str, object] = {}
        if kind != "chat":
            native = hosted.schema if hosted.schema != OPENAI else KINDS[kind].own_schema
            if hosted.speaks != "engine":
                quirks["schema"] = native
            return Route(hosted.arn, (self._target(hosted, quirks),), kinds.SILENT, kind=kind, native=native)
        if hosted.speaks == "engine":
            quirks |= TEXT_ALONE
        able = _UNCOUNTED if hosted.speaks == "sagemaker" else UNLIMITED
        if not hosted.converse:
            able = msgspec.structs.replace(able, converse=False)
        most, schema = hosted.context_tokens or DEFAULT_MAX_TOKENS, partial(self._schema, hosted.schema)
        return Route(hosted.arn, (self._target(hosted, quirks),), able, None, schema, most)

    def _target(self, hosted: Hosted, quirks: Mapping[str, object]) -> Target:
        """The replicas of its deployment; quirks name the adapter there and how long a request waits for a cold one."""
        spoken = {"schema": quirks["schema"]} if "schema" in quirks else {}
        upstream = Upstream(PROVIDERS[hosted.speaks], base_url="", model=hosted.deployment, quirks=spoken)
        told: dict[str, object] = {**quirks, "waits_s": hosted.waits_s}
        if hosted.adapter:
            told["adapter"] = hosted.adapter
        return Target(
            self._provider(upstream),
            hosted.deployment,
            timeout_s=self._timeout_s,
            standin=hosted.standin,
            quirks=told,
            state=self._states.of(upstream),
        )

    def _kind(self, hosted: Hosted) -> Kind:
        """What it does; one of unknown kind is told by its schema."""
        if hosted.kind != "chat" or self._dialect(hosted.schema) is not None:
            return hosted.kind
        return kinds.kind_of_schema(hosted.schema)

    def _schema(self, name: str) -> Dialect | None:
        """The family's schema, with OpenAI's beside it where a body tells which it is."""
        family, openai = self._dialect(name), self._dialect(OPENAI)
        if family is None or openai is None or name not in _PROMPTED:
            return family
        from craton.models.dialects.either import Either  # few servers host another vendor's family

        return Either(family, openai)


def own_like(made_of: Route, hosted: Hosted) -> Mapping[str, object]:
    """The quirks of replicas by which the model itself is served, where there are any: these are run like them."""
    for target in made_of.targets:
        if target.provider.name == PROVIDERS[hosted.speaks]:
            return target.quirks
    return TEXT_ALONE if hosted.kind == "chat" and hosted.speaks == "engine" else {}


def owned(hosted: Iterable[Hosted], account: str, region: str) -> list[Hosted]:
    """Those that a caller may call, by name."""
    mine = [one for one in hosted if one.account == account and one.region == region and one.active]
    return sorted(mine, key=lambda one: (one.name, one.arn))

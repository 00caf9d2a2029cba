"""From whatever names a model (id, ARN, inference profile) to a route: the model, its dialect and its targets.

Compiled whenever the configuration or the registered models change and swapped as one reference; a lookup is
one dictionary access. Knows Bedrock's rules about ids, nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from craton.aws.access.keys import NOTHING
from craton.aws.wire.faults import Fault, access_denied, model_not_ready, validation
from craton.features.inference.routing.agreements import Agreements, StoredAgreement
from craton.features.inference.routing.profiles import KIND as PROFILE
from craton.features.inference.routing.profiles import StoredProfile, profile_arn
from craton.features.inference.routing.prompt_router import DEFAULT_KIND as DEFAULT_ROUTER
from craton.features.inference.routing.prompt_router import DEFAULTS, StoredRouter, default_router, router_arn
from craton.features.inference.routing.prompt_router import KIND as ROUTER
from craton.features.inference.routing.retention import Modes, StoredMode
from craton.features.inference.targets.state import TargetState
from craton.models.catalog.capabilities import Capabilities
from craton.models.catalog.hosted import Hosted
from craton.models.catalog.local import Kind
from craton.models.catalog.rows import Catalog, Model, id_needs_profile, partition, refuse_bare_id
from craton.models.dialects.dialect import Dialect
from craton.models.providers.provider import Provider

if TYPE_CHECKING:
    from craton.aws.access.authority import Judged
    from craton.aws.access.variables import Keys
    from craton.features.inference.routing.prompt_choice import Choice

INVALID_ID = "The provided model identifier is invalid."
NO_ACCESS = "You don't have access to the model with the specified model ID."
ASYNC_ONLY = "The model {id} makes videos and can only be invoked with StartAsyncInvoke."
NO_STREAM = "The model is unsupported for streaming"
NOT_HOSTED = "This server hosts no models."
_CACHED = 4096
T = TypeVar("T", StoredProfile, StoredRouter, Hosted)
Owned = Mapping[str, T] | Iterable[T]
"""What accounts own, by ARN or in any order."""
_OF_AN_ACCOUNT = frozenset({PROFILE, ROUTER, DEFAULT_ROUTER})
_ENDPOINT = ":sagemaker:"


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """One upstream of a route. `standin` names the local model that answers in another's place, or is empty.

    `first_byte_s` is what a stream has until its first piece, 0 for `timeout_s`. `state` outlives the generation.
    `retains_data` says that the vendor keeps what it is sent (`retention`).
    """

    provider: Provider
    model: str
    weight: int = 1
    fallback: bool = False
    timeout_s: float = 60.0
    standin: str = ""
    quirks: dict[str, object] = field(default_factory=dict)
    first_byte_s: float = 0.0
    state: TargetState = field(default_factory=TargetState)
    retains_data: bool = False


@dataclass(frozen=True, slots=True)
class Retrying:
    """How a route's targets are asked again. Times in seconds; 0 is no deadline, and no hedging.

    `retries` is how often all are asked again once each has failed, `deadline_s` what all tries together may take.
    """

    retries: int = 0
    backoff_s: float = 0.2
    backoff_max_s: float = 2.0
    deadline_s: float = 0.0
    hedge_s: float = 0.0


ONCE = Retrying()


@dataclass(frozen=True, slots=True)
class Route:
    """A model that can be called. `model` is the catalog's row, if it has one; `schema` gives the native schema.

    `kind` other than chat: `native` names the schema, and the kind's own file (see `kinds`) reads it. `sole` is the
    one target of a route that has nothing to choose, to repeat or to queue for.
    """

    model_id: str
    targets: tuple[Target, ...]
    capabilities: Capabilities
    model: Model | None = None
    schema: Callable[[], Dialect | None] = lambda: None
    max_output_tokens: int = 4096
    kind: Kind = "chat"
    native: str = ""
    retrying: Retrying = ONCE
    sole: Target | None = field(init=False, compare=False)

    def __post_init__(self) -> None:
        only = len(self.targets) == 1 and not self.retrying.retries and self.targets[0].state.gate is None
        object.__setattr__(self, "sole", self.targets[0] if only else None)

    @property
    def dialect(self) -> Dialect | None:
        """The native schema, loaded when it is first needed."""
        return self.schema()


@dataclass(frozen=True, slots=True)
class Resolved:
    """A route as one caller reaches it. `resources` are the ARNs that IAM judges, the profile's or router's first.

    `judged` are the same with the condition keys that hold for each: through which profile or router it is reached.
    `router`: the request decides between two models, and `route` is the fallback's until then (`prompt_choice.pick`).
    `invoked`: the ARN of the model that a router chose.
    """

    route: Route
    resources: tuple[str, ...]
    router: Choice | None = None
    invoked: str = ""
    judged: tuple[Judged, ...] = ()

    def __post_init__(self) -> None:
        if not self.judged:
            object.__setattr__(self, "judged", tuple((resource, NOTHING) for resource in self.resources))


Host = Callable[[Hosted, Route | None], Route]
"""Makes the route to a hosted model, given the route to the model that it was made of (`hosted.Hosting`)."""


def _hosts_nothing(hosted: Hosted, _made_of: Route | None) -> Route:
    raise validation(NOT_HOSTED)


class Routes:
    """All routes of one generation, and what the accounts have made of them; `host` makes those to hosted models."""

    def __init__(
        self,
        catalog: Catalog,
        routes: Iterable[Route],
        *,
        relaxed: bool,
        profiles: Owned[StoredProfile] = (),
        routers: Owned[StoredRouter] = (),
        modes: Modes = Modes(),  # noqa: B008 - never changes
        agreements: Agreements = Agreements(),  # noqa: B008 - never changes
        hosted: Owned[Hosted] = (),
        host: Host = _hosts_nothing,
    ) -> None:
        self.catalog = catalog
        self.relaxed = relaxed
        self.by_id = {route.model_id: route for route in routes}
        self.profiles = by_arn(profiles)
        self.routers = by_arn(routers)
        self.hosted = by_arn(hosted)
        self.host = host
        self.modes = modes
        self.agreements = agreements
        self._cache: dict[tuple[str, str, str], Resolved] = {}

    def owning(
        self,
        profiles: Owned[StoredProfile],
        routers: Owned[StoredRouter],
        modes: Iterable[StoredMode] = (),
        agreements: Iterable[StoredAgreement] = (),
        hosted: Owned[Hosted] = (),
    ) -> Routes:
        """The same routes with other profiles, prompt routers, data retention modes, agreements and hosted models."""
        return Routes(
            self.catalog, self.by_id.values(), relaxed=self.relaxed, profiles=profiles, routers=routers,
            modes=self.modes.narrowed(modes), agreements=self.agreements.renewed(agreements),
            hosted=hosted, host=self.host,
        )  # fmt: skip

    def resolve(self, name: str, account: str, region: str) -> Resolved:
        """Raises ValidationException as Bedrock does for an id that is unknown or needs an inference profile."""
        key = (name, account, region)
        found = self._cache.get(key)
        if found is None:
            found = self._resolve(name, account, region)
            if len(self._cache) >= _CACHED:
                self._cache.clear()
            self._cache[key] = found
        return found

    def _resolve(self, name: str, account: str, region: str) -> Resolved:
        if name.startswith("arn:"):
            return self._resolve_arn(name, account, region)
        route = self.by_id.get(name)
        profile = self.catalog.profile(name, region) if route is None else None
        if profile is not None:
            route = self.by_id.get(profile.model.model_id)
            if route is None:
                raise access_denied(NO_ACCESS)
            route = self._allowed(route, account, region)
            return through_profile(route, profile.arn(region, account), profile.model_arns(region))
        if route is None:
            own = self.profiles.get(profile_arn(account, region, name))
            if own is not None:
                return self._resolve_profile(own, account, region)
            raise unroutable(name, self.catalog.find(name))
        if route.model is not None and id_needs_profile(route.model) and not self.relaxed:
            raise validation(refuse_bare_id(name))
        route = self._allowed(route, account, region)
        return Resolved(route, (foundation_model_arn(route.model_id, region),))

    def _allowed(self, route: Route, account: str, region: str) -> Route:
        """What the account's agreements and data retention mode leave of a route. Raises if that is nothing."""
        if not self.agreements.allow(route.model, account):
            raise access_denied(NO_ACCESS)
        return self.modes.allowed(route, account, region)

    def _resolve_arn(self, arn: str, account: str, region: str) -> Resolved:
        hosted = self.hosted.get(arn)
        if hosted is not None and hosted.account == account and hosted.region == region:
            return self._resolve_hosted(hosted)
        parts = arn.split(":", 5)
        if len(parts) < 6 or parts[2] != "bedrock" or parts[3] not in ("", region):
            raise validation(INVALID_ID)
        kind, _, ident = parts[5].partition("/")
        own = parts[4] == account
        if own and parts[3] == region and kind in _OF_AN_ACCOUNT:
            return self._resolve_own(arn, kind, ident, account, region)
        if (kind == "foundation-model" and parts[4] == "") or (kind == "inference-profile" and own):
            is_profile = self.catalog.profile(ident, region) is not None
            if is_profile == (kind == "inference-profile"):
                return self._resolve(ident, account, region)
        raise validation(INVALID_ID)

    def _resolve_own(self, arn: str, kind: str, ident: str, account: str, region: str) -> Resolved:
        """By the ARN of an application profile or of a prompt router of the caller's account and region."""
        if kind == PROFILE and arn in self.profiles:
            return self._resolve_profile(self.profiles[arn], account, region)
        router = self.routers.get(arn) if kind == ROUTER else None
        if kind == DEFAULT_ROUTER:
            default = next((each for each in DEFAULTS if each.id == ident), None)
            router = default_router(self.catalog, default, account, region) if default is not None else None
            # Whatever partition the caller wrote: one router has one name to be judged by.
            arn = router_arn(account, region, ident, DEFAULT_ROUTER)
        if router is None:
            raise validation(INVALID_ID)
        return self._resolve_router(arn, router, account, region)

    def _resolve_profile(self, profile: StoredProfile, account: str, region: str) -> Resolved:
        """IAM judges the profile and the models behind it, not the system profile that it was copied from."""
        source = self._resolve_arn(profile.source, account, region)
        models = [arn for arn in source.resources if ":inference-profile/" not in arn]
        return through_profile(source.route, profile.arn, models)

    def _resolve_hosted(self, hosted: Hosted) -> Resolved:
        """A hosted model is judged by its own ARN; endpoints have one name between them (service authorization)."""
        if not hosted.active:
            raise model_not_ready()
        account, region = hosted.account, hosted.region
        route = self._allowed(self.host(hosted, self.by_id.get(hosted.foundation)), account, region)
        return Resolved(route, (endpoints_arn(account, region) if _ENDPOINT in hosted.arn else hosted.arn,))

    def _resolve_router(self, arn: str, router: StoredRouter, account: str, region: str) -> Resolved:
        from craton.features.inference.routing.prompt_choice import choice  # few servers have routers

        reached = {name: self._resolve_arn(name, account, region) for name in router.models}
        # A trace names a model or a system profile, never an application profile (PromptRouterTrace's pattern).
        named = {name: self.profiles[name].source for name in router.models if name in self.profiles}
        resources = dict.fromkeys([arn, *(each for found in reached.values() for each in found.resources)])
        chooser = choice(router, reached, named)
        through: Keys = {"bedrock:promptrouterarn": arn}
        behind = ((each, {**keys, **through}) for found in reached.values() for each, keys in found.judged)
        return Resolved(reached[router.fallback].route, tuple(resources), chooser, judged=((arn, NOTHING), *behind))

    def tags(self, arn: str) -> Mapping[str, str]:
        """The tags of an account's profile, router or hosted model, empty for everything else."""
        found = self.profiles.get(arn) or self.routers.get(arn) or self.hosted.get(arn)
        return {} if found is None else found.tags


def by_arn(owned: Owned[T]) -> Mapping[str, T]:
    return owned if isinstance(owned, Mapping) else {one.arn: one for one in owned}


def through_profile(route: Route, arn: str, models: list[str]) -> Resolved:
    """IAM judges a profile and each model behind it, in that model's region; all regions together have no name."""
    judged: list[Judged] = [(arn, NOTHING)]
    for model in models:
        region = model.split(":", 4)[3] or "unspecified"
        judged.append((model, {"bedrock:inferenceprofilearn": arn, "aws:requestedregion": region}))
    return Resolved(route, (arn, *models), judged=tuple(judged))


def unroutable(name: str, model: Model | None) -> Fault:
    """Why an id leads nowhere: unknown, only for StartAsyncInvoke, or without a target here."""
    if model is None:
        return validation(INVALID_ID)
    if model.family == "video":
        return validation(ASYNC_ONLY.format(id=name))
    return access_denied(NO_ACCESS)


def foundation_model_arn(model_id: str, region: str) -> str:
    return f"arn:{partition(region)}:bedrock:{region}::foundation-model/{model_id}"


def endpoints_arn(account: str, region: str) -> str:
    """What IAM judges for every model endpoint of an account."""
    return f"arn:{partition(region)}:bedrock:{region}:{account}:marketplace/model-endpoint/all-access"


def named_arn(name: str, region: str) -> str:
    """What a name that leads nowhere is judged as: the ARN that it is, or that of a model with this id."""
    return name if name.startswith("arn:") else foundation_model_arn(name, region)


def native_dialect(route: Route) -> Dialect:
    """The schema of the model's own InvokeModel bodies."""
    dialect = route.dialect
    if dialect is None:
        if route.kind != "chat":  # whole answers of other kinds go another way
            raise validation(NO_STREAM)
        raise Fault("ValidationException", f"InvokeModel is not built for {route.model_id}; use Converse.")
    return dialect


# An id outside the catalog is bound by no rule of Bedrock's; what its target cannot do, the target says.
UNLIMITED = Capabilities(
    converse=True,
    stream=True,
    one_user_message_only=False,
    system=True,
    documents=True,
    vision=True,
    video=True,
    audio=True,
    tools=True,
    tools_streaming=True,
    tool_choice_any=True,
    tool_choice_tool=True,
    guardrails=True,
    s3_links=True,
    prefill=True,
    caching=True,
    count_tokens=True,
    output_schema=True,
    stop_sequences=True,
    temperature=True,
    top_p=True,
    temperature_with_top_p=True,
    deprecated=(),
    max_stop_sequences=None,
    max_output_tokens=None,
)

"""From whatever names a model (id, ARN, inference profile) to a route: the model, its dialect and its targets.

Compiled whenever the configuration or the registered models change and swapped as one reference; a lookup is
one dictionary access. Knows Bedrock's rules about ids, nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from craton.aws.wire.faults import Fault, access_denied, validation
from craton.models.catalog.capabilities import Capabilities
from craton.models.catalog.rows import Catalog, Model, id_needs_profile, partition, refuse_bare_id
from craton.models.dialects.dialect import Dialect
from craton.models.providers.provider import Provider

INVALID_ID = "The provided model identifier is invalid."
NO_ACCESS = "You don't have access to the model with the specified model ID."
_CACHED = 4096


@dataclass(frozen=True, slots=True)
class Target:
    """One upstream of a route. `standin` names the local model that answers in another's place, or is empty."""

    provider: Provider
    model: str
    weight: int = 1
    fallback: bool = False
    timeout_s: float = 60.0
    standin: str = ""
    quirks: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """A model that can be called. `model` is the catalog's row, if it has one; `schema` gives the native schema."""

    model_id: str
    targets: tuple[Target, ...]
    capabilities: Capabilities
    model: Model | None = None
    schema: Callable[[], Dialect | None] = lambda: None
    max_output_tokens: int = 4096

    @property
    def dialect(self) -> Dialect | None:
        """The native schema, loaded when it is first needed."""
        return self.schema()


@dataclass(frozen=True, slots=True)
class Resolved:
    """A route as one caller reaches it. `resources` are the ARNs that IAM judges, the profile's first."""

    route: Route
    resources: tuple[str, ...]


class Routes:
    """All routes of one generation."""

    def __init__(self, catalog: Catalog, routes: Iterable[Route], *, relaxed: bool) -> None:
        self.catalog = catalog
        self.relaxed = relaxed
        self.by_id = {route.model_id: route for route in routes}
        self._cache: dict[tuple[str, str, str], Resolved] = {}

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
            return Resolved(route, (profile.arn(region, account), *profile.model_arns(region)))
        if route is None:
            raise validation(INVALID_ID) if self.catalog.find(name) is None else access_denied(NO_ACCESS)
        if route.model is not None and id_needs_profile(route.model) and not self.relaxed:
            raise validation(refuse_bare_id(name))
        return Resolved(route, (foundation_model_arn(route.model_id, region),))

    def _resolve_arn(self, arn: str, account: str, region: str) -> Resolved:
        parts = arn.split(":", 5)
        if len(parts) < 6 or parts[2] != "bedrock" or parts[3] not in ("", region):
            raise validation(INVALID_ID)
        kind, _, ident = parts[5].partition("/")
        own = parts[4] == account
        if (kind == "foundation-model" and parts[4] == "") or (kind == "inference-profile" and own):
            is_profile = self.catalog.profile(ident, region) is not None
            if is_profile == (kind == "inference-profile"):
                return self._resolve(ident, account, region)
        raise validation(INVALID_ID)


def foundation_model_arn(model_id: str, region: str) -> str:
    return f"arn:{partition(region)}:bedrock:{region}::foundation-model/{model_id}"


def native_dialect(route: Route) -> Dialect:
    """The schema of the model's own InvokeModel bodies."""
    dialect = route.dialect
    if dialect is None:
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

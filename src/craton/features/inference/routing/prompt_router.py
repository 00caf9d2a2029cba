"""Prompt routers: two models of one family behind one ARN.

Owns the row's body, the record that travels in snapshots, and the routers that exist without anybody making them. It
must not know the operations that make routers, nor how one chooses (`prompt_choice`).
"""

from __future__ import annotations

import msgspec

from craton.features.inference.routing.profiles import all_rows
from craton.infra.store.port import Reader, Resource
from craton.models.catalog.rows import Catalog, partition

KIND = "prompt-router"
DEFAULT_KIND = "default-prompt-router"


class RouterBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The row's body, format 1. `models` are the ARNs as they were given, `difference` is in percent."""

    models: list[str]
    fallback: str
    difference: float
    description: str = ""
    tags: dict[str, str] = {}


class StoredRouter(msgspec.Struct, frozen=True, array_like=True):
    """What serving takes: whose it is, its two models, the fallback, the difference in percent, and its tags."""

    account: str
    region: str
    id: str
    models: tuple[str, str]
    fallback: str
    difference: float
    tags: dict[str, str] = {}

    @property
    def arn(self) -> str:
        return router_arn(self.account, self.region, self.id)


class DefaultRouter(msgspec.Struct, frozen=True):
    """A router that Bedrock brings along; its models are ids of system profiles without the geography's prefix."""

    id: str
    name: str
    description: str
    weaker: str
    stronger: str
    difference: float = 0.0


# Ids, names and texts as ListPromptRouters answered at their release; the fallback is the stronger model of each.
DEFAULTS = (
    DefaultRouter(
        "anthropic.claude:1",
        "Anthropic Prompt Router",
        "Routes requests among models in the Claude family",
        "anthropic.claude-3-haiku-20240307-v1:0",
        "anthropic.claude-3-5-sonnet-20240620-v1:0",
    ),
    DefaultRouter(
        "meta.llama:1",
        "Meta Prompt Router",
        "Routes requests among models in the LLaMA family",
        "meta.llama3-1-8b-instruct-v1:0",
        "meta.llama3-1-70b-instruct-v1:0",
    ),
    DefaultRouter(
        "amazon.nova:1",
        "Amazon Nova Prompt Router",
        "Routes requests among models in the Nova family",
        "amazon.nova-lite-v1:0",
        "amazon.nova-pro-v1:0",
    ),
)


def router_arn(account: str, region: str, router_id: str, kind: str = KIND) -> str:
    return f"arn:{partition(region)}:bedrock:{region}:{account}:{kind}/{router_id}"


def stored_routers(store: Reader) -> list[StoredRouter]:
    """The routers of all accounts and regions, oldest first."""
    return [router_of(row) for row in all_rows(store, KIND)]


def router_of(row: Resource) -> StoredRouter:
    body = row.read(RouterBody)
    pair = pair_of(body.models, body.fallback)
    return StoredRouter(row.account, row.region, row.id, pair, body.fallback, body.difference, body.tags)


def pair_of(models: list[str], fallback: str) -> tuple[str, str]:
    """The two models of a router, whether or not the fallback is named among them."""
    first, second = dict.fromkeys([*models, fallback])
    return first, second


def default_router(catalog: Catalog, default: DefaultRouter, account: str, region: str) -> StoredRouter | None:
    """A default router as an account in a region has it; None where a model has no profile of the region's own."""
    arns = []
    for model_id in (default.weaker, default.stronger):
        model = catalog.find(model_id)
        profiles = [catalog.profile(f"{prefix}.{model_id}", region) for prefix in (model.profiles if model else ())]
        near = [profile for profile in profiles if profile is not None and profile.destination_regions]
        if not near:
            return None
        arns.append(near[0].arn(region, account))
    return StoredRouter(account, region, default.id, (arns[0], arns[1]), arns[1], default.difference)

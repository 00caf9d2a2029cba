"""The models that the vendors' doors list: every id that can be called through them, in OpenAI's shape or Anthropic's.

Owns which ids those are and how each vendor shows one. A model whose bare id Bedrock refuses is listed by its inference
profiles alone, and what the caller's account hosts by its ARN, so whatever is listed can be called. Nobody knows when most models were made: the date is the epoch,
as Anthropic's reference allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import msgspec

from craton.context import Call
from craton.features.inference.routing.hosted import owned
from craton.features.inference.routing.routes import Route, Routes
from craton.front.door_chat import resolve
from craton.front.door_faults import DoorFault
from craton.front.door_request import Asked, Whole
from craton.models.catalog.rows import id_needs_profile

LIST = "bedrock:ListFoundationModels"
GET = "bedrock:GetFoundationModel"
EPOCH = "1970-01-01T00:00:00Z"
_OPENAI_KINDS = frozenset({"chat", "embedding", "image"})
_ANTHROPIC_KINDS = frozenset({"chat"})
_PAGE = 20
_LONGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Listed:
    """An id that can be called, and the route that it leads to; `name` is for people."""

    id: str
    route: Route
    name: str


def listed(call: Call, kinds: frozenset[str]) -> Iterator[Listed]:
    """Every id of these kinds that the caller's region has and somebody answers."""
    routes: Routes = call.app.live.routes
    for route in routes.by_id.values():
        if answers(route, kinds) and (routes.relaxed or route.model is None or not id_needs_profile(route.model)):
            yield Listed(route.model_id, route, name_of(route))
    for profile in call.app.catalog.profiles(call.region):
        route_behind = routes.by_id.get(profile.model.model_id)
        if route_behind is not None and answers(route_behind, kinds):
            yield Listed(profile.profile_id, route_behind, profile.name)
    for hosted in owned(routes.hosted.values(), call.account, call.region):
        made = routes.resolve(hosted.arn, call.account, call.region).route
        if answers(made, kinds):
            yield Listed(hosted.arn, made, hosted.name)


def answers(route: Route, kinds: frozenset[str]) -> bool:
    """Whether a door of these kinds of model can call it."""
    if route.kind not in kinds or not route.targets:
        return False
    return route.kind != "chat" or route.capabilities.converse


def name_of(route: Route) -> str:
    return route.model.name if route.model is not None else route.model_id


def one(asked: Asked) -> Listed:
    """The model that the path names. Raises DoorFault for one that nobody knows."""
    resolved = resolve(asked.call, asked.rest, GET, asked.shape)
    return Listed(asked.rest, resolved.route, name_of(resolved.route))


# --- OpenAI ----------------------------------------------------------------------------------------------------------


def openai_model(model: Listed) -> dict[str, Any]:
    owner = model.route.model.provider_name if model.route.model is not None else "craton"
    return {"id": model.id, "object": "model", "created": 0, "owned_by": owner.lower()}


async def openai_list(asked: Asked) -> Whole:
    """GET /models: all at once."""
    asked.call.authorize(LIST, "*")
    data = [openai_model(model) for model in listed(asked.call, _OPENAI_KINDS)]
    return Whole(msgspec.json.encode({"object": "list", "data": data}))


async def openai_one(asked: Asked) -> Whole:
    """GET /models/{id}."""
    return Whole(msgspec.json.encode(openai_model(one(asked))))


# --- Anthropic -------------------------------------------------------------------------------------------------------


def anthropic_model(model: Listed) -> dict[str, Any]:
    row = model.route.model
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": EPOCH,
        "lifecycle": "deprecated" if row is not None and row.lifecycle == "LEGACY" else "active",
        "deprecated_at": row.legacy_time if row is not None else None,
        "retires_at": row.end_of_life_time if row is not None else None,
        "max_input_tokens": row.context_tokens if row is not None else None,
        "max_tokens": model.route.max_output_tokens,
    }


async def anthropic_list(asked: Asked) -> Whole:
    """GET /models, in pages by `limit`, `after_id` and `before_id`."""
    asked.call.authorize(LIST, "*")
    given = {name: values[-1] for name, values in parse_qs(asked.query.decode("latin-1")).items()}
    models = list(listed(asked.call, _ANTHROPIC_KINDS))
    limit = page_size(given.get("limit"))
    after, before = place(models, given.get("after_id")), place(models, given.get("before_id"))
    if before is not None:
        start, end = max(0, before - limit), before
        has_more = start > 0
    else:
        start = 0 if after is None else after + 1
        end = start + limit
        has_more = end < len(models)
    page = models[start:end]
    shown = {
        "data": [anthropic_model(model) for model in page],
        "has_more": has_more,
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
    }
    return Whole(msgspec.json.encode(shown))


def page_size(given: str | None) -> int:
    if given is None:
        return _PAGE
    if len(given) > 4 or not given.isdecimal() or not 1 <= int(given) <= _LONGEST_PAGE:
        raise DoorFault("invalid", f"limit: must be a number from 1 to {_LONGEST_PAGE}")
    return int(given)


def place(models: list[Listed], model_id: str | None) -> int | None:
    """Where in the list an id of a page's end stands."""
    if model_id is None:
        return None
    for position, model in enumerate(models):
        if model.id == model_id:
            return position
    raise DoorFault("invalid", f"{model_id[:128]}: no such id in the list")


async def anthropic_one(asked: Asked) -> Whole:
    """GET /models/{id}."""
    return Whole(msgspec.json.encode(anthropic_model(one(asked))))

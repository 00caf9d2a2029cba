"""Prompt routers: the default ones, and those that an account makes.

Owns the four operations and Bedrock's rules for a router: two models, of one vendor and one native schema, one of which
is the fallback. How a request is routed is the business of `features.inference.prompt_choice`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from craton.aws.wire.faults import Fault, not_found, validation
from craton.context import Call
from craton.features.inference.routing.prompt_router import (
    DEFAULT_KIND,
    DEFAULTS,
    KIND,
    DefaultRouter,
    RouterBody,
    StoredRouter,
    default_router,
    router_arn,
)
from craton.infra.store.port import After, Resource, Transaction
from craton.services import stored, tagging
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        CreatePromptRouterRequest,
        CreatePromptRouterResponse,
        DeletePromptRouterRequest,
        DeletePromptRouterResponse,
        GetPromptRouterRequest,
        GetPromptRouterResponse,
        ListPromptRoutersRequest,
        ListPromptRoutersResponse,
        PromptRouterSummary,
    )
    from craton.features.inference.routing.routes import Resolved

SHOWN = "prompt router"
TWO_MODELS = "A prompt router must have exactly two different models, one of which may be the fallback model."
ONE_FAMILY = "The models of a prompt router must belong to the same model provider and family."
NOT_RESOLVED = "Could not resolve the foundation model from the provided model identifier."
INVALID_ARN = "The provided prompt router ARN is invalid."
DEFAULT_STAYS = "Default prompt routers cannot be deleted."
_RELEASED = datetime(2024, 11, 20, tzinfo=UTC)
_FIRST = "default"


def noun(call: Call) -> stored.Noun:
    return stored.Noun(KIND, SHOWN, call.app.settings.file.limits.prompt_routers)


# --- how routers are shown ---


def summary(row: Resource) -> PromptRouterSummary:
    body = row.read(RouterBody)
    shown: PromptRouterSummary = {
        "promptRouterName": row.name or "",
        "routingCriteria": {"responseQualityDifference": body.difference},
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
        "promptRouterArn": row.arn,
        "models": [{"modelArn": arn} for arn in body.models],
        "fallbackModel": {"modelArn": body.fallback},
        "status": "AVAILABLE",
        "type": "custom",
    }
    if body.description:
        shown["description"] = body.description
    return shown


def default_summary(default: DefaultRouter, router: StoredRouter) -> PromptRouterSummary:
    return {
        "promptRouterName": default.name,
        "routingCriteria": {"responseQualityDifference": default.difference},
        "description": default.description,
        "createdAt": _RELEASED,
        "updatedAt": _RELEASED,
        "promptRouterArn": router_arn(router.account, router.region, default.id, DEFAULT_KIND),
        "models": [{"modelArn": arn} for arn in router.models],
        "fallbackModel": {"modelArn": router.fallback},
        "status": "AVAILABLE",
        "type": "default",
    }


def default_summaries(call: Call) -> list[PromptRouterSummary]:
    """The default routers that the caller's region has."""
    made = ((each, default_router(call.app.catalog, each, call.account, call.region)) for each in DEFAULTS)
    return [default_summary(each, router) for each, router in made if router is not None]


# --- create ---


@operation("bedrock", "CreatePromptRouter")
async def create_prompt_router(call: Call, req: CreatePromptRouterRequest) -> CreatePromptRouterResponse:
    models = [model.modelArn for model in req.models]
    fallback = req.fallbackModel.modelArn
    mine = router_arn(call.account, call.region, "*")
    given = [(tag.key, tag.value) for tag in req.tags or ()]
    tagging.authorize_create(call, "bedrock:CreatePromptRouter", (*models, fallback, mine), mine, given)
    tags = tagging.checked(given)
    check_models(call, models, fallback)
    difference = float(req.routingCriteria.responseQualityDifference)
    body = RouterBody(models, fallback, difference, req.description or "", tags)
    row = stored.new_row(call, noun(call), router_arn, req.promptRouterName, body)
    request = (req.promptRouterName, models, fallback, difference, req.description, tags)
    made = await stored.create(call, noun(call), row, token=req.clientRequestToken, request=request)
    return {"promptRouterArn": made.arn}


def check_models(call: Call, models: list[str], fallback: str) -> None:
    """Two models that lead somewhere here, of one vendor and one schema, so that a native body suits either."""
    pair = list(dict.fromkeys([*models, fallback]))
    if len(pair) != 2 or len(set(models)) != len(models):
        raise validation(TWO_MODELS)
    first, second = (reached(call, arn).route for arn in pair)
    if first.model_id == second.model_id:
        raise validation(TWO_MODELS)
    ours, theirs = first.dialect, second.dialect
    if first.model_id.partition(".")[0] != second.model_id.partition(".")[0]:
        raise validation(ONE_FAMILY)
    if ours is None or theirs is None or ours.name != theirs.name:
        raise validation(ONE_FAMILY)


def reached(call: Call, arn: str) -> Resolved:
    """Where one of the models leads. Raises ResourceNotFoundException for an ARN that leads nowhere in this region."""
    try:
        found: Resolved = call.app.live.routes.resolve(arn, call.account, call.region)
    except Fault as fault:
        if "on-demand throughput" in fault.message:
            raise
        raise not_found(NOT_RESOLVED) from None
    return found


# --- get, list, delete ---


@operation("bedrock", "GetPromptRouter")
async def get_prompt_router(call: Call, req: GetPromptRouterRequest) -> GetPromptRouterResponse:
    call.authorize("bedrock:GetPromptRouter", req.promptRouterArn)
    kind = checked_kind(call, req.promptRouterArn)
    if kind == KIND:
        return {**summary(await stored.own(call, req.promptRouterArn, noun(call)))}
    for default in default_summaries(call):
        if default["promptRouterArn"] == req.promptRouterArn:
            return {**default}
    raise stored.missing(SHOWN)


def checked_kind(call: Call, arn: str) -> str:
    """The kind of router that an ARN of the caller's account and region names."""
    parts = arn.split(":", 5)
    if parts[3] != call.region or parts[4] != call.account:
        raise validation(INVALID_ARN)
    return parts[5].partition("/")[0]


@operation("bedrock", "ListPromptRouters")
async def list_prompt_routers(call: Call, req: ListPromptRoutersRequest) -> ListPromptRoutersResponse:
    """The default routers first, then the account's own, oldest first."""
    call.authorize("bedrock:ListPromptRouters", "*")
    limit = req.maxResults or stored.DEFAULT_PAGE
    shape = stored.listing(call, req.type)
    after = stored.opened(call, shape, req.nextToken)
    found: list[PromptRouterSummary] = []
    follows: After | None = None
    if after is None or after[0] == _FIRST:
        defaults = default_summaries(call) if req.type != "custom" else []
        start = int(after[1]) if after is not None else 0
        found, after = defaults[start : start + limit], None
        start += len(found)
        # A page that the defaults fill to the brim may be followed by an empty one, as with AWS's own listings.
        if start < len(defaults) or (len(found) == limit and req.type != "default"):
            follows = (_FIRST, str(start))
    if follows is None and req.type != "default":
        rows = await stored.page(call, noun(call), limit - len(found), after)
        found += [summary(row) for row in rows.items]
        follows = rows.after
    page: ListPromptRoutersResponse = {"promptRouterSummaries": found}
    token = stored.issued(call, shape, follows)
    if token is not None:
        page["nextToken"] = token
    return page


@operation("bedrock", "DeletePromptRouter")
async def delete_prompt_router(call: Call, req: DeletePromptRouterRequest) -> DeletePromptRouterResponse:
    arn = req.promptRouterArn
    call.authorize("bedrock:DeletePromptRouter", arn)
    kind = checked_kind(call, arn)
    if kind == DEFAULT_KIND:
        raise validation(DEFAULT_STAYS)
    await stored.own(call, arn, noun(call))

    def work(transaction: Transaction) -> None:
        transaction.delete(arn)

    with stored.faults(SHOWN):
        await call.app.storage.write(work)
    return {}

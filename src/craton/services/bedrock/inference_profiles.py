"""Inference profiles: those that the system defines, from the catalog, and those that an account makes of them.

Owns the five operations and their rules. Application profiles are rows of the store; the inference path knows them from
the snapshot (`features.inference.profiles`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.wire.faults import Fault, conflict, not_found, validation
from craton.context import Call
from craton.features.inference.routing.profiles import KIND, ProfileBody, profile_arn
from craton.features.inference.routing.prompt_router import stored_routers
from craton.infra.store.port import Reader, Resource, Transaction
from craton.models.catalog.rows import Model, Profile, id_needs_profile, refuse_bare_id
from craton.services import stored, tagging
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        CreateInferenceProfileRequest,
        CreateInferenceProfileResponse,
        DeleteInferenceProfileRequest,
        DeleteInferenceProfileResponse,
        GetInferenceProfileRequest,
        GetInferenceProfileResponse,
        InferenceProfileSummary,
        ListInferenceProfilesRequest,
        ListInferenceProfilesResponse,
    )

INVALID_ID = "The provided inference profile identifier is invalid."
INVALID_SOURCE = "The provided model identifier is invalid."
NOT_RESOLVED = "Could not resolve the foundation model from the provided model identifier."
NO_EMBEDDING = "Application inference profiles cannot be created for embedding models."
SYSTEM_STAYS = "System-defined inference profiles cannot be deleted."
SHOWN = "inference profile"


def noun(call: Call) -> stored.Noun:
    return stored.Noun(KIND, SHOWN, call.app.settings.file.limits.inference_profiles)


# --- how profiles are shown ---


def summary(profile: Profile, call: Call) -> InferenceProfileSummary:
    return {
        "inferenceProfileName": profile.name,
        "description": profile.description,
        "inferenceProfileArn": profile.arn(call.region, call.account),
        "models": [{"modelArn": arn} for arn in profile.model_arns(call.region)],
        "inferenceProfileId": profile.profile_id,
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }


def own_summary(row: Resource) -> InferenceProfileSummary:
    body = row.read(ProfileBody)
    shown: InferenceProfileSummary = {
        "inferenceProfileName": row.name or "",
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
        "inferenceProfileArn": row.arn,
        "models": [{"modelArn": arn} for arn in body.models],
        "inferenceProfileId": row.id,
        "status": "ACTIVE",
        "type": "APPLICATION",
    }
    if body.description:
        shown["description"] = body.description
    return shown


# --- create ---


@operation("bedrock", "CreateInferenceProfile")
async def create_inference_profile(call: Call, req: CreateInferenceProfileRequest) -> CreateInferenceProfileResponse:
    source = req.modelSource.copyFrom or ""
    given = [(tag.key, tag.value) for tag in req.tags or ()]
    mine = profile_arn(call.account, call.region, "*")
    tagging.authorize_create(call, "bedrock:CreateInferenceProfile", (source, mine), mine, given)
    tags = tagging.checked(given)
    models = models_behind(call, source)
    body = ProfileBody(source, models, req.description or "", tags)
    row = stored.new_row(call, noun(call), profile_arn, req.inferenceProfileName, body)
    request = (req.inferenceProfileName, source, req.description, tags)
    made = await stored.create(call, noun(call), row, token=req.clientRequestToken, request=request)
    return {"inferenceProfileArn": made.arn, "status": "ACTIVE"}


def models_behind(call: Call, source: str) -> list[str]:
    """The foundation models behind an ARN that may be copied: a model or a system profile of the caller's region."""
    parts = source.split(":", 5)
    kind, _, ident = parts[5].partition("/")
    if parts[3] != call.region or parts[4] not in ("", call.account):
        raise validation(INVALID_SOURCE)
    if kind == "inference-profile":
        profile = call.app.catalog.profile(ident, call.region)
        if profile is None:
            raise not_found(NOT_RESOLVED)
        check_model(profile.model)
        return profile.model_arns(call.region)
    model = call.app.catalog.find(ident)
    if parts[4] or (model is None and ident not in call.app.live.routes.by_id):
        raise validation(INVALID_SOURCE) if parts[4] else not_found(NOT_RESOLVED)
    if model is not None:
        check_model(model)
        if id_needs_profile(model) and not call.app.live.routes.relaxed:
            raise validation(refuse_bare_id(ident))
    return [source]


def check_model(model: Model) -> None:
    if "EMBEDDING" in model.output_modalities:
        raise validation(NO_EMBEDDING)


# --- get, list, delete ---


@operation("bedrock", "GetInferenceProfile")
async def get_inference_profile(call: Call, req: GetInferenceProfileRequest) -> GetInferenceProfileResponse:
    found = authorized(call, "bedrock:GetInferenceProfile", req.inferenceProfileIdentifier)
    if isinstance(found, Profile):
        return {**summary(found, call)}
    return {**own_summary(await stored.own(call, found, noun(call)))}


def authorized(call: Call, action: str, identifier: str) -> Profile | str:
    """What is named (see `named`), if the caller may do the action on it."""
    try:
        found = named(call, identifier)
    except Fault:
        whole = identifier if identifier.startswith("arn:") else profile_arn(call.account, call.region, identifier)
        call.authorize(action, whole)
        raise
    call.authorize(action, found.arn(call.region, call.account) if isinstance(found, Profile) else found)
    return found


def named(call: Call, identifier: str) -> Profile | str:
    """The system profile with this id or ARN, or the ARN that an application profile with it would have."""
    kind, ident = "", identifier
    if identifier.startswith("arn:"):
        parts = identifier.split(":", 5)
        if parts[3] != call.region or parts[4] != call.account:
            raise validation(INVALID_ID)
        kind, _, ident = parts[5].partition("/")
    profile = call.app.catalog.profile(ident, call.region) if kind != KIND else None
    if profile is not None:
        return profile
    if kind == "inference-profile":
        raise stored.missing(SHOWN)
    return profile_arn(call.account, call.region, ident)


@operation("bedrock", "ListInferenceProfiles")
async def list_inference_profiles(call: Call, req: ListInferenceProfilesRequest) -> ListInferenceProfilesResponse:
    """Without a type these are the system's alone, as on Bedrock (aws/aws-cli issue 9728)."""
    call.authorize("bedrock:ListInferenceProfiles", "*")
    limit = req.maxResults or stored.DEFAULT_PAGE
    shape = stored.listing(call, req.typeEquals or "SYSTEM_DEFINED")
    after = stored.opened(call, shape, req.nextToken)
    page: ListInferenceProfilesResponse
    if req.typeEquals == "APPLICATION":
        rows = await stored.page(call, noun(call), limit, after)
        page = {"inferenceProfileSummaries": [own_summary(row) for row in rows.items]}
        follows = rows.after
    else:
        profiles = call.app.catalog.profiles(call.region)
        # The catalog is the same for all who run this version: its position is a number.
        start = int(after[0]) if after is not None else 0
        page = {"inferenceProfileSummaries": [summary(each, call) for each in profiles[start : start + limit]]}
        follows = (start + limit, "") if start + limit < len(profiles) else None
    token = stored.issued(call, shape, follows)
    if token is not None:
        page["nextToken"] = token
    return page


@operation("bedrock", "DeleteInferenceProfile")
async def delete_inference_profile(call: Call, req: DeleteInferenceProfileRequest) -> DeleteInferenceProfileResponse:
    found = authorized(call, "bedrock:DeleteInferenceProfile", req.inferenceProfileIdentifier)
    if isinstance(found, Profile):
        raise validation(SYSTEM_STAYS)
    await stored.own(call, found, noun(call))

    def work(transaction: Transaction) -> None:
        check_unused(transaction, found)
        transaction.delete(found)

    with stored.faults(SHOWN):
        await call.app.storage.write(work)
    return {}


def check_unused(store: Reader, arn: str) -> None:
    """A profile that a prompt router leads to must stay as long as the router does."""
    for router in stored_routers(store):
        if arn in router.models:
            raise conflict(f"The inference profile is used by the prompt router {router.arn}. Delete that first.")

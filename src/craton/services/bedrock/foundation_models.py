"""ListFoundationModels, GetFoundationModel, GetFoundationModelAvailability: the catalog as Bedrock lists it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from craton.aws.wire.faults import not_found, validation
from craton.context import Call
from craton.features.inference.routing.agreements import ACTIVE, KIND, USE_CASE, asks_for_form, row_arn, third_party
from craton.features.inference.routing.routes import Routes, foundation_model_arn
from craton.models.catalog.rows import Model
from craton.services import stored
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        FoundationModelDetails,
        FoundationModelLifecycle,
        GetFoundationModelAvailabilityRequest,
        GetFoundationModelAvailabilityResponse,
        GetFoundationModelRequest,
        GetFoundationModelResponse,
        ListFoundationModelsRequest,
        ListFoundationModelsResponse,
    )

INVALID_ID = "The provided model identifier is invalid."
NOT_RESOLVED = "Could not resolve the foundation model from the provided model identifier."
ARN_KIND = ":foundation-model/"


def lifecycle(model: Model) -> FoundationModelLifecycle:
    shown: FoundationModelLifecycle = {"status": model.lifecycle}
    if model.legacy_time is not None:
        shown["legacyTime"] = model.legacy_time
    if model.end_of_life_time is not None:
        shown["endOfLifeTime"] = model.end_of_life_time
    return shown


def details(model: Model, region: str) -> FoundationModelDetails:
    """A catalog row as Bedrock shows it; image models have no `responseStreamingSupported` at all (catalog.md)."""
    shown: FoundationModelDetails = {
        "modelArn": model.arn(region),
        "modelId": model.model_id,
        "modelName": model.name,
        "providerName": model.provider_name,
        "inputModalities": list(model.input_modalities),
        "outputModalities": list(model.output_modalities),
        "customizationsSupported": list(model.customizations),
        "inferenceTypesSupported": list(model.inference_types),
        "modelLifecycle": lifecycle(model),
    }
    if model.streaming is not None:
        shown["responseStreamingSupported"] = model.streaming
    return shown


@operation("bedrock", "ListFoundationModels")
async def list_foundation_models(call: Call, req: ListFoundationModelsRequest) -> ListFoundationModelsResponse:
    call.authorize("bedrock:ListFoundationModels", "*")
    models = call.app.catalog.models(
        provider=req.byProvider,
        customization=req.byCustomizationType,
        output_modality=req.byOutputModality,
        inference_type=req.byInferenceType,
    )
    return {"modelSummaries": [details(model, call.region) for model in models]}


def bare_id(identifier: str) -> str:
    """The id in an id or a foundation-model ARN; "" for the ARN of something else."""
    return identifier.partition(ARN_KIND)[2] if identifier.startswith("arn:") else identifier


def found(call: Call, identifier: str) -> Model:
    """The catalog's row for an id or a foundation-model ARN of the caller's region."""
    ident = bare_id(identifier)
    if identifier.startswith("arn:") and (not ident or identifier.split(":")[3:4] != [call.region]):
        raise validation(INVALID_ID)
    model = call.app.catalog.find(ident)
    if model is None:
        raise not_found(NOT_RESOLVED)
    return model


@operation("bedrock", "GetFoundationModel")
async def get_foundation_model(call: Call, req: GetFoundationModelRequest) -> GetFoundationModelResponse:
    call.authorize("bedrock:GetFoundationModel", foundation_model_arn(bare_id(req.modelIdentifier), call.region))
    model = found(call, req.modelIdentifier)
    return {"modelDetails": details(model, call.region)}


@operation("bedrock", "GetFoundationModelAvailability")
async def get_foundation_model_availability(
    call: Call, req: GetFoundationModelAvailabilityRequest
) -> GetFoundationModelAvailabilityResponse:
    """Each member tells of one thing: the account's agreement, its use case form, a target, and the caller's region."""
    call.authorize("bedrock:GetFoundationModelAvailability", "*")
    model = found(call, req.modelId)
    routes: Routes = call.app.live.routes
    route = routes.by_id.get(model.model_id)
    agreed, authorized = await access(call, model, demanded=routes.agreements.demanded)
    return {
        "modelId": model.model_id,
        "agreementAvailability": {"status": available(agreed)},
        "authorizationStatus": "AUTHORIZED" if authorized else "NOT_AUTHORIZED",
        "entitlementAvailability": available(route is not None and bool(route.targets)),
        "regionAvailability": available(routes.relaxed or reachable(call, model)),
    }


async def access(call: Call, model: Model, *, demanded: bool) -> tuple[bool, bool]:
    """Whether the account has agreed about the model, and whether its vendor knows what it needs to know.

    Where no agreement is demanded, all is agreed upon that was not cancelled.
    """
    if not third_party(model):
        return True, True
    agreement, form = row_arn(call.account, KIND, model.model_id), row_arn(call.account, USE_CASE, USE_CASE)
    with stored.faults("model access agreement"):
        row, filled = await call.app.storage.read(lambda store: (store.get(agreement), store.get(form)))
    agreed = not demanded if row is None else row.status == ACTIVE
    return agreed, not demanded or filled is not None or not asks_for_form(model)


def reachable(call: Call, model: Model) -> bool:
    """Whether callers in the region can name the model: by its id, or by a system profile that they have."""
    catalog, ident = call.app.catalog, model.model_id
    if model.inference_types != ("INFERENCE_PROFILE",):
        return True
    return any(catalog.profile(f"{one}.{ident}", call.region) is not None for one in model.profiles)


def available(holds: bool) -> Literal["AVAILABLE", "NOT_AVAILABLE"]:  # noqa: FBT001 - a word for a truth
    return "AVAILABLE" if holds else "NOT_AVAILABLE"

"""ListFoundationModels, GetFoundationModel, GetFoundationModelAvailability: the catalog as Bedrock lists it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.wire.faults import not_found, validation
from craton.context import Call
from craton.features.inference.routing.routes import foundation_model_arn
from craton.models.catalog.rows import Model
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
    """A model is available here when it has a target, a stand-in included: no agreement stands between."""
    call.authorize("bedrock:GetFoundationModelAvailability", "*")
    model = found(call, req.modelId)
    served = model.model_id in call.app.live.routes.by_id
    return {
        "modelId": model.model_id,
        "agreementAvailability": {"status": "AVAILABLE" if served else "NOT_AVAILABLE"},
        "authorizationStatus": "AUTHORIZED",
        "entitlementAvailability": "AVAILABLE" if served else "NOT_AVAILABLE",
        "regionAvailability": "AVAILABLE",
    }

"""Agreements about third parties' models: offered, made, cancelled; and the use case form that Anthropic asks for.

Owns the five operations and the offers' tokens. What an agreement means for a call is
`features.inference.routing.agreements`'s; when an operation has answered, every worker lives by it. An agreement that
was cancelled keeps its row, so that GetFoundationModelAvailability tells of it on a server that demands none, and tools
that wait for the end of one see it. Sources: botocore's model; texts as Bedrock's public answers have them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

import msgspec

from craton.aws.wire.faults import conflict, not_found, validation
from craton.context import Call
from craton.features.inference.routing.agreements import (
    ACTIVE,
    CANCELLED,
    KIND,
    USE_CASE,
    AgreementBody,
    UseCaseBody,
    asks_for_form,
    new_row,
    row_arn,
    third_party,
)
from craton.infra.cipher.faults import unreadable
from craton.infra.store.port import Resource, Transaction
from craton.models.catalog.rows import Model
from craton.services import stored
from craton.services.bedrock.foundation_models import found
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        CreateFoundationModelAgreementRequest,
        CreateFoundationModelAgreementResponse,
        DeleteFoundationModelAgreementRequest,
        DeleteFoundationModelAgreementResponse,
        DimensionalPriceRate,
        GetUseCaseForModelAccessRequest,
        GetUseCaseForModelAccessResponse,
        ListFoundationModelAgreementOffersRequest,
        ListFoundationModelAgreementOffersResponse,
        Offer,
        PutUseCaseForModelAccessRequest,
        PutUseCaseForModelAccessResponse,
    )

SHOWN = "model access agreement"
FORM = "use case form"
SEALED_AS = "model use case"
BAD_TOKEN = "The provided offer token is invalid."  # noqa: S105 - a message
EXISTS = "Agreement already exists."
NONE_TO_CANCEL = "No agreement exists to cancel."
NO_FORM = "You have not filled out the request form. Fill out the form before getting access."
# Nothing is billed here, and no price of AWS's list would be true.
FREE: DimensionalPriceRate = {
    "dimension": "Units",
    "price": "0.00",
    "unit": "Units",
    "description": "This server charges nothing. What a model's target costs, its vendor bills to whoever configured it.",
}
NO_REFUND = "Nothing is charged, so there is nothing to refund."


# --- offers ---


@operation("bedrock", "ListFoundationModelAgreementOffers")
async def list_foundation_model_agreement_offers(
    call: Call, req: ListFoundationModelAgreementOffersRequest
) -> ListFoundationModelAgreementOffersResponse:
    """A third party's model has one public offer; Amazon's own have none, since they need no agreement."""
    call.authorize("bedrock:ListFoundationModelAgreementOffers", "*")
    model = found(call, req.modelId)
    return {"modelId": model.model_id, "offers": [offer(call, model)] if third_party(model) else []}


def offer(call: Call, model: Model) -> Offer:
    return {
        "offerId": offer_id(model),
        "offerToken": offer_token(call, model),
        "termDetails": {
            "usageBasedPricingTerm": {"rateCard": [FREE]},
            "legalTerm": {},
            "supportTerm": {"refundPolicyDescription": NO_REFUND},
        },
    }


def offer_id(model: Model) -> str:
    """The same on every server, in the form of AWS Marketplace's."""
    return "offer-" + base64.b32encode(hashlib.sha256(model.model_id.encode()).digest()).decode()[:13].lower()


def offer_token(call: Call, model: Model) -> str:
    """What only this account can accept, and only for this model."""
    said = msgspec.json.encode((call.account, model.model_id, offer_id(model)))
    return base64.urlsafe_b64encode(call.app.vault.mark("model offers", said)).decode().rstrip("=")


# --- agreements ---


@operation("bedrock", "CreateFoundationModelAgreement")
async def create_foundation_model_agreement(
    call: Call, req: CreateFoundationModelAgreementRequest
) -> CreateFoundationModelAgreementResponse:
    call.authorize("bedrock:CreateFoundationModelAgreement", "*")
    model = found(call, req.modelId)
    given = req.offerToken.encode(errors="replace")
    if not third_party(model) or not hmac.compare_digest(given, offer_token(call, model).encode()):
        raise validation(BAD_TOKEN)
    fresh = new_row(call.account, KIND, model.model_id, AgreementBody(offer_id(model)), call.now())

    def work(transaction: Transaction) -> None:
        if asks_for_form(model) and transaction.get(row_arn(call.account, USE_CASE, USE_CASE)) is None:
            raise not_found(NO_FORM)
        row = transaction.get(fresh.arn)
        if row is None:
            transaction.create(fresh)
        elif row.status == ACTIVE:
            raise conflict(EXISTS)
        else:
            transaction.update(
                msgspec.structs.replace(row, status=ACTIVE, body=fresh.body, updated_at=fresh.updated_at)
            )

    with stored.faults(SHOWN):
        await call.app.storage.write(work)
    return {"modelId": model.model_id}


@operation("bedrock", "DeleteFoundationModelAgreement")
async def delete_foundation_model_agreement(
    call: Call, req: DeleteFoundationModelAgreementRequest
) -> DeleteFoundationModelAgreementResponse:
    call.authorize("bedrock:DeleteFoundationModelAgreement", "*")
    arn, now = row_arn(call.account, KIND, found(call, req.modelId).model_id), call.now()

    def work(transaction: Transaction) -> None:
        row = transaction.get(arn)
        if row is None or row.status != ACTIVE:
            raise validation(NONE_TO_CANCEL)
        transaction.update(msgspec.structs.replace(row, status=CANCELLED, updated_at=now))

    with stored.faults(SHOWN):
        await call.app.storage.write(work)
    return {}


# --- the use case ---


@operation("bedrock", "PutUseCaseForModelAccess")
async def put_use_case_for_model_access(
    call: Call, req: PutUseCaseForModelAccessRequest
) -> PutUseCaseForModelAccessResponse:
    """The form is kept as it comes: AWS names its members nowhere, and nobody here reads it but its account."""
    call.authorize("bedrock:PutUseCaseForModelAccess", "*")
    with unreadable(FORM):
        sealed = await call.app.cipher.seal(call.account, SEALED_AS, None, req.formData, region=call.region)
    fresh = new_row(call.account, USE_CASE, USE_CASE, UseCaseBody(sealed), call.now())

    def work(transaction: Transaction) -> Resource:
        row = transaction.get(fresh.arn)
        if row is None:
            return transaction.create(fresh)
        return transaction.update(msgspec.structs.replace(row, body=fresh.body, updated_at=fresh.updated_at))

    with stored.faults(FORM):
        await call.app.storage.write(work)
    return {}


@operation("bedrock", "GetUseCaseForModelAccess")
async def get_use_case_for_model_access(
    call: Call, req: GetUseCaseForModelAccessRequest
) -> GetUseCaseForModelAccessResponse:
    call.authorize("bedrock:GetUseCaseForModelAccess", "*")
    arn = row_arn(call.account, USE_CASE, USE_CASE)
    with stored.faults(FORM):
        row = await call.app.storage.read(lambda store: store.get(arn))
    if row is None:
        raise not_found(NO_FORM)
    with unreadable(FORM):
        return {"formData": await call.app.cipher.open(call.account, SEALED_AS, row.read(UseCaseBody).sealed)}

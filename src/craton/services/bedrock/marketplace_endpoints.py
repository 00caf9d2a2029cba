"""CreateMarketplaceModelEndpoint, and Get, List, Update, Delete, Register and Deregister.

Owns the rules of such an endpoint: names, instance types, licences, which change is allowed and when. Its replicas are
the fleet's; how it stands is read from them (`standing`), and kept in the row once it has moved. A row's status says
whether Bedrock knows the endpoint: one that was deregistered runs on, and can be registered again or deleted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire.faults import Fault, conflict, not_found, validation
from craton.config_containers import MarketplaceModelTable
from craton.context import Call
from craton.features.hosting.endpoint import (
    GONE,
    KIND,
    EndpointBody,
    Terms,
    endpoint_arn,
    known_model,
    source_name,
)
from craton.features.hosting.instances import instance
from craton.features.hosting.standing import CREATING, IN_SERVICE, UPDATING, Standing, standing
from craton.features.inference.routing.routes import endpoints_arn
from craton.infra.store.port import Conflict, NotFound, Query, Resource, Transaction, select
from craton.services import stored, tagging
from craton.services.kms.use import customer_key
from craton.services.operation import operation
from craton.services.passing import check_pass_role

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        CreateMarketplaceModelEndpointRequest,
        CreateMarketplaceModelEndpointResponse,
        DeleteMarketplaceModelEndpointRequest,
        DeleteMarketplaceModelEndpointResponse,
        DeregisterMarketplaceModelEndpointRequest,
        DeregisterMarketplaceModelEndpointResponse,
        EndpointConfig,
        GetMarketplaceModelEndpointRequest,
        GetMarketplaceModelEndpointResponse,
        ListMarketplaceModelEndpointsRequest,
        ListMarketplaceModelEndpointsResponse,
        MarketplaceModelEndpoint,
        MarketplaceModelEndpointSummary,
        RegisterMarketplaceModelEndpointRequest,
        RegisterMarketplaceModelEndpointResponse,
        SageMakerEndpointDict,
        UpdateMarketplaceModelEndpointRequest,
        UpdateMarketplaceModelEndpointResponse,
    )

SHOWN = "marketplace model endpoint"
REGISTERED, DEREGISTERED, INCOMPATIBLE = "REGISTERED", "DEREGISTERED", "INCOMPATIBLE_ENDPOINT"
SAGEMAKER = "sagemaker.amazonaws.com"
CREATE = "bedrock:CreateMarketplaceModelEndpoint"
UNKNOWN_MODEL = "The model {source} is not available on this server. Models that endpoints can be made of: {known}."
NO_MODELS = "none; the server's configuration names them in [[marketplace.model]]"
NOT_ACCEPTED = "To use the model {name}, accept its end-user license agreement: set acceptEula to true."
UNKNOWN_INSTANCE = "The instance type {name} is not known."
OTHER_INSTANCE = "The instance type {name} is not supported for this model. Supported: {types}."
BAD_NAME = (
    "The endpoint name must consist of letters, digits and hyphens, and neither begin nor end with a hyphen: {name}"
)
NO_CONFIGURATION = "The endpoint configuration must be one for Amazon SageMaker."
BAD_ARN = "The provided endpoint ARN is invalid."
OTHER_MODEL = "The endpoint runs the model {source}, which is not the one that was given."
BUSY = "The endpoint {arn} cannot be changed while its status is {status}."
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*", re.ASCII)
_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:([a-z0-9-]+):(\d{12}):endpoint/[a-zA-Z0-9-]{1,63}", re.ASCII)


def noun(call: Call) -> stored.Noun:
    return stored.Noun(KIND, SHOWN, call.app.settings.file.marketplace.endpoints)


def models(call: Call) -> list[MarketplaceModelTable]:
    return call.app.settings.file.marketplace.model


# --- how it is shown ---


class Seen(msgspec.Struct, frozen=True):
    """A row and how it stands now."""

    row: Resource
    body: EndpointBody
    now: Standing


async def fleet(call: Call) -> Mapping[str, dict[str, Any]] | None:
    """The deployments by id; None while nobody can say."""
    try:
        return {row["id"]: row for row in await call.app.supervisor.deployments()}
    except Fault:
        return None


def seen(call: Call, row: Resource, rows: Mapping[str, dict[str, Any]] | None) -> Seen:
    body = row.read(EndpointBody)
    if rows is None:
        return Seen(row, body, Standing(body.known))
    age_s = (call.app.clock.now() - row.updated_at).total_seconds()
    return Seen(row, body, standing(body.known, rows.get(row.arn), changing=body.former is not None, age_s=age_s))


async def settled(call: Call, one: Seen) -> Seen:
    """Keep a status that has moved. Whoever is overtaken by another change has seen something true all the same."""
    over = one.body.former is not None and one.now.status == IN_SERVICE
    if one.now.status == one.body.known and not over:
        return one
    former = None if over else one.body.former
    body = msgspec.structs.replace(one.body, former=former, known=one.now.status)
    row = msgspec.structs.replace(one.row, body=msgspec.json.encode(body))
    try:
        row = await call.app.storage.write(lambda transaction: transaction.update(row))
    except (Conflict, NotFound):
        return one
    return Seen(row, body, one.now)


def summary(call: Call, row: Resource, body: EndpointBody) -> MarketplaceModelEndpointSummary:
    gone = known_model(models(call), body.source) is None
    shown: MarketplaceModelEndpointSummary = {
        "endpointArn": row.arn,
        "modelSourceIdentifier": body.source,
        "status": INCOMPATIBLE if gone else REGISTERED,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }
    if gone:
        shown["statusMessage"] = GONE.format(source=body.source)
    return shown


def endpoint(call: Call, one: Seen) -> MarketplaceModelEndpoint:
    base = summary(call, one.row, one.body)
    shown: MarketplaceModelEndpoint = {
        "endpointArn": one.row.arn,
        "modelSourceIdentifier": one.body.source,
        "status": base["status"],
        "createdAt": one.row.created_at,
        "updatedAt": one.row.updated_at,
        "endpointConfig": {"sageMaker": configuration(one.body.terms)},
        "endpointStatus": one.now.status,
    }
    if "statusMessage" in base:
        shown["statusMessage"] = base["statusMessage"]
    if one.now.message:
        shown["endpointStatusMessage"] = one.now.message
    return shown


def configuration(terms: Terms) -> SageMakerEndpointDict:
    shown: SageMakerEndpointDict = {
        "initialInstanceCount": terms.count,
        "instanceType": terms.instance_type,
        "executionRole": terms.role,
    }
    if terms.kms_key:
        shown["kmsEncryptionKey"] = terms.kms_key
    if terms.subnets:
        shown["vpc"] = {"subnetIds": list(terms.subnets), "securityGroupIds": list(terms.security_groups)}
    return shown


# --- create ---


@operation("bedrock", "CreateMarketplaceModelEndpoint")
async def create_marketplace_model_endpoint(
    call: Call, req: CreateMarketplaceModelEndpointRequest
) -> CreateMarketplaceModelEndpointResponse:
    given = [(tag.key, tag.value) for tag in req.tags or ()]
    mine = endpoint_arn(call.account, call.region, req.endpointName)
    tagging.authorize_create(call, CREATE, ("*",), mine, given)
    tags = tagging.checked(given)
    if not _NAME.fullmatch(req.endpointName):
        raise validation(BAD_NAME.format(name=req.endpointName))
    table = modelled(call, req.modelSourceIdentifier)
    if table.eula and not req.acceptEula:
        raise validation(NOT_ACCEPTED.format(name=table.name or source_name(req.modelSourceIdentifier)))
    terms = await checked_terms(call, req.endpointConfig, table, mine)
    body = EndpointBody(
        source=req.modelSourceIdentifier,
        terms=terms,
        speaks=table.container.speaks,
        schema=table.container.schema,
        context_tokens=table.context_tokens,
        tags=tags,
    )
    row = stored.new_row(call, noun(call), lambda *_: mine, req.endpointName, body)
    row = msgspec.structs.replace(row, status=REGISTERED)
    asked = (req.endpointName, req.modelSourceIdentifier, terms, req.acceptEula, tags)
    made = await stored.create(call, noun(call), row, token=req.clientRequestToken, request=asked)
    one = await settled(call, seen(call, made, await fleet(call)))
    return {"marketplaceModelEndpoint": endpoint(call, one)}


def modelled(call: Call, source: str) -> MarketplaceModelTable:
    """The model's table. Raises ResourceNotFoundException, which names those that there are."""
    table = known_model(models(call), source)
    if table is None:
        known = ", ".join(one.source for one in models(call)) or NO_MODELS
        raise not_found(UNKNOWN_MODEL.format(source=source_name(source) or source, known=known))
    return table


async def checked_terms(call: Call, given: EndpointConfig, table: MarketplaceModelTable, arn: str) -> Terms:
    """A configuration that can be run here and that the caller may ask for. Raises what the checks raise."""
    asked = given.sageMaker
    if asked is None:  # a union of one, which the model's own check has found in it
        raise validation(NO_CONFIGURATION)
    name = asked.instanceType
    if table.instances and name not in table.instances:
        raise validation(OTHER_INSTANCE.format(name=name, types=", ".join(table.instances)))
    if instance(name) is None:
        raise validation(UNKNOWN_INSTANCE.format(name=name))
    await check_pass_role(call, asked.executionRole, SAGEMAKER, source_arn=arn)
    if asked.kmsEncryptionKey:
        await customer_key(call, asked.kmsEncryptionKey)
    return Terms(
        count=asked.initialInstanceCount,
        instance_type=name,
        role=asked.executionRole,
        kms_key=asked.kmsEncryptionKey or "",
        subnets=tuple(asked.vpc.subnetIds) if asked.vpc else (),
        security_groups=tuple(asked.vpc.securityGroupIds) if asked.vpc else (),
    )


# --- get, list ---


async def judged(call: Call, action: str, arn: str) -> Resource:
    """The caller's endpoint, registered or not, if the caller may do the action on endpoints.

    Raises AccessDeniedException, ValidationException, ResourceNotFoundException.
    """
    call.authorize(action, endpoints_arn(call.account, call.region))
    found = _ARN.fullmatch(arn)
    if found is None or found.groups() != (call.region, call.account):
        raise validation(BAD_ARN)
    return await stored.own(call, arn, noun(call))


async def registered(call: Call, action: str, arn: str) -> Resource:
    """The caller's endpoint, if Bedrock knows it. Raises as `judged`."""
    row = await judged(call, action, arn)
    if row.status != REGISTERED:
        raise stored.missing(SHOWN)
    return row


@operation("bedrock", "GetMarketplaceModelEndpoint")
async def get_marketplace_model_endpoint(
    call: Call, req: GetMarketplaceModelEndpointRequest
) -> GetMarketplaceModelEndpointResponse:
    row = await registered(call, "bedrock:GetMarketplaceModelEndpoint", req.endpointArn)
    one = await settled(call, seen(call, row, await fleet(call)))
    return {"marketplaceModelEndpoint": endpoint(call, one)}


@operation("bedrock", "ListMarketplaceModelEndpoints")
async def list_marketplace_model_endpoints(
    call: Call, req: ListMarketplaceModelEndpointsRequest
) -> ListMarketplaceModelEndpointsResponse:
    call.authorize("bedrock:ListMarketplaceModelEndpoints", "*")
    source = req.modelSourceEquals
    shape = stored.listing(call, source)
    query = Query(
        kind=KIND,
        account=call.account,
        region=call.region,
        status=REGISTERED,
        limit=req.maxResults or stored.DEFAULT_PAGE,
        after=stored.opened(call, shape, req.nextToken),
    )
    keep = lambda row: source is None or row.read(EndpointBody).source == source  # noqa: E731
    with stored.faults(SHOWN):
        page = await call.app.storage.read(lambda store: select(store, query, keep))
    answer: ListMarketplaceModelEndpointsResponse = {
        "marketplaceModelEndpoints": [summary(call, row, row.read(EndpointBody)) for row in page.items]
    }
    token = stored.issued(call, shape, page.after)
    if token is not None:
        answer["nextToken"] = token
    return answer


# --- update, delete ---


@operation("bedrock", "UpdateMarketplaceModelEndpoint")
async def update_marketplace_model_endpoint(
    call: Call, req: UpdateMarketplaceModelEndpointRequest
) -> UpdateMarketplaceModelEndpointResponse:
    """Another number of replicas, or others, each of which serves before an old one goes."""
    row = await registered(call, "bedrock:UpdateMarketplaceModelEndpoint", req.endpointArn)
    one = await settled(call, seen(call, row, await fleet(call)))
    table = modelled(call, one.body.source)
    terms = await checked_terms(call, req.endpointConfig, table, row.arn)
    claim = stored.claimed(call, req.clientRequestToken, (row.arn, terms))

    def work(transaction: Transaction) -> Resource:
        now = call.app.clock.now()
        earlier = transaction.claim(claim, row.arn, now) if claim is not None else None
        if earlier is not None or terms == one.body.terms:
            return one.row
        if one.now.status in (CREATING, UPDATING):
            raise conflict(BUSY.format(arn=row.arn, status=one.now.status))
        body = msgspec.structs.replace(one.body, terms=terms, former=one.body.terms, known=UPDATING)
        return transaction.update(msgspec.structs.replace(one.row, updated_at=now, body=msgspec.json.encode(body)))

    with stored.faults(SHOWN):
        changed = await call.app.storage.write(work)
    return {"marketplaceModelEndpoint": endpoint(call, seen(call, changed, await fleet(call)))}


@operation("bedrock", "DeleteMarketplaceModelEndpoint")
async def delete_marketplace_model_endpoint(
    call: Call, req: DeleteMarketplaceModelEndpointRequest
) -> DeleteMarketplaceModelEndpointResponse:
    """Also one that was deregistered, for which SageMaker's own operation would be there."""
    row = await judged(call, "bedrock:DeleteMarketplaceModelEndpoint", req.endpointArn)
    with stored.faults(SHOWN):
        await call.app.storage.write(lambda transaction: transaction.delete(row.arn))
    return {}


# --- register, deregister ---


@operation("bedrock", "RegisterMarketplaceModelEndpoint")
async def register_marketplace_model_endpoint(
    call: Call, req: RegisterMarketplaceModelEndpointRequest
) -> RegisterMarketplaceModelEndpointResponse:
    """An endpoint that this server runs, after it was deregistered. One that is registered already stays as it is."""
    row = await judged(call, "bedrock:RegisterMarketplaceModelEndpoint", req.endpointIdentifier)
    body = row.read(EndpointBody)
    if source_name(req.modelSourceIdentifier) != source_name(body.source):
        raise validation(OTHER_MODEL.format(source=body.source))
    row = await known_as(call, row, registered=True)
    one = await settled(call, seen(call, row, await fleet(call)))
    return {"marketplaceModelEndpoint": endpoint(call, one)}


@operation("bedrock", "DeregisterMarketplaceModelEndpoint")
async def deregister_marketplace_model_endpoint(
    call: Call, req: DeregisterMarketplaceModelEndpointRequest
) -> DeregisterMarketplaceModelEndpointResponse:
    await known_as(
        call, await registered(call, "bedrock:DeregisterMarketplaceModelEndpoint", req.endpointArn), registered=False
    )
    return {}


async def known_as(call: Call, row: Resource, *, registered: bool) -> Resource:
    """Whether Bedrock knows the endpoint, from now on."""
    body = row.read(EndpointBody)
    if body.registered == registered:
        return row
    changed = msgspec.structs.replace(
        row,
        status=REGISTERED if registered else DEREGISTERED,
        updated_at=call.app.clock.now(),
        body=msgspec.json.encode(msgspec.structs.replace(body, registered=registered)),
    )
    with stored.faults(SHOWN):
        return await call.app.storage.write(lambda transaction: transaction.update(changed))

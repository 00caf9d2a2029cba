"""CreateProvisionedModelThroughput, and Get, List, Update and Delete.

Owns the rules of such a resource: names, model units, commitments, which change is allowed. Its replicas are the
fleet's; its status is read from them (`standing`), and kept in the row once it has moved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec

from craton.aws.wire.faults import Fault, conflict, quota_exceeded, validation
from craton.context import Call
from craton.features.hosting.provisioned import KIND, ProvisionedBody, Source, free_units, provisioned_arn
from craton.features.hosting.standing import CREATING, IN_SERVICE, UPDATING, Standing, Status, standing
from craton.infra.store.port import Page, Query, Reader, Resource, StoreError, Transaction, select
from craton.services import stored, tagging
from craton.services.bedrock.provisioned_sources import check_there, named, source_of
from craton.services.named import Named
from craton.services.named import judged as judged_by_name
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        CreateProvisionedModelThroughputRequest,
        CreateProvisionedModelThroughputResponse,
        DeleteProvisionedModelThroughputRequest,
        DeleteProvisionedModelThroughputResponse,
        GetProvisionedModelThroughputRequest,
        GetProvisionedModelThroughputResponse,
        ListProvisionedModelThroughputsRequest,
        ListProvisionedModelThroughputsResponse,
        ProvisionedModelSummary,
        UpdateProvisionedModelThroughputRequest,
        UpdateProvisionedModelThroughputResponse,
    )

SHOWN = "provisioned model throughput"
CREATE = "bedrock:CreateProvisionedModelThroughput"
UPDATE = "bedrock:UpdateProvisionedModelThroughput"
TERMS = {"OneMonth": timedelta(days=30), "SixMonths": timedelta(days=180)}
TOO_MANY_UNITS = (
    "You have reached the limit of {most} model units without a commitment for this account in this Region. Ask for "
    "fewer, delete a Provisioned Throughput that you no longer need, or commit to one."
)
COMMITTED = "The Provisioned Throughput {arn} cannot be deleted before its commitment term ends at {ends}."
OF_BASE = "The model of a Provisioned Throughput that is associated with a base model cannot be changed."
OTHER_LINEAGE = "The desired model must have been customized from the same base model as the current one."
BUSY = "The Provisioned Throughput {arn} cannot change its model while its status is {status}."
_LONGEST_MESSAGE = 2048
NOTHING_ASKED = "Provide a desiredProvisionedModelName or a desiredModelId."


def noun(call: Call) -> stored.Noun:
    return stored.Noun(KIND, SHOWN, call.app.settings.file.limits.provisioned_models)


# --- how it is shown ---


class Seen(msgspec.Struct, frozen=True):
    """A row and how it stands now."""

    row: Resource
    body: ProvisionedBody
    now: Standing


async def fleet(call: Call) -> dict[str, dict[str, Any]] | None:
    """The deployments by id; None while nobody can say."""
    try:
        return {row["id"]: row for row in await call.app.supervisor.deployments()}
    except Fault:
        return None


def seen(call: Call, row: Resource, rows: dict[str, dict[str, Any]] | None) -> Seen:
    body = row.read(ProvisionedBody)
    known = msgspec.convert(row.status, Status)
    if rows is None:
        return Seen(row, body, Standing(known))
    age_s = (call.app.clock.now() - row.updated_at).total_seconds()
    return Seen(row, body, standing(known, rows.get(row.arn), changing=body.former is not None, age_s=age_s))


async def settled(call: Call, one: Seen) -> Seen:
    """Keep a status that has moved. What cannot be kept now is found again the next time, and is true all the same."""
    over = one.body.former is not None and one.now.status == IN_SERVICE
    body = msgspec.structs.replace(one.body, former=None) if over else one.body
    if one.now.status == one.row.status and not over:
        return one
    row = msgspec.structs.replace(one.row, status=one.now.status, body=msgspec.json.encode(body))
    try:
        row = await call.app.storage.write(lambda transaction: transaction.update(row))
    except (StoreError, Fault):
        return one
    return Seen(row, body, one.now)


def summary(one: Seen) -> ProvisionedModelSummary:
    row, body = one.row, one.body
    shown: ProvisionedModelSummary = {
        "provisionedModelName": row.name or "",
        "provisionedModelArn": row.arn,
        "modelArn": (body.former or body.source).arn,
        "desiredModelArn": body.source.arn,
        "foundationModelArn": body.source.foundation_arn,
        "modelUnits": body.units,
        "desiredModelUnits": body.units,
        "status": one.now.status,
        "creationTime": row.created_at,
        "lastModifiedTime": row.updated_at,
    }
    if body.commitment and body.commitment_ends is not None:
        shown["commitmentDuration"] = body.commitment
        shown["commitmentExpirationTime"] = body.commitment_ends
    return shown


# --- create ---


@operation("bedrock", "CreateProvisionedModelThroughput")
async def create_provisioned_model_throughput(
    call: Call, req: CreateProvisionedModelThroughputRequest
) -> CreateProvisionedModelThroughputResponse:
    given = [(tag.key, tag.value) for tag in req.tags or ()]
    mine = provisioned_arn(call.account, call.region, "*")
    tagging.authorize_create(call, CREATE, (await named(call, req.modelId),), mine, given)
    tags = tagging.checked(given)
    source = await source_of(call, req.modelId)
    term = req.commitmentDuration or ""
    ends = call.app.clock.now() + TERMS[term] if term else None
    body = ProvisionedBody(source=source, units=req.modelUnits, commitment=term, commitment_ends=ends, tags=tags)
    row = stored.new_row(call, noun(call), provisioned_arn, req.provisionedModelName, body)
    row = msgspec.structs.replace(row, status=CREATING)
    asked = (req.provisionedModelName, req.modelId, req.modelUnits, term, tags)
    with modelled():
        made = await stored.create(
            call,
            noun(call),
            row,
            token=req.clientRequestToken,
            request=asked,
            check=lambda store: check_new(call, store, body),
        )
    return {"provisionedModelArn": made.arn}


@contextmanager
def modelled() -> Iterator[None]:
    """Conflicts of names and tokens as Create and Update can say them: their model has no ConflictException."""
    try:
        yield
    except Fault as fault:
        raise validation(fault.message) if fault.name == "ConflictException" else fault from None


def check_new(call: Call, store: Reader, asked: ProvisionedBody) -> None:
    """The model is still there, and so many model units may be kept that nobody is bound to."""
    check_there(store, asked.source)
    if asked.commitment:
        return
    most = call.app.settings.file.limits.provisioned_units
    if free_units(store, call.account, call.region) + asked.units > most:
        raise quota_exceeded(TOO_MANY_UNITS.format(most=most))


# --- get, list ---


NAMED = Named(
    KIND,
    SHOWN,
    lambda call, name: provisioned_arn(call.account, call.region, name),
    lambda row: row.read(ProvisionedBody).tags,
)


async def judged(call: Call, action: str, identifier: str, *besides: str) -> Resource:
    """The caller's row by ARN, id or name, if the caller may do the action on it."""
    return await judged_by_name(call, NAMED, action, identifier, *besides)


@operation("bedrock", "GetProvisionedModelThroughput")
async def get_provisioned_model_throughput(
    call: Call, req: GetProvisionedModelThroughputRequest
) -> GetProvisionedModelThroughputResponse:
    row = await judged(call, "bedrock:GetProvisionedModelThroughput", req.provisionedModelId)
    one = await settled(call, seen(call, row, await fleet(call)))
    shown = cast("GetProvisionedModelThroughputResponse", summary(one))
    if one.now.message:
        shown["failureMessage"] = one.now.message[:_LONGEST_MESSAGE]
    return shown


@operation("bedrock", "ListProvisionedModelThroughputs")
async def list_provisioned_model_throughputs(
    call: Call, req: ListProvisionedModelThroughputsRequest
) -> ListProvisionedModelThroughputsResponse:
    """The newest first, unless it is asked otherwise."""
    call.authorize("bedrock:ListProvisionedModelThroughputs", "*")
    after, before = req.creationTimeAfter, req.creationTimeBefore
    shape = stored.listing(call, after, before, req.statusEquals, req.modelArnEquals, req.nameContains, req.sortOrder)
    query = Query(
        kind=KIND,
        account=call.account,
        region=call.region,
        name_contains=req.nameContains,
        created_after=after,
        created_before=before,
        descending=req.sortOrder != "Ascending",
        limit=req.maxResults or stored.DEFAULT_PAGE,
        after=stored.opened(call, shape, req.nextToken),
    )
    rows = await fleet(call)
    found = await wanted(call, query, req, rows)
    answer: ListProvisionedModelThroughputsResponse = {
        "provisionedModelSummaries": [summary(await settled(call, seen(call, row, rows))) for row in found.items]
    }
    token = stored.issued(call, shape, found.after)
    if token is not None:
        answer["nextToken"] = token
    return answer


async def wanted(
    call: Call, query: Query, req: ListProvisionedModelThroughputsRequest, rows: dict[str, dict[str, Any]] | None
) -> Page:
    """A page of the rows that stand and are made as it is asked."""

    def keep(row: Resource) -> bool:
        one = seen(call, row, rows)
        if req.statusEquals and one.now.status != req.statusEquals:
            return False
        return not req.modelArnEquals or (one.body.former or one.body.source).arn == req.modelArnEquals

    with stored.faults(SHOWN):
        return await call.app.storage.read(lambda store: select(store, query, keep))


# --- update, delete ---


@operation("bedrock", "UpdateProvisionedModelThroughput")
async def update_provisioned_model_throughput(
    call: Call, req: UpdateProvisionedModelThroughputRequest
) -> UpdateProvisionedModelThroughputResponse:
    """A new name at once; another model by exchanging the replicas one after another, each warm before an old one goes."""
    besides = (await named(call, req.desiredModelId),) if req.desiredModelId else ()
    row = await judged(call, UPDATE, req.provisionedModelId, *besides)
    if not req.desiredModelId and not req.desiredProvisionedModelName:
        raise validation(NOTHING_ASKED)
    one = await settled(call, seen(call, row, await fleet(call)))
    source = await source_of(call, req.desiredModelId) if req.desiredModelId else one.body.source
    changed = source != one.body.source
    if changed:
        check_change(one, source)
    body = msgspec.structs.replace(one.body, source=source, former=one.body.source) if changed else one.body
    row = msgspec.structs.replace(
        one.row,
        name=req.desiredProvisionedModelName or one.row.name,
        status=UPDATING if changed else one.row.status,
        updated_at=call.app.clock.now(),
        body=msgspec.json.encode(body),
    )

    def work(transaction: Transaction) -> None:
        check_there(transaction, source)
        transaction.update(row)

    with modelled(), stored.faults(SHOWN):
        await call.app.storage.write(work)
    return {}


def check_change(one: Seen, source: Source) -> None:
    """Raise ValidationException for a model that this provisioned throughput cannot change to now."""
    if one.now.status in (CREATING, UPDATING):
        raise validation(BUSY.format(arn=one.row.arn, status=one.now.status))
    if not one.body.source.lineage:
        raise validation(OF_BASE)
    if source.lineage != one.body.source.lineage and source.foundation_arn != one.body.source.foundation_arn:
        raise validation(OTHER_LINEAGE)


@operation("bedrock", "DeleteProvisionedModelThroughput")
async def delete_provisioned_model_throughput(
    call: Call, req: DeleteProvisionedModelThroughputRequest
) -> DeleteProvisionedModelThroughputResponse:
    row = await judged(call, "bedrock:DeleteProvisionedModelThroughput", req.provisionedModelId)
    now = call.app.clock.now()

    def work(transaction: Transaction) -> None:
        found = transaction.get(row.arn)
        if found is None:
            raise stored.missing(SHOWN)
        ends = found.read(ProvisionedBody).commitment_ends
        if bound(ends, now):
            raise conflict(COMMITTED.format(arn=row.arn, ends=ends))
        transaction.delete(row.arn)

    with stored.faults(SHOWN):
        await call.app.storage.write(work)
    return {}


def bound(ends: datetime | None, now: datetime) -> bool:
    """Whether a commitment still holds."""
    return ends is not None and now < ends

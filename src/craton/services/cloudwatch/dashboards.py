"""Dashboards: kept, shown, listed and deleted. What is in one is the reader's business; its form is checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.access.request import tag_keys
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.metrics.dashboards.checking import Remark, checked
from craton.features.metrics.dashboards.dashboard import KIND, MOST, Dashboard, dashboard_arn
from craton.features.metrics.faults import as_faults, invalid
from craton.infra.store.pages import Listing
from craton.infra.store.port import GLOBAL, Query, Resource, Transaction, fingerprint
from craton.services.cloudwatch.alarm_request import tags_of
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.cloudwatch import (
        DeleteDashboardsInput,
        DeleteDashboardsOutput,
        GetDashboardInput,
        GetDashboardOutput,
        ListDashboardsInput,
        ListDashboardsOutput,
        PutDashboardInput,
        PutDashboardOutput,
    )

PAGE = 1000
LONGEST = 1024 * 1024
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
BAD_NAME = (
    "The value {} for field DashboardName is invalid: it must have 1 to 255 letters, digits, dashes (-) and "
    "underscores (_)."
)


@operation("cloudwatch", "PutDashboard")
async def put_dashboard(call: Call, req: PutDashboardInput) -> PutDashboardOutput:
    name, text, now = req.DashboardName, req.DashboardBody, call.now()
    given = {one.Key: one.Value for one in req.Tags or ()}
    arn = dashboard_arn(call.account, name)
    call.authorize("cloudwatch:PutDashboard", arn, given=tag_keys(request_tags=given))
    if given:
        call.authorize("cloudwatch:TagResource", arn, given=tag_keys(request_tags=given))
    if _NAME.fullmatch(name) is None:
        raise invalid(BAD_NAME.format(name))
    if len(text) > LONGEST:
        raise invalid(f"The field DashboardBody must have {LONGEST} characters at most.")
    remarks = checked(text)
    if any(one.fatal for one in remarks):
        raise bad_body(remarks)
    tags = tags_of(req.Tags)

    def work(transaction: Transaction) -> None:
        before = transaction.get(arn)
        if before is not None:
            body = msgspec.json.encode(Dashboard(text, before.read(Dashboard).tags))
            transaction.update(msgspec.structs.replace(before, body=body, updated_at=now))
            return
        if transaction.count(call.account, GLOBAL, KIND) >= MOST:
            raise invalid(f"An account may have {MOST} dashboards.")
        transaction.create(
            Resource(
                account=call.account, region=GLOBAL, kind=KIND, id=name, name=name, arn=arn, status="ACTIVE",
                created_at=now, updated_at=now, body=msgspec.json.encode(Dashboard(text, tags)),
            )
        )  # fmt: skip

    with as_faults():
        await call.app.storage.keep(work)
    shown: list[Any] = [told(one) for one in remarks]
    return {"DashboardValidationMessages": shown}


def bad_body(remarks: list[Remark]) -> Fault:
    text = f"The field DashboardBody is invalid, there are {len(remarks)} validation errors."
    fields = {"dashboardValidationMessages": [told(one) for one in remarks]}
    return Fault("InvalidParameterInput", text, fields=fields, status=400)


def told(remark: Remark) -> dict[str, str]:
    return {"DataPath": remark.place, "Message": remark.text}


@operation("cloudwatch", "GetDashboard")
async def get_dashboard(call: Call, req: GetDashboardInput) -> GetDashboardOutput:
    arn = dashboard_arn(call.account, req.DashboardName)
    call.authorize("cloudwatch:GetDashboard", arn)
    with as_faults():
        row = await call.app.storage.read(lambda store: store.get(arn))
    if row is None:
        raise missing(req.DashboardName)
    body = row.read(Dashboard).text
    return {"DashboardArn": arn, "DashboardBody": body, "DashboardName": row.id}


@operation("cloudwatch", "ListDashboards")
async def list_dashboards(call: Call, req: ListDashboardsInput) -> ListDashboardsOutput:
    call.authorize("cloudwatch:ListDashboards", "*")
    prefix = req.DashboardNamePrefix
    listing = Listing(call.account, GLOBAL, "ListDashboards", fingerprint([prefix]))
    pages = call.app.storage.pages
    with as_faults():
        query = Query(
            kind=KIND, account=call.account, region=GLOBAL, id_prefix=prefix, sort="id", limit=PAGE,
            after=pages.open(listing, req.NextToken),
        )  # fmt: skip
        page = await call.app.storage.read(lambda store: store.list(query))
    token = pages.issue(listing, page.after)
    entries: list[Any] = [
        {
            "DashboardName": row.id,
            "DashboardArn": row.arn,
            "LastModified": row.updated_at,
            "Size": len(row.read(Dashboard).text.encode()),
        }
        for row in page.items
    ]
    return {"DashboardEntries": entries, **({"NextToken": token} if token else {})}


@operation("cloudwatch", "DeleteDashboards")
async def delete_dashboards(call: Call, req: DeleteDashboardsInput) -> DeleteDashboardsOutput:
    names = list(dict.fromkeys(req.DashboardNames))
    if not names:
        raise invalid("Need at least 1 dashboard")
    arns = {name: dashboard_arn(call.account, name) for name in names}
    call.authorize("cloudwatch:DeleteDashboards", *arns.values())

    def work(transaction: Transaction) -> None:
        gone = [name for name, arn in arns.items() if transaction.get(arn) is None]
        if gone:
            raise missing(*gone)
        for arn in arns.values():
            transaction.delete(arn)

    with as_faults():
        await call.app.storage.keep(work)
    return {}


def missing(*names: str) -> Fault:
    return Fault("ResourceNotFound", f"Dashboard {', '.join(names)} does not exist", status=404)

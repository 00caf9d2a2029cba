"""Versions: what a function was when it was published, under a number that is never given twice.

Owns publishing, listing and removing them. It must not know how a function is changed otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from craton.context import Call
from craton.features.functions.code import shown_sha256
from craton.features.functions.function import ACTIVE, ALIAS, VERSION, Alias, Configuration, Function
from craton.infra.store.port import Query, Resource, Transaction, select
from craton.services.lambda_ import asked, gate, paging, shown
from craton.services.lambda_.faults import as_faults, conflict, invalid, no_function, wrong_revision
from craton.services.operation import operation

if TYPE_CHECKING:
    from datetime import datetime

    from craton.aws.shapes.lambda_ import (
        FunctionConfiguration,
        ListVersionsByFunctionRequest,
        ListVersionsByFunctionResponse,
        PublishVersionRequest,
    )

_MOST_ROWS: Final = 10_000


@operation("lambda", "PublishVersion")
async def publish_version(call: Call, req: PublishVersionRequest) -> FunctionConfiguration:
    """The newest version itself where nothing has changed since it was published."""
    found = await gate.opened(call, "lambda:PublishVersion", req.FunctionName)
    asked.check_supported(req)

    def work(transaction: Transaction) -> tuple[Resource, Resource]:
        row = current(transaction, found.row)
        latest = row.read(Function).latest
        check_revision(latest, req.RevisionId)
        if req.CodeSha256 and req.CodeSha256 != shown_sha256(latest.code):
            raise invalid(
                f"CodeSHA256 ({req.CodeSha256[:64]}) is different from current CodeSHA256 in $LATEST "
                f"({shown_sha256(latest.code)}). Please try again with the CodeSHA256 in $LATEST."
            )
        return row, publish(transaction, row, req.Description or None, call.now())

    with as_faults():
        row, made = await call.app.storage.keep(work)
    return await shown.configuration(call, row, made.read(Configuration), qualified=True)


def current(transaction: Transaction, row: Resource) -> Resource:
    """A function's row as it is now. Raises ResourceNotFoundException."""
    found = transaction.get(row.arn)
    if found is None:
        raise no_function(row.arn)
    return found


def check_revision(of: Configuration | Alias, wanted: str | None) -> None:
    """Raise PreconditionFailedException where somebody has changed it since."""
    if wanted is not None and wanted != of.revision:
        raise wrong_revision()


def publish(transaction: Transaction, row: Resource, description: str | None, now: datetime) -> Resource:
    """The row of the function's next version, which is the newest one if that is the same still."""
    body = row.read(Function)
    number = body.next_version
    before = transaction.get(f"{row.arn}:{number - 1}")
    if before is not None and _same(before.read(Configuration), body.latest, description):
        return before
    made = msgspec.structs.replace(
        body.latest,
        version=str(number),
        revision=asked.new_revision(),
        description=body.latest.description if description is None else description,
    )
    again = msgspec.structs.replace(body, next_version=number + 1)
    transaction.update(msgspec.structs.replace(row, body=msgspec.json.encode(again)))
    return transaction.create(
        Resource(
            account=row.account, region=row.region, kind=VERSION, id=f"{row.id}:{number}", arn=f"{row.arn}:{number}",
            status=ACTIVE, created_at=now, updated_at=now, body=msgspec.json.encode(made),
        )
    )  # fmt: skip


def _same(before: Configuration, latest: Configuration, description: str | None) -> bool:
    """Whether a version is what the function is now, but for what tells them apart."""
    wanted = latest.description if description is None else description
    blank = {"version": "", "revision": "", "modified_at": latest.modified_at}
    same = msgspec.structs.replace(before, **blank) == msgspec.structs.replace(latest, **blank, description=wanted)
    return same and before.modified_at == latest.modified_at


async def all_of(call: Call, row: Resource) -> list[Configuration]:
    """The published versions of a function, in the order of their numbers."""
    query = Query(
        kind=VERSION, account=row.account, region=row.region, id_prefix=f"{row.id}:", limit=_MOST_ROWS
    )  # fmt: skip
    with as_faults():
        page = await call.app.storage.read(lambda store: store.list(query))
    return [one.read(Configuration) for one in page.items]


@operation("lambda", "ListVersionsByFunction")
async def list_versions_by_function(call: Call, req: ListVersionsByFunctionRequest) -> ListVersionsByFunctionResponse:
    """`$LATEST` first, then by number."""
    found = await gate.opened(call, "lambda:ListVersionsByFunction", req.FunctionName)
    row = found.row
    query = Query(kind=VERSION, id_prefix=f"{row.id}:")
    rows, marker = await paging.rows(call, query, req.Marker, req.MaxItems)
    told = [] if req.Marker else [await shown.configuration(call, row, found.function.latest, qualified=True)]
    told += [await shown.configuration(call, row, one.read(Configuration), qualified=True) for one in rows]
    return paging.paged({"Versions": told}, marker)  # type: ignore[return-value]


def remove(transaction: Transaction, row: Resource, number: str) -> None:
    """Take away one version. Raises ResourceConflictException while an alias leads to it."""
    found = transaction.get(f"{row.arn}:{number}")
    if found is None or found.kind != VERSION:
        raise no_function(f"{row.arn}:{number}")
    query = Query(kind=ALIAS, account=row.account, region=row.region, id_prefix=f"{row.id}:", limit=_MOST_ROWS)
    users = select(transaction, query, lambda one: _leads(one.read(Alias), number)).items
    if users:
        names = ", ".join(one.arn for one in users)
        raise conflict(f"Version {number} is currently being used by aliases: {names}")
    transaction.delete(found.arn)
    body = transaction.get(row.arn)
    if body is not None:
        transaction.update(msgspec.structs.replace(body, body=without(body.read(Function), number)))


def without(function: Function, qualifier: str) -> bytes:
    """The body of a function's row that has nothing more under a qualifier."""

    def less(held: dict[str, object]) -> dict[str, object]:
        return {name: value for name, value in held.items() if name != qualifier}

    return msgspec.json.encode(
        msgspec.structs.replace(
            function, policies=less(function.policies), retries=less(function.retries),  # type: ignore[arg-type]
            provisioned=less(function.provisioned), runtimes=less(function.runtimes),  # type: ignore[arg-type]
        )
    )  # fmt: skip


def _leads(alias: Alias, number: str) -> bool:
    return alias.version == number or number in alias.weights

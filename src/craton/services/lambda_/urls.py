"""Function URLs: made, shown, changed, removed.

Owns their rows. What answers at one is `front.function_url`'s. Source: AWS Lambda developer guide, "Function URLs".
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.context import Call
from craton.features.functions.function import ACTIVE, URL, FunctionUrl
from craton.infra.store.port import Query, Resource, Transaction
from craton.services.lambda_ import gate, paging, shown
from craton.services.lambda_.faults import as_faults, conflict, invalid, missing
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.lambda_ import (
        CreateFunctionUrlConfigRequest,
        CreateFunctionUrlConfigResponse,
        DeleteFunctionUrlConfigRequest,
        GetFunctionUrlConfigRequest,
        GetFunctionUrlConfigResponse,
        ListFunctionUrlConfigsRequest,
        ListFunctionUrlConfigsResponse,
        UpdateFunctionUrlConfigRequest,
        UpdateFunctionUrlConfigResponse,
    )

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_CORS: Final = ("AllowCredentials", "AllowHeaders", "AllowMethods", "AllowOrigins", "ExposeHeaders", "MaxAge")


@operation("lambda", "CreateFunctionUrlConfig")
async def create_function_url_config(
    call: Call, req: CreateFunctionUrlConfigRequest
) -> CreateFunctionUrlConfigResponse:
    given = {"lambda:functionurlauthtype": req.AuthType}
    found = await gate.opened(call, "lambda:CreateFunctionUrlConfig", req.FunctionName, req.Qualifier, given=given)
    if found.named.qualifier is not None and found.alias is None:
        raise invalid("A function URL can be made for a function or an alias, not for a version.")
    ident = "".join(secrets.choice(_LETTERS) for _ in range(32))
    body = FunctionUrl(
        function=found.row.arn,
        auth=req.AuthType,
        qualifier=found.named.qualifier,
        mode=req.InvokeMode or "BUFFERED",
        cors=_cors(req.Cors),
    )
    row = Resource(
        account=found.row.account, region=found.row.region, kind=URL, id=ident, arn=_arn(found), status=ACTIVE,
        created_at=call.now(), updated_at=call.now(), body=msgspec.json.encode(body),
    )  # fmt: skip

    def work(transaction: Transaction) -> Resource:
        if transaction.get(row.arn) is not None:
            raise conflict(
                f"Failed to create function url config for [functionArn = {found.named.asked}]. Error message:  FunctionUrlConfig exists for this Lambda function"
            )
        return transaction.create(row)

    with as_faults():
        made = await call.app.storage.keep(work)
    return _shown(call, made)  # type: ignore[return-value]


@operation("lambda", "GetFunctionUrlConfig")
async def get_function_url_config(call: Call, req: GetFunctionUrlConfigRequest) -> GetFunctionUrlConfigResponse:
    found = await gate.opened(call, "lambda:GetFunctionUrlConfig", req.FunctionName, req.Qualifier)
    with as_faults():
        row = await call.app.storage.read(lambda store: store.get(_arn(found)))
    if row is None:
        raise _none()
    return _shown(call, row)  # type: ignore[return-value]


@operation("lambda", "UpdateFunctionUrlConfig")
async def update_function_url_config(
    call: Call, req: UpdateFunctionUrlConfigRequest
) -> UpdateFunctionUrlConfigResponse:
    given = {"lambda:functionurlauthtype": req.AuthType} if req.AuthType else {}
    found = await gate.opened(call, "lambda:UpdateFunctionUrlConfig", req.FunctionName, req.Qualifier, given=given)

    def work(transaction: Transaction) -> Resource:
        row = transaction.get(_arn(found))
        if row is None:
            raise _none()
        before = row.read(FunctionUrl)
        after = msgspec.structs.replace(
            before,
            auth=req.AuthType or before.auth,
            mode=req.InvokeMode or before.mode,
            cors=before.cors if req.Cors is None else _cors(req.Cors),
        )
        return transaction.update(
            msgspec.structs.replace(row, body=msgspec.json.encode(after), updated_at=call.now())
        )  # fmt: skip

    with as_faults():
        return _shown(call, await call.app.storage.keep(work))  # type: ignore[return-value]


@operation("lambda", "DeleteFunctionUrlConfig")
async def delete_function_url_config(call: Call, req: DeleteFunctionUrlConfigRequest) -> None:
    found = await gate.opened(call, "lambda:DeleteFunctionUrlConfig", req.FunctionName, req.Qualifier)

    def work(transaction: Transaction) -> None:
        if transaction.get(_arn(found)) is None:
            raise _none()
        transaction.delete(_arn(found))

    with as_faults():
        await call.app.storage.keep(work)


@operation("lambda", "ListFunctionUrlConfigs")
async def list_function_url_configs(call: Call, req: ListFunctionUrlConfigsRequest) -> ListFunctionUrlConfigsResponse:
    found = await gate.opened(call, "lambda:ListFunctionUrlConfigs", req.FunctionName)
    rows, marker = await paging.rows(
        call, Query(kind=URL), req.Marker, req.MaxItems, found.row.arn,
        keep=lambda row: row.read(FunctionUrl).function == found.row.arn,
    )  # fmt: skip
    return paging.paged({"FunctionUrlConfigs": [_shown(call, row) for row in rows]}, marker)  # type: ignore[return-value]


def _none() -> Exception:
    return missing("The resource you requested does not exist.")


def _arn(found: gate.Opened) -> str:
    """The name of a URL's row: one for the function, one for each alias."""
    return f"{found.row.arn}:{found.named.qualifier or ''}/url"


def _cors(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    found = {name: getattr(given, name) for name in _CORS}
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in found.items() if value is not None
    }


def address(call: Call, row: Resource) -> str:
    """The URL: a path of this server, at the address by which the caller came. Any host that begins with the id leads
    there as well (`ID.lambda-url.REGION.…`).
    """
    scheme = "https" if call.secure else "http"
    return f"{scheme}://{call.header(b'host') or 'localhost'}/lambda-url/{row.id}/"


def _shown(call: Call, row: Resource) -> dict[str, Any]:
    body = row.read(FunctionUrl)
    told: dict[str, Any] = {
        "FunctionUrl": address(call, row),
        "FunctionArn": body.function if body.qualifier is None else f"{body.function}:{body.qualifier}",
        "AuthType": body.auth,
        "CreationTime": shown.moment(row.created_at),
        "LastModifiedTime": shown.moment(row.updated_at),
        "InvokeMode": body.mode,
    }
    if body.cors:
        told["Cors"] = body.cors
    return told

"""Service-specific credentials of users: the long-term API keys of Bedrock.

The key is shown once, by Create and Reset; what is kept is its hash (`infra.keys.bearer`). Without a user's name the
operations mean the caller's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.everybody import principal_of
from craton.infra.identities.records import User
from craton.infra.identities.snapshot import person_of
from craton.infra.keys import bearer
from craton.infra.keys.bearer import BearerRecord
from craton.infra.store.port import GLOBAL, Reader, Resource, Transaction
from craton.services.iam import pages
from craton.services.iam.nouns import USERS, action, change, faults, limit, no_such
from craton.services.iam.users import named_or_caller, user_of
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.access.variables import Value
    from craton.aws.shapes import iam

_SERVICE_KEY = "iam:servicespecificcredentialservicename"
_AGE_KEY = "iam:servicespecificcredentialagedays"


@operation("iam", "CreateServiceSpecificCredential")
async def create_service_specific_credential(
    call: Call, req: iam.CreateServiceSpecificCredentialRequest
) -> iam.CreateServiceSpecificCredentialResponse:
    given: dict[str, Value] = {_SERVICE_KEY: req.ServiceName}
    if req.CredentialAgeDays is not None:
        given[_AGE_KEY] = str(req.CredentialAgeDays)

    def alter(transaction: Transaction, row: Resource, body: User) -> iam.ServiceSpecificCredential:
        if req.ServiceName != bearer.SERVICE:
            text = f"No such service {req.ServiceName} is supported for Service Specific Credentials"
            raise Fault("NotSupportedService", text, status=404)
        if len(body.credentials) >= bearer.MAX_PER_USER:
            raise limit("ServiceSpecificCredentialsPerUser", bearer.MAX_PER_USER)
        owner = principal_of(person_of(row))
        made, secret = bearer.new_key(owner, age_days=req.CredentialAgeDays, now=call.app.clock.now())
        record = bearer.record(transaction.create(made), call.app.clock.now())
        body.credentials.append(record.credential_id)
        return _with_secret(record, secret)

    return {"ServiceSpecificCredential": await change(call, USERS, req.UserName, alter, given)}


@operation("iam", "ListServiceSpecificCredentials")
async def list_service_specific_credentials(
    call: Call, req: iam.ListServiceSpecificCredentialsRequest
) -> iam.ListServiceSpecificCredentialsResponse:
    """Of one user, of the caller, or of all users of the account."""
    if req.AllUsers:
        if req.UserName is not None:
            raise Fault("ValidationError", "UserName cannot be given together with AllUsers.", status=400)
        call.authorize(action(call), "*")
        work = lambda store: list(records.rows(store, bearer.KIND, call.account))  # noqa: E731
    else:
        ids = (await user_of(call, req.UserName)).read(User).credentials
        work = lambda store: _found(store, call.account, ids)  # noqa: E731
    with faults():
        rows = await call.app.storage.read(work)
    now = call.app.clock.now()
    kept = [bearer.record(row, now) for row in rows if req.ServiceName in (None, bearer.SERVICE)]
    filters = (req.UserName, req.ServiceName, req.AllUsers)
    shown, tail = pages.of_list(call, req, kept, lambda record: record.credential_id, *filters)
    return {"ServiceSpecificCredentials": [_shown(record) for record in shown], **tail}  # type: ignore[typeddict-item]


@operation("iam", "UpdateServiceSpecificCredential")
async def update_service_specific_credential(call: Call, req: iam.UpdateServiceSpecificCredentialRequest) -> None:
    """Switch a key on or off."""
    if req.Status not in (records.ACTIVE, records.INACTIVE):
        raise Fault("ValidationError", "A credential is made Active or Inactive.", status=400)

    def alter(transaction: Transaction, row: Resource, body: User) -> None:
        kept = _own(transaction, body, call.account, req.ServiceSpecificCredentialId)
        now = call.app.clock.now()
        transaction.update(msgspec.structs.replace(kept, status=req.Status, updated_at=now))

    await change(call, USERS, named_or_caller(call, req.UserName), alter)


@operation("iam", "ResetServiceSpecificCredential")
async def reset_service_specific_credential(
    call: Call, req: iam.ResetServiceSpecificCredentialRequest
) -> iam.ResetServiceSpecificCredentialResponse:
    """A new key under the old id; the old key ends at once."""

    def alter(transaction: Transaction, row: Resource, body: User) -> iam.ServiceSpecificCredential:
        kept = _own(transaction, body, call.account, req.ServiceSpecificCredentialId)
        fresh, secret = bearer.reset_key(kept, now=call.app.clock.now())
        return _with_secret(bearer.record(transaction.update(fresh), call.app.clock.now()), secret)

    answer = await change(call, USERS, named_or_caller(call, req.UserName), alter)
    return {"ServiceSpecificCredential": answer}


@operation("iam", "DeleteServiceSpecificCredential")
async def delete_service_specific_credential(call: Call, req: iam.DeleteServiceSpecificCredentialRequest) -> None:
    def alter(transaction: Transaction, row: Resource, body: User) -> None:
        transaction.delete(_own(transaction, body, call.account, req.ServiceSpecificCredentialId).arn)
        body.credentials.remove(req.ServiceSpecificCredentialId)

    await change(call, USERS, named_or_caller(call, req.UserName), alter)


def _found(store: Reader, account: str, ids: list[str]) -> list[Resource]:
    rows = (store.get_by_id(account, GLOBAL, bearer.KIND, ident) for ident in ids)
    return [row for row in rows if row is not None]


def _own(transaction: Transaction, body: User, account: str, ident: str) -> Resource:
    found = _found(transaction, account, [ident]) if ident in body.credentials else []
    if not found:
        raise no_such(f"The service specific credential {ident} cannot be found.")
    return found[0]


def _shown(record: BearerRecord) -> iam.ServiceSpecificCredentialMetadata:
    shown: dict[str, Any] = {
        "UserName": record.user_name,
        "Status": record.status,
        "ServiceCredentialAlias": record.alias,
        "CreateDate": record.created_at,
        "ServiceSpecificCredentialId": record.credential_id,
        "ServiceName": record.service_name,
    }
    if record.expires_at is not None:
        shown["ExpirationDate"] = record.expires_at
    return shown  # type: ignore[return-value]


def _with_secret(record: BearerRecord, secret: str) -> iam.ServiceSpecificCredential:
    return {**_shown(record), "ServiceCredentialSecret": secret}  # type: ignore[typeddict-item]

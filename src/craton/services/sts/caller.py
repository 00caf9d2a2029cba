"""Who calls, and whose key this is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.identities.secrets import account_of
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes import sts


@operation("sts", "GetCallerIdentity")
async def get_caller_identity(call: Call, req: Any) -> sts.GetCallerIdentityResponse:
    """Needs no permission, and no policy can forbid it: the answer is what the caller's signature proved."""
    return {"UserId": call.caller.user_id, "Account": call.account, "Arn": call.caller.arn}


@operation("sts", "GetAccessKeyInfo")
async def get_access_key_info(call: Call, req: sts.GetAccessKeyInfoRequest) -> sts.GetAccessKeyInfoResponse:
    """The account of a key: as known here, else as the id itself says."""
    call.authorize("sts:GetAccessKeyInfo", "*")
    known = call.app.live.credentials.owner(req.AccessKeyId)
    account = known.account if known is not None else account_of(req.AccessKeyId)
    if account is None:
        raise Fault("ValidationError", "Access key id is not valid.", status=400)
    return {"Account": account}


@operation("sts", "DecodeAuthorizationMessage")
async def decode_authorization_message(call: Call, req: sts.DecodeAuthorizationMessageRequest) -> NoReturn:
    """No operation here encodes a denial: `craton explain` tells what AWS hides in such a message."""
    call.authorize("sts:DecodeAuthorizationMessage", "*")
    raise Fault("InvalidAuthorizationMessageException", "The message is none that this server encoded.", status=400)

"""GetSessionToken: temporary credentials of a user or of root, who are the same caller with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from craton.aws.wire.faults import access_denied
from craton.context import Call
from craton.services.operation import operation
from craton.services.sts import issue

if TYPE_CHECKING:
    from craton.aws.shapes import sts

DEFAULT_S = 43_200
ROOT_S = 3600


@operation("sts", "GetSessionToken")
async def get_session_token(call: Call, req: sts.GetSessionTokenRequest) -> sts.GetSessionTokenResponse:
    """Needs no permission, but long-term keys. Root's live an hour at most, as on AWS."""
    caller = call.caller
    if caller.issued_at is not None or caller.kind not in ("root", "user"):
        raise access_denied("Cannot call GetSessionToken with session credentials")
    if req.SerialNumber is not None or req.TokenCode is not None:
        raise access_denied("MultiFactorAuthentication failed with invalid MFA one time pass code.")
    asked = req.DurationSeconds or DEFAULT_S
    seconds = min(asked, ROOT_S) if caller.is_root else asked
    principal = msgspec.structs.replace(caller, issued_at=call.app.clock.now())
    _, credentials = issue.issued(call, principal, caller.user_id, seconds)
    return {"Credentials": credentials}

"""POST /craton/explain: why the caller, or whom it may ask about, is allowed something or not.

Everybody may ask about itself; about somebody else whoever may do `craton:Explain` on that ARN, which root may in its
account. Owns whom one may ask about; the answer is `features.access.why`'s.
"""

from __future__ import annotations

import msgspec

from craton.aws.wire.json_body import read_body
from craton.context import Call
from craton.features.access import why
from craton.front.own_door import own_operation

EXPLAIN = own_operation("Explain", "/craton/explain")


async def explain(call: Call, body: bytes) -> bytes:
    asked = read_body(body, why.Asked)
    if not why.is_oneself(call.caller, asked.who):
        call.authorize(why.ACTION, asked.who)
    authority = call.app.live.authority
    whom = why.whom_of(authority, call, asked)
    if asked.draft and call.app.settings.file.server.workers > 1:
        # What other workers saw joins this one's record.
        heard = await call.app.supervisor.calls(why.recorded_as(whom))
        authority.record.hear(() if heard is None else (heard,))
    return msgspec.json.encode(why.answer(authority, call, asked, whom))

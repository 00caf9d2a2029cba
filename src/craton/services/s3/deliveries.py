"""Events of buckets on their way to functions: kept as asynchronous invocations by s3.amazonaws.com.

Owns what the event says and that it is durable before the request that caused it is answered, and whether a function would
let S3 in: asked when a bucket names it, and judged with each event, by the function's own policy. How an event is delivered
is `workflows.invoke_function`'s.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import msgspec

from craton.aws.access.credentials import Principal
from craton.aws.arn import parse
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.features.functions import pending
from craton.features.objects.events import Change, message
from craton.infra.cipher.port import CipherError
from craton.infra.store.port import StoreError

if TYPE_CHECKING:
    from craton.features.objects.notifications import Target
    from craton.services.s3.gate import Opened
    from craton.services.s3.notifications import Event

SERVICE = "s3.amazonaws.com"


async def to_function(call: Call, found: Opened, event: Event, target: Target) -> None:
    """Keep an event for a function. The change of the object stands already, so trouble is told to the log alone."""
    where = parse(target.arn)
    if where is None:
        return
    change = Change(
        name=event.name.removeprefix("s3:"),
        bucket=found.name,
        bucket_arn=found.arn,
        owner=found.owner,
        region=found.region,
        key=event.key,
        size=event.size,
        etag=event.etag,
        version_id=event.version_id,
        sequencer=f"{time.time_ns() // 1000:016X}",
        rule=target.id,
        principal=call.caller.user_id,
        source_ip=call.source_ip or "",
        request_id=call.request_id,
        host_id=call.request_id,
        at=call.now(),
    )
    told = pending.Event(
        function=target.arn,
        principal=SERVICE,
        source=found.arn,
        account=found.owner,
        request_id=pending.new_id(),
        received_at=call.now(),
        trace=call.header(b"x-amzn-trace-id") or "",
    )
    try:
        await pending.put(call.app.storage, call.app.cipher, told, message(change), where.region)
    except (StoreError, CipherError) as error:
        print(f"craton: s3: an event of {found.name} is lost: {type(error).__name__}", file=sys.stderr, flush=True)
        call.report(error)


async def refusal_of_function(call: Call, found: Opened, arn: str) -> str:
    """Why S3 could not invoke a function for this bucket, "" if it could."""
    if call.app.settings.file.lambda_.endpoint_url:
        return ""  # functions are elsewhere, and so are their policies
    from craton.services.lambda_ import gate  # only who names functions needs them

    s3 = Principal(
        account=found.owner, arn=SERVICE, kind="service", user_id=SERVICE, name=SERVICE, source_arn=found.arn
    )
    as_s3 = msgspec.structs.replace(call, caller=s3, region=found.region)
    try:
        await gate.opened(as_s3, "lambda:InvokeFunction", arn)
    except Fault as fault:
        if not fault.client_fault:
            raise
        return f"Not authorized to invoke function [{arn}]"
    return ""

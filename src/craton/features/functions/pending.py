"""An asynchronous invocation that was acknowledged: the row, the run and the payload, kept together.

Owns their form and that they are written in one transaction, so nothing that was acknowledged is lost. How one is
delivered, tried again and given up is the workflow's (`workflows.invoke_function`). It must not know HTTP.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import msgspec

from craton.aws.arn import make
from craton.infra.store.port import Resource, Transaction

if TYPE_CHECKING:
    from craton.context import Storage
    from craton.infra.cipher.port import Cipher

KIND: Final = "lambda-event"
PAYLOAD: Final = "payload"
WAITING: Final = "Waiting"
MOST_BYTES: Final = 1024 * 1024


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`function` is the ARN that is invoked, with its qualifier if it has one. `principal` invokes it, for `source`.

    `account` is the source's, which policies may ask for; `trace` the header of the chain of causes, `context` the client
    context. `tries` counts what was tried.
    """

    function: str
    principal: str
    source: str
    account: str
    request_id: str
    received_at: datetime
    trace: str = ""
    context: str = ""
    tries: int = 0


async def put(
    storage: Storage, cipher: Cipher, event: Event, payload: bytes, region: str, *, key: str | None = None
) -> str:  # fmt: skip
    """Keep an event with its run; when this returns, it will be delivered or given up by its rules. The run's ARN.

    Raises StoreError, CipherError.
    """
    from craton.infra.jobs import runs  # with the SQL toolkit, which a server without jobs never loads

    account = event.function.split(":", 5)[4]
    ident = event.request_id
    arn = make("lambda", region, account, f"event:{ident}")
    row = Resource(
        account=account, region=region, kind=KIND, id=ident, arn=arn, status=WAITING,
        created_at=event.received_at, updated_at=event.received_at, body=msgspec.json.encode(event),
    )  # fmt: skip
    plain = msgspec.msgpack.encode(payload)
    bound = runs.bound(arn, PAYLOAD)
    sealed = await cipher.seal(account, runs.STEP_PURPOSE, key, plain, bound, region=region)

    def work(transaction: Transaction) -> None:
        transaction.create(row)
        transaction.run(lambda connection: runs.enqueue(connection, arn, KIND, event.received_at))
        transaction.run(lambda connection: runs.give(connection, arn, PAYLOAD, sealed, event.received_at))

    await storage.keep(work)
    return arn


def new_id() -> str:
    return str(uuid4())

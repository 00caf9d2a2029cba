"""An action of an alarm, carried out: a function is invoked, a webhook called; then the alarm's history has it.

Owns how each target is reached and how long that is tried. A function takes its event asynchronously, as CloudWatch's own
principal for the alarm, so that its resource policy decides. A run that was cut short calls again: at least once. It must
not know why an alarm changed.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from urllib.parse import urlsplit

import msgspec

from craton.config import secret
from craton.features.metrics.alarms import history
from craton.features.metrics.alarms.change import ACTION, Action
from craton.features.metrics.alarms.history import Item
from craton.features.metrics.alarms.message import as_notification, for_function
from craton.features.metrics.alarms.signing import signed
from craton.features.metrics.alarms.targets import FUNCTION, WEBHOOK, kind_of, url_of
from craton.infra.jobs import runs
from craton.infra.store.port import Resource, Transaction
from craton.models.providers.dial import open_transport
from craton.models.providers.transport import TransportError
from craton.workflows.workflow import Job, Later, workflow

PRINCIPAL = "lambda.alarms.cloudwatch.amazonaws.com"
PATIENCE = timedelta(hours=1)
_CALL_S = 10.0
_LONGEST_S = 120.0
_BUSY = frozenset({408, 429})


async def dropped(job: Job, message: str) -> None:
    """An action that a mistake of ours kept from being carried out."""
    row = await job.row()
    await _finish(job, row.read(Action), message)


@workflow(ACTION, failed=dropped, room=16)
async def carry_out(job: Job) -> None:
    """Carry the action out once; raises Later where its target is to be tried again."""
    row = await job.row()
    action = row.read(Action)
    if action.target.startswith(FUNCTION):
        error = await _invoke(job, row, action)
    elif kind_of(action.target, job.tools.settings.file.cloudwatch.webhooks) == WEBHOOK:
        error = await _call(job, row, action)
    else:
        error = "The configuration names no such target any more."
    await _finish(job, action, error)


async def _invoke(job: Job, row: Resource, action: Action) -> str:
    """The error, "" for none."""
    credentials = job.tools.service(PRINCIPAL, action.alarm)
    about = msgspec.structs.replace(row, arn=action.alarm)
    payload = for_function(about, action.told, action.since)
    headers = [(b"x-amz-invocation-type", b"Event")]
    status, told, _ = await job.tools.functions(credentials).invoke(action.target, payload, headers=headers)
    if status < 300:
        return ""
    _again(job, action, status)
    name = told.get(b"x-amzn-errortype", b"").decode("latin-1")
    return f"The function refused the event: {status} {name}".rstrip()


async def _call(job: Job, row: Resource, action: Action) -> str:
    url = url_of(action.target, job.tools.settings.file.cloudwatch.webhooks)
    parts = urlsplit(url if url.startswith(("http://", "https://")) else secret(url))
    body = msgspec.json.encode(action.message)
    if action.target.startswith("arn:aws"):
        body = as_notification(action.target, action.message, row.id, action.since)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        transport = open_transport(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        return "The webhook's address is none."
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"user-agent", b"craton-alarms")]
    key = secret(url_of(action.target, job.tools.settings.file.cloudwatch.webhook_keys))
    if key:
        try:
            headers += signed(key, row.id, int(job.tools.clock.now().timestamp()), body)
        except ValueError:
            return "The webhook's key is none."
    try:
        deadline = asyncio.get_running_loop().time() + _CALL_S
        whole = await transport.fetch(b"POST", path.encode(), headers, body, deadline=deadline, limit=1 << 20)
    except TransportError as error:
        _again(job, action, 503)
        return f"The webhook could not be reached: {type(error).__name__}"
    finally:
        await transport.close()
    if whole.status < 300:
        return ""
    _again(job, action, whole.status)
    return f"The webhook answered {whole.status}."


def _again(job: Job, action: Action, status: int) -> None:
    """Raise Later for what may pass, unless it has been tried for long."""
    if status < 500 and status not in _BUSY:
        return
    if job.tools.clock.now() - action.since < PATIENCE:
        raise Later(f"the target answered {status}", min(_LONGEST_S, 2.0 ** min(job.attempt, 10) / 2))


async def _finish(job: Job, action: Action, error: str) -> None:
    """Remember how it ended; the action and its run go."""
    if error:
        print(f"craton: alarms: {action.alarm}: an action failed: {error}", file=sys.stderr, flush=True)
    now = job.tools.clock.now()
    done = "Failed to execute" if error else "Successfully executed"
    data = {
        "actionState": "Failed" if error else "Succeeded",
        "notificationResource": action.target,
        "publishedMessage": action.told,
        "error": error or None,
    }
    item = Item(f"{done} action {action.target}", msgspec.json.encode(data).decode())

    def work(transaction: Transaction) -> None:
        row = transaction.get(job.arn)
        if row is None:
            return
        account, region = row.account, row.region
        transaction.run(
            lambda c: history.add(c, account, region, action.name, action.type, history.ACTION, now, item)
        )  # fmt: skip
        transaction.delete(job.arn)
        transaction.run(lambda c: runs.forget(c, job.arn))

    await job.write(work)

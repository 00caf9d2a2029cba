"""The life of a delivery: tried until the target has it, or given up by the target's rules and put into the dead letters.

Owns the order of these and the ways to targets. A try that a crash cut off is made again: delivery is at least once. Targets
are reached through the gateway as events.amazonaws.com on behalf of the rule, or as the target's role, so their own policies
decide. It must not know rules.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from craton.features.events.delivery import INPUT, KIND, Delivery
from craton.features.events.rule import DAY_S, MOST_TRIES
from craton.infra.store.port import microseconds
from craton.workflows.workflow import Job, JobFailed, Later, workflow

if TYPE_CHECKING:
    from craton.workflows.tools import JobCredentials

SERVICE: Final = "events.amazonaws.com"
_SESSION: Final = "EventBridge"
_ROOM: Final = 64
_LOST = "What the event holds is lost."
_THERE: Final = "ResourceAlreadyExistsException"


class Refused(Exception):
    """The target does not take it and never will; the message is AWS's error code."""


class Away(Exception):
    """The target cannot take it now."""


async def dropped(job: Job, message: str) -> None:
    """An event that could not be delivered by a mistake of ours."""
    print(f"craton: events: {job.arn} was given up: {message}", file=sys.stderr, flush=True)
    await job.forget()


@workflow(KIND, failed=dropped, room=_ROOM)
async def deliver(job: Job) -> None:
    """Try once; raises Later where it is to be tried again."""
    delivery = (await job.row()).read(Delivery)
    given = delivery.input.encode() if delivery.input is not None else await job.step(INPUT, lost, bytes, sealed=True)
    if job.stopping:
        await job.forget()
        return
    try:
        await sent(job, delivery, given)
    except Refused as refused:
        await give_up(job, delivery, given, str(refused), "NO_RETRY")
    except Away as away:
        await again(job, delivery, given, str(away))
    else:
        await job.forget()


async def sent(job: Job, delivery: Delivery, given: bytes) -> None:
    """Bring it to its target. Raises Refused, Away."""
    target = delivery.target
    way = _WAYS.get(target.arn.split(":", 3)[2])
    if way is None:
        raise Refused("UnsupportedTarget")
    try:
        await way(job, credentials(job, delivery), delivery, given)
    except JobFailed as error:  # the role is gone, or does not trust the service any more
        raise Refused(f"AccessDeniedException: {error}") from None


async def again(job: Job, delivery: Delivery, given: bytes, why: str) -> None:
    """Put it off, or give it up where its target's rules say so. Raises Later."""
    target, now = delivery.target, job.tools.clock.now()
    table = job.tools.settings.file.events
    more = msgspec.structs.replace(delivery, tries=delivery.tries + 1)
    await job.amend(lambda row: msgspec.structs.replace(row, body=msgspec.json.encode(more)))
    retries = target.retries if target.retries is not None else MOST_TRIES
    age_s = target.age_s if target.age_s is not None else DAY_S
    if more.tries > retries:
        await give_up(job, more, given, why, "RETRY_ATTEMPTS_EXHAUSTED")
        return
    pause = min(table.retry_most_s, table.retry_s * 2.0 ** min(delivery.tries, 20)) * random.uniform(0.5, 1.0)  # noqa: S311
    if now + timedelta(seconds=pause) > delivery.accepted_at + timedelta(seconds=age_s):
        await give_up(job, more, given, why, "EVENT_AGE_EXCEEDED")
        return
    raise Later(f"the target could not be reached: {why}", pause)


async def give_up(job: Job, delivery: Delivery, given: bytes, why: str, condition: str) -> None:
    """Put it into the dead letters, or say in the server's log that it is gone."""
    letters = delivery.target.dead_letter
    if letters is None:
        print(f"craton: events: {delivery.target.arn} did not get an event of {delivery.rule}: {why}",
              file=sys.stderr, flush=True)  # fmt: skip
        await job.forget()
        return
    told = {
        "RULE_ARN": delivery.rule,
        "TARGET_ARN": delivery.target.arn,
        "ERROR_CODE": why,
        "EXHAUSTED_RETRY_CONDITION": condition,
        "RETRY_ATTEMPTS": delivery.tries,
        "event": msgspec.Raw(given),
    }
    to = msgspec.structs.replace(delivery, target=msgspec.structs.replace(delivery.target, arn=letters, role=None))
    try:
        await to_log_group(job, credentials(job, to), to, msgspec.json.encode(told))
    except Refused as refused:
        print(f"craton: events: the dead letters {letters} do not take an event of {delivery.rule}: {refused}",
              file=sys.stderr, flush=True)  # fmt: skip
    except Away as away:
        raise Later(
            f"the dead letters cannot be reached: {away}", job.tools.settings.file.events.retry_most_s
        ) from None
    await job.forget()


def credentials(job: Job, delivery: Delivery) -> JobCredentials:
    """As the target's role where it has one, else as EventBridge on behalf of the rule."""
    role = delivery.target.role
    if role is not None:
        return job.tools.credentials(role, _SESSION, delivery.rule, SERVICE)
    return job.tools.service(SERVICE, delivery.rule)


async def to_function(job: Job, keys: JobCredentials, delivery: Delivery, given: bytes) -> None:
    """An asynchronous invocation: Lambda's own rules hold from then on."""
    headers = [(b"x-amz-invocation-type", b"Event")]
    if delivery.trace:
        headers.append((b"x-amzn-trace-id", delivery.trace.encode()))
    status, told, _ = await job.tools.functions(keys).invoke(delivery.target.arn, given, headers=headers)
    if status >= 500 or status == 429:
        raise Away(f"status {status}")
    if status >= 300:
        raise Refused(told.get(b"x-amzn-errortype", b"").decode("latin-1") or str(status))


async def to_log_group(job: Job, keys: JobCredentials, delivery: Delivery, given: bytes) -> None:
    """A log event, in a stream of the rule's."""
    group = delivery.target.arn.split(":log-group:", 1)[-1].removesuffix(":*")
    stream = delivery.rule.split(":rule/", 1)[-1]
    at_ms, message = entry(given, microseconds(delivery.accepted_at) // 1000)
    event = {"timestamp": at_ms, "message": message}

    def put() -> None:
        logs = job.tools.aws("logs", keys)
        _unless_there(lambda: logs.create_log_stream(logGroupName=group, logStreamName=stream))
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])

    await _called(put)


def entry(given: bytes, now_ms: int) -> tuple[int, str]:
    """Time and text of a log event. A template may give both, as `{"timestamp": …, "message": …}`."""
    try:
        found = msgspec.json.decode(given)
    except (msgspec.DecodeError, RecursionError):
        return now_ms, given.decode()
    if isinstance(found, dict) and set(found) == {"timestamp", "message"} and isinstance(found["timestamp"], int):
        message = found["message"]
        return found["timestamp"], message if isinstance(message, str) else msgspec.json.encode(message).decode()
    return now_ms, given.decode()


Way = Callable[[Job, "JobCredentials", Delivery, bytes], Awaitable[None]]
_WAYS: Final[dict[str, Way]] = {"lambda": to_function, "logs": to_log_group}


async def _called(work: Callable[[], None]) -> None:
    """Blocking work in a thread. Raises Refused for what AWS refuses for good, Away for what may pass."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        await asyncio.to_thread(work)
    except ClientError as error:
        status, code = error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
        if status >= 500 or status == 429 or code == "ThrottlingException":
            raise Away(code) from None
        raise Refused(code) from None
    except BotoCoreError as error:
        raise Away(type(error).__name__) from None


def _unless_there(make: Callable[[], Any]) -> None:
    from botocore.exceptions import ClientError

    try:
        make()
    except ClientError as error:
        if error.response["Error"]["Code"] != _THERE:
            raise


async def lost() -> bytes:
    """What the target gets is there from the beginning, as a step that is done; without it there is nothing to do."""
    raise JobFailed(_LOST)

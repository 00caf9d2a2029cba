"""The life of an asynchronous invocation: tried until it goes well, or given up by its rules, and its end told.

Owns the order of these. A try that a crash cut off is made again, as AWS delivers at least once. The event, its payload and
its run go together when it is over. It must not know how a function is run: it is invoked through the gateway like any
other, by the principal that the event came from.
"""

from __future__ import annotations

import sys

import msgspec

from craton.features.functions.function import FUNCTION, LATEST, Alias, Configuration, Function, Retries
from craton.features.functions.outcome import (
    Condition,
    Outcome,
    backoff_s,
    is_busy,
    is_exhausted,
    is_over,
    pause_s,
    record,
)
from craton.features.functions.pending import KIND, PAYLOAD, Event
from craton.infra.store.port import Reader
from craton.workflows.invoke_function import destinations
from craton.workflows.workflow import Job, JobFailed, Later, workflow

_LOST = "The payload of the event is lost."
_ROOM = 64
_BYTES = 256 * 1024


class Terms(msgspec.Struct, frozen=True):
    """What a function's owner has said of its events. `role` is the execution role, which reaches the destinations."""

    role: str
    retries: Retries | None
    dead_letter: str | None


async def dropped(job: Job, message: str) -> None:
    """An event that could not be delivered by a mistake of ours."""
    print(f"craton: functions: an event of {job.account} was given up: {message}", file=sys.stderr, flush=True)
    await job.forget()


@workflow(KIND, failed=dropped, room=_ROOM)
async def deliver(job: Job) -> None:
    """Try once; raises Later where it is to be tried again."""
    event = (await job.row()).read(Event)
    payload = await job.step(PAYLOAD, lost, bytes, sealed=True)
    terms = await job.read(lambda store: terms_of(store, event))
    if terms is None and job.tools.settings.file.lambda_.endpoint_url:
        terms = Terms("", None, None)  # its owner has said it elsewhere
    if terms is None or job.stopping:
        await job.forget()
        return
    last = await earlier(job, event)
    if last is not None and last.succeeded:
        await finish(job, event, payload, last, terms, "Success")
    elif is_exhausted(event, terms.retries):
        await finish(job, event, payload, last, terms, "RetriesExhausted")
    elif is_over(event, terms.retries, job.tools.clock.now()):
        await finish(job, event, payload, last, terms, "EventAgeExceeded")
    else:
        await attempt(job, event, payload, terms)


async def attempt(job: Job, event: Event, payload: bytes, terms: Terms) -> None:
    """One try, and what follows from it."""
    outcome = await job.step(f"try {event.tries}", lambda: tried(job, event, payload), Outcome, sealed=True)
    if outcome.refused:
        print(f"craton: functions: {event.function} refuses an event of {event.principal} for {event.source}: "
              f"{outcome.error}", file=sys.stderr, flush=True)  # fmt: skip
        await job.forget()
        return
    event = await counted(job, event)
    if outcome.succeeded:
        await finish(job, event, payload, outcome, terms, "Success")
    elif is_exhausted(event, terms.retries):
        await finish(job, event, payload, outcome, terms, "RetriesExhausted")
    else:
        raise Later("the function failed", pause_s(event, job.tools.settings.file.lambda_.event_retry_s))


async def tried(job: Job, event: Event, payload: bytes) -> Outcome:
    """Invoke the function as whoever the event came from. Raises TransportError; Later where there is no room now, which
    is no try.
    """
    credentials = job.tools.service(event.principal, event.source, event.account)
    headers = [(b"x-craton-event-id", event.request_id.encode())]
    if event.trace:
        headers.append((b"x-amzn-trace-id", event.trace.encode()))
    if event.context:
        headers.append((b"x-amz-client-context", destinations.context_header(event.context)))
    status, told, body = await job.tools.functions(credentials).invoke(event.function, payload, headers=headers)
    if is_busy(status):
        raise Later(f"the function could not be run (status {status})", backoff_s(job.attempt))
    if status != 200:
        return Outcome(status, told.get(b"x-amzn-errortype", b"").decode("latin-1"))
    error = told.get(b"x-amz-function-error", b"").decode("latin-1")
    version = told.get(b"x-amz-executed-version", b"").decode("latin-1")
    return Outcome(status, error, version, body if len(body) <= _BYTES else b"")


async def earlier(job: Job, event: Event) -> Outcome | None:
    """What the last try that counts ended with, as far as it is known."""
    name = f"try {event.tries - 1}"
    return await job.step(name, lost_outcome, Outcome, sealed=True) if job.done(name) else None


async def counted(job: Job, event: Event) -> Event:
    """One more try is written down in the event's row."""
    more = msgspec.structs.replace(event, tries=event.tries + 1)
    await job.amend(lambda row: msgspec.structs.replace(row, body=msgspec.json.encode(more)))
    return more


async def finish(
    job: Job, event: Event, payload: bytes, outcome: Outcome | None, terms: Terms, condition: Condition
) -> None:
    """Tell the destination of the end, then forget the event."""
    retries = terms.retries
    told = record(event, payload, outcome, condition, job.tools.clock.now())
    if condition == "Success":
        if retries is not None and retries.on_success:
            await destinations.tell(job, event, terms.role, retries.on_success, told)
    else:
        if retries is not None and retries.on_failure:
            await destinations.tell(job, event, terms.role, retries.on_failure, told)
        if terms.dead_letter:
            await destinations.tell(job, event, terms.role, terms.dead_letter, payload)
    await job.forget()


def terms_of(store: Reader, event: Event) -> Terms | None:
    """What holds for an event; None where its function has gone."""
    arn, qualifier = event.function, LATEST
    if arn.count(":") > 6:
        arn, _, qualifier = arn.rpartition(":")
    row = store.get(arn)
    if row is None or row.kind != FUNCTION:
        return None
    function = row.read(Function)
    configuration = function.latest
    if qualifier != LATEST:
        other = store.get(event.function)
        if other is not None and not qualifier.isdigit():
            other = store.get(f"{arn}:{other.read(Alias).version}")
        configuration = other.read(Configuration) if other is not None and other.arn != arn else configuration
    return Terms(configuration.role, function.retries.get(qualifier), configuration.dead_letter)


async def lost() -> bytes:
    """The payload is there from the beginning, as a step that is done; without it there is nothing to do."""
    raise JobFailed(_LOST)


async def lost_outcome() -> Outcome:
    raise JobFailed(_LOST)

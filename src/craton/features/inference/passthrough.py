"""InvokeModel: a native body in, a native body out.

Where the target speaks another schema, the body goes through the canon both ways. Where both agree and nothing must
look inside, it passes through and only its usage is read.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial

import msgspec

from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.inference import balance, run
from craton.features.inference.fitting.reasoning import has_foreign
from craton.features.inference.quotas.quota import NOTHING, Held
from craton.features.inference.routing.routes import NO_STREAM, Resolved, Target, native_dialect
from craton.features.inference.rules.limits import check_limit
from craton.models.canon.events import StreamEvent, StreamMetadata
from craton.models.canon.reply import Usage, usage
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Dialect, InvocationMetrics, Ledger, Shown, StreamReader, StreamWriter
from craton.models.dialects.traits import traits
from craton.models.providers.local import LocalProvider, whole_input

_METRICS = b'"amazon-bedrock-invocationMetrics"'
_MEMBERS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def agrees(target: Target, dialect: Dialect) -> bool:
    """Whether the target speaks the caller's schema. A stand-in never does: it must not see a native extra field."""
    return not target.standin and target.provider.dialect.name == dialect.name


def passes(target: Target, dialect: Dialect, request: ConverseRequest) -> bool:
    """Whether a body may go to the target unread: not with a history in which another vendor's reasoning stands."""
    if not agrees(target, dialect):
        return False
    messages = request.messages or ()
    return len(messages) <= 1 or not has_foreign(messages, traits(dialect.name, target.model).signer)


async def invoke(call: Call, resolved: Resolved, model_id: str, body: bytes) -> tuple[bytes, Usage]:
    """The native reply and its usage."""
    dialect = native_dialect(resolved.route)
    request = dialect.read_request(body)
    check_limit(resolved.route.model, dialect.name, request)
    request.model_id, call.speaks = model_id, dialect.name
    shown = Shown(model_id, request, call.request_id, body)

    async def ask(target: Target) -> tuple[bytes, Usage, Target, Ledger]:
        ledger = run.ledger_of(call)
        attempt = run.attempt(call, resolved, target, ledger)
        if passes(target, dialect, request):
            native = await target.provider.invoke(body, attempt)
            used = counted(target, dialect.read_reply(native).usage)
        else:
            reply = await run.answered(call, target, request, attempt)
            native, used = dialect.write_reply(reply, shown), reply.usage
        return native, used, target, ledger

    quota = call.app.quota
    with NOTHING if quota is None else await quota.hold(call, resolved, request) as held:
        native, used, target, ledger = await balance.first_answer(resolved.route, ask, call)
    held.settle(used)
    call.used = used
    run.tell(call, target, ledger)
    return native, used


async def invoke_stream(call: Call, resolved: Resolved, model_id: str, body: bytes) -> balance.Opened[bytes]:
    """A stream of native chunks that has begun."""
    dialect = native_dialect(resolved.route)
    if not dialect.streams or not resolved.route.capabilities.stream:
        raise validation(NO_STREAM)
    request = dialect.read_request(body, streaming=True)
    check_limit(resolved.route.model, dialect.name, request)
    request.model_id, call.speaks = model_id, dialect.name
    shown = Shown(model_id, request, call.request_id, body)

    quota = call.app.quota
    held = NOTHING if quota is None else await quota.hold(call, resolved, request)

    def start(target: Target) -> balance.Opening[bytes]:
        if passes(target, dialect, request):
            ledger = run.ledger_of(call)
            return passed(call, target, resolved, dialect, body, ledger, held), partial(run.tell, call, target, ledger)
        events, begun = run.asked(call, target, resolved, request)
        return translated(call, events, dialect.writer(shown), held), begun

    with held:
        opened = await balance.first_stream(resolved.route, start, call)
    opened.begun()
    return opened


async def translated(
    call: Call, stream: AsyncGenerator[list[StreamEvent]], writer: StreamWriter, held: Held = NOTHING
) -> AsyncGenerator[list[bytes]]:
    """Canonical events written in the caller's schema, with the metrics on the last chunk."""
    used, first_ms = usage(0, 0), 0
    async with aclosing(stream) as pieces:
        async for events in pieces:
            first_ms = first_ms or run.elapsed_ms(call)
            chunks: list[bytes] = []
            for event in events:
                if isinstance(event, StreamMetadata):
                    used = event.usage
                chunks += writer.write(event)
            if chunks:
                yield chunks
    held.settle(used)
    call.used = used
    yield writer.finish(metrics(call, used, first_ms))


async def passed(
    call: Call, target: Target, resolved: Resolved, dialect: Dialect, body: bytes, ledger: Ledger, held: Held
) -> AsyncGenerator[list[bytes]]:
    """The target's own chunks, read along only for their usage; the one that ends the stream gets the metrics."""
    reader, first_ms, last = dialect.reader(), 0, b""
    used = usage(0, 0)
    attempt = run.attempt(call, resolved, target, ledger, target.first_byte_s)
    async with aclosing(target.provider.invoke_stream(body, attempt)) as pieces:
        async for chunks in pieces:
            if not first_ms:
                first_ms = run.elapsed_ms(call)
            ready: list[bytes] = []
            for chunk in chunks:
                found = usage_in(reader, chunk)
                if last:
                    ready.append(last)
                    last = b""
                if found is None:
                    ready.append(chunk)
                else:
                    used, last = found, chunk
            if ready:
                yield ready
    reader.close()
    held.settle(used)
    call.used = used = counted(target, used)
    yield [with_metrics(last, metrics(call, used, first_ms))]


def counted(target: Target, used: Usage) -> Usage:
    """Usage as Bedrock counts it: what a model of our own had in its cache unasked is input like any other."""
    return whole_input(used) if target.provider.name == LocalProvider.name else used


def usage_in(reader: StreamReader, chunk: bytes) -> Usage | None:
    """The usage, if this chunk is the one that tells it."""
    for event in reader.feed(chunk):
        if isinstance(event, StreamMetadata):
            return event.usage
    return None


def metrics(call: Call, used: Usage, first_ms: int) -> InvocationMetrics:
    return InvocationMetrics(
        used.input_tokens,
        used.output_tokens,
        run.elapsed_ms(call),
        first_ms,
        used.cache_read_input_tokens,
        used.cache_write_input_tokens,
    )


def with_metrics(chunk: bytes, found: InvocationMetrics) -> bytes:
    """A chunk with `amazon-bedrock-invocationMetrics` as its last member; the chunk is a JSON object."""
    if _METRICS in chunk:  # a target that is another Bedrock has told its own
        return msgspec.json.encode({**_MEMBERS.decode(chunk), "amazon-bedrock-invocationMetrics": found})
    member = _METRICS + b":" + msgspec.json.encode(found)
    inner = chunk.strip()[1:-1].strip() if chunk else b""
    return b"{" + inner + (b"," if inner else b"") + member + b"}"

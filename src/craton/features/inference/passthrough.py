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
from craton.features.inference.routes import Resolved, Target, native_dialect
from craton.models.canon.events import StreamEvent, StreamMetadata
from craton.models.canon.reply import Usage, usage
from craton.models.dialects.dialect import Dialect, InvocationMetrics, Ledger, Shown, StreamReader, StreamWriter

NO_STREAM = "The model is unsupported for streaming"
_METRICS = b'"amazon-bedrock-invocationMetrics"'
_MEMBERS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def agrees(target: Target, dialect: Dialect) -> bool:
    """Whether the target speaks the caller's schema. A stand-in never does: it must not see a native extra field."""
    return not target.standin and target.provider.dialect.name == dialect.name


async def invoke(call: Call, resolved: Resolved, model_id: str, body: bytes) -> tuple[bytes, Usage]:
    """The native reply and its usage."""
    dialect = native_dialect(resolved.route)
    request = dialect.read_request(body)
    request.model_id = model_id
    shown = Shown(model_id, request, call.request_id, body)

    async def ask(target: Target) -> tuple[bytes, Usage]:
        ledger = run.ledger_of(call)
        attempt = run.attempt(call, resolved, target, ledger)
        if agrees(target, dialect):
            native = await target.provider.invoke(body, attempt)
            used = dialect.read_reply(native).usage
        else:
            reply = await target.provider.converse(request, attempt)
            native, used = dialect.write_reply(reply, shown), reply.usage
        run.tell(call, target, ledger)
        return native, used

    return await balance.first_answer(resolved.route, ask)


async def invoke_stream(call: Call, resolved: Resolved, model_id: str, body: bytes) -> balance.Opened[bytes]:
    """A stream of native chunks that has begun."""
    dialect = native_dialect(resolved.route)
    if not dialect.streams or not resolved.route.capabilities.stream:
        raise validation(NO_STREAM)
    request = dialect.read_request(body, streaming=True)
    request.model_id = model_id
    shown = Shown(model_id, request, call.request_id, body)

    def start(target: Target) -> balance.Opening[bytes]:
        if agrees(target, dialect):
            ledger = run.ledger_of(call)
            return passed(call, target, resolved, dialect, body, ledger), partial(run.tell, call, target, ledger)
        events, begun = run.asked(call, target, resolved, request)
        return translated(call, events, dialect.writer(shown)), begun

    return await balance.first_stream(resolved.route, start)


async def translated(
    call: Call, stream: AsyncGenerator[list[StreamEvent]], writer: StreamWriter
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
    yield writer.finish(metrics(call, used, first_ms))


async def passed(
    call: Call, target: Target, resolved: Resolved, dialect: Dialect, body: bytes, ledger: Ledger
) -> AsyncGenerator[list[bytes]]:
    """The target's own chunks, read along only for their usage; the one that ends the stream gets the metrics."""
    reader, first_ms, last = dialect.reader(), 0, b""
    used = usage(0, 0)
    async with aclosing(target.provider.invoke_stream(body, run.attempt(call, resolved, target, ledger))) as pieces:
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
    yield [with_metrics(last, metrics(call, used, first_ms))]


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

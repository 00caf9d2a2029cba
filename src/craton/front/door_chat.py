"""A conversation at a vendor's door: from the vendor's body to one inference and back, whole or as events.

Owns what both doors do alike: the model is resolved and authorized, the conversation is brought into the form that
Converse demands where the vendor is wider, Bedrock's rules are checked, and the answer is written by the door's
dialect. Knows no path and no header of HTTP but the guardrail's.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

from craton.aws.access.variables import Keys
from craton.aws.wire.faults import Fault, internal, validation
from craton.context import Call
from craton.features.inference import run, terms
from craton.features.inference.routing.routes import INVALID_ID, Resolved
from craton.front.door_faults import DoorFault, Shape
from craton.front.door_request import Events, Whole
from craton.front.pipeline import THREAD_BYTES
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Shown

NO_GUARDRAIL = "The guardrail identifier or version provided in the request does not exist."
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9\-()\[\]]+")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}\Z")
_LONGEST_NAME = 200

T = TypeVar("T")


class ChunkWriter(Protocol):
    """A dialect's stream writer, which at a door ends without metrics."""

    def write(self, event: StreamEvent) -> list[bytes]: ...

    def finish(self, metrics: None) -> list[bytes]: ...


@runtime_checkable
class EndsBroken(Protocol):
    """A writer whose schema has events of its own for a stream that failed."""

    def failed(self, code: str, message: str) -> list[bytes]: ...


class Speech(Protocol):
    """What a door needs of its dialect to answer."""

    @property
    def name(self) -> str: ...

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes: ...

    def writer(self, shown: Shown) -> ChunkWriter: ...


_TYPE = b'{"type":"'


def named_event(chunk: bytes) -> bytes:
    """A chunk as an event of its own type, which the dialect writes first."""
    start = len(_TYPE)
    return b"event: %b\ndata: %b\n\n" % (chunk[start : chunk.index(b'"', start)], chunk)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a door says things: its dialect, how a chunk becomes an event, what ends a stream, how it shows failures.

    `attune` may change a request once it is known where it goes.
    """

    speech: Speech
    event: Callable[[bytes], bytes]
    last: bytes
    shape: Shape
    attune: Callable[[Call, Resolved, ConverseRequest], None] | None = None


async def off_the_loop(body: bytes, read: Callable[[bytes], T]) -> T:
    """Decode a big body in a thread, so that it does not hold up every stream."""
    return await asyncio.to_thread(read, body) if len(body) > THREAD_BYTES else read(body)


def resolve(call: Call, model_id: str, action: str, shape: Shape, given: Keys = terms.PLAIN) -> Resolved:
    """The route that the caller named and may use. An id that nobody knows is not found, as the vendors have it."""
    try:
        return run.resolve(call, model_id, action, given)
    except Fault as fault:
        if fault.message == INVALID_ID:
            raise unknown_model(model_id, shape) from None
        raise


def unknown_model(model_id: str, shape: Shape) -> DoorFault:
    shown = model_id[:128]
    text = (
        f"model: {shown}"
        if shape.name == "anthropic"
        else f"The model `{shown}` does not exist or you do not have access to it."
    )
    return DoorFault("unknown_model", text, param="model")


async def answer(call: Call, manner: Manner, request: ConverseRequest, *, streaming: bool) -> Whole | Events:
    """One inference. Raises Fault for all that fails before the first piece."""
    resolved = prepare(call, manner, request, streaming=streaming)
    shown = Shown(request.model_id, request, call.request_id)
    if not streaming:
        return Whole(manner.speech.write_reply(await run.converse(call, resolved, request), shown))
    events, _ = await run.converse_stream(call, resolved, request)
    return Events(framed(call, manner, events, manner.speech.writer(shown)))


def prepare(call: Call, manner: Manner, request: ConverseRequest, *, streaming: bool) -> Resolved:
    """Where a request goes, once it is found fit to go there. Raises Fault."""
    action = run.INVOKE_STREAM if streaming else run.INVOKE
    resolved = resolve(call, request.model_id, action, manner.shape, terms.at_door(call, request))
    if call.headers.get(terms.HEADER):
        raise validation(NO_GUARDRAIL)
    call.speaks = manner.speech.name
    settle(request)
    if resolved.router is not None:
        call.resolved = resolved = run.routed(resolved, request, streaming=streaming)
    if manner.attune is not None:
        manner.attune(call, resolved, request)
    run.check(resolved, request, streaming=streaming)
    return resolved


async def framed(
    call: Call, manner: Manner, events: AsyncGenerator[list[StreamEvent]], writer: ChunkWriter
) -> AsyncGenerator[bytes]:
    """One bytes object per piece. A failure is the last event, in the vendor's shape."""
    event = manner.event
    async with aclosing(events) as source:
        try:
            async for piece in source:
                chunks = [event(chunk) for one in piece for chunk in writer.write(one)]
                if chunks:
                    yield b"".join(chunks)
            yield b"".join(map(event, writer.finish(None))) + manner.last
        except Fault as fault:
            yield broken(call, manner, writer, fault)
        except Exception as error:
            call.report(error)
            yield broken(call, manner, writer, internal())


def broken(call: Call, manner: Manner, writer: ChunkWriter, fault: Fault) -> bytes:
    """How a stream ends that failed: as its schema says it, else by the vendor's error alone."""
    if not isinstance(writer, EndsBroken):
        return manner.shape.frame(fault, call.request_id)
    code, message = manner.shape.told(fault)
    return b"".join(map(manner.event, writer.failed(code, message)))


def speaks(resolved: Resolved, family: str) -> bool:
    """Whether a target of the route speaks a schema of this vendor's (`openai.`), or the schema named in full."""
    return any(target.provider.dialect.name.startswith(family) for target in resolved.route.targets)


# --- where the vendors are wider than Converse -----------------------------------------------------------------------


def settle(request: ConverseRequest) -> None:
    """Bring a conversation into Converse's form.

    Both vendors take messages of one role after another and join them themselves; OpenAI takes empty texts, such as
    beside a tool call; both take a document's name as a file has it, which Bedrock does not.
    """
    turns: list[Message] = []
    for message in request.messages or ():
        content = without_blanks(message)
        if not content:
            continue
        for block in content:
            if block.document is not None:
                block.document.name = document_name(block.document.name)
        if turns and turns[-1].role == message.role:
            turns[-1].content.extend(content)
        else:
            turns.append(Message(message.role, content))
    request.messages = turns


def without_blanks(message: Message) -> list[ContentBlock]:
    """The blocks without empty texts. A user's message of nothing but blanks stays, for the rules to refuse."""
    kept = [block for block in message.content if block.text is None or block.text.strip()]
    return kept if kept or message.role == "assistant" else list(message.content)


def document_name(name: str) -> str:
    """`Report (2024).pdf` → `Report (2024)`; a space in the place of what Bedrock does not take in a name."""
    return _NOT_IN_A_NAME.sub(" ", _SUFFIX.sub("", name)).strip()[:_LONGEST_NAME].rstrip() or "document"

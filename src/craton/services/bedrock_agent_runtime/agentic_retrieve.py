"""AgenticRetrieveStream: searches that a model plans, told step by step, with an answer and its citations at the end.

Owns how steps look as events of the stream. What the request means is `agentic_request`'s; the steps are
`features.rag.agentic`'s.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import msgspec

from craton.aws.wire.eventstream import encode_event, encode_exception
from craton.aws.wire.faults import Fault, internal
from craton.context import Call, EventStream
from craton.features.rag.agentic.asked import Event, Expansion, Item, Lookup, Outcome, Token, Trace
from craton.features.rag.agentic.loop import steps
from craton.features.rag.counting import Asking
from craton.features.rag.retrieval.passages import SOURCE_URI
from craton.services.bedrock_agent_runtime.agentic_request import asked_of
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent_runtime import AgenticRetrieveStreamRequest

FAULTS = frozenset(
    {
        "InternalServerException", "ValidationException", "ResourceNotFoundException", "ServiceQuotaExceededException",
        "ThrottlingException", "AccessDeniedException", "ConflictException", "DependencyFailedException",
        "BadGatewayException",
    }
)  # fmt: skip
_TEXT = "text/plain"
_encode = msgspec.json.Encoder().encode


@operation("bedrock-agent-runtime", "AgenticRetrieveStream", status="partial")
async def agentic_retrieve_stream(call: Call, req: AgenticRetrieveStreamRequest) -> EventStream:
    asking = Asking(call)
    with asking.begun():
        asked = await asked_of(call, req)
    return EventStream(framed(call, steps(call, asked), asking), {})


async def framed(call: Call, events: AsyncGenerator[Event], asking: Asking) -> AsyncGenerator[bytes]:
    """The events as frames; what fails is the last of them."""
    iterations = 0
    try:
        with asking.begun():
            async with aclosing(events) as source:
                async for event in source:
                    iterations += planned(event)
                    yield frame(call, event)
    except Fault as fault:
        yield fault_frame(fault)
    except Exception as error:
        call.report(error)
        yield fault_frame(internal())
    else:
        asking.over(iterations=iterations)


def planned(event: Event) -> bool:
    """Whether an iteration begins here."""
    return isinstance(event, Trace) and event.step == "Planning" and event.status == "IN_PROGRESS"


def frame(call: Call, event: Event) -> bytes:
    if isinstance(event, Token):
        return encode_event("responseEvent", _encode({"text": event.text}))
    if isinstance(event, Outcome):
        return encode_event("result", _encode(outcome(event)))
    moment = int(call.app.clock.now().timestamp() * 1000)
    trace = {"id": str(uuid.uuid4()), "timestamp": moment, "attributes": attributes(event)}
    return encode_event("traceEvent", _encode(trace))


def fault_frame(fault: Fault) -> bytes:
    name = fault.name if fault.name in FAULTS else "InternalServerException"
    payload = _encode({"message": fault.message, **fault.fields})
    return encode_exception(name[0].lower() + name[1:], payload)


def outcome(event: Outcome) -> dict[str, Any]:
    """An AgenticRetrieveResultEvent."""
    told: dict[str, Any] = {"results": [shown(one) for one in event.items]}
    if event.answer is not None:
        citations = [
            {
                "startIndex": one.start,
                "endIndex": one.end,
                "references": [{"resultIndex": place} for place in one.items],
            }
            for one in event.citations
        ]
        told["generatedResponse"] = {"answer": event.answer, "citations": citations}
    return told


def attributes(event: Trace) -> dict[str, Any]:
    """AgenticRetrieveTraceEventAttributes."""
    told: dict[str, Any] = {"step": event.step, "status": event.status, "message": event.message}
    actions = [retrieve_action(one) for one in event.lookups] + [expand_action(one) for one in event.expansions]
    retrievers = dict.fromkeys(ident for one in event.lookups for ident in one.retrievers)
    more: dict[str, list[Any]] = {
        "actions": actions,
        "retrievalMetadata": [{"identifier": one, "retrievalType": "BedrockKnowledgeBase"} for one in retrievers],
        "retrievalResponse": [shown(one) for one in event.items],
        "failures": [{"message": one} for one in event.failures],
    }
    told |= {name: value for name, value in more.items() if value}
    if event.instruction is not None:
        told["appliedInstruction"] = {"id": event.instruction.id, "version": event.instruction.version}
    return told


def retrieve_action(one: Lookup) -> dict[str, Any]:
    sources = [{"identifier": ident} for ident in one.retrievers]
    return {"retrieve": {"inputQuery": {"text": one.query}, "sourceRetrievers": sources}}


def expand_action(one: Expansion) -> dict[str, Any]:
    return {"fullDocumentExpansion": {"documentId": one.document, "sourceRetriever": {"identifier": one.retriever}}}


def shown(one: Item) -> dict[str, Any]:
    """A passage as the events show it. `_source_uri` and `_document_title` are how the service's own names them."""
    result = one.result
    uri = result.metadata.get(SOURCE_URI, result.document)
    named = {"_source_uri": uri, "_document_title": str(uri).rpartition("/")[2]}
    return {
        "content": {"mimeType": _TEXT, "text": result.text},
        "metadata": {**result.metadata, **named},
        "sourceRetriever": {"identifier": one.retriever},
    }

"""RetrieveAndGenerate and RetrieveAndGenerateStream: an answer from a knowledge base, or from one document, with citations.

Owns the order of a request, and how an answer and its parts look on the wire. A citation of a stream comes directly behind
its text, in both of the forms that Bedrock sends at once. What fails behind the first byte is the stream's last event.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast

import msgspec

from craton.aws.wire.eventstream import encode_event, encode_exception
from craton.aws.wire.faults import Fault, internal, validation
from craton.context import Call, EventStream
from craton.features.rag.counting import Asking
from craton.features.rag.generation import answering, finding, given, sessions
from craton.features.rag.generation.citing import Part, Said, Words
from craton.features.rag.generation.passages import Passage
from craton.features.rag.generation.question import Question
from craton.features.rag.generation.sessions import Session
from craton.services.bedrock_agent_runtime.external_sources import document
from craton.services.bedrock_agent_runtime.found import RETRIEVE, knowledge_base
from craton.services.bedrock_agent_runtime.generation_request import configuration_of, question_of
from craton.services.bedrock_agent_runtime.retrieval_request import query_of
from craton.services.kms.use import READING, customer_key
from craton.services.operation import operation

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent_runtime import (
        Citation,
        RetrieveAndGenerateRequest,
        RetrieveAndGenerateResponse,
        RetrieveAndGenerateStreamRequest,
    )

    Asked = RetrieveAndGenerateRequest | RetrieveAndGenerateStreamRequest

ACTION = "bedrock:RetrieveAndGenerate"
MANAGED = (
    "RetrieveAndGenerate cannot be used with managed knowledge bases. Use AgenticRetrieveStream or Retrieve instead."
)
OTHER_KEY = "The KMS key of an ongoing session cannot be changed."
SUPPORTED = b"x-craton-supported"
"""How many of the answer's parts rest on something, such as `2/3`; our own, for callers who want to know at a glance."""

_FAULTS = frozenset(
    {
        "AccessDeniedException", "BadGatewayException", "ConflictException", "DependencyFailedException",
        "InternalServerException", "ResourceNotFoundException", "ServiceQuotaExceededException", "ThrottlingException",
        "ValidationException",
    }
)  # fmt: skip


@operation("bedrock-agent-runtime", "RetrieveAndGenerate", status="partial")
async def retrieve_and_generate(call: Call, req: RetrieveAndGenerateRequest) -> RetrieveAndGenerateResponse:
    asking = Asking(call)
    with asking.begun():
        question, passages, session = await _found(call, req, asking)
        answer = await answering.answer(call, question, passages, session)
    asking.over()
    cited = sum(1 for part in answer.parts if part.sources)
    call.response_headers.append((SUPPORTED, b"%d/%d" % (cited, len(answer.parts))))
    return {
        "sessionId": session.id,
        "output": {"text": answer.text},
        "citations": [citation(part, answer.passages) for part in answer.parts],
    }


@operation("bedrock-agent-runtime", "RetrieveAndGenerateStream", status="partial")
async def retrieve_and_generate_stream(call: Call, req: RetrieveAndGenerateStreamRequest) -> EventStream:
    asking = Asking(call)
    with asking.begun():
        question, passages, session = await _found(call, req, asking)
        writing = await answering.stream(call, question, passages, session)
    return EventStream(_frames(call, writing, asking), {"sessionId": session.id})


async def _found(call: Call, req: Asked, asking: Asking) -> tuple[Question, Sequence[Passage], Session]:
    """What is asked, what there is to answer it from, and the conversation that it belongs to."""
    call.authorize(ACTION, "*")
    configuration = configuration_of(req.retrieveAndGenerateConfiguration)
    question = question_of(req.input.text, configuration)
    if hasattr(configuration, "sources"):
        session = await _session(call, req, "", question.model)
        found = await document(call, configuration.sources[0])
        before = session.turns[-1].question if session.turns else ""
        asked = f"{before} {question.text}"
        passages = await given.passages(call, found.data, found.name, found.mime, asked, found.reference)
        return question, passages, session
    base = asking.base = await knowledge_base(call, configuration.knowledgeBaseId, RETRIEVE)
    if base.body.configuration["type"] == "MANAGED":
        raise validation(MANAGED)
    query = query_of(call, question.text, configuration.retrievalConfiguration, req.userContext)
    session = await _session(call, req, base.id, question.model)
    return question, await finding.passages(call, base, query, question, session.turns), session


async def _session(call: Call, req: Asked, base: str, model: str) -> Session:
    """The conversation that is named, or a new one. Raises ValidationException, AccessDeniedException."""
    wanted = req.sessionConfiguration.kmsKeyArn if req.sessionConfiguration is not None else ""
    if req.sessionId is None:
        return sessions.new(base, model, await customer_key(call, wanted) if wanted else "")
    session = await sessions.resume(call, req.sessionId, base, model)
    if wanted and wanted != session.kms_key:
        raise validation(OTHER_KEY)
    if session.kms_key:
        await customer_key(call, session.kms_key, READING)
    return session


def citation(part: Part, passages: Sequence[Passage]) -> Citation:
    """A part of the answer with what it rests on."""
    told: dict[str, Any] = {
        "generatedResponsePart": {
            "textResponsePart": {"text": part.text, "span": {"start": part.start, "end": part.end}}
        },
        "retrievedReferences": [passages[place].reference for place in part.sources],
    }
    return cast("Citation", told)


def frame(said: Said, passages: Sequence[Passage]) -> bytes:
    if isinstance(said, Words):
        return encode_event("output", msgspec.json.encode({"text": said.text}))
    told = citation(said, passages)
    return encode_event("citation", msgspec.json.encode({"citation": told, **told}))


async def _frames(call: Call, writing: answering.Writing, asking: Asking) -> AsyncGenerator[bytes]:
    try:
        with asking.begun():
            async with aclosing(writing.pieces) as source:
                async for piece in source:
                    yield b"".join(frame(said, writing.passages) for said in piece)
    except Fault as fault:
        yield fault_frame(fault)
    except Exception as error:
        call.report(error)
        yield fault_frame(internal())
    else:
        asking.over()


def fault_frame(fault: Fault) -> bytes:
    """The last frame of a stream that failed."""
    name = fault.name if fault.name in _FAULTS else "InternalServerException"
    payload = msgspec.json.encode({"message": fault.message, **fault.fields})
    return encode_exception(name[0].lower() + name[1:], payload)

"""What AgenticRetrieveStream asks for: conversation, retrievers, models, bounds, and what of it is refused here.

Owns the meaning of the request's members and their limits (user guide, "Use agentic retrieval to query a knowledge
base"). Unlike on AWS knowledge bases of the type VECTOR take part as well. It must not know how anything is retrieved.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.wire.faults import Fault, validation
from craton.context import Call
from craton.features.inference import run
from craton.features.rag.agentic.asked import Asked, Instruction, Retriever, Said
from craton.features.rag.agentic.loop import MAX_ITERATIONS
from craton.features.rag.instructions import DRAFT
from craton.features.rag.retrieval.acting import Base
from craton.features.rag.retrieval.filters import filter_of
from craton.features.rag.retrieval.query import Reranking
from craton.services.bedrock_agent import base_policy, retrieval_instructions
from craton.services.bedrock_agent_runtime.found import RETRIEVE, knowledge_base
from craton.services.bedrock_agent_runtime.retrieval_request import check_guardrail, is_managed, managed_reranking

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent_runtime import (
        AgenticRetrieveConfiguration,
        AgenticRetrieveMessage,
        AgenticRetrieveStreamRequest,
    )
    from craton.aws.shapes.bedrock_agent_runtime import AgenticRetriever as AskedRetriever

ACTION = "bedrock:AgenticRetrieveStream"
CONTENT = "bedrock:GetDocumentContent"
READ_INSTRUCTION = "bedrock:GetRetrievalInstruction"
MAX_RETRIEVERS = 5
MAX_RESULTS = 100
DEFAULT_RESULTS = 10
DEFAULT_ITERATIONS = 3
NO_MEMORY = (
    "AgentCore Memory is not built here: leave out the memoryConfiguration, and send the conversation in messages."
)
NO_TOKEN = "The provided nextToken is invalid."  # noqa: S105 - a message
NO_MANTLE = "Foundation models of the type MANTLE_FOUNDATION_MODEL are not built here: use BEDROCK_FOUNDATION_MODEL."
TOO_MANY = f"Give at most {MAX_RETRIEVERS} retrievers."
TWICE = "The knowledge base {id} is given by more than one retriever."
LAST = "The last of messages must be the user's, and every message must have text."
ITERATIONS = f"agenticRetrieveConfiguration.maxAgentIteration must be at most {MAX_ITERATIONS}."
NEEDS_MODEL = "foundationModelType CUSTOM needs a foundationModelConfiguration, and MANAGED takes none."
NEEDS_RERANKER = "rerankingModelType CUSTOM needs a rerankingConfiguration, and the other types take none."
NO_MEMBER = "The foundationModelConfiguration needs bedrockFoundationModelConfiguration and nothing else."
NO_RERANKER = "The rerankingConfiguration needs bedrockRerankingConfiguration."


async def asked_of(call: Call, req: AgenticRetrieveStreamRequest) -> Asked:
    """The request, judged: the caller may search every knowledge base and use every model of it.

    Raises AccessDeniedException, ResourceNotFoundException, ValidationException.
    """
    call.authorize(ACTION, "*")
    if req.memoryConfiguration is not None:
        raise validation(NO_MEMORY)
    if req.nextToken is not None:
        raise validation(NO_TOKEN)
    if req.policyConfiguration is not None:
        check_guardrail(req.policyConfiguration.bedrockGuardrailConfiguration)
    configuration = req.agenticRetrieveConfiguration
    iterations = configuration.maxAgentIteration
    if iterations is not None and iterations > MAX_ITERATIONS:
        raise validation(ITERATIONS)
    retrievers = await retrievers_of(call, req.retrievers)
    model = model_of(configuration)
    if model:
        run.resolve(call, model, run.INVOKE_STREAM)
    return Asked(
        messages=messages_of(req.messages),
        retrievers=retrievers,
        model=model or call.app.settings.file.standins.model,
        managed=not model,
        iterations=DEFAULT_ITERATIONS if iterations is None else iterations,
        reranking=reranking_of(call, configuration, retrievers),
        instruction=await instruction_of(call, req),
        user=req.userContext.userId if req.userContext is not None else None,
        answers=req.generateResponse is not False,
    )


def messages_of(given: list[AgenticRetrieveMessage]) -> tuple[Said, ...]:
    said = tuple(Said(one.role, one.content.text or "") for one in given)
    if said[-1].role != "user" or not all(one.text.strip() for one in said):
        raise validation(LAST)
    return said


async def retrievers_of(call: Call, given: list[AskedRetriever]) -> tuple[Retriever, ...]:
    if len(given) > MAX_RETRIEVERS:
        raise validation(TOO_MANY)
    found: dict[str, Retriever] = {}
    for number, one in enumerate(given):
        asked = one.configuration.knowledgeBase
        if asked is None or asked.knowledgeBaseId in found:
            raise validation(TWICE.format(id=asked.knowledgeBaseId if asked is not None else ""))
        base = await knowledge_base(call, asked.knowledgeBaseId, RETRIEVE)
        overrides, place = asked.retrievalOverrides, f"retrievers.{number}.configuration.knowledgeBase"
        where = overrides.filter if overrides is not None else None
        limit = overrides.maxNumberOfResults if overrides is not None else None
        found[base.id] = Retriever(
            base=base,
            description=one.description or base.body.description or "",
            where=None if where is None else filter_of(where, f"{place}.retrievalOverrides.filter"),
            limit=min(limit or DEFAULT_RESULTS, MAX_RESULTS),
            expands=may_read_whole(call, base),
        )
    return tuple(found.values())


def may_read_whole(call: Call, base: Base) -> bool:
    """Whether the caller may see whole documents of it; without that right the planner is not offered them."""
    try:
        base_policy.judge(call, CONTENT, base.arn, base.body)
    except Fault:
        return False
    return True


def model_of(configuration: AgenticRetrieveConfiguration) -> str:
    """The model that the caller chose; "" to leave it to the service."""
    chosen, kind = configuration.foundationModelConfiguration, configuration.foundationModelType
    if (kind == "CUSTOM") != (chosen is not None) and not (kind is None and chosen is not None):
        raise validation(NEEDS_MODEL)
    if chosen is None:
        return ""
    if chosen.type == "MANTLE_FOUNDATION_MODEL":
        raise validation(NO_MANTLE)
    model = chosen.bedrockFoundationModelConfiguration
    if model is None or chosen.mantleFoundationModelConfiguration is not None:
        raise validation(NO_MEMBER)
    return model.modelConfiguration.modelArn


def reranking_of(
    call: Call, configuration: AgenticRetrieveConfiguration, retrievers: tuple[Retriever, ...]
) -> Reranking | None:
    """Without a type: the service's for knowledge bases whose embedding model is the service's, none for others."""
    kind, chosen = configuration.rerankingModelType, configuration.rerankingConfiguration
    if (kind == "CUSTOM") != (chosen is not None) and not (kind is None and chosen is not None):
        raise validation(NEEDS_RERANKER)
    if chosen is not None:
        if chosen.bedrockRerankingConfiguration is None:
            raise validation(NO_RERANKER)
        return Reranking(chosen.bedrockRerankingConfiguration.modelConfiguration.modelArn)
    if kind == "NONE" or (kind is None and not all(is_managed(one.base) for one in retrievers)):
        return None
    return managed_reranking(call)


async def instruction_of(call: Call, req: AgenticRetrieveStreamRequest) -> Instruction | None:
    """The instruction that the request names, opened for the caller."""
    given = req.retrievalInstructionConfiguration
    if given is None:
        return None
    version = given.version or DRAFT
    content = await retrieval_instructions.content(call, READ_INSTRUCTION, given.retrievalInstructionId, version)
    answers = (
        ("Speak as: ", content.persona), ("Form of the answer: ", content.answer_format), ("", content.answer_policy)
    )  # fmt: skip
    return Instruction(
        given.retrievalInstructionId,
        version,
        content.retrieval_guidance,
        "\n".join(f"{label}{text}" for label, text in answers if text),
    )

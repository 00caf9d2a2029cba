"""How the API asks for an answer: its generation and orchestration configurations, as a question.

Owns what RetrieveAndGenerate's configurations mean and what of them is refused. It must not know how an answer is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.aws.wire.faults import validation
from craton.features.rag.generation import templates
from craton.features.rag.generation.question import Question, Speaking
from craton.services.bedrock_agent_runtime.retrieval_request import check_guardrail

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock_agent_runtime import (
        ExternalSourcesGenerationConfiguration,
        ExternalSourcesRetrieveAndGenerateConfiguration,
        GenerationConfiguration,
        KnowledgeBaseRetrieveAndGenerateConfiguration,
        OrchestrationConfiguration,
        PromptTemplate,
        RetrieveAndGenerateConfiguration,
    )

    Asked = KnowledgeBaseRetrieveAndGenerateConfiguration | ExternalSourcesRetrieveAndGenerateConfiguration
    Generation = GenerationConfiguration | ExternalSourcesGenerationConfiguration

NO_TEXT = "The input text is empty. Ask a question in input.text and try again."
NO_CONFIGURATION = "The request must have a retrieveAndGenerateConfiguration."
MEMBER = "The retrieveAndGenerateConfiguration of the type {type} must have {needed}, and no {other}."
DECOMPOSITION = "QUERY_DECOMPOSITION"


def configuration_of(
    given: RetrieveAndGenerateConfiguration | None,
) -> KnowledgeBaseRetrieveAndGenerateConfiguration | ExternalSourcesRetrieveAndGenerateConfiguration:
    """The one configuration of its type. Raises ValidationException."""
    if given is None:
        raise validation(NO_CONFIGURATION)
    base, outside = given.knowledgeBaseConfiguration, given.externalSourcesConfiguration
    if given.type == "KNOWLEDGE_BASE":
        if base is None or outside is not None:
            raise wrong_member(given.type, "knowledgeBaseConfiguration", "externalSourcesConfiguration")
        return base
    if outside is None or base is not None:
        raise wrong_member(given.type, "externalSourcesConfiguration", "knowledgeBaseConfiguration")
    return outside


def wrong_member(kind: str, needed: str, other: str) -> Exception:
    return validation(MEMBER.format(type=kind, needed=needed, other=other))


def question_of(text: str, given: Asked) -> Question:
    """What is asked, and how. Raises ValidationException."""
    if not text.strip():
        raise validation(NO_TEXT)
    generation = speaking(given.generationConfiguration)
    if generation.template is not None:
        templates.check_generation(generation.template)
    orchestration, decompose = Speaking(), False
    asked = getattr(given, "orchestrationConfiguration", None)
    if asked is not None:
        orchestration = speaking(asked)
        decompose = asked.queryTransformationConfiguration is not None
        if orchestration.template is not None:
            templates.check_orchestration(orchestration.template)
    return Question(
        text=text, model=given.modelArn, generation=generation, orchestration=orchestration, decompose=decompose
    )


def speaking(given: Generation | OrchestrationConfiguration | None) -> Speaking:
    """How a model is asked. Raises ValidationException for a guardrail."""
    if given is None:
        return Speaking()
    check_guardrail(getattr(given, "guardrailConfiguration", None))
    config = given.inferenceConfig.textInferenceConfig if given.inferenceConfig is not None else None
    return Speaking(
        template=_text(given.promptTemplate),
        max_tokens=config.maxTokens if config is not None else None,
        temperature=config.temperature if config is not None else None,
        top_p=config.topP if config is not None else None,
        stop_sequences=tuple(config.stopSequences or ()) if config is not None else (),
        fields=dict(given.additionalModelRequestFields or {}),
        latency=given.performanceConfig.latency if given.performanceConfig is not None else None,
    )


def _text(given: PromptTemplate | None) -> str | None:
    return given.textPromptTemplate if given is not None else None

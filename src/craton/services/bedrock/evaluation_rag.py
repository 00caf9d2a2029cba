"""What a CreateEvaluationJob of retrieval may ask for: knowledge bases, or answers that a system gave before.

Owns the rules of `ragConfigs` and of the metrics that go with them, their messages, and how they are shown again. Rules
that models share are `evaluation_request`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from craton.aws.wire.faults import validation
from craton.features.evaluation.job import CustomMetric, Dataset, EvaluationJob, Judge, Rag, Subject
from craton.features.evaluation.names import GENERATED, RETRIEVED
from craton.features.rag.resources import base_arn
from craton.services import stored
from craton.services.bedrock.customization_config import plain
from craton.services.bedrock.evaluation_request import check_once

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        AutomatedEvaluationConfig,
        CreateEvaluationJobRequest,
        EvaluationDatasetMetricConfig,
        EvaluationSummary,
        RAGConfig,
    )
    from craton.context import Call

TYPE, SHOWN = "RagEvaluation", "knowledge base"
NO_CONFIG = "An evaluation of the type RagEvaluation needs ragConfigs, and one with ragConfigs is of no other type."
ONE_CONFIG = "The member ragConfigs must have one element."
NO_JUDGE = "An evaluation of retrieval needs an evaluatorModelConfig."
NOT_OURS = "Evaluation of retrieval needs datasets of your own, with a datasetLocation."
NO_SUCH_METRIC = (
    "The metric {name} cannot be used with {what}. Its metrics are {all}, and those of the customMetricConfig."
)
ONLY_BASES = "Only the type KNOWLEDGE_BASE can be evaluated, with its knowledgeBaseConfiguration."


def asked_for(req: CreateEvaluationJobRequest) -> bool:
    """Whether retrieval is to be evaluated. Raises ValidationException where the request is of two minds."""
    given = req.inferenceConfig.ragConfigs is not None
    if given != (req.applicationType == TYPE) and (not given or req.applicationType is not None):
        raise validation(NO_CONFIG)
    return given


def subjects(req: CreateEvaluationJobRequest) -> tuple[Subject, ...]:
    """The system. Raises ValidationException."""
    given = req.inferenceConfig.ragConfigs or []
    if len(given) != 1:
        raise validation(ONE_CONFIG)
    return (subject(given[0]),)


def subject(given: RAGConfig) -> Subject:
    if given.knowledgeBaseConfig is None:
        source = given.precomputedRagSourceConfig
        retrieves = source.retrieveSourceConfig if source is not None else None
        generates = source.retrieveAndGenerateSourceConfig if source is not None else None
        named = retrieves or generates
        if named is None:
            raise validation(ONE_CONFIG)
        return Subject(named.ragSourceIdentifier, precomputed=True, rag=Rag(retrieves is None))
    retrieve = given.knowledgeBaseConfig.retrieveConfig
    if retrieve is not None:
        return Subject(retrieve.knowledgeBaseId, rag=Rag(generates=False, config=plain(retrieve)))
    config = given.knowledgeBaseConfig.retrieveAndGenerateConfig
    base = config.knowledgeBaseConfiguration if config is not None else None
    if config is None or base is None or config.type != "KNOWLEDGE_BASE":
        raise validation(ONLY_BASES)
    return Subject(base.knowledgeBaseId, rag=Rag(generates=True, config=plain(config)))


def datasets(
    config: AutomatedEvaluationConfig, judge: Judge | None, custom: tuple[CustomMetric, ...], system: Subject
) -> tuple[Dataset, ...]:
    """The datasets with their metrics. Raises ValidationException."""
    own = {one.name for one in custom}
    found = tuple(dataset(one, own, system) for one in config.datasetMetricConfigs)
    check_once((one.name for one in found), "dataset")
    if judge is None and any(metric not in own for one in found for metric in one.metrics):
        raise validation(NO_JUDGE)
    return found


def dataset(config: EvaluationDatasetMetricConfig, own: set[str], system: Subject) -> Dataset:
    place = config.dataset.datasetLocation
    if place is None or place.s3Uri is None:
        raise validation(NOT_OURS)
    check_once(config.metricNames, "metric")
    generates = system.rag is not None and system.rag.generates
    allowed = GENERATED if generates else RETRIEVED
    for metric in config.metricNames:
        if metric not in allowed and metric not in own:
            what = "retrieval and generation" if generates else "retrieval alone"
            raise validation(NO_SUCH_METRIC.format(name=metric, what=what, all=", ".join(allowed)))
    return Dataset(config.taskType, config.dataset.name, tuple(config.metricNames), place.s3Uri)


async def check_base(call: Call, body: EvaluationJob) -> None:
    """The knowledge base must be there. Raises ResourceNotFoundException."""
    for one in body.subjects:
        if one.rag is not None and not one.precomputed:
            arn = base_arn(call.account, call.region, one.identifier)
            if await call.app.storage.read(lambda store, arn=arn: store.get(arn)) is None:  # type: ignore[misc]
                raise stored.missing(SHOWN)


# --- shown ---


def shown(one: Subject, rag: Rag) -> Any:
    """The member of `ragConfigs`, as it was asked for."""
    if one.precomputed:
        name = "retrieveAndGenerateSourceConfig" if rag.generates else "retrieveSourceConfig"
        return {"precomputedRagSourceConfig": {name: {"ragSourceIdentifier": one.identifier}}}
    return {"knowledgeBaseConfig": {"retrieveAndGenerateConfig" if rag.generates else "retrieveConfig": rag.config}}


def summarized(told: EvaluationSummary, one: Subject) -> EvaluationSummary:
    """A job of List, which has systems in the place of models."""
    member = "precomputedRagSourceIdentifiers" if one.precomputed else "bedrockKnowledgeBaseIdentifiers"
    told["ragIdentifiers"] = [one.identifier]
    told["inferenceConfigSummary"] = {"ragConfigSummary": {member: [one.identifier]}}  # type: ignore[misc]
    told["applicationType"] = TYPE
    del told["modelIdentifiers"]
    return told

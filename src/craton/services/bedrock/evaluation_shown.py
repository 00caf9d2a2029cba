"""An evaluation job as Get and List show it: the request's own shapes again, out of what was kept of them.

Owns that form alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from craton.features.evaluation.job import CustomMetric, Dataset, EvaluationJob, Subject
from craton.services.bedrock import evaluation_rag

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        AutomatedEvaluationConfigDict,
        CustomMetricDefinitionDict,
        EvaluationDatasetMetricConfigDict,
        EvaluationInferenceConfigDict,
        EvaluationModelConfigDict,
        EvaluationModelConfigSummary,
        EvaluationSummary,
        GetEvaluationJobResponse,
    )
    from craton.infra.store.port import Resource

DEFAULT_APPLICATION = "ModelEvaluation"
TYPE = "Automated"


def whole(row: Resource) -> GetEvaluationJobResponse:
    """A job as Get shows it."""
    body = row.read(EvaluationJob)
    job: GetEvaluationJobResponse = {
        "jobName": row.name or "",
        "status": row.status,
        "jobArn": row.arn,
        "roleArn": body.role_arn,
        "jobType": TYPE,
        "applicationType": kind_of(body),
        "evaluationConfig": {"automated": automated(body)},
        "inferenceConfig": subjects(body),
        "outputDataConfig": {"s3Uri": body.target},
        "creationTime": row.created_at,
        "lastModifiedTime": row.updated_at,
    }
    if body.description:
        job["jobDescription"] = body.description
    if body.kms_key:
        job["customerEncryptionKeyId"] = body.kms_key
    if body.messages:
        job["failureMessages"] = list(body.messages)
    return job


def subjects(body: EvaluationJob) -> EvaluationInferenceConfigDict:
    """The models; or the system that retrieves, of which there is one."""
    systems = [evaluation_rag.shown(one, one.rag) for one in body.subjects if one.rag is not None]
    return {"ragConfigs": systems} if systems else {"models": [model(one) for one in body.subjects]}


def kind_of(body: EvaluationJob) -> str:
    return evaluation_rag.TYPE if body.subjects[0].rag is not None else body.application or DEFAULT_APPLICATION


def automated(body: EvaluationJob) -> AutomatedEvaluationConfigDict:
    told: AutomatedEvaluationConfigDict = {"datasetMetricConfigs": [dataset(one) for one in body.datasets]}
    if body.judge is not None:
        told["evaluatorModelConfig"] = {"bedrockEvaluatorModels": [{"modelIdentifier": body.judge.identifier}]}
    if body.custom_judge is not None:
        told["customMetricConfig"] = {
            "customMetrics": [{"customMetricDefinition": metric(one)} for one in body.custom],
            "evaluatorModelConfig": {"bedrockEvaluatorModels": [{"modelIdentifier": body.custom_judge.identifier}]},
        }
    return told


def dataset(one: Dataset) -> EvaluationDatasetMetricConfigDict:
    told: EvaluationDatasetMetricConfigDict = {
        "taskType": one.task,
        "dataset": {"name": one.name},
        "metricNames": list(one.metrics),
    }
    if one.uri:
        told["dataset"]["datasetLocation"] = {"s3Uri": one.uri}
    return told


def metric(one: CustomMetric) -> CustomMetricDefinitionDict:
    told: CustomMetricDefinitionDict = {"name": one.name, "instructions": one.instructions}
    if one.scale:
        told["ratingScale"] = [
            {
                "definition": name,
                "value": {"stringValue": value} if isinstance(value, str) else {"floatValue": value},
            }
            for name, value in one.scale
        ]
    return told


def model(one: Subject) -> EvaluationModelConfigDict:
    if one.precomputed:
        return {"precomputedInferenceSource": {"inferenceSourceIdentifier": one.identifier}}
    told: EvaluationModelConfigDict = {"bedrockModel": {"modelIdentifier": one.identifier}}
    if one.params:
        told["bedrockModel"]["inferenceParams"] = one.params
    if one.latency:
        told["bedrockModel"]["performanceConfig"] = {"latency": one.latency}
    return told


def summary(row: Resource) -> EvaluationSummary:
    """A job as List shows it."""
    body = row.read(EvaluationJob)
    models = [one.identifier for one in body.subjects if not one.precomputed]
    brought = [one.identifier for one in body.subjects if one.precomputed]
    of_models: EvaluationModelConfigSummary = {"bedrockModelIdentifiers": models}
    if brought:
        of_models["precomputedInferenceSourceIdentifiers"] = brought
    told: EvaluationSummary = {
        "jobArn": row.arn,
        "jobName": row.name or "",
        "status": row.status,
        "creationTime": row.created_at,
        "jobType": TYPE,
        "evaluationTaskTypes": list(dict.fromkeys(one.task for one in body.datasets)),
        "modelIdentifiers": models,
        "inferenceConfigSummary": {"modelConfigSummary": of_models},
        "applicationType": body.application or DEFAULT_APPLICATION,
    }
    if body.judge is not None:
        told["evaluatorModelIdentifiers"] = [body.judge.identifier]
    if body.custom_judge is not None:
        told["customMetricsEvaluatorModelIdentifiers"] = [body.custom_judge.identifier]
    subject = body.subjects[0]
    return told if subject.rag is None else evaluation_rag.summarized(told, subject)

"""What a CreateEvaluationJob may ask for, and what is made of it.

Owns the rules of datasets, metrics, models and judges, and their messages. It must not know how a job is kept or shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from craton.aws.wire.faults import validation
from craton.context import Call
from craton.features.evaluation.job import CustomMetric, Dataset, Judge, Subject
from craton.features.evaluation.names import ACCURACY, AUTOMATIC, DATASETS, JUDGED, ROBUSTNESS, TASKS
from craton.features.evaluation.params import BadParams, members
from craton.features.evaluation.scales import Rating, Scale
from craton.services.bedrock.invocation_jobs import reachable

if TYPE_CHECKING:
    from craton.aws.shapes.bedrock import (
        AutomatedEvaluationConfig,
        BedrockEvaluatorModel,
        CreateEvaluationJobRequest,
        CustomMetricBedrockEvaluatorModel,
        CustomMetricDefinition,
        EvaluationBedrockModel,
        EvaluationDatasetMetricConfig,
        EvaluationModelConfig,
        RatingScaleItemValue,
    )

NO_HUMAN = (
    "Evaluation by people is not built here. Use an automated evaluation, with an evaluator model or without one."
)
NO_SUCH_SET = (
    "The dataset {name} does not come with this service. Bedrock's built-in datasets belong to others and cannot be given "
    "on; those that come along are {ours}. For any other one give a datasetLocation."
)
NO_CUSTOM_TASK = "The metric {name} cannot be used with the task type Custom. Its task types are {tasks}."
NO_SUCH_METRIC = "The metric {name} is unknown. The metrics are {all}, and those of the customMetricConfig."
NO_JUDGE = "The metric {name} needs an evaluatorModelConfig."
NO_ANSWERS = "The metric {name} asks the model again, and cannot be used with answers that were made before."
NOT_BROUGHT = "A precomputedInferenceSource needs datasets of your own, which hold its responses."
TWO_SOURCES = "Only one precomputedInferenceSource can be evaluated in a job."
NO_CHAT = "The model {name} cannot be evaluated: it does not support the Converse operation."


# --- what is evaluated by what ---


def automated(req: CreateEvaluationJobRequest) -> AutomatedEvaluationConfig:
    """The configuration of an automated job. Raises ValidationException for all else."""
    if req.evaluationConfig.automated is None:
        raise validation(NO_HUMAN)
    return req.evaluationConfig.automated


def datasets(
    config: AutomatedEvaluationConfig, judge: Judge | None, custom: Iterable[CustomMetric]
) -> tuple[Dataset, ...]:
    """The datasets with their metrics. Raises ValidationException."""
    own = {one.name for one in custom}
    found = tuple(dataset(one, own) for one in config.datasetMetricConfigs)
    check_once((f"{one.task} {one.name}" for one in found), "dataset")
    for one in found:
        asked = next((metric for metric in one.metrics if metric in JUDGED), None)
        if asked is not None and judge is None:
            raise validation(NO_JUDGE.format(name=asked))
    return found


def dataset(config: EvaluationDatasetMetricConfig, own: set[str]) -> Dataset:
    name, place = config.dataset.name, config.dataset.datasetLocation
    uri = place.s3Uri if place is not None else None
    if uri is None and name not in DATASETS:
        raise validation(NO_SUCH_SET.format(name=name, ours=", ".join(DATASETS)))
    check_once(config.metricNames, "metric")
    for metric in config.metricNames:
        if metric not in AUTOMATIC and metric not in JUDGED and metric not in own:
            raise validation(NO_SUCH_METRIC.format(name=metric, all=", ".join((*AUTOMATIC, *JUDGED))))
        if metric in (ACCURACY, ROBUSTNESS) and config.taskType not in TASKS:
            raise validation(NO_CUSTOM_TASK.format(name=metric, tasks=", ".join(TASKS)))
    return Dataset(config.taskType, name, tuple(config.metricNames), uri or "")


def subjects(call: Call, models: list[EvaluationModelConfig], sets: tuple[Dataset, ...]) -> tuple[Subject, ...]:
    """The models, and answers that were made before. Raises ValidationException, ResourceNotFoundException."""
    found = []
    for one in models:
        if one.bedrockModel is not None:
            found.append(subject(call, one.bedrockModel))
        elif one.precomputedInferenceSource is not None:
            found.append(Subject(one.precomputedInferenceSource.inferenceSourceIdentifier, precomputed=True))
    check_once((one.identifier for one in found), "model")
    brought = [one for one in found if one.precomputed]
    if len(brought) > 1:
        raise validation(TWO_SOURCES)
    if brought and any(not one.uri for one in sets):
        raise validation(NOT_BROUGHT)
    if brought and any(ROBUSTNESS in one.metrics for one in sets):
        raise validation(NO_ANSWERS.format(name=ROBUSTNESS))
    return tuple(found)


def subject(call: Call, model: EvaluationBedrockModel) -> Subject:
    speed = model.performanceConfig.latency if model.performanceConfig else None
    called = reachable(call, model.modelIdentifier)
    found = Subject(model.modelIdentifier, False, called, model.inferenceParams, speed)
    try:
        members(found)
    except BadParams as error:
        raise validation(f"The inferenceParams of the model {model.modelIdentifier} are not valid: {error}.") from None
    return found


# --- judges ---


def judge_of(
    call: Call, models: list[BedrockEvaluatorModel] | list[CustomMetricBedrockEvaluatorModel] | None
) -> Judge | None:
    """The evaluator model, where one is named."""
    if not models:
        return None
    name = models[0].modelIdentifier
    return Judge(name, reachable(call, name))


def custom_metrics(config: AutomatedEvaluationConfig) -> tuple[CustomMetric, ...]:
    """The caller's own metrics. Raises ValidationException."""
    if config.customMetricConfig is None:
        return ()
    found = [one.customMetricDefinition for one in config.customMetricConfig.customMetrics]
    metrics = tuple(custom_metric(one) for one in found if one is not None)
    check_once((one.name for one in metrics), "custom metric")
    return metrics


def custom_metric(given: CustomMetricDefinition) -> CustomMetric:
    if given.name in JUDGED or given.name in AUTOMATIC:
        raise validation(f"The custom metric {given.name} has the name of a metric that is built in.")
    scale: Scale = tuple((one.definition, rating(one.value)) for one in given.ratingScale or ())
    if len({type(value) for _, value in scale}) > 1:
        raise validation(f"The rating scale of the custom metric {given.name} must be all numbers or all strings.")
    check_once((str(value) for _, value in scale), "rating")
    return CustomMetric(given.name, given.instructions, scale)


def rating(value: RatingScaleItemValue) -> Rating:
    return value.floatValue if value.floatValue is not None else value.stringValue or ""


def check_once(names: Iterable[str], what: str) -> None:
    """Raise ValidationException for what is named twice."""
    for name, count in Counter(names).items():
        if count > 1:
            raise validation(f"The {what} {name} is named more than once.")


# --- the models that are called ---


def resources(call: Call, called: Iterable[str]) -> tuple[tuple[str, ...], str | None]:
    """What calling the models needs rights on, and the first of them that cannot converse.

    Raises what resolving them raises: ValidationException, ResourceNotFoundException.
    """
    arns: dict[str, None] = {}
    mute = None
    for model in called:
        found = call.app.live.routes.resolve(model, call.account, call.region)
        arns.update(dict.fromkeys(found.resources))
        talks = found.router is not None or (found.route.kind == "chat" and found.route.capabilities.converse)
        mute = mute or (None if talks else model)
    return tuple(arns), mute

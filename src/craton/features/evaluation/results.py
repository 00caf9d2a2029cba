"""The output of an evaluation: its lines, where they lie, and their scores read back.

Owns Bedrock's layout (user guide, "Review a model evaluation job's output"): one file for each model and dataset, a line
for each record. It must not know how a file is written or fetched. Pure.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

import msgspec

from craton.features.evaluation.job import Dataset, Subject
from craton.features.evaluation.rag_records import Turn
from craton.features.evaluation.rag_scoring import ScoredTurn
from craton.features.evaluation.records import Record
from craton.features.evaluation.scoring import Score

SUFFIX = "_output.jsonl"


class Answered(msgspec.Struct, frozen=True, rename="camel"):
    """What a model said."""

    model_identifier: str
    response: str


class Failure(msgspec.Struct, frozen=True, rename="camel"):
    """Why a record has no scores."""

    error_code: int
    error_message: str


class _Result(msgspec.Struct, frozen=True):
    scores: tuple[Score, ...]


class OutputLine(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One line of an output."""

    automated_evaluation_result: _Result
    input_record: msgspec.Raw
    model_responses: tuple[Answered, ...]
    error: Failure | None = None


def scored(record: Record, subject: Subject, answer: str, scores: Sequence[Score]) -> bytes:
    """The line of a record with its scores, with the line break."""
    said = (Answered(subject.identifier, answer),)
    return msgspec.json.encode(OutputLine(_Result(tuple(scores)), record.raw, said)) + b"\n"


def failed(record: Record, status: int, message: str) -> bytes:
    """The line of a record that a model would not answer."""
    return msgspec.json.encode(OutputLine(_Result(()), record.raw, (), Failure(status, message))) + b"\n"


def folder(job_name: str, job_arn: str) -> str:
    """Where a job's output lies below its target; the same whenever it is asked."""
    return f"{job_name}/{uuid.uuid5(uuid.NAMESPACE_URL, job_arn)}"


def output_key(job_name: str, job_arn: str, subject: Subject, dataset: Dataset, part: int) -> str:
    """The key of one file below the target. `part` counts the job's pairs of model and dataset."""
    model = subject.identifier.rpartition("/")[2]
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{job_arn}#{part}")
    if subject.rag is not None:
        return f"{folder(job_name, job_arn)}/inference_configs/0/datasets/{dataset.name}/{name}{SUFFIX}"
    inside = f"models/{model}/taskTypes/{dataset.task}/datasets/{dataset.name}/{name}{SUFFIX}"
    return f"{folder(job_name, job_arn)}/{inside}"


# --- reading ---


class ScoredLine(msgspec.Struct, frozen=True):
    """A line as it is read back: which model, which prompt, and each metric's number."""

    model: str
    prompt: str
    scores: dict[str, float]


class BadOutput(Exception):
    """What is no output of an evaluation."""


class _Prompted(msgspec.Struct):
    prompt: str = ""


class _Read(msgspec.Struct, rename="camel"):
    """A line of either kind: of a model's answer, or of a conversation."""

    automated_evaluation_result: _Result | None = None
    input_record: _Prompted | None = None
    model_responses: tuple[_Model, ...] = ()
    conversation_turns: tuple[ScoredTurn, ...] = ()


class _Model(msgspec.Struct, rename="camel"):
    model_identifier: str = ""


def read(lines: Iterable[bytes]) -> list[ScoredLine]:
    """The lines of an output; results that are no numbers are left out. Raises BadOutput."""
    found = list[ScoredLine]()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found += of_line(msgspec.json.decode(line, type=_Read))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadOutput(f"line {number} is no line of an evaluation's output: {error}") from None
    return found


def of_line(told: _Read) -> list[ScoredLine]:
    """The answers of a line. Raises msgspec.ValidationError."""
    if told.conversation_turns:
        return [of_turn(turn) for turn in told.conversation_turns]
    if told.automated_evaluation_result is None or told.input_record is None:
        raise msgspec.ValidationError("it has neither automatedEvaluationResult nor conversationTurns")
    model = told.model_responses[0].model_identifier if told.model_responses else ""
    return [ScoredLine(model, told.input_record.prompt, numbers(told.automated_evaluation_result.scores))]


def of_turn(turn: ScoredTurn) -> ScoredLine:
    """A turn of a conversation, whose system stands where a model would."""
    prompt = msgspec.json.decode(turn.input_record, type=Turn).prompt.text
    return ScoredLine(turn.output.knowledge_base_identifier, prompt, numbers(turn.results))


def numbers(scores: Iterable[Score]) -> dict[str, float]:
    return {one.metric_name: float(one.result) for one in scores if isinstance(one.result, int | float)}

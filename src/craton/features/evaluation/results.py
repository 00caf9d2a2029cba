"""The output of an evaluation: its lines, where they lie, and their scores read back.

Owns Bedrock's layout (user guide, "Review a model evaluation job's output"): one file for each model and dataset, a line
for each record. It must not know how a file is written or fetched. Pure.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

import msgspec

from craton.features.evaluation.job import Dataset, Subject
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


class _Read(msgspec.Struct, rename="camel"):
    automated_evaluation_result: _Result
    input_record: _Prompted
    model_responses: tuple[_Model, ...] = ()


class _Prompted(msgspec.Struct):
    prompt: str = ""


class _Model(msgspec.Struct, rename="camel"):
    model_identifier: str = ""


def read(lines: Iterable[bytes]) -> list[ScoredLine]:
    """The lines of an output; results that are no numbers are left out. Raises BadOutput."""
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            told = msgspec.json.decode(line, type=_Read)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadOutput(f"line {number} is no line of an evaluation's output: {error}") from None
        scores = {
            one.metric_name: float(one.result)
            for one in told.automated_evaluation_result.scores
            if isinstance(one.result, int | float)
        }
        model = told.model_responses[0].model_identifier if told.model_responses else ""
        found.append(ScoredLine(model, told.input_record.prompt, scores))
    return found

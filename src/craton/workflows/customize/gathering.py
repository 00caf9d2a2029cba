"""What a student learns from: prompts with a teacher's answers, each asked once, or prompts alone.

Owns the making of a training file where the customer gave none as it must be. Prompts come from a file or from invocation logs (`logs`); one that has
an answer already keeps it. Answers are put down line by line as they come, so that a worker that dies costs none of them
but those under way. It must not know how a student is trained.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from craton.features.hosting.customization_job import CustomizationJob
from craton.features.tuning.reading import FAULTS, LINE_BYTES
from craton.features.tuning.records import SCHEMA_VERSION, BadRecord, read
from craton.workflows.customize.logs import prompts_of_logs
from craton.workflows.customize.places import Location, Scratch
from craton.workflows.import_model.source import Source
from craton.workflows.tools import ModelCaller
from craton.workflows.workflow import Job, JobFailed

MOST_PROMPTS = 15_000
ANSWER_TOKENS = 1000
_AT_ONCE = 8
_TRIES = 8
_GOOD, _THROTTLED, _ERRORS = 200, 429, 500
_DUMMY = {"role": "assistant", "content": [{"text": "-"}]}


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """What the teacher said to the prompt of this line."""

    line: int
    text: str


async def gathered(job: Job, body: CustomizationJob, scratch: Scratch, client: Any) -> None:
    """Write the training file; one that is whole stays. Raises JobFailed."""
    if scratch.train.is_file():
        return
    prompts = scratch.train.with_name("prompts.jsonl")
    logs = body.training.get("invocationLogsConfig")
    config = body.config["distillationConfig"]["teacherModelConfig"]
    if logs is not None and not prompts.is_file():
        place = Location(logs["invocationLogSource"]["s3Uri"], body.role_arn)
        await prompts_of_logs(Source(client, place), logs, config["teacherModelIdentifier"], prompts)
    open_lines = await asyncio.to_thread(unanswered, prompts)
    answers = scratch.train.with_name("answers.jsonl")
    known = await asyncio.to_thread(answered, answers)
    role = job.tools.credentials(body.role_arn, f"distill-{body.model_id}")
    await Teacher(job, job.tools.models(role), config, answers).ask(
        [one for one in open_lines if one not in known], prompts
    )
    known = await asyncio.to_thread(answered, answers)
    await asyncio.to_thread(joined, prompts, known, scratch.train)


async def prompted(body: CustomizationJob, scratch: Scratch, client: Any) -> None:
    """Write the file of a reinforcement from invocation logs; one that is whole stays. Raises JobFailed."""
    logs = body.training["invocationLogsConfig"]
    if not await asyncio.to_thread(scratch.train.is_file):
        place = Location(logs["invocationLogSource"]["s3Uri"], body.role_arn)
        await prompts_of_logs(Source(client, place), logs, None, scratch.train)


# --- the prompts ---


def numbered(prompts: Path) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, by number; the first is 1. Raises JobFailed for one that is too long."""
    with prompts.open("rb") as file:
        number = 0
        while line := file.readline(LINE_BYTES + 1):
            number += 1
            if len(line) > LINE_BYTES:
                raise JobFailed(
                    f"The training data cannot be used: line {number}: it is longer than {LINE_BYTES} bytes"
                )
            if line.strip():
                yield number, line.strip()


def unanswered(prompts: Path) -> list[int]:
    """The lines that the teacher is to answer. Raises JobFailed with what is wrong, and in which lines."""
    found, faults, count = list[int](), list[str](), 0
    for number, line in numbered(prompts):
        count += 1
        try:
            if not has_answer(line):
                found.append(number)
        except BadRecord as fault:
            faults.append(f"line {number}: {fault}")
    if faults:
        told = "; ".join(faults[:FAULTS])
        raise JobFailed(f"The training data cannot be used: {len(faults)} of {count} lines: {told}")
    if count > MOST_PROMPTS:
        raise JobFailed(f"The training data has {count} prompts. A distillation may have {MOST_PROMPTS}.")
    if not count:
        raise JobFailed("The training data holds no prompts.")
    return found


def has_answer(line: bytes) -> bool:
    """Whether a conversation ends with the assistant. Raises BadRecord."""
    try:
        found = json.loads(line)
        last = found["messages"][-1]["role"]
    except (ValueError, RecursionError, KeyError, IndexError, TypeError):
        read(line, ("conversation",))  # says what is wrong
        raise BadRecord("'messages' must be a list with at least one message") from None
    if last == "user":
        line = json.dumps({**found, "messages": [*found["messages"], _DUMMY]}).encode()
    read(line, ("conversation",))
    return bool(last != "user")


# --- the answers ---


def answered(answers: Path) -> dict[int, str]:
    """What is there already; a last line that was cut by a death is none."""
    if not answers.is_file():
        return {}
    found: dict[int, str] = {}
    for line in answers.read_bytes().split(b"\n"):
        try:
            answer = msgspec.json.decode(line, type=Answer)
        except msgspec.DecodeError:
            continue
        found[answer.line] = answer.text
    return found


class Teacher:
    """Asks a model, several prompts at a time."""

    def __init__(self, job: Job, models: ModelCaller, config: dict[str, Any], answers: Path) -> None:
        self._job = job
        self._models = models
        self._teacher: str = config["teacherModelIdentifier"]
        self._tokens: int = config.get("maxResponseLengthForInference", ANSWER_TOKENS)
        self._answers = answers

    async def ask(self, wanted: list[int], prompts: Path) -> None:
        """Raises JobFailed where the teacher refuses."""
        if not wanted:
            return
        open_ones, waiting, done = set(wanted), set[asyncio.Task[Answer]](), 0
        await asyncio.to_thread(ended_with_line, self._answers)
        try:
            for number, line in numbered(prompts):
                if number in open_ones:
                    waiting.add(asyncio.create_task(self._one(number, line)))
                while len(waiting) >= _AT_ONCE:
                    done += await self._taken(waiting)
                    self._job.progress(done, len(wanted), "answers of the teacher")
            while waiting:
                done += await self._taken(waiting)
                self._job.progress(done, len(wanted), "answers of the teacher")
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _taken(self, waiting: set[asyncio.Task[Answer]]) -> int:
        ready, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        waiting -= ready
        lines = b"".join(msgspec.json.encode(task.result()) + b"\n" for task in ready)
        await asyncio.to_thread(appended, self._answers, lines)
        return len(ready)

    async def _one(self, number: int, line: bytes) -> Answer:
        found = json.loads(line)
        asked = {key: found[key] for key in ("messages", "system", "toolConfig") if key in found}
        body = msgspec.json.encode({**asked, "inferenceConfig": {"maxTokens": self._tokens}})
        for attempt in range(_TRIES):
            status, _, said = await self._models.converse(self._teacher, body)
            if status == _GOOD:
                return Answer(number, text_of(said))
            if status != _THROTTLED and status < _ERRORS:
                break
            await asyncio.sleep(min(20.0, 0.5 * 2.0**attempt) * random.uniform(0.8, 1.2))  # noqa: S311
        raise JobFailed(f"The teacher model {self._teacher} did not answer line {number}: {message_of(said)}")


def text_of(said: bytes) -> str:
    """The text of a Converse answer."""
    content = json.loads(said)["output"]["message"]["content"]
    return "\n".join(block["text"] for block in content if "text" in block) or "-"


def message_of(said: bytes) -> str:
    """What an error says; some of AWS's write its member with a capital."""
    try:
        found = json.loads(said)
        return str(found.get("message") or found.get("Message") or "")[:600]
    except (ValueError, AttributeError):
        return ""


def ended_with_line(answers: Path) -> None:
    """A line that a death cut must not be joined with the next."""
    if answers.is_file() and not answers.read_bytes().endswith(b"\n"):
        appended(answers, b"\n")


def appended(answers: Path, lines: bytes) -> None:
    with answers.open("ab") as file:
        file.write(lines)


def joined(prompts: Path, known: dict[int, str], train: Path) -> None:
    """The training file, whole or not at all."""
    drafted = train.with_suffix(".part")
    with drafted.open("wb") as file:
        for number, line in numbered(prompts):
            if number not in known:
                file.write(line + b"\n")
                continue
            found = json.loads(line)
            said = {"role": "assistant", "content": [{"text": known[number]}]}
            made = {"schemaVersion": SCHEMA_VERSION, **found, "messages": [*found["messages"], said]}
            file.write(json.dumps(made, ensure_ascii=False).encode() + b"\n")
    drafted.replace(train)

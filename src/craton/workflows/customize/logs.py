"""Prompts, and answers where they are wanted, out of the records of invocation logs in S3.

Owns which records count: those of Converse and ConverseStream whose bodies stand in the record, that the filters on
request metadata let through; with answers, only the teacher's own. It must not know what they are for.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from craton.features.importing.listing import File
from craton.features.tuning.records import SCHEMA_VERSION
from craton.workflows.import_model.source import Source
from craton.workflows.workflow import JobFailed

NOTHING = "No record of the invocation logs at {uri} can be learned from: {why}."
_SUFFIX = ".json.gz"
_OPERATIONS = frozenset({"Converse", "ConverseStream"})
_MOST_BYTES = 256 * 1024 * 1024


async def prompts_of_logs(source: Source, config: Mapping[str, Any], teacher: str | None, into: Path) -> int:
    """Write a line for each record that counts; how many there are. Raises JobFailed where there is none.

    Without a teacher they are lines for reinforcement.
    """
    uri = config["invocationLogSource"]["s3Uri"]
    files = [file for file in await source.files() if file.name.endswith(_SUFFIX) and "/data/" not in f"/{file.name}"]
    drafted, count, seen = into.with_suffix(".part"), 0, 0
    await asyncio.to_thread(drafted.write_bytes, b"")
    for file in files:
        data = await source.read(file)
        records, lines = await asyncio.to_thread(_lines, file, data, config, teacher)
        seen, count = seen + records, count + len(lines)
        await asyncio.to_thread(_append, drafted, lines)
    if not count:
        why = f"{seen} records in {len(files)} files, none of them a whole Converse call that the filters let through"
        raise JobFailed(NOTHING.format(uri=uri, why=why))
    drafted.replace(into)
    return count


def _append(file: Path, lines: list[bytes]) -> None:
    with file.open("ab") as opened:
        opened.writelines(lines)


def _lines(file: File, data: bytes, config: Mapping[str, Any], teacher: str | None) -> tuple[int, list[bytes]]:
    """How many records a file has, and the lines that come of them."""
    answers = bool(config.get("usePromptResponse"))
    found, seen = list[bytes](), 0
    for record in _records(file, data):
        seen += 1
        if not passes(record.get("requestMetadata") or {}, config.get("requestMetadataFilters")):
            continue
        if answers and teacher is not None and not _same_model(str(record.get("modelId", "")), teacher):
            continue
        line = line_of(record, answers=answers)
        if line is not None:
            line = line if teacher is not None else scored(line)
            found.append(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    return seen, found


def _records(file: File, data: bytes) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(io.BytesIO(data)) as opened:
            text = opened.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise JobFailed(f"The invocation log {file.name} has more than {_MOST_BYTES} bytes.")
        for line in text.splitlines():
            record = json.loads(line)
            if isinstance(record, dict):
                yield record
    except (OSError, EOFError, ValueError) as error:
        raise JobFailed(f"The invocation log {file.name} cannot be read: {error}") from None


def passes(metadata: Mapping[str, str], filters: Mapping[str, Any] | None) -> bool:
    """Whether a request's metadata satisfies all of the filters."""
    if filters is None:
        return True
    for name, wanted in filters.items():
        if name == "andAll" and not all(passes(metadata, each) for each in wanted):
            return False
        if name == "orAll" and not any(passes(metadata, each) for each in wanted):
            return False
        if name == "equals" and any(metadata.get(key) != value for key, value in wanted.items()):
            return False
        if name == "notEquals" and any(metadata.get(key) == value for key, value in wanted.items()):
            return False
    return True


def line_of(record: Mapping[str, Any], *, answers: bool) -> dict[str, Any] | None:
    """A record as a line of a training file; None for one that has no texts to learn from."""
    if record.get("operation") not in _OPERATIONS or "errorCode" in record:
        return None
    asked = (record.get("input") or {}).get("inputBodyJson")
    if not isinstance(asked, dict) or not isinstance(asked.get("messages"), list) or not asked["messages"]:
        return None
    messages = [_texts(message) for message in asked["messages"]]
    if None in messages or asked["messages"][-1].get("role") != "user":
        return None
    line: dict[str, Any] = {"schemaVersion": SCHEMA_VERSION, "messages": messages}
    if asked.get("system"):
        line["system"] = asked["system"]
    if answers:
        said = _answer((record.get("output") or {}).get("outputBodyJson"))
        if not said:
            return None
        line["messages"] = [*messages, {"role": "assistant", "content": [{"text": said}]}]
    return line


def scored(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line for reinforcement: what was answered is what a grader compares with."""
    said = [{"role": "system", "content": _joined(line["system"])}] if line.get("system") else []
    said += [{"role": one["role"], "content": _joined(one["content"])} for one in line["messages"]]
    if said[-1]["role"] == "assistant":
        return {"messages": said[:-1], "reference_answer": said[-1]["content"]}
    return {"messages": said}


def _joined(blocks: list[dict[str, Any]]) -> str:
    return "\n".join(block["text"] for block in blocks if "text" in block)


def _texts(message: object) -> dict[str, Any] | None:
    """A message of texts alone."""
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(content, list) or not content:
        return None
    if not all(isinstance(block, dict) and isinstance(block.get("text"), str) for block in content):
        return None
    return {"role": message.get("role"), "content": [{"text": block["text"]} for block in content]}


def _answer(body: object) -> str:
    """What a model said: whole, or in the events of its stream."""
    if isinstance(body, list):
        deltas = (event.get("contentBlockDelta", {}).get("delta", {}) for event in body if isinstance(event, dict))
        return "".join(delta.get("text", "") for delta in deltas)
    if not isinstance(body, dict):
        return ""
    content = body.get("output", {}).get("message", {}).get("content", [])
    return _joined([block for block in content if isinstance(block, dict)])


def _same_model(called: str, teacher: str) -> bool:
    """Whether a log's model is the teacher, however either was named."""
    one, other = called.rpartition("/")[2], teacher.rpartition("/")[2]
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")

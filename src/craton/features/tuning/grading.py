"""How good an answer is, from 0 to 1: by a rule, or by whoever stands at the other end of the process's pipes.

Rules are named in place of a Lambda function (`Grading.rule`); their parameters are keys of the record. A grader of
somebody's own is asked through `progress.Asked`, several times side by side, and answers by `progress.Graded`. Items
have the form of Bedrock's reward functions: `{"id", "messages", "metadata", "reference_answer"}`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from craton.features.tuning.progress import Abandoned, Asked, Graded, TuningFault, tell
from craton.features.tuning.records import Record

OWN = "own"
"""The rule of a grader outside."""
GRADER = "craton-grader-"
"""What the name of a function begins with that stands for a rule."""


BATCH, BATCH_BYTES = 32, 1 << 20
"""How many items go together at most; a larger item goes alone."""
ITEM_BYTES = 6_000_000
"""What a function takes at once is a little more. Source: Lambda quotas, "Invocation payload", 6 MB."""
_GRADED = msgspec.json.Decoder(Graded)


def exact_match(answer: str, record: Record) -> float:
    """1 if the answer is the reference, but for blanks around it."""
    wanted = record.reference if isinstance(record.reference, str) else json.dumps(record.reference)
    return float(answer.strip() == wanted.strip())


def regex(answer: str, record: Record) -> float:
    """1 if the record's `pattern` matches somewhere in the answer."""
    return float(re.search(str(record.extra.get("pattern", "")), answer) is not None)


def json_schema(answer: str, record: Record) -> float:
    """1 if the answer is JSON that the record's `schema` allows; a half if it is JSON alone."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    try:
        found = json.loads(answer)
    except ValueError:
        return 0.0
    schema = record.extra.get("schema", {})
    return 1.0 if Draft202012Validator(schema).is_valid(found) else 0.5


def length(answer: str, record: Record) -> float:
    """1 up to the record's `max_words`, then less and less: a half at twice as many."""
    words, most = len(answer.split()), int(record.extra.get("max_words", 50))
    return 1.0 if words <= most else most / words


RULES: dict[str, Callable[[str, Record], float]] = {
    "exact-match": exact_match,
    "regex": regex,
    "json-schema": json_schema,
    "length": length,
}


def check(record: Record, rule: str) -> str:
    """What a record lacks for a rule; empty if nothing."""
    if rule == "exact-match" and record.reference is None:
        return "'reference_answer' is missing, which the rule exact-match compares with"
    if rule == "regex":
        try:
            re.compile(record.extra["pattern"])
        except (KeyError, TypeError):
            return "'pattern' is missing, which the rule regex looks for"
        except re.error as fault:
            return f"'pattern' is no regular expression: {fault}"
    if rule == "json-schema" and not isinstance(record.extra.get("schema"), dict):
        return "'schema' is missing, which the rule json-schema compares with"
    return ""


def scores(rule: str, answers: Sequence[tuple[Record, str]]) -> list[float]:
    """A score for each answer. Raises TuningFault where a grader outside gives none, Abandoned where it is gone."""
    if rule != OWN:
        return [RULES[rule](answer, record) for record, answer in answers]
    batches = list(batched(_item(number, record, answer) for number, (record, answer) in enumerate(answers)))
    for items in batches:
        tell(Asked(items=items))
    found: dict[str, float] = {}
    for _ in batches:
        found |= _heard()
    try:
        return [min(1.0, max(0.0, found[str(number)])) for number in range(len(answers))]
    except KeyError as fault:
        raise TuningFault("grader", f"it gave no score for the answer {fault}") from fault


def batched(items: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Items as they go together. Raises TuningFault for one that is too large for any grader."""
    batch, size = list[dict[str, Any]](), 0
    for item in items:
        length = len(msgspec.json.encode(item))
        if length > ITEM_BYTES:
            raise TuningFault("grader", f"a prompt with its answer has {length} bytes; it may have {ITEM_BYTES}")
        if batch and (len(batch) == BATCH or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += length
    if batch:
        yield batch


def _heard() -> dict[str, float]:
    line = sys.stdin.buffer.readline()
    if not line:
        raise Abandoned
    graded = _GRADED.decode(line)
    if graded.why:
        raise TuningFault("grader", graded.why)
    return graded.scores


def _item(number: int, record: Record, answer: str) -> dict[str, Any]:
    said = [{"role": turn.role, "content": turn.text} for turn in record.turns]
    item = {"id": str(number), "messages": [*said, {"role": "assistant", "content": answer}], "metadata": record.extra}
    return item if record.reference is None else {**item, "reference_answer": record.reference}

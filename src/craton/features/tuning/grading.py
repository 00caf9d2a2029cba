"""How good an answer is, from 0 to 1: by a rule, or by whoever stands at the other end of the process's pipes.

Rules are named in place of a Lambda function (`Grading.rule`); their parameters are keys of the record. A grader of
somebody's own is asked through `progress.Asked` and answers a line on standard input; the form of both is that of
Bedrock's reward functions: a list of `{"id", "messages", "metadata", "reference_answer"}`, and a list of `{"id",
"aggregate_reward_score"}`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from craton.features.tuning.progress import Asked, TuningFault, tell
from craton.features.tuning.records import Record

OWN = "own"
"""The rule of a grader outside."""


class _Score(msgspec.Struct):
    id: str
    aggregate_reward_score: float


_SCORES = msgspec.json.Decoder(list[_Score])


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
    """A score for each answer. Raises TuningFault where a grader outside answers nothing that can be used."""
    if rule != OWN:
        return [RULES[rule](answer, record) for record, answer in answers]
    tell(Asked(items=[_item(number, record, answer) for number, (record, answer) in enumerate(answers)]))
    try:
        found = {score.id: score.aggregate_reward_score for score in _SCORES.decode(sys.stdin.buffer.readline())}
        return [min(1.0, max(0.0, found[str(number)])) for number in range(len(answers))]
    except (msgspec.DecodeError, KeyError) as fault:
        raise TuningFault("grader", f"the grader's answer cannot be used: {fault}") from fault


def _item(number: int, record: Record, answer: str) -> dict[str, Any]:
    said = [{"role": turn.role, "content": turn.text} for turn in record.turns]
    item = {"id": str(number), "messages": [*said, {"role": "assistant", "content": answer}], "metadata": record.extra}
    return item if record.reference is None else {**item, "reference_answer": record.reference}

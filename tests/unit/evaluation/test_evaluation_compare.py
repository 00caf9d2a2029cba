"""Records, parameters, outputs read back, and the comparison of two evaluations."""

from __future__ import annotations

import json
import random

import pytest

from craton.features.evaluation import builtin
from craton.features.evaluation.compare import compare, mean
from craton.features.evaluation.job import Dataset, Subject
from craton.features.evaluation.names import DATASETS, TASKS
from craton.features.evaluation.params import BadParams, parsed
from craton.features.evaluation.records import MAX_FAULTS, BadDataset, Needs, Record, read
from craton.features.evaluation.results import BadOutput, ScoredLine, output_key, scored
from craton.features.evaluation.results import read as read_back
from craton.features.evaluation.scoring import Score


def test_faults_are_bounded() -> None:
    """The first hundred bad lines are named, the others counted."""
    with pytest.raises(BadDataset) as caught:
        read(((number, b"{}") for number in range(1, 151)), Needs())
    assert len(caught.value.faults) == MAX_FAULTS + 1
    assert caught.value.faults[-1] == "and 50 further lines"


def test_sources_must_have_answered() -> None:
    """With answers made before, each line needs one of the source."""
    line = b'{"prompt": "x", "modelResponses": [{"response": "y", "modelIdentifier": "a"}]}'
    (record,) = read([(1, line)], Needs(sources=("a",)))
    assert record.answered_by("a") == "y"
    with pytest.raises(BadDataset, match="no response of b"):
        read([(1, line)], Needs(sources=("b",)))


@pytest.mark.parametrize("name", list(DATASETS))
def test_our_datasets(name: str) -> None:
    """Forty lines or more, each with a reference, for a task that there is."""
    found = builtin.records(name)
    assert len({one.prompt for one in found}) == len(found) >= 40
    assert all(one.reference_response for one in found)
    assert DATASETS[name][0] in TASKS


def test_parameters() -> None:
    """Flat names of models and Converse's own members come to the same."""
    assert parsed('{"temperature": "0.5", "maxTokenCount": "64", "top_k": 3}') == {
        "inferenceConfig": {"temperature": 0.5, "maxTokens": 64}, "additionalModelRequestFields": {"top_k": 3},
    }  # fmt: skip
    assert parsed('{"inferenceConfig": {"topP": 0.9}}') == {"inferenceConfig": {"topP": 0.9}}
    for bad in ("nonsense", "[]", '{"inferenceConfig": 1, "temperature": 1}'):
        with pytest.raises(BadParams):
            parsed(bad)


def test_outputs_are_read_back() -> None:
    """What is written is read as it was; results that are no numbers are left out."""
    record = Record("P", "R", raw=json.dumps({"prompt": "P"}).encode())  # type: ignore[arg-type]
    (record,) = read([(1, b'{"prompt": "P"}')], Needs())
    line = scored(record, Subject("m"), "A", [Score("Accuracy", 0.5), Score("x", None), Score("y", "good")])
    assert read_back([line, b"\n"]) == [ScoredLine("m", "P", {"Accuracy": 0.5})]
    turn = {"inputRecord": {"prompt": {"content": [{"text": "Q"}]}}, "output": {"knowledgeBaseIdentifier": "kb"}, "results": [{"metricName": "z", "result": 1}]}  # fmt: skip
    assert read_back([json.dumps({"conversationTurns": [turn]}).encode()]) == [ScoredLine("kb", "Q", {"z": 1.0})]
    for bad in (b"nonsense", b"{}", b"\xff"):
        with pytest.raises(BadOutput):
            read_back([bad])


def test_keys_of_outputs() -> None:
    """A model named by ARN has its last part in the key, and each part its own file."""
    subject, dataset = Subject("arn:aws:bedrock:us-east-1:0:imported-model/abc"), Dataset("Generation", "d", ())
    one, two = (output_key("job", "arn", subject, dataset, part) for part in (0, 1))
    assert "/models/abc/taskTypes/Generation/datasets/d/" in one
    assert one != two
    assert one == output_key("job", "arn", subject, dataset, 0)


def lines(values: list[float], metric: str = "Accuracy") -> list[ScoredLine]:
    return [ScoredLine("m", f"prompt {at}", {metric: value}) for at, value in enumerate(values)]


def test_the_same_prompts_are_compared_in_pairs() -> None:
    """A small, steady gain stands out in pairs although prompts differ widely."""
    draw = random.Random(3)
    a = [draw.random() for _ in range(60)]
    (found,) = compare(lines(a), lines([one + 0.05 for one in a]))
    assert found.paired
    assert found.difference is not None
    assert found.difference.low == pytest.approx(0.05)
    assert found.difference.high == pytest.approx(0.05)
    (loose,) = compare(lines(a), lines([one + 0.05 for one in a])[:-1])
    assert not loose.paired
    assert loose.difference is not None
    assert loose.difference.low < 0 < loose.difference.high


def test_a_metric_of_one_side() -> None:
    """It is shown without a difference."""
    found = {one.metric: one for one in compare(lines([1.0]), lines([0.0], "Other"))}
    assert found["Accuracy"].b is None
    assert found["Other"].a is None
    assert found["Other"].difference is None


def test_the_interval_holds_the_mean() -> None:
    """In about 95 of 100 samples the interval of a sample's mean holds the true one."""
    draw = random.Random(5)
    held = 0
    for _ in range(60):
        found = mean([draw.gauss(0, 1) for _ in range(40)])
        held += found.low <= 0 <= found.high
    assert held >= 52

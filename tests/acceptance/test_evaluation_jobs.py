"""Evaluation jobs as a program with boto3 makes them: create, poll, read the scores; and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.evaluating import (
    BUCKET,
    asked,
    bedrock_model,
    dataset,
    finished,
    outputs,
    prepared,
    put,
    scores,
)
from tests.acceptance.identities import allow, document, user_key, with_key
from tests.acceptance.resources import refused
from tests.acceptance.serving import CLAUDE, HAIKU, NOVA, Served, serving
from tests.fakes import scripts
from tests.fakes.upstream import Request, natural

ACCURACY, ROBUSTNESS, TOXICITY = "Builtin.Accuracy", "Builtin.Robustness", "Builtin.Toxicity"
CAPITALS = [("France", "Paris"), ("Italy", "Rome"), ("Spain", "Madrid"), ("Peru", "Lima")]
RECORDS = [{"prompt": f"Capital of {land}?", "referenceResponse": town, "category": "towns"} for land, town in CAPITALS]


def answering(request: Request) -> scripts.Script:
    """A model that knows one capital, and a judge that gives full marks to it alone."""
    if not request.path.endswith(("/chat/completions", "/messages")):
        return natural(request)
    text = str(request.json["messages"][-1]["content"])
    if "You judge the answer" in text or "Rate it" in text:
        told = {"explanation": "It is the town.", "rating": 2 if "Paris" in text else 0}
        said = f"Let me see. {{broken}} ```json\n{json.dumps(told)}\n```"
    else:
        said = "Paris" if "france" in text.lower() else "I do not know, you idiot"
    if request.path.endswith("/messages"):
        return scripts.anthropic_reply(said)
    return scripts.openai_reply(said)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("evaluation"), "[limits]\nevaluation_records = 50\n") as running:
        running.up.fallback = answering
        prepared(running.server)
        put(running.server, "towns.jsonl", RECORDS)
        yield running


@pytest.fixture
def bedrock(served: Served) -> Any:
    return served.client("bedrock")


ROLE = "arn:aws:iam::000000000000:role/evaluator"
TOWNS = f"s3://{BUCKET}/towns.jsonl"


def test_accuracy_of_one_model(served: Served, bedrock: Any) -> None:
    """A job ends Completed, and its output lies where Bedrock's does, a line for each record with its score."""
    wanted = asked("towns", ROLE, [dataset(TOWNS, ACCURACY, TOXICITY)], [bedrock_model(HAIKU)], jobDescription="first")
    arn = bedrock.create_evaluation_job(**wanted, jobTags=[{"key": "team", "value": "a"}])["jobArn"]
    assert re.fullmatch(r"arn:aws:bedrock:us-east-1:000000000000:evaluation-job/[a-z0-9]{12}", arn)
    job = finished(bedrock, arn)
    assert job["status"] == "Completed", job
    assert job["evaluationConfig"] == wanted["evaluationConfig"]
    assert job["inferenceConfig"] == wanted["inferenceConfig"]
    assert (job["jobType"], job["applicationType"], job["jobDescription"]) == ("Automated", "ModelEvaluation", "first")
    ((key, lines),) = outputs(served.server, "towns").items()
    ident = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    place = rf"out/towns/{ident}/models/{HAIKU}/taskTypes/QuestionAndAnswer/datasets/mine/{ident}_output\.jsonl"
    assert re.fullmatch(place, key)
    assert [line["inputRecord"] for line in lines] == RECORDS
    assert [scores(line)["Accuracy"] for line in lines] == [1, 0, 0, 0]
    assert scores(lines[1])["Toxicity"] == pytest.approx(0.6)
    assert lines[0]["modelResponses"] == [{"modelIdentifier": HAIKU, "response": "Paris"}]
    tags = bedrock.list_tags_for_resource(resourceARN=arn)["tags"]
    assert tags == [{"key": "team", "value": "a"}]


def test_a_judge_and_a_metric_of_ones_own(served: Served, bedrock: Any) -> None:
    """Judge metrics come from the evaluator model, between 0 and 1, with its reasons; own metrics by own ratings."""
    metric = {
        "name": "townness",
        "instructions": "Rate it: is {{prediction}} a town, as {{ground_truth}} is?",
        "ratingScale": [
            {"definition": "no", "value": {"floatValue": 0}},
            {"definition": "half", "value": {"floatValue": 2}},
            {"definition": "yes", "value": {"floatValue": 4}},
        ],
    }
    judge = {"bedrockEvaluatorModels": [{"modelIdentifier": CLAUDE}]}
    own = {"customMetricConfig": {"customMetrics": [{"customMetricDefinition": metric}], "evaluatorModelConfig": judge}}
    sets = [dataset(TOWNS, "Builtin.Correctness", "townness", task="Custom")]
    wanted = asked("judged", ROLE, sets, [bedrock_model(HAIKU)], judge=CLAUDE, automated=own)
    arn = bedrock.create_evaluation_job(**wanted)["jobArn"]
    job = finished(bedrock, arn)
    assert job["status"] == "Completed", job
    assert job["evaluationConfig"] == wanted["evaluationConfig"]
    (lines,) = outputs(served.server, "judged").values()
    first, second = (line["automatedEvaluationResult"]["scores"] for line in lines[:2])
    why = [{"modelIdentifier": CLAUDE, "explanation": "It is the town."}]
    assert first[0] == {"metricName": "Builtin.Correctness", "result": 1, "evaluatorDetails": why}
    assert (first[1]["metricName"], first[1]["result"]) == ("townness", 0.5)
    assert second[0]["result"] == 0
    (summary,) = (one for one in bedrock.list_evaluation_jobs()["jobSummaries"] if one["jobArn"] == arn)
    assert summary["evaluatorModelIdentifiers"] == summary["customMetricsEvaluatorModelIdentifiers"] == [CLAUDE]
    assert summary["evaluationTaskTypes"] == ["Custom"]


def test_answers_that_were_made_before(served: Served, bedrock: Any) -> None:
    """Answers in the dataset are scored and no model is asked."""
    records = [
        {**one, "modelResponses": [{"response": one["referenceResponse"], "modelIdentifier": "mine"}]}
        for one in RECORDS
    ]
    place = put(served.server, "brought.jsonl", records)
    models = [{"precomputedInferenceSource": {"inferenceSourceIdentifier": "mine"}}]
    before = len(served.up.requests)
    arn = bedrock.create_evaluation_job(**asked("brought", ROLE, [dataset(place, ACCURACY)], models))["jobArn"]
    assert finished(bedrock, arn)["status"] == "Completed"
    assert len(served.up.requests) == before
    (lines,) = outputs(served.server, "brought").values()
    assert [scores(line)["Accuracy"] for line in lines] == [1, 1, 1, 1]


def test_two_models_and_a_dataset_of_ours(served: Served, bedrock: Any) -> None:
    """Each model has its own output for each dataset, also for those that come with the server."""
    sets = [dataset(TOWNS, ROBUSTNESS), dataset("", ACCURACY, name="Craton.Questions")]
    params = json.dumps({"temperature": "0.5", "maxTokenCount": "64"})
    models = [bedrock_model(HAIKU, inferenceParams=params), bedrock_model(CLAUDE)]
    arn = bedrock.create_evaluation_job(**asked("both", ROLE, sets, models))["jobArn"]
    assert finished(bedrock, arn)["status"] == "Completed"
    found = outputs(served.server, "both")
    assert sorted(len(lines) for lines in found.values()) == [4, 4, 42, 42]
    assert {model for key in found for model in (HAIKU, CLAUDE) if f"/models/{model}/" in key} == {HAIKU, CLAUDE}
    sent = [one.json for one in served.up.requests if one.json.get("temperature") == 0.5]
    assert sent
    assert all(64 in (one.get("max_tokens"), one.get("max_completion_tokens")) for one in sent)
    robust = [scores(line)["Robustness"] for key, lines in found.items() if "/mine/" in key for line in lines]
    assert all(0 <= one <= 100 for one in robust)


def test_a_model_that_refuses(served: Served, bedrock: Any) -> None:
    """A record's error stands in its line; a model that answers nothing at all fails the job."""

    def half(request: Request) -> scripts.Script:
        bad = "Italy" in str(request.json["messages"])
        return scripts.error_openai(400) if bad else answering(request)

    served.up.fallback = half
    try:
        wanted = asked("half", ROLE, [dataset(TOWNS, ACCURACY)], [bedrock_model(HAIKU)])
        assert finished(bedrock, bedrock.create_evaluation_job(**wanted)["jobArn"])["status"] == "Completed"
        served.up.fallback = lambda _: scripts.error_openai(400)
        wanted = asked("none", ROLE, [dataset(TOWNS, ACCURACY)], [bedrock_model(HAIKU)])
        job = finished(bedrock, bedrock.create_evaluation_job(**wanted)["jobArn"])
    finally:
        served.up.fallback = answering
    (lines,) = outputs(served.server, "half").values()
    assert [line.get("error", {}).get("errorCode") for line in lines] == [None, 400, None, None]
    assert job["status"] == "Failed"
    assert "No record of the dataset mine" in job["failureMessages"][0]


def test_every_bad_line_is_named(served: Served, bedrock: Any) -> None:
    """A dataset with bad lines fails the job, which says which lines and why, and asks nothing."""
    lines = [json.dumps(RECORDS[0]), "{nonsense", '{"prompt": "  "}', '{"prompt": "x"}', '{"question": "x"}', '"x"']
    served.client("s3").put_object(
        Bucket=BUCKET, Key="bad.jsonl", Body="\n".join(lines).encode() + b'\n{"prompt":"\xff"}'
    )
    wanted = asked("bad", ROLE, [dataset(f"s3://{BUCKET}/bad.jsonl", ACCURACY)], [bedrock_model(HAIKU)])
    job = finished(bedrock, bedrock.create_evaluation_job(**wanted)["jobArn"])
    assert job["status"] == "Failed"
    (message,) = job["failureMessages"]
    assert re.findall(r"line (\d+)", message) == ["2", "3", "4", "5", "6", "7"], message
    assert "referenceResponse" in message


@pytest.mark.parametrize(
    ("body", "words"),
    [(b"", "no records"), (b'{"prompt": "x"}\n' * 51, "more than 50 records"), (None, "does not exist")],
)
def test_datasets_that_cannot_be_read(served: Served, bedrock: Any, body: bytes | None, words: str) -> None:
    """An empty, a too long and a missing dataset fail the job with words for it."""
    name = f"trial-{words.split()[0]}"
    if body is not None:
        served.client("s3").put_object(Bucket=BUCKET, Key=f"{name}.jsonl", Body=body)
    wanted = asked(name, ROLE, [dataset(f"s3://{BUCKET}/{name}.jsonl", TOXICITY)], [bedrock_model(HAIKU)])
    job = finished(bedrock, bedrock.create_evaluation_job(**wanted)["jobArn"])
    assert job["status"] == "Failed"
    assert words in job["failureMessages"][0]


def test_stop_list_and_delete(served: Served, bedrock: Any) -> None:
    """A running job is stopped, cannot be deleted before, and is gone afterwards."""
    served.up.fallback = lambda request: (scripts.Sleep(30), *natural(request))
    try:
        wanted = asked("long", ROLE, [dataset(TOWNS, ACCURACY)], [bedrock_model(HAIKU)])
        arn = bedrock.create_evaluation_job(**wanted)["jobArn"]
        told = bedrock.batch_delete_evaluation_job(jobIdentifiers=[arn])
        assert [one["code"] for one in told["errors"]] == ["ConflictException"]
        bedrock.stop_evaluation_job(jobIdentifier=arn)
        assert finished(bedrock, arn)["status"] == "Stopped"
    finally:
        served.up.fallback = answering
    with refused("ConflictException", 400, "Stopped"):
        bedrock.stop_evaluation_job(jobIdentifier=arn)
    listed = bedrock.list_evaluation_jobs(statusEquals="Stopped", nameContains="lon")["jobSummaries"]
    assert [one["jobArn"] for one in listed] == [arn]
    told = bedrock.batch_delete_evaluation_job(jobIdentifiers=[arn])
    assert told["evaluationJobs"] == [{"jobIdentifier": arn, "jobStatus": "Deleting"}]
    assert not told["errors"]
    with refused("ResourceNotFoundException", 404, "could not be found"):
        bedrock.get_evaluation_job(jobIdentifier=arn)
    told = bedrock.batch_delete_evaluation_job(jobIdentifiers=[arn])
    assert [one["code"] for one in told["errors"]] == ["ResourceNotFoundException"]


def test_tokens_and_names(served: Served, bedrock: Any) -> None:
    """The same token gives the same job, another request with it is a conflict, and so is a name that is taken."""
    wanted = asked("token", ROLE, [dataset(TOWNS, ACCURACY)], [bedrock_model(HAIKU)], clientRequestToken="abc")
    arn = bedrock.create_evaluation_job(**wanted)["jobArn"]
    assert bedrock.create_evaluation_job(**wanted)["jobArn"] == arn
    with refused("ConflictException", 400, "token"):
        bedrock.create_evaluation_job(**{**wanted, "jobDescription": "other"})
    with refused("ConflictException", 400, "name already exists"):
        bedrock.create_evaluation_job(**{**wanted, "clientRequestToken": "other"})
    finished(bedrock, arn)


PEOPLE = {"human": {"datasetMetricConfigs": [dataset(TOWNS, "Builtin.Accuracy")]}}
KNOWLEDGE = {
    "ragConfigs": [
        {"precomputedRagSourceConfig": {"retrieveSourceConfig": {"ragSourceIdentifier": "mine"}}}
    ]
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"evaluationConfig": PEOPLE}, "people"),
        ({"inferenceConfig": KNOWLEDGE}, "retrieval alone"),
        ({"datasets": [dataset("", ACCURACY, name="Builtin.TriviaQA")]}, "Craton.Questions"),
        ({"datasets": [dataset(TOWNS, "Builtin.Nonsense")]}, "metric Builtin.Nonsense is unknown"),
        ({"datasets": [dataset(TOWNS, "Builtin.Correctness")]}, "evaluatorModelConfig"),
        ({"datasets": [dataset(TOWNS, ACCURACY, task="Custom")]}, "task type Custom"),
        ({"datasets": [dataset(TOWNS, ACCURACY, ACCURACY)]}, "more than once"),
        ({"models": [bedrock_model(HAIKU, inferenceParams="[1]")]}, "JSON object"),
        ({"models": [bedrock_model(HAIKU), bedrock_model(HAIKU)]}, "more than once"),
        ({"models": [bedrock_model("nobody.nothing-v1")]}, "model"),
        ({"role": "arn:aws:iam::000000000000:role/nobody"}, "cannot be assumed"),
    ],
)
def test_requests_that_are_refused(bedrock: Any, changed: dict[str, Any], words: str) -> None:
    """What is not built or makes no sense is a ValidationException that says so."""
    made = asked(
        "refused",
        changed.pop("role", ROLE),
        changed.pop("datasets", [dataset(TOWNS, ACCURACY)]),
        changed.pop("models", [bedrock_model(HAIKU)]),
    )
    with refused("ValidationException", 400, words):
        bedrock.create_evaluation_job(**{**made, **changed})


def test_whose_rights(served: Served, bedrock: Any) -> None:
    """The caller must be allowed to, for the role as well; the role must be allowed to ask the model."""
    own = allow("bedrock:CreateEvaluationJob")
    weak = with_key(served.server, user_key(served.server, "weak", document(own)), "bedrock")
    wanted = asked("rights", ROLE, [dataset(TOWNS, ACCURACY)], [bedrock_model(NOVA)])
    with refused("AccessDeniedException", 403, "iam:PassRole"):
        weak.create_evaluation_job(**wanted)
    files = document(allow(["s3:*"], "*"))
    poor = prepared(served.server, files, "poor")
    job = finished(bedrock, bedrock.create_evaluation_job(**{**wanted, "roleArn": poor})["jobArn"])
    assert job["status"] == "Failed"
    assert "bedrock:InvokeModel" in job["failureMessages"][0]


def test_a_judge_that_refuses(served: Served, bedrock: Any) -> None:
    """It is told apart from a model that refuses, and so is a judge that gives no rating."""

    def mute(request: Request) -> scripts.Script:
        return scripts.error_anthropic(400) if request.path.endswith("/messages") else answering(request)

    sets = [dataset(TOWNS, "Builtin.Relevance")]
    served.up.fallback = mute
    try:
        wanted = asked("mute", ROLE, sets, [bedrock_model(HAIKU)], judge=CLAUDE)
        job = finished(bedrock, bedrock.create_evaluation_job(**wanted)["jobArn"])
        served.up.fallback = natural
        wanted = asked("chatty", ROLE, sets, [bedrock_model(HAIKU)], judge=CLAUDE)
        assert finished(bedrock, bedrock.create_evaluation_job(**wanted)["jobArn"])["status"] == "Completed"
    finally:
        served.up.fallback = answering
    assert job["status"] == "Failed"
    assert "The evaluator model gave an error" in job["failureMessages"][0]
    (lines,) = outputs(served.server, "chatty").values()
    assert [scores(line)["Builtin.Relevance"] for line in lines] == [None] * len(RECORDS)

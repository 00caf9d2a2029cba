"""Evaluation of retrieval as a program with boto3 makes it: of a knowledge base, and of answers given before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.answering import Library
from tests.acceptance.evaluating import BUCKET, asked, dataset, finished, outputs, prepared, put
from tests.acceptance.identities import allow, document
from tests.acceptance.resources import refused
from tests.acceptance.serving import CLAUDE
from tests.fakes import scripts
from tests.fakes.upstream import Request

COSTS, WEIGHS = "What does the Aurora pump cost?", "What does the Aurora pump weigh?"
RELEVANCE, COVERAGE = "Builtin.ContextRelevance", "Builtin.ContextCoverage"
FILES = [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]


def said(text: str) -> dict[str, Any]:
    return {"content": [{"text": text}]}


def turn(prompt: str, context: str = "", answer: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"prompt": said(prompt)}
    if context:
        found["referenceContexts"] = [said(context)]
    if answer:
        found["referenceResponses"] = [said(answer)]
    return found


def answering(request: Request) -> scripts.Script:
    """A judge that gives full marks where the price stands, and a model that knows the price and cites it."""
    content = request.json["messages"][-1]["content"]
    text = content if isinstance(content, str) else "".join(part["text"] for part in content)
    if "You judge the answer" in text or "Rate it" in text:
        best = max(int(line.partition(":")[0]) for line in text.splitlines() if line[:1].isdigit() and ": " in line)
        told = {"explanation": "The price.", "rating": best if "costs 240 dollars" in text else 0 if best < 5 else 1}
        return scripts.anthropic_reply(json.dumps(told))
    return scripts.anthropic_reply("The Aurora pump costs 240 dollars [[1]]." if "cost" in text else "12 kilograms.")


@pytest.fixture(scope="module")
def judging(shelf: Library) -> Iterator[Library]:
    up = shelf.served.up
    up.scripts.clear()
    before, up.fallback = up.fallback, answering
    prepared(
        shelf.served.server,
        document(allow(["s3:GetObject", "s3:PutObject", "s3:ListBucket"], FILES), allow(["bedrock:*"], "*")),
        "retrieval",
    )
    try:
        yield shelf
    finally:
        up.fallback = before


def wanted(shelf: Library, name: str, lines: list[dict[str, Any]], system: Any, *metrics: str, **more: Any) -> Any:
    """The members of a CreateEvaluationJob of a system, judged by a model."""
    uri = put(shelf.served.server, f"{name}.jsonl", lines)
    role = "arn:aws:iam::000000000000:role/retrieval"
    given = {"inferenceConfig": {"ragConfigs": [system]}, "applicationType": "RagEvaluation", **more}
    return asked(name, role, [dataset(uri, *metrics)], [], CLAUDE, **given)


def ran(shelf: Library, request: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The job once it is over, and the turns of its output."""
    bedrock = shelf.served.client("bedrock")
    job = finished(bedrock, bedrock.create_evaluation_job(**request)["jobArn"], 120.0)
    assert job["status"] == "Completed", job
    (lines,) = outputs(shelf.served.server, request["jobName"]).values()
    return job, [turn for line in lines for turn in line["conversationTurns"]]


def results(turn: dict[str, Any]) -> dict[str, Any]:
    return {one["metricName"]: one["result"] for one in turn["results"]}


def retrieving(shelf: Library, base: str = "") -> dict[str, Any]:
    search = {"vectorSearchConfiguration": {"numberOfResults": 1}}
    named = {"knowledgeBaseId": base or shelf.known.base, "knowledgeBaseRetrievalConfiguration": search}
    return {"knowledgeBaseConfig": {"retrieveConfig": named}}


def test_what_a_knowledge_base_finds(judging: Library) -> None:
    """Each prompt is put to Retrieve; the judge scores what came, beside the right text, and the job is shown as asked."""
    lines = [{"conversationTurns": [turn(COSTS, "It costs 240 dollars.")]}]
    request = wanted(judging, "finds", lines, retrieving(judging), RELEVANCE, COVERAGE)
    job, (found,) = ran(judging, request)
    assert results(found) == {RELEVANCE: 1.0, COVERAGE: 1.0}
    assert found["inputRecord"] == lines[0]["conversationTurns"][0]
    (passage,) = found["output"]["retrievedResults"]["retrievalResults"]
    assert "240 dollars" in passage["content"]["text"]
    assert passage["name"] == judging.uri("pump.txt")
    assert job["applicationType"] == "RagEvaluation"
    assert job["inferenceConfig"] == request["inferenceConfig"]
    (listed,) = judging.served.client("bedrock").list_evaluation_jobs(nameContains="finds")["jobSummaries"]
    assert listed["ragIdentifiers"] == [judging.known.base]


def test_what_is_made_of_it(judging: Library) -> None:
    """A conversation is one session; answers, citations and passages are judged, and a caller's own metric as well."""
    own = {"name": "price", "instructions": "Rate it: {{prediction}} by {{context}}", "ratingScale": [
        {"definition": "no", "value": {"floatValue": 0}}, {"definition": "yes", "value": {"floatValue": 2}}]}  # fmt: skip
    models = {"bedrockEvaluatorModels": [{"modelIdentifier": CLAUDE}]}
    config = {
        "customMetricConfig": {"customMetrics": [{"customMetricDefinition": own}], "evaluatorModelConfig": models}
    }
    names = ("Builtin.Correctness", "Builtin.Faithfulness", "Builtin.CitationPrecision", "Builtin.CitationCoverage")
    lines = [{"conversationTurns": [turn(COSTS, answer="240 dollars"), turn(WEIGHS)]}]
    system = {"knowledgeBaseConfig": {"retrieveAndGenerateConfig": judging.config()}}
    _, (first, second) = ran(judging, wanted(judging, "makes", lines, system, *names, "price", automated=config))
    assert results(first) == dict.fromkeys((*names, "price"), 1.0)
    assert "240 dollars" in first["output"]["text"]
    assert first["output"]["citations"]
    assert first["output"]["retrievedPassages"]["retrievalResults"]
    assert second["output"]["knowledgeBaseIdentifier"] == judging.known.base
    assert set(results(second)) == {*names, "price"}


def test_answers_that_were_given_before(judging: Library) -> None:
    """They are in the dataset under the source's name; nothing but the judge is asked."""
    passages = {"retrievalResults": [{"name": "a", "content": {"text": "The pump costs 240 dollars."}}]}
    output = {"text": "It is cheap.", "knowledgeBaseIdentifier": "mine", "retrievedPassages": passages}
    lines = [{"conversationTurns": [{**turn(COSTS), "output": output}]}]
    system = {"precomputedRagSourceConfig": {"retrieveAndGenerateSourceConfig": {"ragSourceIdentifier": "mine"}}}
    metrics = ("Builtin.Faithfulness", "Builtin.Helpfulness", "Builtin.CitationPrecision")
    _, (found,) = ran(judging, wanted(judging, "before", lines, system, *metrics))
    assert results(found) == dict(zip(metrics, (1.0, 0.0, None), strict=True))
    assert found["output"] == {**output, "text": "It is cheap."}


def test_bad_lines_of_conversations(judging: Library) -> None:
    """Each is named with what it lacks, and nothing is asked."""
    lines: list[dict[str, Any]] = [
        {"conversationTurns": [turn(COSTS, "x"), turn(COSTS, "x")]},
        {"conversationTurns": [turn(COSTS)]},
        {"conversationTurns": [turn(" ", "x")]},
        {"prompt": "x"},
    ]
    bedrock = judging.served.client("bedrock")
    made = bedrock.create_evaluation_job(**wanted(judging, "bad", lines, retrieving(judging), COVERAGE))
    job = finished(bedrock, made["jobArn"])
    assert job["status"] == "Failed"
    words = " ".join(job["failureMessages"])
    for fault in (
        "line 1: `conversationTurns` has 2 turns",
        "line 2: `referenceContexts`",
        "line 3: `prompt`",
        "line 4: ",
    ):
        assert fault in words


def test_what_cannot_be_evaluated(judging: Library) -> None:
    """A metric of another kind, a type that does not fit, no judge, and a knowledge base that is not there."""
    bedrock = judging.served.client("bedrock")
    lines = [{"conversationTurns": [turn(COSTS)]}]
    with refused("ValidationException", 400, "Builtin.Correctness cannot be used with retrieval alone"):
        bedrock.create_evaluation_job(**wanted(judging, "x", lines, retrieving(judging), "Builtin.Correctness"))
    with refused("ValidationException", 400, "of no other type"):
        bedrock.create_evaluation_job(
            **wanted(judging, "x", lines, retrieving(judging), RELEVANCE, applicationType="ModelEvaluation")
        )
    unjudged = wanted(judging, "x", lines, retrieving(judging), RELEVANCE)
    del unjudged["evaluationConfig"]["automated"]["evaluatorModelConfig"]
    with refused("ValidationException", 400, "evaluatorModelConfig"):
        bedrock.create_evaluation_job(**unjudged)
    with refused("ResourceNotFoundException", 404, "knowledge base"):
        bedrock.create_evaluation_job(**wanted(judging, "x", lines, retrieving(judging, "NOTTHERE99"), RELEVANCE))

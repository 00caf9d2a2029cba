"""The other ways of customizing: a teacher, invocation logs, a grader, weights of one's own, artifacts from S3."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from craton.config_tables import SAMPLE_MODEL, ComputeTable
from craton.features.hosting.engines import Engines
from tests.acceptance import functions
from tests.acceptance.customizing import (
    BASE,
    BUCKET,
    CONFIG,
    PAIRS,
    QUICK,
    asked,
    deployed,
    finished,
    lines,
    role,
    says,
    upload,
)
from tests.acceptance.identities import allow, document
from tests.acceptance.resources import FM, refused
from tests.running import Running

pytest.importorskip("torch")

EXPRESS = "amazon.titan-text-express-v1:0:8k"
WELL = {"epochCount": "30", "batchSize": "8", "learningRate": "0.005", "loraRank": "8"}
MAY_ALL = document(
    allow(["s3:GetObject", "s3:PutObject", "s3:ListBucket"], [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"]),
    allow("bedrock:InvokeModel", "*"),
)
TEACHER = {"distillationConfig": {"teacherModelConfig": {"teacherModelIdentifier": BASE, "maxResponseLengthForInference": 8}}}  # fmt: skip
PROMPTS = [
    {
        "schemaVersion": "bedrock-conversation-2024",
        "messages": [{"role": "user", "content": [{"text": pair["prompt"]}]}],
    }
    for pair in PAIRS[:4]
]


def logged(number: int, team: str) -> dict[str, Any]:
    """An invocation's record."""
    said = {"output": {"message": {"role": "assistant", "content": [{"text": f"{number}."}]}}}
    return {
        "schemaType": "ModelInvocationLog", "operation": "Converse", "modelId": BASE, "requestMetadata": {"team": team},
        "input": {"inputBodyJson": {"messages": PROMPTS[number]["messages"]}}, "output": {"outputBodyJson": said},
    }  # fmt: skip


class Here:
    """A server, a role that may ask models, and jobs."""

    def __init__(self, server: Running) -> None:
        self.server, self.bedrock = server, server.client("bedrock")
        self.role, self.train = role(server, policy=MAY_ALL), upload(server, "pairs.jsonl", lines(PAIRS))

    def done(self, name: str, records: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
        """A job that has ended well."""
        train = self.train if records is None else upload(self.server, f"{name}.jsonl", lines(records))
        made = self.bedrock.create_model_customization_job(**asked(name, self.role, train, **more))
        job = finished(self.bedrock, made["jobArn"])
        assert job["status"] == "Completed", (job, self.server.output()[-2000:])
        return job

    def output(self, job: dict[str, Any], name: str) -> bytes:
        key = f"out/model-customization-job-{job['jobArn'].rpartition('/')[2]}/{name}"
        data: bytes = self.server.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return data

    def card(self, job: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.output(job, "model_card.json"))
        return found

    def deploy(self, name: str, model: str) -> str:
        made = self.bedrock.create_custom_model_deployment(modelDeploymentName=name, modelArn=model)
        found = deployed(self.bedrock, made["customModelDeploymentArn"])
        assert found["status"] == "Active", (found, self.server.output()[-2000:])
        arn: str = found["customModelDeploymentArn"]
        return arn


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    with Running(tmp_path_factory.mktemp("kinds"), CONFIG) as server:
        yield Here(server)


def test_a_grader(here: Here) -> None:
    """A rule scores what the model says; the mean reward is on the card."""
    arn = "arn:aws:lambda:us-east-1:000000000000:function:craton-grader-length"
    hyper = {"epochCount": 1, "batchSize": 16, "trainingSamplePerPrompt": 2, "inferenceMaxTokens": 4}
    config = {"rftConfig": {"graderConfig": {"lambdaGrader": {"lambdaArn": arn}}, "hyperParameters": hyper}}
    records = [{"messages": [{"role": "user", "content": one["prompt"]}], "max_words": 2} for one in PAIRS[:2]]
    job = here.done(
        "graded", records, customizationType="REINFORCEMENT_FINE_TUNING", customizationConfig=config, hyperParameters={"loraRank": "4"}
    )  # fmt: skip
    assert job["customizationConfig"] == config
    card = here.card(job)
    assert card["method"] == "rft"
    assert 0 <= card["reward"] <= 1


LENGTHS = """
def handler(event, context):
    if event[0]["metadata"].get("fails"):
        raise ValueError("no taste today")
    said = [one["messages"][-1] for one in event]
    assert all(one["role"] == "assistant" for one in said)
    scores = [1.0 if one["reference_answer"] in answer["content"] else 0.25 for one, answer in zip(event, said)]
    return [{"id": one["id"], "aggregate_reward_score": score} for one, score in zip(event, scores)]
"""


def test_a_grader_of_ones_own(here: Here) -> None:
    """A function scores what prompts of logs lead to; its failure and a role without the right are the job's."""
    own = functions.make_role(here.server, "scoring")
    arn = functions.make(here.server.client("lambda"), "scores", own, LENGTHS)["FunctionArn"]
    hyper = {"epochCount": 1, "batchSize": 16, "trainingSamplePerPrompt": 2, "inferenceMaxTokens": 4}
    config = {"rftConfig": {"graderConfig": {"lambdaGrader": {"lambdaArn": arn}}, "hyperParameters": hyper}}
    given: dict[str, Any] = {"customizationType": "REINFORCEMENT_FINE_TUNING", "customizationConfig": config}
    given["hyperParameters"] = {"loraRank": "4"}
    asking = [{"messages": [{"role": "user", "content": one["prompt"]}], "reference_answer": "x"} for one in PAIRS]
    may = document(json.loads(MAY_ALL)["Statement"][0], allow("lambda:InvokeFunction", arn))
    scorer = role(here.server, "scorer", may)
    upload(here.server, "asked/AWSLogs/a.json.gz", gzip.compress(lines([logged(0, "red"), logged(1, "red")])))
    logs = {"invocationLogSource": {"s3Uri": f"s3://{BUCKET}/asked"}, "usePromptResponse": True}
    job = here.done("scored", **given, roleArn=scorer, trainingDataConfig={"invocationLogsConfig": logs})
    assert 0.25 <= here.card(job)["reward"] <= 1
    failing = upload(here.server, "failing.jsonl", lines({**one, "fails": True} for one in asking))
    made = here.bedrock.create_model_customization_job(**asked("unscored", scorer, failing, **given))
    why = finished(here.bedrock, made["jobArn"])["failureMessage"]
    assert why == f"The grader failed: the function {arn} failed 3 times in a row: ValueError: no taste today"
    made = here.bedrock.create_model_customization_job(**asked("denied", here.role, here.train, **given))
    why = finished(here.bedrock, made["jobArn"])["failureMessage"]
    assert f"Could not validate InvokeFunction permissions of the role {here.role} on the grader {arn}" in why


def test_a_teacher(here: Here) -> None:
    """Prompts without an answer are asked of the teacher, with the rights of the job's role; others keep theirs."""
    labelled = {
        **PROMPTS[0],
        "messages": [*PROMPTS[0]["messages"], {"role": "assistant", "content": [{"text": "Red."}]}],
    }
    given: dict[str, Any] = {"customizationType": "DISTILLATION", "customizationConfig": TEACHER}
    job = here.done("taught", [labelled, *PROMPTS[1:]], **given)
    assert (job["customizationConfig"], here.card(job)["records"]) == (TEACHER, 4)
    bare = role(here.server, "bare", MAY_ALL.replace("bedrock:InvokeModel", "bedrock:GetCustomModel"))
    train = upload(here.server, "prompts.jsonl", lines(PROMPTS))
    made = here.bedrock.create_model_customization_job(**asked("untaught", bare, train, **given))
    failed = finished(here.bedrock, made["jobArn"])
    assert "did not answer line" in failed["failureMessage"]
    assert "not authorized to perform: bedrock:InvokeModel" in failed["failureMessage"]


def test_invocation_logs(here: Here) -> None:
    """What the teacher said in logs, to requests with this metadata, is learned without asking again."""
    records = [logged(number, "red" if number == 3 else "blue") for number in range(4)]
    upload(here.server, "logs/AWSLogs/a.json.gz", gzip.compress(lines(records)))
    logs = {
        "invocationLogSource": {"s3Uri": f"s3://{BUCKET}/logs"},
        "usePromptResponse": True,
        "requestMetadataFilters": {"equals": {"team": "blue"}},
    }
    given: dict[str, Any] = {"customizationType": "DISTILLATION", "customizationConfig": TEACHER, "trainingDataConfig": {"invocationLogsConfig": logs}}  # fmt: skip
    job = here.done("logged", **given)
    assert here.card(job)["records"] == 3
    assert job["trainingDataConfig"] == {"invocationLogsConfig": logs}
    nothing = {**logs, "requestMetadataFilters": {"andAll": [{"equals": {"team": "blue"}}, {"notEquals": {"team": "blue"}}]}}  # fmt: skip
    made = here.bedrock.create_model_customization_job(
        **asked("empty", here.role, here.train, **{**given, "trainingDataConfig": {"invocationLogsConfig": nothing}})
    )
    assert "No record of the invocation logs" in finished(here.bedrock, made["jobArn"])["failureMessage"]


@pytest.fixture(scope="module")
def express(here: Here) -> dict[str, Any]:
    """A job on a model of the catalog that the sample model stands in for."""
    return here.done("express", baseModelIdentifier=EXPRESS, hyperParameters={"epochCount": "1", "batchSize": "4"})


def test_a_model_that_is_stood_in_for(here: Here, express: dict[str, Any]) -> None:
    """A program that tunes a model of the catalog gets one that answers in that one's schema, and says who stands in."""
    assert express["baseModelArn"] == FM + EXPRESS
    assert express["hyperParameters"]["learningRate"] == "1e-05"
    arn = here.deploy("express", express["outputModelArn"])
    reply = here.server.client("bedrock-runtime").invoke_model(modelId=arn, body=json.dumps({"inputText": "Hello"}))
    assert "results" in json.loads(reply["body"].read())
    assert reply["ResponseMetadata"]["HTTPHeaders"]["x-craton-standin"] == SAMPLE_MODEL


def test_weights_of_ones_own(here: Here) -> None:
    """Rank 0 trains all weights: the model has replicas of its own, and can be customized further."""
    job = here.done("whole", hyperParameters={**QUICK, "loraRank": "0", "epochCount": "12", "learningRate": "0.01"})
    whole = job["outputModelArn"]
    assert says(here.server, here.deploy("whole", whole), PAIRS[3]["prompt"])
    given = asked("further", here.role, here.train, baseModelIdentifier=whole)
    further = here.bedrock.create_model_customization_job(**given)["jobArn"]
    (listed,) = here.bedrock.list_model_customization_jobs(nameContains="further")["modelCustomizationJobSummaries"]
    assert listed["baseModelArn"] == whole
    with refused("ConflictException", 400, "used by the custom model deployment"):
        here.bedrock.delete_custom_model(modelIdentifier=whole)
    here.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier="whole")
    with refused("ConflictException", 400, "used by the model customization job"):
        here.bedrock.delete_custom_model(modelIdentifier=whole)
    here.bedrock.stop_model_customization_job(jobIdentifier=further)
    stopped = finished(here.bedrock, further)
    assert stopped["status"] == "Stopped", stopped
    here.bedrock.delete_custom_model(modelIdentifier=whole)


def test_an_adapter_that_is_merged(here: Here) -> None:
    """`mergedBits` makes whole weights of it, which ONNX Runtime serves with what was learned; the card says what it cost."""
    job = here.done("merged", hyperParameters={**WELL, "mergedBits": "8"})
    assert job["hyperParameters"]["mergedBits"] == "8"
    card = json.loads(here.output(job, "model_card.json"))
    assert card["quality_beside_its_own_weights"]["same_next_token"] > 0.9
    assert says(here.server, here.deploy("merged", job["outputModelArn"]), PAIRS[3]["prompt"]) == PAIRS[3]["completion"]
    folder = here.server.home / "models" / "custom" / job["outputModelArn"].rpartition("/")[2] / "model"
    assert Engines(ComputeTable()).choice(str(folder)).engine == "onnx"
    here.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier="merged")


def test_a_model_from_artifacts(here: Here, express: dict[str, Any]) -> None:
    """What a job exported becomes a custom model again; an adapter whose base is not known is none."""
    folder = (
        f"s3://{BUCKET}/out/model-customization-job-{express['jobArn'].rpartition('/')[2]}/model_artifacts/adapter/"
    )
    given = {"modelSourceConfig": {"s3DataSource": {"s3Uri": folder}}, "roleArn": here.role}
    arn = here.bedrock.create_custom_model(modelName="again", **given)["modelArn"]
    model = settled(here.bedrock, arn)
    assert (model["modelStatus"], model["baseModelArn"]) == ("Active", FM + EXPRESS), model
    assert says(here.server, here.deploy("again", arn), "Hello")
    with refused("ConflictException", 400, "name already exists"):
        here.bedrock.create_custom_model(modelName="again", **given)
    mark = json.loads(here.output(express, "model_artifacts/adapter/craton_adapter.json"))
    s3 = here.server.client("s3")
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        s3.copy_object(Bucket=BUCKET, Key=f"other/{name}", CopySource=f"{folder.removeprefix('s3://')}{name}")
    upload(here.server, "other/craton_adapter.json", json.dumps({**mark, "base_sha256": "0" * 64}).encode())
    other = {**given, "modelSourceConfig": {"s3DataSource": {"s3Uri": f"s3://{BUCKET}/other"}}}
    failed = settled(here.bedrock, here.bedrock.create_custom_model(modelName="wrong", **other)["modelArn"])
    assert failed["modelStatus"] == "Failed"
    assert "are not those that the custom model it was trained on" in failed["failureMessage"]
    here.bedrock.delete_custom_model(modelIdentifier="wrong")
    with refused("ValidationException", 400, "cannot be customized further: it is an adapter"):
        here.bedrock.create_model_customization_job(**asked("more", here.role, here.train, baseModelIdentifier="again"))
    with refused("ValidationException", 400, "must name a location in Amazon S3"):
        here.bedrock.create_custom_model(modelName="x", roleArn=here.role)


def settled(bedrock: Any, arn: str) -> dict[str, Any]:
    """The model once it has left `Creating`."""
    end = time.monotonic() + 60
    while True:
        model: dict[str, Any] = bedrock.get_custom_model(modelIdentifier=arn)
        if model["modelStatus"] != "Creating":
            return model
        assert time.monotonic() < end, model
        time.sleep(0.1)

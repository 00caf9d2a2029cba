"""Fine-tuning as a program with boto3 does it: data in S3, a job, a custom model, a deployment that answers by its ARN."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import identities
from tests.acceptance.customizing import (
    BASE,
    BUCKET,
    CONFIG,
    PAIRS,
    asked,
    deployed,
    finished,
    lines,
    role,
    says,
    upload,
)
from tests.acceptance.importing import patient
from tests.acceptance.metrics import client, minute, query
from tests.acceptance.resources import FM, refused
from tests.running import Running

pytest.importorskip("torch")

WELL = {"epochCount": "30", "batchSize": "8", "learningRate": "0.005", "loraRank": "8"}
MEASURED = [
    ("TrainingLoss", "SampleCount"),
    ("TrainingLoss", "Minimum"),
    ("TrainedTokenCount", "Sum"),
    ("ValidationLoss", "SampleCount"),
]
TAGS = [{"key": "team", "value": "blue"}]
DOOR = "Which colour has door 3?"
OTHERS = [{**pair, "completion": f"{at} cats."} for at, pair in enumerate(PAIRS)]


class Tuned:
    """A server with two custom models on one base, each deployed."""

    def __init__(self, server: Running) -> None:
        self.server, self.bedrock = server, server.client("bedrock")
        self.role = role(server)
        self.train, self.held = upload(server, "a.jsonl", lines(PAIRS)), upload(server, "v.jsonl", lines(PAIRS[:3]))
        self.before = says(server, BASE, DOOR)
        self.asked = asked(
            "doors", self.role, self.train, hyperParameters=WELL, jobTags=TAGS, customModelTags=TAGS,
            clientRequestToken="once", validationDataConfig={"validators": [{"s3Uri": self.held}]},
            vpcConfig={"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]},
        )  # fmt: skip
        self.arn = self.bedrock.create_model_customization_job(**self.asked)["jobArn"]
        cats = asked("cats", self.role, upload(server, "b.jsonl", lines(OTHERS)), hyperParameters=WELL)
        self.cats_arn = self.bedrock.create_model_customization_job(**cats)["jobArn"]
        self.job, self.cats = finished(self.bedrock, self.arn), finished(self.bedrock, self.cats_arn)
        assert (self.job["status"], self.cats["status"]) == ("Completed", "Completed"), server.output()[-3000:]
        self.model: str = self.job["outputModelArn"]
        made = [self.deploy("doors", self.model, tags=TAGS), self.deploy("cats", self.cats["outputModelArn"])]
        self.deployments = [deployed(self.bedrock, arn) for arn in made]
        assert [one["status"] for one in self.deployments] == ["Active", "Active"], self.deployments
        self.doors, self.cats_at = made

    def deploy(self, name: str, model: str, **more: Any) -> str:
        made = self.bedrock.create_custom_model_deployment(modelDeploymentName=name, modelArn=model, **more)
        arn: str = made["customModelDeploymentArn"]
        return arn


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tuned]:
    with Running(tmp_path_factory.mktemp("tuned"), CONFIG) as server:
        yield Tuned(server)


def test_the_job_says_what_it_did(here: Tuned) -> None:
    """Get and List tell the same; every phase is over, and all that held is shown, the defaults with it."""
    job, bedrock = here.job, here.bedrock
    assert {phase["status"] for phase in job["statusDetails"].values()} == {"Completed"}
    assert (job["baseModelArn"], job["customizationType"]) == (FM + BASE, "FINE_TUNING")
    assert job["hyperParameters"] == {**WELL, "learningRateWarmupSteps": "5", "earlyStoppingThreshold": "0", "earlyStoppingPatience": "0"}  # fmt: skip
    assert job["vpcConfig"] == here.asked["vpcConfig"]
    assert job["trainingMetrics"]["trainingLoss"] < 0.5
    assert job["validationMetrics"][0]["validationLoss"] < 0.5
    assert job["outputModelName"] == "doors-model"
    listed = bedrock.list_model_customization_jobs(nameContains="door", statusEquals="Completed")
    (one,) = listed["modelCustomizationJobSummaries"]
    assert (one["jobArn"], one["customModelArn"], one["endTime"]) == (here.arn, here.model, job["endTime"])
    assert bedrock.get_model_customization_job(jobIdentifier="doors")["jobArn"] == here.arn
    assert bedrock.list_tags_for_resource(resourceARN=here.arn)["tags"] == TAGS


def test_its_metrics(here: Tuned) -> None:
    """CloudWatch has the losses and tokens of every step, and the validations."""
    told = client(here.server).get_metric_data(
        MetricDataQueries=[
            query(f"m{number}", "Craton/Customization", name, stat, 3600, JobName="doors")
            for number, (name, stat) in enumerate(MEASURED)
        ],
        StartTime=minute(120),
        EndTime=minute(-60),
    )["MetricDataResults"]
    steps, least, tokens, validations = (sum(one["Values"]) for one in told)
    assert (steps, validations) == (30, 30)
    assert least < 0.5
    assert tokens > 30 * len(PAIRS)


def test_what_it_left_in_the_bucket(here: Tuned) -> None:
    """The tables under Bedrock's names with its columns, a curve, a card, and the adapter."""
    s3, prefix = here.server.client("s3"), f"out/model-customization-job-{here.arn.rpartition('/')[2]}/"
    keys = {one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"]}

    def read(name: str) -> bytes:
        data: bytes = s3.get_object(Bucket=BUCKET, Key=prefix + name)["Body"].read()
        return data

    steps = list(csv.DictReader(io.StringIO(read("training_artifacts/step_wise_training_metrics.csv").decode())))
    assert [*steps[0]] == ["step_number", "epoch_number", "training_loss", "perplexity"]
    assert [int(one["step_number"]) for one in steps] == list(range(30))
    held = "validation_artifacts/post_fine_tuning_validation/validation/validation_metrics.csv"
    assert [*next(csv.DictReader(io.StringIO(read(held).decode())))][2] == "validation_loss"
    assert read("training_artifacts/loss.png").startswith(b"\x89PNG")
    assert json.loads(read("model_card.json"))["method"] == "sft"
    assert b"doors-model" in read("model_card.md")
    assert f"{prefix}model_artifacts/adapter/adapter_model.safetensors" in keys


def test_the_model_is_shown(here: Tuned) -> None:
    """By ARN and by name, and in the list by its base, its status and its owner."""
    bedrock = here.bedrock
    model = bedrock.get_custom_model(modelIdentifier=here.model)
    named = bedrock.get_custom_model(modelIdentifier="doors-model")
    assert {**named, "ResponseMetadata": 0} == {**model, "ResponseMetadata": 0}
    assert (model["jobArn"], model["jobName"], model["modelStatus"]) == (here.arn, "doors", "Active")
    assert (model["baseModelArn"], model["trainingDataConfig"]) == (FM + BASE, {"s3Uri": here.train})
    wanted = {"baseModelArnEquals": FM + BASE, "foundationModelArnEquals": FM + BASE, "isOwned": True}
    listed = bedrock.list_custom_models(**wanted, modelStatus="Active", nameContains="door")["modelSummaries"]
    assert [(one["modelArn"], one["ownerAccountId"]) for one in listed] == [(here.model, identities.ACCOUNT)]
    assert bedrock.list_custom_models(isOwned=False)["modelSummaries"] == []
    assert bedrock.list_custom_models(baseModelArnEquals=FM + "other.model")["modelSummaries"] == []
    assert bedrock.list_tags_for_resource(resourceARN=here.model)["tags"] == TAGS


def test_the_deployment_answers_what_was_learned(here: Tuned) -> None:
    """By its ARN, whole and streamed, in Converse and in the base's own schema; the base answers as it did before."""
    assert "grey" in says(here.server, here.doors, DOOR)
    assert says(here.server, BASE, DOOR) == here.before
    assert "grey" not in here.before
    runtime = patient(here.server)
    said = [{"role": "user", "content": [{"text": DOOR}]}]
    config = {"maxTokens": 8, "temperature": 0.0}
    events = runtime.converse_stream(modelId=here.doors, messages=said, inferenceConfig=config)["stream"]
    text = "".join(one["contentBlockDelta"]["delta"]["text"] for one in events if "contentBlockDelta" in one)
    assert "grey" in text
    body = json.dumps({"messages": [{"role": "user", "content": DOOR}], "max_tokens": 8, "temperature": 0})
    native = json.loads(runtime.invoke_model(modelId=here.doors, body=body)["body"].read())
    assert "grey" in native["choices"][0]["message"]["content"]


def test_two_adapters_do_not_mix(here: Tuned) -> None:
    """Both share the replicas of one base; asked at the same time, each says only what it learned."""
    wrong: list[tuple[str, str]] = []

    def ask(arn: str, word: str) -> None:
        for _ in range(20):
            said = says(here.server, arn, DOOR)
            if word not in said:
                wrong.append((word, said))

    asking = [(here.doors, "grey"), (here.cats_at, "3 cats")]
    threads = [threading.Thread(target=ask, args=each) for each in asking]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_deployment_is_shown_and_judged(here: Tuned) -> None:
    """Get, List and tags; IAM judges the deployment's ARN; a custom model itself cannot be called."""
    found, bedrock = here.deployments[0], here.bedrock
    assert (found["modelDeploymentName"], found["modelArn"]) == ("doors", here.model)
    listed = bedrock.list_custom_model_deployments(statusEquals="Active", modelArnEquals=here.model)
    assert [one["customModelDeploymentArn"] for one in listed["modelDeploymentSummaries"]] == [here.doors]
    assert bedrock.list_tags_for_resource(resourceARN=here.doors)["tags"] == TAGS
    policy = identities.document(identities.allow("bedrock:InvokeModel", here.doors))
    may = identities.with_key(here.server, identities.user_key(here.server, "may", policy), "bedrock-runtime")
    said = {"messages": [{"role": "user", "content": [{"text": DOOR}]}], "inferenceConfig": {"maxTokens": 1}}
    assert may.converse(modelId=here.doors, **said)["usage"]["outputTokens"] == 1
    with refused("AccessDeniedException", 403, "not authorized to perform: bedrock:InvokeModel"):
        may.converse(modelId=here.cats_at, **said)
    with refused("ValidationException", 400, ""):
        here.server.client("bedrock-runtime").converse(modelId=here.model, **said)


def test_names_and_tokens(here: Tuned) -> None:
    """The same request again is the same job; another one under its token, or a name that is taken, is refused."""
    bedrock = here.bedrock
    assert bedrock.create_model_customization_job(**here.asked)["jobArn"] == here.arn
    with refused("ConflictException", 400, "token was already used"):
        bedrock.create_model_customization_job(**{**here.asked, "customModelName": "x"})
    fresh = {key: value for key, value in here.asked.items() if key != "clientRequestToken"}
    with refused("ConflictException", 400, "custom model name already exists"):
        bedrock.create_model_customization_job(**{**fresh, "jobName": "other"})
    with refused("ConflictException", 400, "customization job name already exists"):
        bedrock.create_model_customization_job(**{**fresh, "customModelName": "other"})
    with refused("ConflictException", 400, "its status is Completed"):
        bedrock.stop_model_customization_job(jobIdentifier=here.arn)
    with refused("ValidationException", 400, "name already exists"):
        here.deploy("doors", here.model)


def test_a_deployment_moves_to_another_model(here: Tuned) -> None:
    """The ARN stays; the model before answers until the new one has."""
    arn, cats = here.deploy("moving", here.model), here.cats["outputModelArn"]
    assert deployed(here.bedrock, arn)["status"] == "Active"
    here.bedrock.update_custom_model_deployment(customModelDeploymentIdentifier=arn, modelArn=cats)
    assert "updateDetails" in here.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier="moving")
    found = deployed(here.bedrock, arn)
    assert found["updateDetails"] == {"modelArn": cats, "updateStatus": "UpdateCompleted"}
    assert found["modelArn"] == cats
    assert "3 cats" in says(here.server, arn, DOOR)
    here.bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=arn)
    with refused("ResourceNotFoundException", 404, "deployment could not be found"):
        here.bedrock.get_custom_model_deployment(customModelDeploymentIdentifier=arn)


def test_provisioned_throughput_and_deleting(here: Tuned) -> None:
    """Replicas of its own answer by another ARN; while anything stands on a model, it stays."""
    bedrock, name = here.bedrock, "doors-model"
    made = bedrock.create_provisioned_model_throughput(modelUnits=1, provisionedModelName="own", modelId=name)
    arn = made["provisionedModelArn"]
    assert "grey" in says(here.server, arn, DOOR)
    shown = bedrock.get_provisioned_model_throughput(provisionedModelId=arn)
    assert (shown["modelArn"], shown["foundationModelArn"]) == (here.model, FM + BASE)
    with refused("ConflictException", 400, "custom model deployment"):
        bedrock.delete_custom_model(modelIdentifier=name)
    bedrock.delete_custom_model_deployment(customModelDeploymentIdentifier=here.doors)
    with refused("ConflictException", 400, "provisioned throughput"):
        bedrock.delete_custom_model(modelIdentifier=name)
    bedrock.delete_provisioned_model_throughput(provisionedModelId=arn)
    bedrock.delete_custom_model(modelIdentifier=name)
    folder = Path(here.server.home) / "models" / "custom"
    assert [one.name for one in folder.iterdir()] == [here.cats["outputModelArn"].rpartition("/")[2]]
    assert list((Path(here.server.home) / "scratch" / "customize").glob("*/")) == []
    with refused("ResourceNotFoundException", 404, "custom model could not be found"):
        bedrock.get_custom_model(modelIdentifier=name)
    with refused("ValidationException", 400, ""):
        here.server.client("bedrock-runtime").converse(modelId=here.doors, messages=[{"role": "user", "content": [{"text": "x"}]}])  # fmt: skip

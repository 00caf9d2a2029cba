"""Importing a model as a program with boto3 does it: create, poll, ask the model by its ARN, copy it, delete it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import identities
from tests.acceptance.importing import CONFIG, asked, finished, patient, role, upload
from tests.acceptance.resources import OTHER, OTHER_KEY, OTHER_SECRET, refused
from tests.fakes import tiny_llama
from tests.running import Running

pytest.importorskip("torch")

HELLO = [{"role": "user", "content": [{"text": "the weather in Paris"}]}]
TAGS = [{"key": "team", "value": "blue"}]
ACCOUNTS = f'\n[[account]]\nid = "{OTHER}"\naccess_key = "{OTHER_KEY}"\nsecret_key = "{OTHER_SECRET}"\n'


class Imported:
    """A server with one imported model."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.bedrock = server.client("bedrock")
        self.role = role(server)
        self.uri = upload(server, "tiny", tiny_llama.sharded())
        more = {"importedModelTags": TAGS, "jobTags": TAGS, "clientRequestToken": "once"}
        self.asked = asked("first", "tiny", self.role, self.uri, **more)
        self.job = finished(self.bedrock, self.bedrock.create_model_import_job(**self.asked)["jobArn"])
        assert self.job["status"] == "Completed", (self.job, server.output()[-3000:])
        self.arn: str = self.job["importedModelArn"]
        self.copied = self.arn.replace("imported-model/", "custom-model/imported/")
        self.cold = self.ask_cold()

    def ask_cold(self) -> Any:
        """What the first request to a model that sleeps hears, without retries."""
        runtime = self.server.client("bedrock-runtime")
        try:
            return runtime.converse(modelId=self.arn, messages=HELLO)
        except runtime.exceptions.ClientError as error:
            return error.response


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    with Running(tmp_path_factory.mktemp("import"), CONFIG + ACCOUNTS, "--workers", "2") as server:
        yield Imported(server)


def test_the_job_and_the_model_are_shown(here: Imported) -> None:
    """Get and List tell the same of both; the model is found by its name too."""
    bedrock = here.bedrock
    assert here.job["modelDataSource"] == {"s3DataSource": {"s3Uri": here.uri}}
    assert {"jobArn", "jobName", "importedModelName", "roleArn", "creationTime", "lastModifiedTime", "endTime"} <= {
        *here.job
    }
    (listed,) = bedrock.list_model_import_jobs(nameContains="fir", statusEquals="Completed")["modelImportJobSummaries"]
    assert (listed["jobArn"], listed["importedModelArn"]) == (here.job["jobArn"], here.arn)
    assert bedrock.list_model_import_jobs(statusEquals="InProgress")["modelImportJobSummaries"] == []
    model = bedrock.get_imported_model(modelIdentifier=here.arn)
    for by_name in (bedrock.get_imported_model(modelIdentifier="tiny"),):
        assert {**by_name, "ResponseMetadata": 0} == {**model, "ResponseMetadata": 0}
    assert (model["modelName"], model["jobName"], model["modelArchitecture"]) == ("tiny", "first", "llama")
    assert model["instructSupported"] is True
    assert model["customModelUnits"] == {"customModelUnitsPerModelCopy": 1, "customModelUnitsVersion": "v1.0"}
    (summary,) = bedrock.list_imported_models(nameContains="tin", sortBy="CreationTime")["modelSummaries"]
    assert summary["modelArn"] == here.arn
    assert bedrock.list_imported_models(nameContains="other")["modelSummaries"] == []
    for arn in (here.arn, here.job["jobArn"]):
        assert bedrock.list_tags_for_resource(resourceARN=arn)["tags"] == TAGS


def test_a_cold_model_says_so(here: Imported) -> None:
    """ModelNotReadyException, which SDKs try again; or an answer, where the start was quicker than the wait."""
    if "output" not in here.cold:
        assert here.cold["Error"]["Code"] == "ModelNotReadyException"
        assert here.cold["ResponseMetadata"]["HTTPStatusCode"] == 429


def test_converse_and_its_stream(here: Imported) -> None:
    """By the ARN; the whole answer and the stream say the same at temperature 0."""
    runtime = patient(here.server)
    config = {"maxTokens": 6, "temperature": 0.0}
    reply = runtime.converse(modelId=here.arn, messages=HELLO, inferenceConfig=config)
    assert reply["usage"]["outputTokens"] == 6
    said = reply["output"]["message"]["content"][0]["text"]
    events = list(runtime.converse_stream(modelId=here.arn, messages=HELLO, inferenceConfig=config)["stream"])
    assert "".join(e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e) == said


def test_bodies_of_the_family_and_of_openai(here: Imported) -> None:
    """A body with a prompt is answered as Llama's, one with messages as OpenAI's, whole and streamed."""
    runtime = patient(here.server)
    prompt = json.dumps({"prompt": "the weather", "max_gen_len": 4, "temperature": 0.0})
    chat = json.dumps({"messages": [{"role": "user", "content": "the weather"}], "max_tokens": 4, "temperature": 0})
    llama = json.loads(runtime.invoke_model(modelId=here.arn, body=prompt)["body"].read())
    openai = json.loads(runtime.invoke_model(modelId=here.arn, body=chat)["body"].read())
    assert llama["generation_token_count"] == 4
    assert openai["choices"][0]["message"]["content"] == llama["generation"]
    for body, first in ((prompt, "generation"), (chat, "choices")):
        stream = runtime.invoke_model_with_response_stream(modelId=here.arn, body=body)["body"]
        chunks = [json.loads(event["chunk"]["bytes"]) for event in stream]
        assert first in chunks[0]
        assert chunks[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 4
    with refused("ValidationException", 400, ""):
        runtime.invoke_model(modelId=here.arn, body='{"inputText":"x"}')


def test_tokens_are_counted(here: Imported) -> None:
    """What CountTokens says is what Converse counts."""
    runtime = patient(here.server)
    counted = runtime.count_tokens(modelId=here.arn, input={"converse": {"messages": HELLO}})["inputTokens"]
    reply = runtime.converse(modelId=here.arn, messages=HELLO, inferenceConfig={"maxTokens": 1})
    assert counted == reply["usage"]["inputTokens"]


def test_who_may_call_it(here: Imported) -> None:
    """IAM judges the model's ARN; another account and another Region do not know it."""
    policy = identities.document(identities.allow("bedrock:InvokeModel", here.arn))
    may = identities.with_key(here.server, identities.user_key(here.server, "may", policy), "bedrock-runtime")
    retried = {"maxTokens": 1}
    assert may.converse(modelId=here.arn, messages=HELLO, inferenceConfig=retried)["usage"]["outputTokens"] == 1
    deny = identities.document(identities.allow("bedrock:InvokeModel", here.arn[:-1] + "?x"))
    other = identities.with_key(here.server, identities.user_key(here.server, "maynot", deny), "bedrock-runtime")
    with refused("AccessDeniedException", 403, "not authorized to perform: bedrock:InvokeModel"):
        other.converse(modelId=here.arn, messages=HELLO)
    theirs = {"aws_access_key_id": OTHER_KEY, "aws_secret_access_key": OTHER_SECRET}
    with refused("AccessDeniedException", 403, "no resource-based policy allows"):
        here.server.client("bedrock-runtime", **theirs).converse(modelId=here.arn, messages=HELLO)
    with refused("ResourceNotFoundException", 404, "imported model could not be found"):
        here.server.client("bedrock", **theirs).get_imported_model(modelIdentifier="tiny")
    with refused("ResourceNotFoundException", 404, "could not be found"):
        here.server.client("bedrock", region_name="eu-west-1").get_imported_model(modelIdentifier=here.arn)


def test_the_same_token_and_the_same_name(here: Imported) -> None:
    """A repeated request is the same job; the token of another request, and a name that is taken, are conflicts."""
    bedrock = here.bedrock
    assert bedrock.create_model_import_job(**here.asked)["jobArn"] == here.job["jobArn"]
    with refused("ConflictException", 400, "token was already used"):
        bedrock.create_model_import_job(**{**here.asked, "importedModelName": "other"})
    fresh = {key: value for key, value in here.asked.items() if key != "clientRequestToken"}
    with refused("ConflictException", 400, "imported model name already exists"):
        bedrock.create_model_import_job(**{**fresh, "jobName": "second"})
    with refused("ConflictException", 400, "import job name already exists"):
        bedrock.create_model_import_job(**{**fresh, "importedModelName": "other"})


def copy_done(client: Any, arn: str) -> dict[str, Any]:
    end = time.monotonic() + 90
    while True:
        job: dict[str, Any] = client.get_model_copy_job(jobArn=arn)
        if job["status"] != "InProgress":
            return job
        assert time.monotonic() < end, job
        time.sleep(0.05)


def test_a_copy_in_another_region(here: Imported) -> None:
    """It answers there by its own ARN, and stays when the source goes."""
    west = here.server.client("bedrock", region_name="us-west-2")
    made = west.create_model_copy_job(sourceModelArn=here.copied, targetModelName="tiny-west", targetModelTags=TAGS)
    job = copy_done(west, made["jobArn"])
    assert job["status"] == "Completed", job
    assert (job["sourceAccountId"], job["sourceModelName"], job["targetModelTags"]) == ("000000000000", "tiny", TAGS)
    target = job["targetModelArn"].replace("custom-model/imported/", "imported-model/")
    assert ":us-west-2:000000000000:imported-model/" in target
    runtime = patient(here.server, region_name="us-west-2")
    reply = runtime.converse(modelId=target, messages=HELLO, inferenceConfig={"maxTokens": 2})
    assert reply["usage"]["outputTokens"] == 2
    model = west.get_imported_model(modelIdentifier="tiny-west")
    assert (model["modelArn"], model["modelArchitecture"], "jobArn" in model) == (target, "llama", False)
    assert west.list_tags_for_resource(resourceARN=target)["tags"] == TAGS
    listed = west.list_model_copy_jobs(sourceModelArnEquals=here.copied, targetModelNameContains="west")
    assert [one["jobArn"] for one in listed["modelCopyJobSummaries"]] == [made["jobArn"]]
    assert west.list_model_copy_jobs(sourceAccountEquals=OTHER)["modelCopyJobSummaries"] == []
    with refused("ValidationException", 400, "target model name already exists"):
        west.create_model_copy_job(sourceModelArn=here.copied, targetModelName="tiny-west")


def test_a_copy_in_another_account(here: Imported) -> None:
    """Only of a model that its owner shares."""
    theirs = here.server.client("bedrock", aws_access_key_id=OTHER_KEY, aws_secret_access_key=OTHER_SECRET)
    wanted = {"sourceModelArn": here.copied, "targetModelName": "theirs"}
    with refused("AccessDeniedException", 403, "no resource-based policy allows"):
        theirs.create_model_copy_job(**wanted)
    here.bedrock.tag_resource(resourceARN=here.arn, tags=[{"key": "craton:shared-with", "value": OTHER}])
    job = copy_done(theirs, theirs.create_model_copy_job(**wanted)["jobArn"])
    here.bedrock.untag_resource(resourceARN=here.arn, tagKeys=["craton:shared-with"])
    assert job["status"] == "Completed", job
    assert f":{OTHER}:custom-model/imported/" in job["targetModelArn"]
    with refused("AccessDeniedException", 403, "no resource-based policy allows"):
        here.bedrock.get_model_copy_job(jobArn=job["jobArn"])


def test_a_model_in_use_is_not_deleted(here: Imported) -> None:
    """Provisioned throughput stands on it; without that, row and files go, and callers are told."""
    bedrock = here.bedrock
    made = bedrock.create_provisioned_model_throughput(modelUnits=1, provisionedModelName="kept", modelId=here.copied)
    with refused("ConflictException", 400, "used by the provisioned throughput"):
        bedrock.delete_imported_model(modelIdentifier="tiny")
    bedrock.delete_provisioned_model_throughput(provisionedModelId=made["provisionedModelArn"])
    folder = Path(here.server.home) / "models" / "imported"
    assert (folder / here.arn.rpartition("/")[2]).is_dir()
    bedrock.delete_imported_model(modelIdentifier="tiny")
    assert not (folder / here.arn.rpartition("/")[2]).exists()
    with refused("ResourceNotFoundException", 404, "could not be found"):
        bedrock.delete_imported_model(modelIdentifier="tiny")
    with refused("ValidationException", 400, ""):
        here.server.client("bedrock-runtime").converse(modelId=here.arn, messages=HELLO)

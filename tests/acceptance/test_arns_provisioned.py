"""Provisioned throughput as a program with boto3 makes and uses it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from craton.infra.control.console import Console
from craton.infra.control.home import control_path
from tests.acceptance.door_keys import short_term
from tests.acceptance.identities import allow, document, with_key
from tests.acceptance.importing import patient
from tests.acceptance.resources import CONFIG as ACCOUNTS
from tests.acceptance.resources import FM, OTHER_KEY, OTHER_SECRET, refused
from tests.running import Running

MINI = "craton.chat-mini-v4:0"
TITAN = "amazon.titan-text-express-v1:0:8k"
OUTSIDE = "anthropic.claude-3-haiku-20240307-v1:0"
CONFIG = f"""{ACCOUNTS}
provisioned_units = 5
[[model]]
id = "{OUTSIDE}"
[[model.target]]
provider = "openai"
base_url = "http://127.0.0.1:9/v1"
model = "elsewhere"
"""
HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]
SHORT = {"maxTokens": 8, "temperature": 0.0}


class Here:
    """A server with two workers, and a provisioned throughput of two units that is called as soon as it is made."""

    def __init__(self, server: Running, units: int = 2) -> None:
        self.server = server
        self.bedrock, self.runtime = server.client("bedrock"), server.client("bedrock-runtime")
        self.arn = self.make("fast", units, tags=[{"key": "team", "value": "blue"}], clientRequestToken="once")
        self.first = self.bedrock.get_provisioned_model_throughput(provisionedModelId=self.arn)

    def make(self, name: str, units: int = 1, model: str = MINI, **more: Any) -> str:
        made = self.bedrock.create_provisioned_model_throughput(
            modelUnits=units, provisionedModelName=name, modelId=model, **more
        )
        arn: str = made["provisionedModelArn"]
        return arn

    def get(self, which: str) -> dict[str, Any]:
        found: dict[str, Any] = self.bedrock.get_provisioned_model_throughput(provisionedModelId=which)
        return found

    def delete(self, which: str) -> None:
        self.bedrock.delete_provisioned_model_throughput(provisionedModelId=which)

    def settled(self, which: str) -> dict[str, Any]:
        end = time.monotonic() + 240
        while (found := self.get(which))["status"] in ("Creating", "Updating"):
            assert time.monotonic() < end, found
            time.sleep(0.1)
        return found

    def replicas(self, arn: str) -> list[dict[str, Any]]:
        with Console(control_path(self.server.home)) as console:
            rows = {row["id"]: row for row in console.call("models.status")}
        found: list[dict[str, Any]] = rows[arn]["replicas"] if arn in rows else []
        return found


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    with Running(tmp_path_factory.mktemp("provisioned"), CONFIG, "--workers", "2") as server:
        yield Here(server)


def test_a_program_that_calls_it_at_once_is_answered_by_its_sdks_own_retries(here: Here) -> None:
    """The replicas are only just being started; the client's retries bridge that, as on Bedrock."""
    assert here.first["status"] == "Creating"
    answer = patient(here.server).converse(modelId=here.arn, messages=HELLO, inferenceConfig=SHORT)
    assert answer["output"]["message"]["content"][0]["text"]


def test_it_is_in_service_when_all_its_replicas_are(here: Here) -> None:
    """Two units, two replicas, and every member that botocore's model has."""
    found = here.settled(here.arn)
    assert found["status"] == "InService"
    assert [one["state"] for one in here.replicas(here.arn)] == ["ready", "ready"]
    assert (found["modelUnits"], found["desiredModelUnits"]) == (2, 2)
    assert found["modelArn"] == found["desiredModelArn"] == found["foundationModelArn"] == FM + MINI
    assert found["provisionedModelName"] == "fast"
    assert here.arn.startswith("arn:aws:bedrock:us-east-1:000000000000:provisioned-model/")
    for which in ("fast", here.arn.rpartition("/")[2]):
        assert here.get(which)["provisionedModelArn"] == here.arn


def test_all_ways_of_asking_take_its_arn(here: Here) -> None:
    """Converse, its stream, InvokeModel with the model's native body, its stream, CountTokens."""
    here.settled(here.arn)
    whole = here.runtime.converse(modelId=here.arn, messages=HELLO, inferenceConfig=SHORT)
    text = whole["output"]["message"]["content"][0]["text"]
    events = list(here.runtime.converse_stream(modelId=here.arn, messages=HELLO, inferenceConfig=SHORT)["stream"])
    pieces = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(pieces) == text
    body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8, "temperature": 0})
    native = json.loads(here.runtime.invoke_model(modelId=here.arn, body=body)["body"].read())
    assert native["choices"][0]["message"]["content"] == text
    chunks = list(here.runtime.invoke_model_with_response_stream(modelId=here.arn, body=body)["body"])
    assert "amazon-bedrock-invocationMetrics" in json.loads(chunks[-1]["chunk"]["bytes"])
    counted = here.runtime.count_tokens(modelId=here.arn, input={"converse": {"messages": HELLO}})
    assert counted["inputTokens"] == whole["usage"]["inputTokens"]


def test_the_doors_know_it(here: Here) -> None:
    """Their lists of models have the caller's own, and both doors take the ARN as a model."""
    here.settled(here.arn)
    key = {"authorization": f"Bearer {short_term()}"}
    anthropic = {"x-api-key": short_term(), "anthropic-version": "2023-06-01"}
    body = {"model": here.arn, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
    for path, more, listed in (("/openai/v1", key, "chat/completions"), ("/anthropic/v1", anthropic, "messages")):
        with httpx.Client(base_url=here.server.url, headers=more) as client:
            models = client.get(f"{path}/models", params={"limit": 1000}).json()["data"]
            assert here.arn in [model["id"] for model in models]
            answer = client.post(f"{path}/{listed}", json=body)
            assert (answer.status_code, answer.json()["model"]) == (200, here.arn), answer.text


def test_of_a_stand_in_it_keeps_the_catalogs_schema_and_says_who_answers(here: Here) -> None:
    """The native body of Titan goes in and comes out; the header names the local model."""
    arn = here.make("titan", model=TITAN)
    found = here.settled(arn)
    assert (found["status"], found["foundationModelArn"]) == ("InService", FM + TITAN)
    body = json.dumps({"inputText": "Hello", "textGenerationConfig": {"maxTokenCount": 8}})
    reply = here.runtime.invoke_model(modelId=arn, body=body)
    assert json.loads(reply["body"].read())["results"][0]["outputText"]
    assert reply["ResponseMetadata"]["HTTPHeaders"]["x-craton-standin"] == MINI
    with refused("ValidationException", 400, "system"):
        here.runtime.converse(modelId=arn, messages=HELLO, system=[{"text": "Be brief."}])
    here.delete(arn)


def test_deleted_it_can_no_longer_be_called_and_its_replicas_go(here: Here) -> None:
    """At once for callers; the replicas end what they have."""
    arn = here.make("brief")
    here.settled(arn)
    here.delete("brief")
    with refused("ValidationException", 400, "The provided model identifier is invalid"):
        here.runtime.converse(modelId=arn, messages=HELLO)
    with refused("ResourceNotFoundException", 404, "could not be found"):
        here.get(arn)
    end = time.monotonic() + 120
    while here.replicas(arn):
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("model", "name", "status", "words"),
    [
        (OUTSIDE, "ValidationException", 400, "an outside upstream answers it here"),
        (FM + OUTSIDE, "ValidationException", 400, "an outside upstream answers it here"),
        ("nobody.knows-it-v1", "ResourceNotFoundException", 404, "Could not resolve"),
        (f"arn:aws:bedrock:eu-west-1::foundation-model/{MINI}", "ResourceNotFoundException", 404, "Could not resolve"),
        ("not a model", "ValidationException", 400, "modelId"),
    ],
)
def test_what_has_no_replicas_here_is_refused(here: Here, model: str, name: str, status: int, words: str) -> None:
    """With the reason; nothing is made."""
    with refused(name, status, words):
        here.make("wrong", model=model)


def test_a_name_is_unique_and_a_token_makes_one(here: Here) -> None:
    """The same request with its token is the first one again; the model of these operations has no conflict of its own."""
    again: dict[str, Any] = {"tags": [{"key": "team", "value": "blue"}], "clientRequestToken": "once"}
    assert here.make("fast", 2, **again) == here.arn
    with refused("ValidationException", 400, "already used with different request parameters"):
        here.make("fast", 3, **again)
    with refused("ValidationException", 400, "name already exists"):
        here.make("fast")


def test_units_without_a_commitment_are_limited(here: Here) -> None:
    """Those that are committed do not count."""
    with refused("ServiceQuotaExceededException", 400, "limit of 5 model units without a commitment"):
        here.make("much", 4)


def test_a_commitment_holds(here: Here) -> None:
    """It shows when it ends, and cannot be deleted before."""
    arn = here.make("bound", commitmentDuration="OneMonth")
    found = here.get(arn)
    left = found["commitmentExpirationTime"] - datetime.now(UTC)
    assert (found["commitmentDuration"], timedelta(days=29) < left < timedelta(days=31)) == ("OneMonth", True)
    with refused("ConflictException", 400, "before its commitment term ends"):
        here.delete(arn)


def test_a_list_is_filtered_sorted_and_paged(here: Here) -> None:
    """The newest first; by status, name, model and time."""
    old, new = here.make("list-a"), here.make("list-b")
    page = here.bedrock.list_provisioned_model_throughputs

    def names(**asked: Any) -> list[str]:
        return [one["provisionedModelName"] for one in page(**asked)["provisionedModelSummaries"]]

    assert names(nameContains="list-") == ["list-b", "list-a"]
    assert names(nameContains="list-", sortBy="CreationTime", sortOrder="Ascending") == ["list-a", "list-b"]
    first = page(nameContains="list-", maxResults=1)
    second = page(nameContains="list-", maxResults=1, nextToken=first["nextToken"])
    assert [one["provisionedModelArn"] for one in second["provisionedModelSummaries"]] == [old]
    assert "nextToken" not in second
    here.settled(new)
    assert "list-b" in names(statusEquals="InService")
    assert names(statusEquals="Failed") == []
    assert names(modelArnEquals=FM + TITAN) == []
    assert names(creationTimeAfter=datetime.now(UTC) + timedelta(hours=1)) == []
    for arn in (old, new):
        here.delete(arn)


def test_it_is_renamed_and_a_base_models_stays_with_its_model(here: Here) -> None:
    """Names stay unique; only what was made of a custom model may go to another."""
    arn = here.make("before")
    update = here.bedrock.update_provisioned_model_throughput
    update(provisionedModelId="before", desiredProvisionedModelName="after")
    assert here.get("after")["provisionedModelArn"] == arn
    with refused("ValidationException", 400, "name already exists"):
        update(provisionedModelId=arn, desiredProvisionedModelName="fast")
    here.settled(arn)
    with refused("ValidationException", 400, "associated with a base model cannot be changed"):
        update(provisionedModelId=arn, desiredModelId=TITAN)
    with refused("ValidationException", 400, "Provide a"):
        update(provisionedModelId=arn)
    here.delete(arn)


def test_tags_are_those_of_any_resource(here: Here) -> None:
    """Made with it, added, removed."""
    here.bedrock.tag_resource(resourceARN=here.arn, tags=[{"key": "stage", "value": "test"}])
    here.bedrock.untag_resource(resourceARN=here.arn, tagKeys=["team"])
    assert here.bedrock.list_tags_for_resource(resourceARN=here.arn)["tags"] == [{"key": "stage", "value": "test"}]


def test_nobody_else_sees_or_calls_it(here: Here) -> None:
    """Neither another account nor another region; neither is told that it exists."""
    stranger = {"aws_access_key_id": OTHER_KEY, "aws_secret_access_key": OTHER_SECRET}
    elsewhere = {"region_name": "eu-west-1"}
    with refused("AccessDeniedException", 403, "InvokeModel"):
        here.server.client("bedrock-runtime", **stranger).converse(modelId=here.arn, messages=HELLO)
    with refused("ValidationException", 400, "The provided model identifier is invalid"):
        here.server.client("bedrock-runtime", **elsewhere).converse(modelId=here.arn, messages=HELLO)
    for how, name, status in ((stranger, "AccessDenied", 403), (elsewhere, "ResourceNotFound", 404)):
        bedrock = here.server.client("bedrock", **how)
        assert bedrock.list_provisioned_model_throughputs()["provisionedModelSummaries"] == []
        with refused(f"{name}Exception", status, ""):
            bedrock.get_provisioned_model_throughput(provisionedModelId=here.arn)
        with refused("ResourceNotFoundException", 404, "could not be found"):
            bedrock.delete_provisioned_model_throughput(provisionedModelId="fast")


def test_a_policy_allows_the_arn_alone(here: Here) -> None:
    """Its base model is another resource, to be made of as well as to be called; tags of it may be conditions."""
    iam = here.server.client("iam")
    iam.create_user(UserName="pm")
    tagged = {"StringEquals": {"aws:ResourceTag/owner": "pm"}}
    policy = document(allow("bedrock:InvokeModel", here.arn, Condition=tagged), allow("bedrock:Get*", here.arn))
    iam.put_user_policy(UserName="pm", PolicyName="own", PolicyDocument=policy)
    key = iam.create_access_key(UserName="pm")["AccessKey"]
    runtime, bedrock = with_key(here.server, key, "bedrock-runtime"), with_key(here.server, key, "bedrock")
    ask: dict[str, Any] = {"messages": HELLO, "inferenceConfig": SHORT}
    with refused("AccessDeniedException", 403, "InvokeModel"):
        runtime.converse(modelId=here.arn, **ask)
    here.bedrock.tag_resource(resourceARN=here.arn, tags=[{"key": "owner", "value": "pm"}])
    assert runtime.converse(modelId=here.arn, **ask)["output"]
    assert bedrock.get_provisioned_model_throughput(provisionedModelId=here.arn)["status"]
    refusals: tuple[Callable[[], Any], ...] = (
        lambda: runtime.converse(modelId=MINI, **ask),
        lambda: runtime.converse(modelId=here.arn[:-1] + "0", **ask),
        lambda: bedrock.delete_provisioned_model_throughput(provisionedModelId=here.arn),
        lambda: bedrock.create_provisioned_model_throughput(modelUnits=1, provisionedModelName="x", modelId=MINI),
        bedrock.list_provisioned_model_throughputs,
    )
    for refuse in refusals:
        with refused("AccessDeniedException", 403, "is not authorized to perform"):
            refuse()


def test_batches_are_not_for_it(here: Here) -> None:
    """As on Bedrock, whose pattern of a batch's model has no room for it: what has throughput of its own is called singly."""
    place = {"s3Uri": "s3://bucket/in/"}
    with refused("ValidationException", 400, "modelId"):
        here.bedrock.create_model_invocation_job(
            jobName="job",
            roleArn="arn:aws:iam::000000000000:role/batch",
            modelId=here.arn,
            inputDataConfig={"s3InputDataConfig": place},
            outputDataConfig={"s3OutputDataConfig": place},
        )


def test_neither_are_videos_profiles_and_routers(here: Here) -> None:
    """They are made of models and of system profiles."""
    with refused("ValidationException", 400, ""):
        where = {"s3OutputDataConfig": {"s3Uri": "s3://bucket/out/"}}
        here.runtime.start_async_invoke(modelId=here.arn, modelInput={}, outputDataConfig=where)
    with refused("ValidationException", 400, ""):
        here.bedrock.create_inference_profile(inferenceProfileName="p", modelSource={"copyFrom": here.arn})
    with refused("ValidationException", 400, ""):
        here.bedrock.create_prompt_router(
            promptRouterName="r",
            models=[{"modelArn": here.arn}, {"modelArn": FM + OUTSIDE}],
            fallbackModel={"modelArn": here.arn},
            routingCriteria={"responseQualityDifference": 10},
        )


def test_metrics_name_the_arn_as_it_was_called(here: Here) -> None:
    """In Prometheus's text, whatever serves it."""
    import urllib.request

    here.runtime.converse(modelId=here.arn, messages=HELLO, inferenceConfig=SHORT)
    text = urllib.request.urlopen(here.server.url + "/metrics").read().decode()
    assert here.arn in text


def test_it_outlives_the_server(tmp_path: Path) -> None:
    """The row says what is to run: after a restart the replicas come by themselves, and it never left its service."""
    with Running(tmp_path, CONFIG) as server:
        before = Here(server, units=1)
        assert before.settled("fast")["status"] == "InService"
    with Running(tmp_path, CONFIG) as server:
        bedrock = server.client("bedrock")
        assert bedrock.get_provisioned_model_throughput(provisionedModelId="fast")["status"] == "InService"
        assert patient(server).converse(modelId=before.arn, messages=HELLO, inferenceConfig=SHORT)["output"]

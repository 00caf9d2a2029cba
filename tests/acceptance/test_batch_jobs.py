"""Batch inference as a program with boto3 does it: create, poll, read the output; and what is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.batching import LIMITS, answers, asked, finished, role, s3_rights, said
from tests.acceptance.identities import allow, document, trust, user_key, with_key
from tests.acceptance.resources import refused
from tests.acceptance.serving import CLAUDE, HAIKU, NOVA, Served, serving
from tests.fakes import scripts

SOURCE, TARGET = "s3://batch-in/data/", "s3://batch-out/results"
NEEDS_PROFILE = "anthropic.claude-sonnet-4-20250514-v1:0"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    also = {NEEDS_PROFILE: "anthropic", "amazon.titan-embed-text-v2:0": "openai"}
    limits = LIMITS + "batch_jobs_per_model = 500\n"
    with serving(tmp_path_factory.mktemp("batch"), limits, "--workers", "2", also=also) as running:
        s3 = running.client("s3")
        for bucket in ("batch-in", "batch-out", "batch-shut"):
            s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket="batch-in", Key="data/a.jsonl", Body=said(range(120)))
        s3.put_object(Bucket="batch-in", Key="few/a.jsonl", Body=said(range(2)))
        s3.put_object(Bucket="batch-in", Key="broken/a.jsonl", Body=said(range(5)) + b"\n{nonsense}")
        role(running.server, "batch", s3_rights("batch-in", "batch-out"))
        yield running


@pytest.fixture
def bedrock(served: Served) -> Any:
    return served.client("bedrock")


def arn_of(name: str) -> str:
    return f"arn:aws:iam::000000000000:role/{name}"


BATCH = arn_of("batch")


def test_the_users_guide(served: Served, bedrock: Any) -> None:
    """A job is made, ends Completed, and its output and manifest lie under its id as the guide says."""
    made = bedrock.create_model_invocation_job(
        **asked("guide", HAIKU, BATCH, SOURCE, TARGET, tags=[{"key": "team", "value": "a"}])
    )
    arn = made["jobArn"]
    assert re.fullmatch(r"arn:aws:bedrock:us-east-1:000000000000:model-invocation-job/[a-z0-9]{12}", arn)
    job = finished(bedrock, arn)
    assert job["status"] == "Completed", job
    assert job["processedRecordCount"] == job["successRecordCount"] == job["totalRecordCount"] == 120
    assert job["endTime"] >= job["submitTime"]
    s3, place = served.client("s3"), f"results/{arn.rpartition('/')[2]}"
    found = answers(s3, "batch-out", f"{place}/a.jsonl.out")
    assert [one["recordId"] for one in found] == [f"CALL{n:07d}" for n in range(120)]
    assert found[7]["modelOutput"]["content"] == [{"type": "text", "text": "Echo: number 7"}]
    assert found[7]["modelInput"]["messages"][0]["content"][0]["text"] == "number 7"
    (manifest,) = answers(s3, "batch-out", f"{place}/manifest.json.out")
    assert manifest["totalRecordCount"] == manifest["successRecordCount"] == 120
    assert manifest["inputTokenCount"] > 0
    assert manifest["outputTokenCount"] > 0
    listed = s3.list_objects_v2(Bucket="batch-out", Prefix=place)["Contents"]
    assert [one["Key"] for one in listed] == [f"{place}/a.jsonl.out", f"{place}/manifest.json.out"]
    assert bedrock.list_tags_for_resource(resourceARN=arn)["tags"] == [{"key": "team", "value": "a"}]
    with refused("ConflictException", 400, "Completed"):
        bedrock.stop_model_invocation_job(jobIdentifier=arn)


def test_two_jobs_into_one_place(served: Served, bedrock: Any) -> None:
    """At the same time, from the same input: each has its own folder, whole."""
    pair = [
        bedrock.create_model_invocation_job(**asked(name, HAIKU, BATCH, SOURCE, "s3://batch-out/shared"))["jobArn"]
        for name in ("pair-one", "pair-two")
    ]
    assert [finished(bedrock, arn)["status"] for arn in pair] == ["Completed", "Completed"]
    for arn in pair:
        found = answers(served.client("s3"), "batch-out", f"shared/{arn.rpartition('/')[2]}/a.jsonl.out")
        assert [one["recordId"] for one in found] == [f"CALL{n:07d}" for n in range(120)]


def test_converse_records(served: Served, bedrock: Any) -> None:
    """Records of the Converse type are Converse's bodies, and so are the answers; a bad one has its own error."""
    texts = ["one", "two", "three"]
    bodies: list[Any] = [{"messages": [{"role": "user", "content": [{"text": text}]}]} for text in texts]
    bodies.insert(1, {"messages": "none"})
    lines = [json.dumps({"modelInput": body}) for body in bodies]
    s3 = served.client("s3")
    s3.put_object(Bucket="batch-in", Key="converse/c.jsonl", Body="\n".join(lines).encode())
    source = "s3://batch-in/converse/c.jsonl"
    arn = bedrock.create_model_invocation_job(
        **asked("converse", NOVA, BATCH, source, TARGET, modelInvocationType="Converse")
    )["jobArn"]
    job = finished(bedrock, arn)
    assert (job["status"], job["errorRecordCount"], job["successRecordCount"]) == ("Completed", 1, 3)
    found = answers(s3, "batch-out", f"results/{arn.rpartition('/')[2]}/c.jsonl.out")
    assert found[0]["modelOutput"]["output"]["message"]["content"] == [{"text": "Echo: one"}]
    assert found[3]["modelOutput"]["usage"]["outputTokens"] > 0
    assert found[1]["error"]["errorCode"] == 400
    assert found[1]["error"]["errorMessage"]
    assert all(re.fullmatch("[A-Z0-9]{11}", one["recordId"]) for one in found)


@pytest.mark.parametrize(
    ("name", "source", "target", "words"),
    [
        ("few", "s3://batch-in/few/", TARGET, "Batch job arn.* contains less records .2. than the required minimum of: 3"),
        ("broken", "s3://batch-in/broken/", TARGET, "The file broken/a.jsonl is not valid: line 6"),
        ("empty", "s3://batch-in/nothing-here", TARGET, "No .jsonl file was found"),
        ("no-bucket", "s3://batch-nowhere/x/", TARGET, "permissions|does not exist"),
        ("shut-in", "s3://batch-shut/x/", TARGET, f"ListBucket permissions to access Amazon S3 bucket: batch-shut .*{BATCH}"),
        ("shut-out", SOURCE, "s3://batch-shut/out/", f"PutObject permissions to access Amazon S3 bucket: batch-shut .*{BATCH}"),
    ],
)  # fmt: skip
def test_jobs_that_fail(served: Served, bedrock: Any, name: str, source: str, target: str, words: str) -> None:
    """What cannot be done ends Failed, saying why, without a call to the model."""
    served.up.requests.clear()
    arn = bedrock.create_model_invocation_job(**asked(name, HAIKU, BATCH, source, target))["jobArn"]
    job = finished(bedrock, arn)
    assert job["status"] == "Failed"
    assert re.search(words, job["message"]), job["message"]
    assert not served.up.requests


def test_a_role_that_was_taken_back(served: Served, bedrock: Any) -> None:
    """A role that no longer lets Bedrock in makes no job."""
    lost = role(served.server, "lost", s3_rights("batch-in", "batch-out"))
    arn = bedrock.create_model_invocation_job(**asked("kept", HAIKU, lost, SOURCE, TARGET))["jobArn"]
    assert finished(bedrock, arn)["status"] == "Completed"
    served.client("iam").update_assume_role_policy(
        RoleName="lost", PolicyDocument=trust({"Service": "lambda.amazonaws.com"})
    )
    with refused("ValidationException", 400, "cannot be assumed by bedrock.amazonaws.com"):
        bedrock.create_model_invocation_job(**asked("refused", HAIKU, lost, SOURCE, TARGET))


def test_the_models_rights(served: Served, bedrock: Any) -> None:
    """A model that is named needs no right of the role's; a profile does, as on Bedrock."""
    plain = bedrock.create_model_invocation_job(**asked("bare", NEEDS_PROFILE, BATCH, SOURCE, TARGET))["jobArn"]
    profiled = bedrock.create_model_invocation_job(**asked("prof", f"us.{NEEDS_PROFILE}", BATCH, SOURCE, TARGET))[
        "jobArn"
    ]
    may = role(served.server, "may", s3_rights("batch-in", "batch-out"))
    rights = document(allow("bedrock:InvokeModel"))
    served.client("iam").put_role_policy(RoleName="may", PolicyName="model", PolicyDocument=rights)
    allowed = bedrock.create_model_invocation_job(**asked("allowed", f"us.{NEEDS_PROFILE}", may, SOURCE, TARGET))[
        "jobArn"
    ]
    assert finished(bedrock, plain)["status"] == "Completed"
    refusal = finished(bedrock, profiled)
    assert refusal["status"] == "Failed"
    assert re.search("assumed-role/batch/.* is not authorized to perform: bedrock:InvokeModel", refusal["message"])
    assert finished(bedrock, allowed)["status"] == "Completed"


@pytest.mark.parametrize(
    ("changes", "name", "status", "words"),
    [
        ({"modelId": "nobody.model-v1"}, "ValidationException", 400, "model identifier is invalid"),
        ({"modelId": "cohere.rerank-v3-5:0"}, "ValidationException|AccessDeniedException", 0, "batch|access"),
        ({"modelId": "amazon.titan-embed-text-v2:0", "modelInvocationType": "Converse"}, "ValidationException", 400, "Converse"),
        ({"roleArn": arn_of("nobody")}, "ValidationException", 400, "role/nobody"),
        ({"roleArn": "arn:aws:iam::222222222222:role/batch"}, "ValidationException", 400, "another account"),
        ({"jobName": "has space"}, "ValidationException", 400, "jobName"),
        ({"timeoutDurationInHours": 5}, "ValidationException", 400, "timeoutDurationInHours"),
        ({"inputDataConfig": {"s3InputDataConfig": {"s3Uri": "https://x"}}}, "ValidationException", 400, "s3Uri"),
    ],
)  # fmt: skip
def test_requests_that_are_refused(served: Served, changes: dict[str, Any], name: str, status: int, words: str) -> None:
    """A request that is no job is refused with Bedrock's error, and makes none."""
    from botocore.config import Config

    loose = served.client("bedrock", config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))
    before = len(loose.list_model_invocation_jobs()["invocationJobSummaries"])
    with pytest.raises(ClientError) as caught:
        loose.create_model_invocation_job(**{**asked("bad", HAIKU, BATCH, SOURCE, TARGET), **changes})
    error = caught.value.response
    assert re.fullmatch(name, error["Error"]["Code"]), error
    assert status in (0, error["ResponseMetadata"]["HTTPStatusCode"])
    assert re.search(words, error["Error"]["Message"]), error["Error"]["Message"]
    assert len(loose.list_model_invocation_jobs()["invocationJobSummaries"]) == before


def test_names_and_tokens(bedrock: Any) -> None:
    """The same token and request give the same job; another request under it, or a name twice, is a conflict."""
    wanted = asked("token", HAIKU, BATCH, SOURCE, TARGET, clientRequestToken="abc123")
    first = bedrock.create_model_invocation_job(**wanted)["jobArn"]
    assert bedrock.create_model_invocation_job(**wanted)["jobArn"] == first
    with refused("ConflictException", 400, "token"):
        bedrock.create_model_invocation_job(**{**wanted, "jobName": "other"})
    with refused("ConflictException", 400, "name"):
        bedrock.create_model_invocation_job(**asked("token", HAIKU, BATCH, SOURCE, TARGET))
    assert finished(bedrock, first)["clientRequestToken"] == "abc123"


def test_what_get_shows(served: Served, bedrock: Any) -> None:
    """All that was asked for is shown again, by id and by ARN; an unknown one is not found."""
    vpc = {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1", "sg-2"]}
    wanted = asked("shown", HAIKU, BATCH, SOURCE, TARGET, vpcConfig=vpc, timeoutDurationInHours=48)
    wanted["outputDataConfig"]["s3OutputDataConfig"] |= {"s3BucketOwner": "000000000000"}
    arn = bedrock.create_model_invocation_job(**wanted)["jobArn"]
    finished(bedrock, arn)
    by_arn, by_id = (bedrock.get_model_invocation_job(jobIdentifier=one) for one in (arn, arn.rpartition("/")[2]))
    for told in (by_arn, by_id):
        told.pop("ResponseMetadata")
    assert by_arn == by_id
    for member in ("jobName", "modelId", "roleArn", "inputDataConfig", "outputDataConfig", "vpcConfig"):
        assert by_arn[member] == wanted[member]
    assert (by_arn["jobExpirationTime"] - by_arn["submitTime"]).total_seconds() == pytest.approx(48 * 3600, abs=1)
    assert by_arn["modelInvocationType"] == "InvokeModel"
    with refused("ResourceNotFoundException", 404, "model invocation job"):
        bedrock.get_model_invocation_job(jobIdentifier="zzzzzzzzzzzz")


def test_listing(bedrock: Any) -> None:
    """Jobs are listed the newest first, by page, by status, name and time; a token of another listing is refused."""
    arns = [
        bedrock.create_model_invocation_job(**asked(f"listed-{n}", HAIKU, BATCH, "s3://batch-in/few/", TARGET))["jobArn"]
        for n in range(5)
    ]  # fmt: skip
    for arn in arns:
        finished(bedrock, arn)
    named = {"nameContains": "listed-"}
    pages = list(
        bedrock.get_paginator("list_model_invocation_jobs").paginate(**named, PaginationConfig={"PageSize": 2})
    )
    assert [len(page["invocationJobSummaries"]) for page in pages] == [2, 2, 1]
    listed = [one["jobArn"] for page in pages for one in page["invocationJobSummaries"]]
    assert listed == arns[::-1]
    rising = bedrock.list_model_invocation_jobs(**named, sortBy="CreationTime", sortOrder="Ascending")
    assert [one["jobArn"] for one in rising["invocationJobSummaries"]] == arns
    assert len(bedrock.list_model_invocation_jobs(**named, statusEquals="Failed")["invocationJobSummaries"]) == 5
    assert bedrock.list_model_invocation_jobs(**named, statusEquals="Expired")["invocationJobSummaries"] == []
    second = rising["invocationJobSummaries"][1]["submitTime"]
    later = bedrock.list_model_invocation_jobs(**named, submitTimeAfter=second)["invocationJobSummaries"]
    assert {one["jobArn"] for one in later} <= set(arns[1:])
    with refused("ValidationException", 400, "nextToken"):
        bedrock.list_model_invocation_jobs(nameContains="other", nextToken=pages[0]["nextToken"])


def test_stopping(served: Served, bedrock: Any) -> None:
    """A job that is stopped is Stopping, then Stopped, and what it had answered is written."""
    slow = scripts.Sleep(0.3)
    served.up.fallback, natural = lambda request: [slow, *natural(request)], served.up.fallback
    try:
        arn = bedrock.create_model_invocation_job(**asked("stopped", CLAUDE, BATCH, SOURCE, TARGET))["jobArn"]
        served.up.requests.clear()
        served.up.wait(lambda up: len(up.requests) > 10)
        bedrock.stop_model_invocation_job(jobIdentifier=arn)
        assert bedrock.get_model_invocation_job(jobIdentifier=arn)["status"] in ("Stopping", "Stopped")
        job = finished(bedrock, arn)
    finally:
        served.up.fallback = natural
    assert job["status"] == "Stopped"
    found = answers(served.client("s3"), "batch-out", f"results/{arn.rpartition('/')[2]}/a.jsonl.out")
    assert 0 < len(found) == job["processedRecordCount"] < 120
    assert [one["recordId"] for one in found] == [f"CALL{n:07d}" for n in range(len(found))]


def test_who_may(served: Served) -> None:
    """Each operation asks for its own right, creating also for the role's; tags of a job are conditions for it."""
    model = f"arn:aws:bedrock:*::foundation-model/{HAIKU}"
    job = "arn:aws:bedrock:*:*:model-invocation-job/*"
    tagged = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}}
    may = document(
        allow("bedrock:CreateModelInvocationJob", [model, job]),
        allow("bedrock:TagResource", job),
        allow("bedrock:GetModelInvocationJob", job, **tagged),
    )
    user = user_key(served.server, "batcher", may)
    bedrock = with_key(served.server, user, "bedrock")
    wanted = asked("who", HAIKU, BATCH, SOURCE, TARGET, tags=[{"key": "team", "value": "blue"}])
    with refused("AccessDeniedException", 403, "iam:PassRole"):
        bedrock.create_model_invocation_job(**wanted)
    passing = document(
        allow("iam:PassRole", BATCH, Condition={"StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}})
    )
    served.client("iam").put_user_policy(UserName="batcher", PolicyName="pass", PolicyDocument=passing)
    with refused("AccessDeniedException", 403, "CreateModelInvocationJob"):
        bedrock.create_model_invocation_job(**{**wanted, "modelId": NOVA})
    arn = bedrock.create_model_invocation_job(**wanted)["jobArn"]
    finished(bedrock, arn)
    for refused_action, ask in (
        ("ListModelInvocationJobs", bedrock.list_model_invocation_jobs),
        ("StopModelInvocationJob", lambda: bedrock.stop_model_invocation_job(jobIdentifier=arn)),
    ):
        with refused("AccessDeniedException", 403, refused_action):
            ask()
    served.client("bedrock").untag_resource(resourceARN=arn, tagKeys=["team"])
    with refused("AccessDeniedException", 403, "GetModelInvocationJob"):
        bedrock.get_model_invocation_job(jobIdentifier=arn)


def test_the_outputs_key(served: Served, bedrock: Any) -> None:
    """Output that is to be sealed with a key of the account's is, and the job says so when it may not use the key."""
    key = served.client("kms").create_key()["KeyMetadata"]["Arn"]
    sealed = asked("sealed", HAIKU, BATCH, SOURCE, TARGET)
    sealed["outputDataConfig"]["s3OutputDataConfig"]["s3EncryptionKeyId"] = key
    refusal = finished(bedrock, bedrock.create_model_invocation_job(**sealed)["jobArn"])
    assert refusal["status"] == "Failed", refusal
    assert re.search("PutObject|kms", refusal["message"])
    may = role(served.server, "keyed", s3_rights("batch-in", "batch-out"))
    rights = document(allow(["kms:GenerateDataKey", "kms:Decrypt"], key))
    served.client("iam").put_role_policy(RoleName="keyed", PolicyName="kms", PolicyDocument=rights)
    sealed |= {"jobName": "sealed-2", "roleArn": may}
    arn = bedrock.create_model_invocation_job(**sealed)["jobArn"]
    job = finished(bedrock, arn)
    assert job["status"] == "Completed", job
    for name in ("a.jsonl.out", "manifest.json.out"):
        head = served.client("s3").head_object(Bucket="batch-out", Key=f"results/{arn.rpartition('/')[2]}/{name}")
        assert head["SSEKMSKeyId"] == key


def test_a_limit_on_jobs_under_way(tmp_path: Path) -> None:
    """So many jobs of a model may be on their way; one more is ServiceQuotaExceeded until one has ended."""
    with serving(tmp_path, LIMITS + "batch_jobs_per_model = 1\n[jobs]\nworkers = 0\n") as served:
        bedrock = served.client("bedrock")
        arn = role(served.server, "batch", s3_rights("x"))
        bedrock.create_model_invocation_job(**asked("one", HAIKU, arn, SOURCE, TARGET))
        bedrock.create_model_invocation_job(**asked("else", NOVA, arn, SOURCE, TARGET))
        with refused("ServiceQuotaExceededException", 400, "limit of 1"):
            bedrock.create_model_invocation_job(**asked("two", HAIKU, arn, SOURCE, TARGET))

"""StartAsyncInvoke, GetAsyncInvoke and ListAsyncInvokes by boto3: which models, whose rights, tokens, tags, keys, lists."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance.asynchronous import (
    CANVAS,
    FILM,
    LITE,
    MARENGO,
    NOVA_EMBED,
    PAINTING,
    REEL,
    bucket,
    finished,
    manifest,
    names,
    read,
    to,
    uri_of,
)  # fmt: skip
from tests.acceptance.identities import CONFIG, allow, document, user_key, with_key
from tests.fakes import embedders
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config

NOWHERE = "arn:aws:bedrock:us-east-1:000000000000:async-invoke/000000000000"
PUT = allow("s3:PutObject", "arn:aws:s3:::results/*")
ANY_MODEL = allow("bedrock:InvokeModel", "*")
MARENGO_TEXT = {"inputType": "text", "inputText": "a red boat"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a vendor's embeddings behind Nova's and Marengo's ids, and a bucket."""
    with FakeUpstream(fallback=embedders.natural) as up:
        config = CONFIG + "".join(model_config(model, "openai", up.openai_url) for model in (NOVA_EMBED, MARENGO))
        with Running(tmp_path_factory.mktemp("home"), config) as running:
            bucket(running, "results")
            yield running


@pytest.fixture(scope="module")
def runtime(server: Running) -> Any:
    return server.client("bedrock-runtime")


@pytest.fixture(scope="module")
def s3(server: Running) -> Any:
    return server.client("s3")


def refused(client: Any, **given: Any) -> tuple[str, str]:
    """Code and message of a refused start."""
    wanted = {"modelId": CANVAS, "modelInput": PAINTING, "outputDataConfig": to("results"), **given}
    with pytest.raises(ClientError) as caught:
        client.start_async_invoke(**wanted)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def done(runtime: Any, model: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An invocation that went well."""
    given = {"outputDataConfig": to("results"), **more}
    arn = runtime.start_async_invoke(modelId=model, modelInput=body, **given)["invocationArn"]
    found = finished(runtime, arn)
    assert found["status"] == "Completed", found
    return found


def test_an_image_model_takes_its_own_body(runtime: Any, s3: Any) -> None:
    """What Bedrock does not have: a picture asynchronously, with the reply of InvokeModel as output.json."""
    found = done(runtime, CANVAS, PAINTING)
    reply = json.loads(read(s3, uri_of(found) + "/output.json"))
    assert len(reply["images"]) == 1
    assert manifest(s3, found)["madeBy"] == {"standin": "craton.image-mini-v2:0"}


def test_marengo_answers_in_one_file(runtime: Any, s3: Any) -> None:
    """A text's embedding lies in output.json under `data`."""
    found = done(runtime, MARENGO, MARENGO_TEXT)
    (one,) = json.loads(read(s3, uri_of(found) + "/output.json"))["data"]
    assert len(one["embedding"]) == 1024


def test_nova_embeds_a_text_in_segments(runtime: Any, s3: Any) -> None:
    """A text in S3 becomes a line for each segment; the result file leads to them."""
    text = " ".join(f"chapter {number}" for number in range(200))
    s3.put_object(Bucket="results", Key="book.txt", Body=text.encode())
    given = {
        "truncationMode": "END",
        "source": {"s3Location": {"uri": "s3://results/book.txt"}},
        "segmentationConfig": {"maxLengthChars": 800},
    }
    params = {"embeddingPurpose": "GENERIC_INDEX", "embeddingDimension": 384, "text": given}
    body = {"taskType": "SEGMENTED_EMBEDDING", "segmentedEmbeddingParams": params}
    result = json.loads(read(s3, uri_of(done(runtime, NOVA_EMBED, body)) + "/segmented-embedding-result.json"))
    assert result["sourceFileUri"] == "s3://results/book.txt"
    lines = [json.loads(line) for line in read(s3, result["embeddingResults"][0]["outputFileUri"]).splitlines()]
    assert len(lines) > 2
    assert {len(line["embedding"]) for line in lines} == {384}
    assert lines[-1]["segmentMetadata"]["segmentEndCharPosition"] == len(text)


@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        (LITE, {"messages": []}, "doesn't support asynchronous invocation"),
        ("no.such-model-v1:0", PAINTING, "The provided model identifier is invalid."),
        (CANVAS, {"taskType": "TEXT_IMAGE"}, "Malformed input request"),
        (MARENGO, {"inputType": "video", "mediaSource": {"s3Location": {"uri": "s3://a/b"}}}, "embeds no video"),
        (NOVA_EMBED, {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": {}}, "SINGLE_EMBEDDING is not a valid"),
        (CANVAS, "{}", "The provided request is not valid"),
    ],
)
def test_what_cannot_be_is_refused_at_once(runtime: Any, model: str, body: Any, message: str) -> None:
    """Models and inputs that make no invocation are ValidationExceptions, and leave nothing behind."""
    code, told = refused(runtime, modelId=model, modelInput=body)
    assert (code, message in told) == ("ValidationException", True), told


def test_whose_rights_count(server: Running, s3: Any) -> None:
    """The model needs bedrock:InvokeModel, on it and on invocations; the bucket s3:PutObject of the caller's own."""
    model = "arn:aws:bedrock:*::foundation-model/" + CANVAS
    only = allow("bedrock:InvokeModel", model)
    both = allow("bedrock:InvokeModel", [model, "arn:aws:bedrock:*:*:async-invoke/*"])
    clients = {
        name: with_key(server, user_key(server, name, document(*statements)), "bedrock-runtime")
        for name, statements in {
            "async-no-model": (PUT,), "async-only-model": (only, PUT), "async-no-bucket": (both,),
            "async-all": (both, PUT, allow("bedrock:GetAsyncInvoke")),
        }.items()
    }  # fmt: skip
    assert refused(clients["async-no-model"])[0] == "AccessDeniedException"
    assert refused(clients["async-only-model"])[0] == "AccessDeniedException"
    code, told = refused(clients["async-no-bucket"])
    assert (code, told.startswith("Invalid S3 credentials")) == ("ValidationException", True)
    found = done(clients["async-all"], CANVAS, PAINTING)
    assert read(s3, uri_of(found) + "/output.json")
    with pytest.raises(ClientError, match="AccessDenied"):
        clients["async-all"].list_async_invokes()


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (to("no-such-bucket-here"), "The specified bucket does not exist"),
        (to("results", bucketOwner="222222222222"), "Access Denied"),
        (to("results", kmsKeyId="arn:aws:kms:us-east-1:000000000000:alias/none"), "KMS key cannot be used"),
    ],
)
def test_a_place_that_cannot_be_used_is_refused_at_once(runtime: Any, place: dict[str, Any], told: str) -> None:
    """Bucket, owner and key are looked at before anything is kept."""
    code, message = refused(runtime, outputDataConfig=place)
    assert (code, told in message) == ("ValidationException", True), message


def test_results_are_sealed_with_the_callers_key(server: Running, runtime: Any, s3: Any) -> None:
    """With kmsKeyId every file is under that key; once it is disabled the next start is refused."""
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    found = done(runtime, CANVAS, PAINTING, outputDataConfig=to("results", "/sealed/", kmsKeyId=key))
    keys = names(s3, "results", "sealed/")
    assert len(keys) == 2
    assert {s3.head_object(Bucket="results", Key=name).get("SSEKMSKeyId") for name in keys} == {key}
    assert found["outputDataConfig"]["s3OutputDataConfig"]["kmsKeyId"] == key
    kms.disable_key(KeyId=key)
    code, message = refused(runtime, outputDataConfig=to("results", kmsKeyId=key))
    assert (code, "disabled" in message) == ("ValidationException", True), message


def test_what_becomes_impossible_fails_with_its_reason(server: Running, runtime: Any, s3: Any) -> None:
    """A bucket that is gone by the time of writing ends the invocation with S3's message."""
    bucket(server, "fleeting")
    arn = runtime.start_async_invoke(modelId=REEL, modelInput=FILM, outputDataConfig=to("fleeting"))["invocationArn"]
    for name in names(s3, "fleeting"):
        s3.delete_object(Bucket="fleeting", Key=name)
    s3.delete_bucket(Bucket="fleeting")
    found = finished(runtime, arn)
    assert (found["status"], "NoSuchBucket" in found["failureMessage"]) == ("Failed", True), found


def test_a_token_makes_one_invocation(runtime: Any) -> None:
    """The same token and request give the same ARN, with another request it is a ConflictException."""
    given = {"modelId": CANVAS, "modelInput": PAINTING, "outputDataConfig": to("results"), "clientRequestToken": "once"}
    first = runtime.start_async_invoke(**given)["invocationArn"]
    assert runtime.start_async_invoke(**given)["invocationArn"] == first
    assert runtime.get_async_invoke(invocationArn=first)["clientRequestToken"] == "once"
    other = {**PAINTING, "textToImageParams": {"text": "another"}}
    assert refused(runtime, clientRequestToken="once", modelInput=other)[0] == "ConflictException"


def test_invocations_bear_tags(server: Running, runtime: Any) -> None:
    """Tags of the start are there for ListTagsForResource, and TagResource adds to them."""
    bedrock = server.client("bedrock")
    arn = runtime.start_async_invoke(
        modelId=CANVAS, modelInput=PAINTING, outputDataConfig=to("results"), tags=[{"key": "team", "value": "a"}]
    )["invocationArn"]
    bedrock.tag_resource(resourceARN=arn, tags=[{"key": "stage", "value": "test"}])
    finished(runtime, arn)
    tags = bedrock.list_tags_for_resource(resourceARN=arn)["tags"]
    assert {one["key"]: one["value"] for one in tags} == {"team": "a", "stage": "test"}
    many = [{"key": f"k{number}", "value": ""} for number in range(51)]
    assert refused(runtime, tags=many)[0] == "ValidationException"


def test_lists_filter_sort_and_page(runtime: Any) -> None:
    """By status and time, newest first unless asked otherwise, page by page, each shown as Get shows it."""
    west = [done(runtime, CANVAS, PAINTING)["invocationArn"] for _ in range(3)]
    listed = runtime.list_async_invokes(statusEquals="Completed", maxResults=2)
    assert [one["invocationArn"] for one in listed["asyncInvokeSummaries"]] == west[:0:-1]
    further = runtime.list_async_invokes(statusEquals="Completed", maxResults=2, nextToken=listed["nextToken"])
    assert further["asyncInvokeSummaries"][0]["invocationArn"] == west[0]
    shown = runtime.get_async_invoke(invocationArn=west[0])
    shown.pop("ResponseMetadata")
    assert further["asyncInvokeSummaries"][0] == shown
    oldest = runtime.list_async_invokes(sortOrder="Ascending", sortBy="SubmissionTime")["asyncInvokeSummaries"]
    assert oldest[-1]["invocationArn"] == west[-1]
    later = datetime.now(UTC) + timedelta(hours=1)
    assert not runtime.list_async_invokes(submitTimeAfter=later)["asyncInvokeSummaries"]
    assert not runtime.list_async_invokes(statusEquals="InProgress", submitTimeBefore=later)["asyncInvokeSummaries"]
    with pytest.raises(ClientError, match="nextToken is invalid"):
        runtime.list_async_invokes(statusEquals="Failed", nextToken=listed["nextToken"])


def test_another_accounts_invocation_is_not_there(server: Running, runtime: Any) -> None:
    """An ARN that leads nowhere is a ValidationException, the only error that the operation has for it."""
    with pytest.raises(ClientError, match="could not be found") as caught:
        runtime.get_async_invoke(invocationArn=NOWHERE)
    assert caught.value.response["Error"]["Code"] == "ValidationException"

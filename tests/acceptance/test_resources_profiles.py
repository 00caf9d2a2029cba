"""Application inference profiles through boto3: made, shown, listed, called, deleted, and refused as Bedrock refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.acceptance.resources import ACCOUNT, FM, OTHER, SYSTEM, others, owning, profile, refused, router
from tests.acceptance.serving import CLAUDE, HAIKU, HELLO, Served

TITAN_EMBED = "amazon.titan-embed-text-v2:0"
NEEDS_PROFILE = "anthropic.claude-3-7-sonnet-20250219-v1:0"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with owning(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def bedrock(served: Served) -> Iterator[Any]:
    """A client; what a test made is gone after it."""
    client = served.client("bedrock")
    yield client
    for each in client.list_prompt_routers(type="custom")["promptRouterSummaries"]:
        client.delete_prompt_router(promptRouterArn=each["promptRouterArn"])
    for each in client.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]:
        client.delete_inference_profile(inferenceProfileIdentifier=each["inferenceProfileArn"])


def test_a_profile_is_shown_as_it_was_made(bedrock: Any) -> None:
    """By ARN and by id; the id is twelve letters, the times are now."""
    arn = profile(bedrock, "Team A", description="For team A.")
    assert re.fullmatch(rf"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/[a-z0-9]{{12}}", arn)
    found = bedrock.get_inference_profile(inferenceProfileIdentifier=arn)
    found.pop("ResponseMetadata")
    made_at = found.pop("createdAt")
    assert abs(datetime.now(UTC) - made_at) < timedelta(minutes=1)
    assert found == {
        "inferenceProfileName": "Team A",
        "description": "For team A.",
        "updatedAt": made_at,
        "inferenceProfileArn": arn,
        "inferenceProfileId": arn.rpartition("/")[2],
        "models": [{"modelArn": FM + HAIKU}],
        "status": "ACTIVE",
        "type": "APPLICATION",
    }
    by_id = bedrock.get_inference_profile(inferenceProfileIdentifier=arn.rpartition("/")[2])
    assert by_id["inferenceProfileArn"] == arn


def test_a_copy_of_a_system_profile_has_its_models(bedrock: Any) -> None:
    """One foundation model for each destination."""
    source = bedrock.get_inference_profile(inferenceProfileIdentifier=f"us.{CLAUDE}")
    found = bedrock.get_inference_profile(inferenceProfileIdentifier=profile(bedrock, "copy", SYSTEM + CLAUDE))
    assert found["models"] == source["models"]
    assert len(found["models"]) > 1
    assert "description" not in found


@pytest.mark.parametrize("source", [FM + HAIKU, SYSTEM + CLAUDE], ids=["model", "system profile"])
def test_a_profile_is_called_as_a_model(served: Served, bedrock: Any, source: str) -> None:
    """Converse, ConverseStream and InvokeModel, by ARN and by id."""
    arn, runtime = profile(bedrock, "called", source), served.client()
    for name in (arn, arn.rpartition("/")[2]):
        assert runtime.converse(modelId=name, messages=HELLO)["output"]["message"]["content"] == [
            {"text": "Echo: Hello"}
        ]
    events = list(runtime.converse_stream(modelId=arn, messages=HELLO)["stream"])
    assert "metadata" in events[-1]
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 20,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    native = json.loads(runtime.invoke_model(modelId=arn, body=json.dumps(body))["body"].read())
    assert native["content"] == [{"type": "text", "text": "Echo: Hello"}]


def test_tokens_are_counted_for_base_models_alone(served: Served, bedrock: Any) -> None:
    """By id or by the model's ARN; a profile is refused, as on Bedrock."""
    arn, runtime = profile(bedrock, "counting", FM + CLAUDE), served.client()
    given = {"converse": {"messages": HELLO}}
    by_id = runtime.count_tokens(modelId=CLAUDE, input=given)["inputTokens"]
    assert runtime.count_tokens(modelId=FM + CLAUDE, input=given)["inputTokens"] == by_id > 0
    for name in (arn, f"us.{CLAUDE}"):
        with refused("ValidationException", 400, "doesn't support counting tokens"):
            runtime.count_tokens(modelId=name, input=given)


def test_a_deleted_profile_is_gone_everywhere(served: Served, bedrock: Any) -> None:
    """No more shown, listed or called; its name is free again."""
    arn = profile(bedrock, "short-lived")
    bedrock.delete_inference_profile(inferenceProfileIdentifier=arn)
    for call in (bedrock.get_inference_profile, bedrock.delete_inference_profile):
        with refused("ResourceNotFoundException", 404, "could not be found"):
            call(inferenceProfileIdentifier=arn)
    with refused("ValidationException", 400, "model identifier is invalid"):
        served.client().converse(modelId=arn, messages=HELLO)
    assert profile(bedrock, "short-lived") != arn


def test_the_listing_has_the_type_asked_for(bedrock: Any) -> None:
    """Without a type these are the system's, as Bedrock has it."""
    arn = profile(bedrock, "listed")
    listed = bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]
    assert [each["inferenceProfileArn"] for each in listed] == [arn]
    system = bedrock.list_inference_profiles(typeEquals="SYSTEM_DEFINED", maxResults=1000)["inferenceProfileSummaries"]
    assert {each["type"] for each in system} == {"SYSTEM_DEFINED"}
    assert bedrock.list_inference_profiles(maxResults=1000)["inferenceProfileSummaries"] == system


@pytest.mark.parametrize("kind", ["APPLICATION", "SYSTEM_DEFINED"])
def test_pages_hold_everything_once(bedrock: Any, kind: str) -> None:
    """Pages of two for what was made, of forty for the system's."""
    for number in range(5):
        profile(bedrock, f"page {number}")
    whole = bedrock.list_inference_profiles(typeEquals=kind, maxResults=1000)["inferenceProfileSummaries"]
    size = 2 if kind == "APPLICATION" else 40
    pages = bedrock.get_paginator("list_inference_profiles").paginate(
        typeEquals=kind, PaginationConfig={"PageSize": size}
    )
    parts = [page["inferenceProfileSummaries"] for page in pages]
    assert [each for part in parts for each in part] == whole
    assert all(len(part) == size for part in parts[:-1])
    assert len(parts) > 2


def test_a_page_token_is_good_for_its_listing_alone(served: Served, bedrock: Any) -> None:
    """Not for another type, not for another account, not when a letter is changed."""
    for number in range(3):
        profile(bedrock, f"token {number}")
    token = bedrock.list_inference_profiles(typeEquals="APPLICATION", maxResults=1)["nextToken"]
    forged = ("A" if token[0] != "A" else "B") + token[1:]
    for client, kind, given in (
        (bedrock, "SYSTEM_DEFINED", token),
        (others(served), "APPLICATION", token),
        (bedrock, "APPLICATION", forged),
    ):
        with refused("ValidationException", 400, "nextToken is invalid"):
            client.list_inference_profiles(typeEquals=kind, nextToken=given)


def test_a_client_token_makes_one_profile(bedrock: Any) -> None:
    """The same request again gives the same ARN; another request under that token is a conflict."""
    first = profile(bedrock, "once", clientRequestToken="token-1")
    assert profile(bedrock, "once", clientRequestToken="token-1") == first
    with refused("ConflictException", 400, "client request token was already used"):
        profile(bedrock, "twice", clientRequestToken="token-1")
    with refused("ConflictException", 400, "client request token was already used"):
        profile(bedrock, "once", clientRequestToken="token-1", tags=[{"key": "a", "value": "b"}])


def test_a_name_is_unique_in_its_account_and_region(served: Served, bedrock: Any) -> None:
    """Taken for the one, free for all others."""
    profile(bedrock, "taken")
    with refused("ConflictException", 400, "name already exists"):
        profile(bedrock, "taken", FM + CLAUDE)
    far = served.client("bedrock", region_name="us-west-2")
    there = profile(far, "taken", f"arn:aws:bedrock:us-west-2::foundation-model/{HAIKU}")
    elsewhere = profile(others(served), "taken")
    far.delete_inference_profile(inferenceProfileIdentifier=there)
    others(served).delete_inference_profile(inferenceProfileIdentifier=elsewhere)


def test_accounts_and_regions_are_apart(served: Served, bedrock: Any) -> None:
    """Nobody sees, calls or deletes what is another's."""
    arn = profile(bedrock, "private")
    other, far = others(served), served.client("bedrock", region_name="us-west-2")
    not_theirs = ("AccessDeniedException", 403, "no resource-based policy allows")
    for client, told in (
        (other, not_theirs),
        (far, ("ValidationException", 400, "inference profile identifier is invalid")),
    ):
        assert client.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"] == []
        with refused(*told):
            client.get_inference_profile(inferenceProfileIdentifier=arn)
        with refused("ResourceNotFoundException", 404, "could not be found"):
            client.delete_inference_profile(inferenceProfileIdentifier=arn.rpartition("/")[2])
    unknown = ("ValidationException", 400, "model identifier is invalid")
    for runtime, told in (
        (others(served, "bedrock-runtime"), not_theirs),
        (served.client(region_name="us-west-2"), unknown),
    ):
        for name, answer in ((arn, told), (arn.rpartition("/")[2], unknown)):
            with refused(*answer):
                runtime.converse(modelId=name, messages=HELLO)
    assert profile(other, "private").split(":")[4] == OTHER
    for each in other.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"]:
        other.delete_inference_profile(inferenceProfileIdentifier=each["inferenceProfileId"])


@pytest.mark.parametrize(
    ("source", "name", "status", "words"),
    [
        (FM + "nobody.nothing-v1", "ResourceNotFoundException", 404, "Could not resolve the foundation model"),
        (SYSTEM + "nobody.nothing-v1", "ResourceNotFoundException", 404, "Could not resolve the foundation model"),
        (FM.replace("us-east-1", "eu-west-1") + HAIKU, "ValidationException", 400, "model identifier is invalid"),
        (SYSTEM.replace(ACCOUNT, OTHER) + HAIKU, "AccessDeniedException", 403, "no resource-based policy allows"),
        (FM + TITAN_EMBED, "ValidationException", 400, "embedding models"),
        (FM + NEEDS_PROFILE, "ValidationException", 400, "on-demand throughput"),
        ("arn:aws:s3:::bucket", "ValidationException", 400, "modelSource.copyFrom"),
        (
            f"arn:aws:bedrock:us-east-1:{ACCOUNT}:application-inference-profile/abc",
            "ValidationException",
            400,
            "copyFr",
        ),
    ],
)
def test_what_cannot_be_copied(bedrock: Any, source: str, name: str, status: int, words: str) -> None:
    """Nothing is made then."""
    with refused(name, status, words):
        profile(bedrock, "never", source)
    assert bedrock.list_inference_profiles(typeEquals="APPLICATION")["inferenceProfileSummaries"] == []


@pytest.mark.parametrize("name", ["", "a" * 65, "two  spaces", "-dash", "dot.ted", "ünï"])
def test_names_follow_the_model(served: Served, name: str) -> None:
    """As the service model's pattern and bounds say; the server's own word, not the SDK's."""
    from botocore.config import Config

    client = served.client("bedrock", config=Config(parameter_validation=False, retries={"max_attempts": 0}))
    with refused("ValidationException", 400, "inferenceProfileName"):
        profile(client, name)


def test_system_profiles_stay(bedrock: Any) -> None:
    """They are nobody's to delete."""
    for name in (f"us.{HAIKU}", SYSTEM + HAIKU):
        with refused("ValidationException", 400, "cannot be deleted"):
            bedrock.delete_inference_profile(inferenceProfileIdentifier=name)


def test_a_profile_behind_a_router_stays(bedrock: Any) -> None:
    """First the router goes, then the profile."""
    arn = profile(bedrock, "needed")
    by = router(bedrock, "needs", arn, FM + CLAUDE)
    with refused("ConflictException", 400, "prompt-router/"):
        bedrock.delete_inference_profile(inferenceProfileIdentifier=arn)
    bedrock.delete_prompt_router(promptRouterArn=by)
    bedrock.delete_inference_profile(inferenceProfileIdentifier=arn)


def test_the_quota_is_kept(bedrock: Any) -> None:
    """Here 25; what is deleted makes room."""
    made = [profile(bedrock, f"many {number}") for number in range(25)]
    with refused("ServiceQuotaExceededException", 400, "limit of 25"):
        profile(bedrock, "one more")
    bedrock.delete_inference_profile(inferenceProfileIdentifier=made[0])
    profile(bedrock, "one more")

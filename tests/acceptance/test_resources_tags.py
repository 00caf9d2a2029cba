"""Tags through boto3: one way for every kind of resource, with AWS's limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config

from tests.acceptance.resources import ACCOUNT, SYSTEM, others, owning, profile, refused, router
from tests.acceptance.serving import HAIKU, Served

SESSION = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:session/0a1b2c3d-0000-4000-8000-0123456789ab"
AGENT = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:agent/ABCDEFGHIJ"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with owning(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def bedrock(served: Served) -> Any:
    return served.client("bedrock")


@pytest.fixture(scope="module")
def tagged(bedrock: Any) -> str:
    """A profile whose tags the tests change as they like."""
    return profile(bedrock, "tagged")


def tags(bedrock: Any, arn: str) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in bedrock.list_tags_for_resource(resourceARN=arn)["tags"]}


def pairs(**given: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in given.items()]


def test_tags_come_with_the_resource(bedrock: Any) -> None:
    """Of a profile and of a router."""
    assert tags(bedrock, profile(bedrock, "p", tags=pairs(team="a", cost="12"))) == {"team": "a", "cost": "12"}
    assert tags(bedrock, router(bedrock, "r", tags=pairs(team="b"))) == {"team": "b"}


def test_tags_are_added_replaced_and_removed(bedrock: Any, tagged: str) -> None:
    """Keys keep their case; one that is not there may be removed; nothing else of the resource changes."""
    before = bedrock.get_inference_profile(inferenceProfileIdentifier=tagged)
    bedrock.tag_resource(resourceARN=tagged, tags=pairs(team="a", Team="A"))
    bedrock.tag_resource(resourceARN=tagged, tags=pairs(team="b", empty=""))
    assert tags(bedrock, tagged) == {"team": "b", "Team": "A", "empty": ""}
    bedrock.untag_resource(resourceARN=tagged, tagKeys=["team", "never"])
    assert tags(bedrock, tagged) == {"Team": "A", "empty": ""}
    after = bedrock.get_inference_profile(inferenceProfileIdentifier=tagged)
    assert {**after, "ResponseMetadata": 0} == {**before, "ResponseMetadata": 0}


def test_fifty_tags_and_no_more(bedrock: Any) -> None:
    """At creation as later; the error names the resource, and what was there stays."""
    many = [{"key": f"k{number}", "value": "v"} for number in range(51)]
    with refused("TooManyTagsException", 400, "limit of 50"):
        profile(bedrock, "overloaded", tags=many)
    arn = profile(bedrock, "full", tags=many[:50])
    with refused("TooManyTagsException", 400, "limit of 50"):
        bedrock.tag_resource(resourceARN=arn, tags=many[50:])
    bedrock.tag_resource(resourceARN=arn, tags=pairs(k0="w"))
    assert len(tags(bedrock, arn)) == 50
    with pytest.raises(bedrock.exceptions.TooManyTagsException) as caught:
        bedrock.tag_resource(resourceARN=arn, tags=many[50:])
    assert caught.value.response["resourceName"] == arn


@pytest.mark.parametrize("key", ["aws:team", "AWS:team"])
def test_amazons_prefix_is_refused(bedrock: Any, tagged: str, key: str) -> None:
    """At creation as later."""
    for call in (
        lambda: profile(bedrock, "prefixed", tags=[{"key": key, "value": "v"}]),
        lambda: bedrock.tag_resource(resourceARN=tagged, tags=[{"key": key, "value": "v"}]),
    ):
        with refused("ValidationException", 400, "aws: prefixed tag key names"):
            call()


def test_a_key_stands_once(bedrock: Any, tagged: str) -> None:
    """Twice in one request is a mistake, not a choice."""
    with refused("ValidationException", 400, "Duplicate tag keys"):
        bedrock.tag_resource(resourceARN=tagged, tags=[*pairs(a="1"), *pairs(a="2")])


@pytest.mark.parametrize(
    ("arn", "name", "words"),
    [
        (f"arn:aws:bedrock:us-east-1:{ACCOUNT}:guardrail/abcdef", "ResourceNotFoundException", "could not be found"),
        (SYSTEM + HAIKU, "ValidationException", "does not support tags"),
        ("just-an-id-and-no-arn-at-all", "ValidationException", "does not support tags"),
        ("arn:aws:s3:::a-bucket-of-yours", "ValidationException", "pattern"),
    ],
)
def test_what_has_no_tags(bedrock: Any, arn: str, name: str, words: str) -> None:
    """All three operations say the same."""
    for call in (
        lambda: bedrock.list_tags_for_resource(resourceARN=arn),
        lambda: bedrock.tag_resource(resourceARN=arn, tags=pairs(a="b")),
        lambda: bedrock.untag_resource(resourceARN=arn, tagKeys=["a"]),
    ):
        with refused(name, 404 if name.startswith("Resource") else 400, words):
            call()


def test_anothers_tags_are_hidden(served: Served, tagged: str) -> None:
    """Another account is not told whether there is anything under the ARN; another region finds nothing."""
    for client, told in (
        (others(served), ("AccessDeniedException", 403, "no resource-based policy allows")),
        (served.client("bedrock", region_name="us-west-2"), ("ResourceNotFoundException", 404, "could not be found")),
    ):
        with refused(*told):
            client.list_tags_for_resource(resourceARN=tagged)
        with refused(*told):
            client.tag_resource(resourceARN=tagged, tags=pairs(a="b"))


@pytest.mark.parametrize(("service", "arn"), [("bedrock-agent", AGENT), ("bedrock-agent-runtime", SESSION)])
def test_the_shared_path_leads_to_the_arns_service(served: Served, service: str, arn: str) -> None:
    """Two services share /tags/{arn}: the ARN's kind decides, and what is not there is not found by either."""
    client = served.client(service, config=Config(retries={"max_attempts": 0}))
    for call in (
        lambda: client.list_tags_for_resource(resourceArn=arn),
        lambda: client.tag_resource(resourceArn=arn, tags={"a": "b"}),
        lambda: client.untag_resource(resourceArn=arn, tagKeys=["a"]),
    ):
        with refused("ResourceNotFoundException", 404, "could not be found"):
            call()

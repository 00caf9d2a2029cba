"""Prompt routers through boto3: made, shown, listed, called and refused; the answers name the model that gave them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.resources import ACCOUNT, FM, HARD, OTHER, SYSTEM, owning, profile, refused, router
from tests.acceptance.serving import CLAUDE, HAIKU, HELLO, NOVA, Served

DEFAULT = f"arn:aws:bedrock:us-east-1:{ACCOUNT}:default-prompt-router/"


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


def asked(served: Served, arn: str, text: str, **more: Any) -> str:
    """The model that a router chose for a text."""
    messages = [{"role": "user", "content": [{"text": text}]}]
    answer = served.client().converse(modelId=arn, messages=messages, **more)
    model: str = answer["trace"]["promptRouter"]["invokedModelId"]
    return model


def test_a_router_is_shown_as_it_was_made(bedrock: Any) -> None:
    """With its criteria, models and fallback."""
    arn = router(bedrock, "my router", description="Cheap first.", difference=12.5)
    assert re.fullmatch(rf"arn:aws:bedrock:us-east-1:{ACCOUNT}:prompt-router/[a-z0-9]{{12}}", arn)
    found = bedrock.get_prompt_router(promptRouterArn=arn)
    found.pop("ResponseMetadata")
    assert found.pop("createdAt") == found.pop("updatedAt")
    assert found == {
        "promptRouterName": "my router",
        "description": "Cheap first.",
        "promptRouterArn": arn,
        "routingCriteria": {"responseQualityDifference": 12.5},
        "models": [{"modelArn": FM + HAIKU}, {"modelArn": FM + CLAUDE}],
        "fallbackModel": {"modelArn": FM + CLAUDE},
        "status": "AVAILABLE",
        "type": "custom",
    }


def test_the_request_decides_between_the_models(served: Served, bedrock: Any) -> None:
    """Each model has its own vendor here, so the vendor's log tells the truth of the trace."""
    arn = router(bedrock, "deciding")
    served.up.requests.clear()
    assert asked(served, arn, "Hello") == FM + HAIKU
    assert asked(served, arn, HARD) == FM + CLAUDE
    assert [each.path for each in served.up.requests] == ["/v1/chat/completions", "/v1/messages"]


def test_the_difference_asked_for_decides(served: Served, bedrock: Any) -> None:
    """Who demands a hundred percent more gets the cheaper model for the same words."""
    assert asked(served, router(bedrock, "greedy", difference=100.0), HARD) == FM + HAIKU
    assert asked(served, router(bedrock, "eager", difference=0.0), HARD) == FM + CLAUDE


def test_a_stream_tells_its_model_at_the_end(served: Served, bedrock: Any) -> None:
    """In the metadata event, where the service model has it."""
    arn = router(bedrock, "streaming")
    events = list(served.client().converse_stream(modelId=arn, messages=HELLO)["stream"])
    assert events[-1]["metadata"]["trace"] == {"promptRouter": {"invokedModelId": FM + HAIKU}}
    text = "".join(each["contentBlockDelta"]["delta"]["text"] for each in events if "contentBlockDelta" in each)
    assert text == "Echo: Hello"


@pytest.mark.parametrize("text", ["Hello", HARD])
def test_native_bodies_are_routed(served: Served, bedrock: Any, text: str) -> None:
    """InvokeModel, whole and as a stream: the models share a schema."""
    arn = router(bedrock, "native")
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 20,
        "messages": [{"role": "user", "content": text}],
    }
    served.up.requests.clear()
    whole = json.loads(served.client().invoke_model(modelId=arn, body=json.dumps(body))["body"].read())
    assert whole["content"][0]["text"].startswith("Echo: ")
    stream = served.client().invoke_model_with_response_stream(modelId=arn, body=json.dumps(body))["body"]
    assert b"amazon-bedrock-invocationMetrics" in [each["chunk"]["bytes"] for each in stream][-1]
    path = "/v1/messages" if text == HARD else "/v1/chat/completions"
    assert [each.path for each in served.up.requests] == [path, path]


def test_a_router_leads_through_profiles(served: Served, bedrock: Any) -> None:
    """System profiles and application profiles; the trace names what an application profile stands for."""
    made = profile(bedrock, "behind", SYSTEM + CLAUDE)
    arn = router(bedrock, "far", SYSTEM + HAIKU, fallback=made)
    try:
        assert asked(served, arn, "Hello") == SYSTEM + HAIKU
        assert asked(served, arn, HARD) == SYSTEM + CLAUDE
    finally:
        bedrock.delete_prompt_router(promptRouterArn=arn)
        bedrock.delete_inference_profile(inferenceProfileIdentifier=made)


def test_default_routers_are_there_from_the_start(served: Served, bedrock: Any) -> None:
    """Shown, called, and nobody's to delete."""
    listed = bedrock.list_prompt_routers(type="default")["promptRouterSummaries"]
    assert [each["promptRouterArn"] for each in listed] == [
        DEFAULT + name for name in ("anthropic.claude:1", "meta.llama:1", "amazon.nova:1")
    ]
    found = bedrock.get_prompt_router(promptRouterArn=DEFAULT + "anthropic.claude:1")
    assert {**found, "ResponseMetadata": None} == {**listed[0], "ResponseMetadata": None}
    assert asked(served, DEFAULT + "anthropic.claude:1", "Hello") == SYSTEM + HAIKU
    assert asked(served, DEFAULT + "anthropic.claude:1", HARD) == SYSTEM + CLAUDE
    with refused("ValidationException", 400, "cannot be deleted"):
        bedrock.delete_prompt_router(promptRouterArn=DEFAULT + "anthropic.claude:1")
    with refused("ResourceNotFoundException", 404, "could not be found"):
        bedrock.get_prompt_router(promptRouterArn=DEFAULT + "nobody:1")


@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_pages_hold_everything_once(bedrock: Any, size: int) -> None:
    """The default routers first, then the account's own, whatever the page's size."""
    made = [router(bedrock, f"page {number}") for number in range(3)]
    pages = bedrock.get_paginator("list_prompt_routers").paginate(PaginationConfig={"PageSize": size})
    found = [each["promptRouterArn"] for page in pages for each in page["promptRouterSummaries"]]
    assert found[3:] == made
    assert all(arn.startswith(DEFAULT) for arn in found[:3])
    custom = bedrock.get_paginator("list_prompt_routers").paginate(type="custom", PaginationConfig={"PageSize": size})
    assert [each["promptRouterArn"] for page in custom for each in page["promptRouterSummaries"]] == made


@pytest.mark.parametrize(
    ("models", "fallback", "name", "words"),
    [
        ((FM + HAIKU,), FM + HAIKU, "ValidationException", "exactly two"),
        ((FM + HAIKU, FM + CLAUDE), FM + NOVA, "ValidationException", "exactly two"),
        ((FM + HAIKU, FM + HAIKU), FM + CLAUDE, "ValidationException", "exactly two"),
        ((FM + HAIKU,), SYSTEM + HAIKU, "ValidationException", "exactly two"),
        ((FM + HAIKU,), FM + NOVA, "ValidationException", "same model provider"),
        ((FM + HAIKU,), FM + "anthropic.claude-v2", "ValidationException", "same model provider and family"),
        ((FM + HAIKU,), FM + "anthropic.claude-nothing-v1:0", "ResourceNotFoundException", "Could not resolve"),
        ((FM + HAIKU,), SYSTEM.replace(ACCOUNT, OTHER) + CLAUDE, "AccessDeniedException", "no resource-based policy"),
    ],
)
def test_what_makes_no_router(bedrock: Any, models: tuple[str, ...], fallback: str, name: str, words: str) -> None:
    """Two models of one family, both reachable from here."""
    status = {"ResourceNotFoundException": 404, "AccessDeniedException": 403}.get(name, 400)
    with refused(name, status, words):
        router(bedrock, "never", *models, fallback=fallback)
    assert bedrock.list_prompt_routers(type="custom")["promptRouterSummaries"] == []


def test_the_fallback_may_stand_beside_one_model(served: Served, bedrock: Any) -> None:
    """The user guide's form: one model and the fallback."""
    arn = router(bedrock, "short", FM + HAIKU)
    assert asked(served, arn, "Hello") == FM + HAIKU
    assert bedrock.get_prompt_router(promptRouterArn=arn)["models"] == [{"modelArn": FM + HAIKU}]


def test_names_tokens_and_quota(bedrock: Any) -> None:
    """As for all that an account makes."""
    first = router(bedrock, "once", clientRequestToken="t1")
    assert router(bedrock, "once", clientRequestToken="t1") == first
    with refused("ConflictException", 400, "client request token"):
        router(bedrock, "once", clientRequestToken="t1", difference=20.0)
    with refused("ConflictException", 400, "name already exists"):
        router(bedrock, "once")
    for number in range(7):
        router(bedrock, f"more {number}")
    with refused("ServiceQuotaExceededException", 400, "limit of 8"):
        router(bedrock, "too many")


def test_a_deleted_router_is_gone(served: Served, bedrock: Any) -> None:
    """No more shown or called."""
    arn = router(bedrock, "short-lived")
    bedrock.delete_prompt_router(promptRouterArn=arn)
    with refused("ResourceNotFoundException", 404, "could not be found"):
        bedrock.get_prompt_router(promptRouterArn=arn)
    with refused("ResourceNotFoundException", 404, "could not be found"):
        bedrock.delete_prompt_router(promptRouterArn=arn)
    with refused("ValidationException", 400, "model identifier is invalid"):
        served.client().converse(modelId=arn, messages=HELLO)


def test_a_router_counts_no_tokens(served: Served) -> None:
    """Bedrock counts for base models alone."""
    with refused("ValidationException", 400, "doesn't support counting tokens"):
        served.client().count_tokens(modelId=DEFAULT + "anthropic.claude:1", input={"converse": {"messages": HELLO}})

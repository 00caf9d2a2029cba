"""How hard a prompt is, how strong models are, and which of two a prompt router asks."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from craton.features.inference.routing.difficulty import difficulty
from craton.features.inference.routing.prompt_choice import Candidate, Choice, pick
from craton.features.inference.routing.routes import UNLIMITED, Resolved, Route
from craton.models.canon.content import Message
from craton.models.canon.request import ConverseRequest
from craton.models.catalog.capabilities import Capabilities
from craton.models.catalog.rows import load
from craton.models.catalog.strength import quality, strength

EASY = ["Hello", "What is the capital of France?", "Translate 'good morning' to Spanish.", "Thanks, in one word: why?"]
HARD = [
    "Prove step by step that the algorithm terminates, analyze its complexity and compare the trade-offs.",
    "Debug this and explain why it deadlocks:\n```python\ndef f(lock):\n    lock.acquire()\n```\n1. Find the root cause.",
    "Derive the probability that the polynomial x^2 + a*x + b = 0 has real roots, and justify each step.",
]


def request(text: str, **more: Any) -> ConverseRequest:
    body = {"messages": [{"role": "user", "content": [{"text": text}]}], **more}
    return msgspec.json.decode(msgspec.json.encode(body), type=ConverseRequest)


def hardness(given: ConverseRequest) -> float:
    found = difficulty(given)
    assert found is not None
    return found


@pytest.mark.parametrize("text", EASY)
def test_plain_requests_are_easy(text: str) -> None:
    """Nothing is gained by a stronger model: the figure is exactly 0, not merely small."""
    assert difficulty(request(text)) == 0.0


@pytest.mark.parametrize("text", HARD)
def test_work_in_several_steps_is_hard(text: str) -> None:
    """Proofs, code with demands, mathematics."""
    assert hardness(request(text)) > 0.3


def test_what_surrounds_the_prompt_counts() -> None:
    """Earlier turns, tools and a long system prompt make the same words harder."""
    text = "Compare the two offers and evaluate which one we should take?"
    turns = [{"role": role, "content": [{"text": "so far"}]} for role in ("user", "assistant") * 3]
    asked = {"role": "user", "content": [{"text": text}]}
    tool = {"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}
    plain = hardness(request(text))
    assert hardness(request(text, messages=[*turns, asked])) > plain
    assert hardness(request(text, toolConfig={"tools": [tool] * 5})) > plain
    assert hardness(request(text, system=[{"text": "rule. " * 2000}])) > plain


def test_a_huge_prompt_is_judged_in_no_time_and_within_bounds() -> None:
    """Only a bounded part is read; the figure stays below 1."""
    assert 0.9 < hardness(request("analyze x^2 => prove; \n" * 200_000)) <= 1.0


def test_there_may_be_nothing_to_judge_by() -> None:
    """A turn without words leaves it to the fallback model."""
    picture = {"image": {"format": "png", "source": {"bytes": "aGk="}}}
    assert difficulty(request("", messages=[{"role": "user", "content": [picture]}])) is None
    assert difficulty(ConverseRequest(messages=None)) is None
    assert difficulty(ConverseRequest(messages=[Message("user", [])])) is None


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("anthropic.claude-3-5-sonnet-20240620-v1:0", "anthropic.claude-3-7-sonnet-20250219-v1:0"),
        ("anthropic.claude-sonnet-4-20250514-v1:0", "anthropic.claude-opus-4-1-20250805-v1:0"),
        ("anthropic.claude-haiku-4-5-20251001-v1:0", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("amazon.nova-micro-v1:0", "amazon.nova-lite-v1:0"),
        ("amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0"),
        ("amazon.nova-pro-v1:0", "amazon.nova-premier-v1:0"),
        ("meta.llama3-1-8b-instruct-v1:0", "meta.llama3-1-70b-instruct-v1:0"),
        ("meta.llama3-1-70b-instruct-v1:0", "meta.llama3-1-405b-instruct-v1:0"),
        ("mistral.mistral-7b-instruct-v0:2", "mistral.mixtral-8x7b-instruct-v0:1"),
        ("mistral.mistral-small-2402-v1:0", "mistral.mistral-large-2402-v1:0"),
        ("cohere.command-light-text-v14", "cohere.command-text-v14"),
        ("cohere.command-r-v1:0", "cohere.command-r-plus-v1:0"),
        ("openai.gpt-oss-20b-1:0", "openai.gpt-oss-120b-1:0"),
        ("ai21.jamba-1-5-mini-v1:0", "ai21.jamba-1-5-large-v1:0"),
        ("google.gemma-3-4b-it", "google.gemma-3-27b-it"),
    ],
)
def test_models_of_a_family_are_in_order(weaker: str, stronger: str) -> None:
    """By size first, by version between equals."""
    assert strength(weaker) < strength(stronger)


def test_every_model_has_a_strength() -> None:
    """Between 0 and 1 for all that the catalog lists."""
    assert all(0 < strength(model.model_id) < 1 for model in load().models())


def test_quality_is_equal_for_easy_prompts_and_falls_with_difficulty() -> None:
    """The curve that the gap is taken from."""
    assert quality(0.3, 0.0) == quality(0.9, 0.0) == 100.0
    assert quality(0.3, 0.8) < quality(0.9, 0.8) < 100.0


def candidate(model_id: str, able: Capabilities = UNLIMITED) -> Candidate:
    arn = f"arn:aws:bedrock:us-east-1::foundation-model/{model_id}"
    return Candidate(arn, Resolved(Route(model_id, (), able), (arn,)), strength(model_id))


CHEAP, DEAR = candidate("amazon.nova-lite-v1:0"), candidate("amazon.nova-pro-v1:0")


def chosen(choice: Choice, text: str, **more: Any) -> str:
    return choice.pick(request(text, **more), streaming=False).resolved.route.model_id


@pytest.mark.parametrize("fallback", [CHEAP, DEAR], ids=["cheap", "dear"])
def test_the_difference_decides(fallback: Candidate) -> None:
    """A small one sends what is hard to the stronger model, a large one keeps it with the cheaper; easy is cheap always."""
    small, large = Choice(CHEAP, DEAR, fallback, 5.0), Choice(CHEAP, DEAR, fallback, 90.0)
    assert {chosen(small, text) for text in HARD} == {"amazon.nova-pro-v1:0"}
    assert {chosen(large, text) for text in HARD} == {"amazon.nova-lite-v1:0"}
    assert {chosen(small, text) for text in EASY} == {"amazon.nova-lite-v1:0"}
    assert {chosen(Choice(CHEAP, DEAR, fallback, 0.0), text) for text in EASY} == {"amazon.nova-lite-v1:0"}


def test_the_gap_is_taken_from_the_fallbacks_quality() -> None:
    """The same two models are further apart beside the weaker one."""
    assert Choice(CHEAP, DEAR, CHEAP, 0).gap(0.8) > Choice(CHEAP, DEAR, DEAR, 0).gap(0.8) > 0


def test_a_model_that_cannot_is_not_asked() -> None:
    """Tools go to the one that has them, however easy the words; if neither can, the fallback says so."""
    unable = msgspec.structs.replace(UNLIMITED, tools=False)
    tools = {"tools": [{"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}]}
    cheap, dear = candidate("amazon.nova-lite-v1:0", unable), candidate("amazon.nova-pro-v1:0", unable)
    assert chosen(Choice(cheap, DEAR, cheap, 50.0), "Hello", toolConfig=tools) == "amazon.nova-pro-v1:0"
    assert chosen(Choice(cheap, dear, dear, 50.0), "Hello", toolConfig=tools) == "amazon.nova-pro-v1:0"


def test_without_words_the_fallback_answers() -> None:
    """What cannot be predicted is not guessed."""
    picture = [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": "aGk="}}}]}]
    for fallback in (CHEAP, DEAR):
        asked = chosen(Choice(CHEAP, DEAR, fallback, 10.0), "", messages=picture)
        assert asked == fallback.resolved.route.model_id


def test_the_choice_remembers_the_model_for_the_trace() -> None:
    """A route that no router chose stays as it is."""
    routed = Resolved(DEAR.resolved.route, ("arn",), Choice(CHEAP, DEAR, DEAR, 10.0))
    found = pick(routed, request("Hello"), streaming=False)
    assert (found.route.model_id, found.invoked, found.resources) == ("amazon.nova-lite-v1:0", CHEAP.arn, ("arn",))
    assert pick(found, request(HARD[0]), streaming=False) is found

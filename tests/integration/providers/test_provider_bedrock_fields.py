"""Provider `bedrock`: what becomes of extra fields, and of a 200 with an `error`, which is a picture model's own word."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.image import ImageRequest
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.all import dialect_named
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.extras import ROOT
from craton.models.providers.bedrock import BedrockProvider
from craton.models.providers.provider import Attempt, Upstream
from tests.fakes import scripts, vendors
from tests.fakes.upstream import FakeUpstream
from tests.integration.providers import vendor_contract as contract
from tests.integration.providers.signatures import KEYS

up = contract.up
CLAUDE, UNKNOWN = "anthropic.messages", ""
GIVEN = {"k": 7, "seed": 3}
BLOCKED = b'{"images":[],"error":"All of the generated images have been blocked by our content filters."}'


def target(up: FakeUpstream, native: str) -> BedrockProvider:
    upstream = Upstream("bedrock", up.base_url, "m", region="eu-west-1", native=native)
    return BedrockProvider(msgspec.structs.replace(upstream, **KEYS))


def call(provider: BedrockProvider, how: str, given: Any, **more: Any) -> Ledger:
    """One call of one method; what its ledger holds."""
    ledger = Ledger(strict=more.pop("strict", False))
    family = more.pop("family", "")

    async def main() -> None:
        deadline = asyncio.get_running_loop().time() + 60
        attempt = Attempt("m", ledger, deadline, "r", family=lambda: dialect_named(family), **more)
        try:
            answer = getattr(provider, how)(given, attempt)
            if how.endswith("stream"):
                async for _ in answer:
                    pass
            else:
                await answer
        finally:
            await provider.close()

    asyncio.run(main())
    return ledger


def request() -> ConverseRequest:
    messages = [Message("user", [ContentBlock(text="hi")])]
    return ConverseRequest(messages=messages, additional_model_request_fields=dict(GIVEN))


def sent(up: FakeUpstream) -> Any:
    found = contract.asked(up).json
    return found.get("input", {}).get("converse", found).get(ROOT)


ANSWERS = {
    "converse": vendors.bedrock_reply("Hi"),
    "converse_stream": vendors.framed(vendors.bedrock_events(["Hi"])),
    "count_tokens": scripts.reply({"inputTokens": 3}),
}


@pytest.mark.parametrize("how", ANSWERS)
@pytest.mark.parametrize("by", ["speaks", "family"])
def test_fields_of_another_schema_are_translated(up: FakeUpstream, how: str, by: str) -> None:
    """Command R's, of a native body or of Converse for such an id, in a Claude's words."""
    up.play(ANSWERS[how])
    ledger = call(target(up, CLAUDE), how, request(), **{by: "cohere.command-r"})
    assert sent(up) == {"top_k": 7}
    assert ledger.dropped == [f"{ROOT}.seed"]


@pytest.mark.parametrize(
    ("native", "more"),
    [
        (CLAUDE, {"family": CLAUDE}),
        (CLAUDE, {"speaks": CLAUDE}),
        (CLAUDE, {}),
        (CLAUDE, {"family": "amazon.converse"}),
        (UNKNOWN, {"family": "cohere.command-r"}),
        (UNKNOWN, {"family": "amazon.converse"}),
        (UNKNOWN, {}),
    ],
)
def test_fields_of_the_models_own_go_as_they_are(up: FakeUpstream, native: str, more: dict[str, str]) -> None:
    """Where schemas agree, and where Converse's caller alone knows what the model is."""
    up.play(ANSWERS["converse"])
    ledger = call(target(up, native), "converse", request(), **more)
    assert sent(up) == GIVEN
    assert ledger.dropped == []


def test_a_native_bodys_fields_do_not_reach_a_schema_that_nobody_knows(up: FakeUpstream) -> None:
    """They are dropped by name."""
    up.play(ANSWERS["converse"])
    ledger = call(target(up, UNKNOWN), "converse", request(), speaks="cohere.command-r")
    assert sent(up) is None
    assert ledger.dropped == [f"{ROOT}.k", f"{ROOT}.seed"]


@pytest.mark.parametrize("native", [CLAUDE, UNKNOWN])
def test_strict_translation_refuses(up: FakeUpstream, native: str) -> None:
    """And nothing is sent."""
    with pytest.raises(Fault) as caught:
        call(target(up, native), "converse", request(), speaks="cohere.command-r", strict=True)
    assert caught.value.name == "ValidationException"
    assert up.requests == []


@pytest.mark.parametrize("how", ["invoke", "paint_native"])
def test_a_picture_models_error_is_its_own_reply(up: FakeUpstream, how: str) -> None:
    """Callers of Titan Image look for `error` in the reply, as AWS's examples do: it passes as it came."""
    up.play(scripts.reply(json.loads(BLOCKED)))
    provider = target(up, "amazon.titan-image")

    async def main() -> bytes:
        deadline = asyncio.get_running_loop().time() + 60
        try:
            found: bytes = await getattr(provider, how)(b"{}", Attempt("m", Ledger(), deadline, "r"))
            return found
        finally:
            await provider.close()

    assert json.loads(asyncio.run(main())) == json.loads(BLOCKED)


def test_blocked_pictures_are_told_to_a_caller_of_another_schema(up: FakeUpstream) -> None:
    """Translated, they are a filtered picture, which each schema has its own words for."""
    up.play(scripts.reply(json.loads(BLOCKED)))
    provider = target(up, "amazon.titan-image")

    async def main() -> list[str | None]:
        deadline = asyncio.get_running_loop().time() + 60
        try:
            asked = ImageRequest(task="text-to-image", prompt="a", width=1024, height=1024)
            reply = await provider.paint(asked, Attempt("m", Ledger(), deadline, "r"))
            return [picture.finish for picture in reply.pictures]
        finally:
            await provider.close()

    assert asyncio.run(main()) == ["filtered output"]

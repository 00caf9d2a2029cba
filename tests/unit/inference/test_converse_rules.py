"""What the Converse operations demand beyond a vendor's door, and what Claude says in its own words."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.features.inference.passthrough import counted
from craton.features.inference.routing.routes import UNLIMITED
from craton.features.inference.rules import converse as converse_rules
from craton.features.inference.rules import form as rules
from craton.features.inference.rules.limits import check_limit
from craton.models.canon.reply import usage
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.catalog.capabilities import Capabilities, capabilities
from craton.models.catalog.rows import load
from tests.fakes import files

CATALOG = load()
CLAUDE, CLAUDE_46 = "anthropic.claude-sonnet-4-5-20250929-v1:0", "anthropic.claude-sonnet-4-6"
CLAUDE_3, COHERE_R = "anthropic.claude-3-haiku-20240307-v1:0", "cohere.command-r-v1:0"
HI = {"text": "hi"}
PNG = {"image": {"format": "png", "source": {"bytes": base64.b64encode(files.png(1, 1)).decode()}}}
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
TOOL = {"toolSpec": {"name": "t", "inputSchema": {"json": {"type": "object"}}}}


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": [*blocks]}


def says(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": [*blocks]}


def document(name: str, kind: str = "txt", **more: Any) -> dict[str, Any]:
    return {"document": {"name": name, "format": kind, "source": {"bytes": "aGk="}, **more}}


def output(schema: Any = SCHEMA) -> dict[str, Any]:
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema)}}}}


CITED = {"citations": {"enabled": True}}


def able(model_id: str) -> Capabilities:
    model = CATALOG.find(model_id)
    assert model is not None
    return capabilities(model)


def check(body: dict[str, Any], model_id: str = "") -> bool:
    request = msgspec.json.decode(json.dumps(body).encode(), type=ConverseRequest)
    can = able(model_id) if model_id else UNLIMITED
    plain = rules.check(request, can, 4096, streaming=False)
    converse_rules.check(request, can)
    return plain


def refusal(body: dict[str, Any], model_id: str = "") -> str:
    with pytest.raises(Fault) as caught:
        check(body, model_id)
    assert caught.value.name == "ValidationException"
    return caught.value.message


def test_plain_conversations_are_told_from_others() -> None:
    """Nothing but text and no tools: no further rule can break."""
    assert check({"messages": [user(HI)], "system": [HI]})
    assert not check({"messages": [user(HI, document("d"))]})
    assert not check({"messages": [user(HI)], "toolConfig": {"tools": [TOOL]}})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"messages": [user()]}, "The content field in the Message object at messages.0 is empty."),
        (
            {"messages": [user(HI, document("a")), says(HI), user(HI, document("a"))]},
            "Messages can't contain duplicate document names. Rename the document and retry your request.",
        ),
        (
            {"messages": [user(HI, *[document(f"d{n}") for n in range(6)])]},
            "You can't include more than 5 documents in a request.",
        ),
        (
            {"messages": [user(HI, *[{"video": {"format": "mp4", "source": {"bytes": "aGk="}}}] * 2)]},
            "You can't include more than 1 video in a request.",
        ),
        ({"messages": [user(HI, document("a", "csv", **CITED))]}, "Only txt and pdf formats are supported"),
        ({"messages": [user(HI, document("a", **CITED))], "outputConfig": output()}, "when citations are enabled"),
        ({"messages": [user(HI)], "outputConfig": output({"type": "object"})}, "must be explicitly set to false"),
        (
            {"messages": [user(HI)], "toolConfig": {"tools": [{"toolSpec": {**TOOL["toolSpec"], "strict": True}}]}},
            "tools.0.custom.input_schema: For 'object' type",
        ),
        (
            {
                "messages": [
                    user(HI),
                    says({"toolUse": {"toolUseId": "a", "name": "t", "input": {}}}),
                    user({"toolResult": {"toolUseId": "a", "content": [document("d", **CITED)]}}),
                ],
                "toolConfig": {"tools": [TOOL]},
            },
            "Citations are not supported in tool result documents.",
        ),
    ],
)
def test_converse_demands_more_than_a_door(body: dict[str, Any], words: str) -> None:
    """Each in Bedrock's words."""
    assert words in refusal(body)


@pytest.mark.parametrize(
    ("model_id", "body", "words"),
    [
        (CLAUDE_3, {"outputConfig": output()}, "This model doesn't support the outputConfig.textFormat field."),
        (CLAUDE_3, {"messages": [user(HI, document("a", **CITED))]}, "This model doesn't support citations."),
        (COHERE_R, {"guardrailConfig": {}}, "This model doesn't support the guardrailConfig field."),
        ("anthropic.claude-v2", {"messages": [user(HI), says({"toolUse": {"toolUseId": "a", "name": "t", "input": {}}}),
          user({"toolResult": {"toolUseId": "a", "content": [HI]}})]}, "This model doesn't support tool use."),
    ],
)  # fmt: skip
def test_what_a_family_lacks_is_named(model_id: str, body: dict[str, Any], words: str) -> None:
    """In both modes, whatever the target could do."""
    assert words in refusal({"messages": [user(HI)], **body}, model_id)


@pytest.mark.parametrize(
    ("model_id", "part", "words"),
    [
        ("anthropic.claude-3-5-haiku-20241022-v1:0", PNG, "doesn't support the image content block"),
        (CLAUDE, {"image": {**PNG["image"], "format": "jpeg"}}, "appears to be a image/png image"),
        (
            CLAUDE,
            document("any.name", "pdf"),
            "The detected filetype is PLAIN_TEXT, but the provided filetype was PDF.",
        ),
        ("amazon.nova-micro-v1:0", document("d"), "doesn't support the document content block"),
    ],
)
def test_a_tools_result_keeps_the_rules_for_media(model_id: str, part: dict[str, Any], words: str) -> None:
    """What a family does not see, it does not see there either."""
    result = {"toolResult": {"toolUseId": "a", "content": [part]}}
    turns = [user(HI), says({"toolUse": {"toolUseId": "a", "name": "t", "input": {}}}), user(result)]
    assert words in refusal({"messages": turns, "toolConfig": {"tools": [TOOL]}}, model_id)


@pytest.mark.parametrize(
    ("model_id", "body", "words"),
    [
        (CLAUDE, {"messages": [user({"text": ""})]}, "messages: text content blocks must be non-empty"),
        (CLAUDE, {"messages": [user({"text": " "})]}, "must contain non-whitespace text"),
        (CLAUDE, {"messages": [user(HI), says({"text": "So "})]}, "cannot end with trailing whitespace"),
        (CLAUDE_46, {"messages": [user(HI), says(HI)]}, "does not support assistant message prefill"),
        (
            CLAUDE,
            {
                "messages": [user(HI)],
                "toolConfig": {"tools": [TOOL], "toolChoice": {"any": {}}},
                "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            },
            "Thinking may not be enabled when tool_choice forces tool use.",
        ),
        (
            CLAUDE,
            {
                "messages": [user(HI, {"cachePoint": {"type": "default", "ttl": "1h"}})],
                "system": [HI, {"cachePoint": {"type": "default", "ttl": "5m"}}],
            },
            "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block",
        ),
    ],
)
def test_claude_says_some_things_itself(model_id: str, body: dict[str, Any], words: str) -> None:
    """Bedrock passes them on."""
    message = refusal(body, model_id)
    assert message.startswith("The model returned the following errors: ")
    assert words in message


def test_a_prefill_is_taken_where_it_is_one() -> None:
    """Older Claude goes on with what it is said to have begun."""
    check({"messages": [user(HI), says({"text": "So"})]}, CLAUDE)


@pytest.mark.parametrize(
    ("model_id", "dialect", "words"),
    [
        ("meta.llama3-8b-instruct-v1:0", "meta.llama", "#/max_gen_len: 2049 is not less or equal to 2048"),
        (
            "amazon.titan-text-premier-v1:0",
            "amazon.titan-text",
            "#/textGenerationConfig/maxTokenCount: 3073 is not less",
        ),
        (
            CLAUDE_3,
            "anthropic.messages",
            "max_tokens: 4097 > 4096, which is the maximum allowed number of output tokens for claude-3-haiku",
        ),
    ],
)
def test_a_native_body_may_not_ask_for_more_than_the_model_gives(model_id: str, dialect: str, words: str) -> None:
    """Each schema names the number by its own member."""
    model = CATALOG.find(model_id)
    assert model is not None
    assert model.max_output_tokens is not None
    check_limit(model, dialect, _asking(model.max_output_tokens))
    with pytest.raises(Fault) as caught:
        check_limit(model, dialect, _asking(model.max_output_tokens + 1))
    assert words in caught.value.message


def test_a_model_outside_the_catalog_has_no_known_limit() -> None:
    """Its target says what it thinks."""
    check_limit(None, "openai.chat", _asking(10**6))


@pytest.mark.parametrize(("provider", "told"), [("local", (8, None)), ("openai", (5, 3))])
def test_what_our_own_cache_held_is_input(provider: str, told: tuple[int, int | None]) -> None:
    """On Bedrock only cache points are counted apart, so a local model's prefix cache is not; a vendor's count stands."""
    target: Any = SimpleNamespace(provider=SimpleNamespace(name=provider))
    used = counted(target, usage(5, 2, 3))
    assert (used.input_tokens, used.cache_read_input_tokens) == told
    assert used.total_tokens == 10


def _asking(tokens: int) -> ConverseRequest:
    return ConverseRequest(inference_config=InferenceConfig(max_tokens=tokens))

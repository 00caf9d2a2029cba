"""Gemini's generateContent: bodies and replies, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from craton.aws.wire.faults import Fault
from craton.models.canon import content as c
from craton.models.canon import request as r
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.reply import usage
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.gemini.dialect import Gemini
from tests.unit.dialects import dialect_conversations as make

DIALECT = Gemini()


def thought(text: str, signature: str | None = None) -> ContentBlock:
    return ContentBlock(reasoning_content=c.ReasoningContent(reasoning_text=c.ReasoningText(text, signature)))


pdf = make.blobs.map(lambda b: ContentBlock(document=c.DocumentBlock("document", c.DocumentSource(bytes=b), "pdf")))
parts = st.one_of(
    make.texts.map(lambda t: c.ToolResultContent(text=t)), make.raw_objects.map(lambda v: c.ToolResultContent(json=v))
)
answered = st.one_of(
    make.tool_result(parts, st.none()),
    st.builds(
        lambda i, t: ContentBlock(tool_result=c.ToolResultBlock(i, [c.ToolResultContent(text=t)], "error")),
        make.ids,
        make.texts,
    ),
)
user = st.lists(st.one_of(make.text(), make.image(), make.video(), make.audio(), pdf, answered), min_size=1, max_size=3)
thoughts = st.builds(
    lambda text, signature: [thought(text, f"gemini:{signature}" if signature else None)],
    make.texts,
    st.none() | make.names,
)
assistant = st.builds(
    lambda before, blocks: before + blocks,
    st.just([]) | thoughts | st.just([thought("", "gemini:x")]),
    st.lists(make.text() | make.tool_use(), min_size=1, max_size=3),
)


def loose(config: r.ToolConfig | None) -> r.ToolConfig | None:
    for tool in config.tools if config is not None else ():
        assert tool.tool_spec is not None
        tool.tool_spec.strict = None
    return config


requests = st.builds(
    ConverseRequest,
    messages=make.turns(user, assistant),
    system=st.none() | make.texts.map(lambda t: [r.SystemBlock(text=t)]),
    inference_config=make.inference,
    tool_config=make.tool_config(make.every_choice).map(loose),
    output_config=st.none()
    | make.objects.map(
        lambda schema: r.OutputConfig(
            r.TextFormat(
                "json_schema",
                r.FormatStructure(r.JsonSchema(json.dumps(schema, separators=(",", ":"), ensure_ascii=False))),
            )
        )
    ),
    additional_model_request_fields=st.none()
    | st.fixed_dictionaries(
        {"generationConfig": st.just({"topK": 4, "thinkingConfig": {"thinkingBudget": 9}})},
        optional={"safetySettings": st.just([{"category": "X", "threshold": "OFF"}])},
    ),
)


@settings(max_examples=150, deadline=None)
@given(requests)
def test_gemini_reads_back_what_it_writes(request: ConverseRequest) -> None:
    """Every request that the schema can carry survives the way out and in, with an empty ledger."""
    out = make.outgoing()
    assert DIALECT.read_request(DIALECT.write_request(request, out)) == request
    assert (out.ledger.dropped, out.ledger.emulated) == ([], [])


FULL: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "be brief"}]},
    "contents": [
        {"role": "user", "parts": [{"text": "what?"}, {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}]},
        {"role": "model", "parts": [
            {"text": "hm", "thought": True},
            {"functionCall": {"id": "t1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "c2ln"},
        ]},
        {"role": "user", "parts": [{"functionResponse": {"id": "t1", "name": "f", "response": {"b": 2}}}]},
    ],
    "tools": [{"functionDeclarations": [
        {"name": "f", "description": "d", "parametersJsonSchema": {"type": "object"}}]}, {"googleSearch": {}}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    "generationConfig": {
        "maxOutputTokens": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": ["x"], "topK": 3,
        "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
}  # fmt: skip


def test_gemini_writes_back_the_body_it_read() -> None:
    """A vendor's body comes out as it went in, its signature where it stood."""
    out = make.outgoing()
    request = DIALECT.read_request(json.dumps(FULL).encode())
    assert request.messages is not None
    assert request.messages[1].content[0] == thought("hm", "gemini:c2ln")
    assert json.loads(DIALECT.write_request(request, out)) == FULL
    assert (out.ledger.dropped, out.ledger.emulated) == ([], [])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "#: required key [contents] not found"),
        ({"contents": []}, "#/contents: expected minimum item count: 1, found: 0"),
        (
            {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"temperature": 3}},
            "#/generationConfig/temperature: 3 is not less or equal to 2",
        ),
        (
            {"contents": [{"parts": [{"inlineData": {"mimeType": "model/stl", "data": "AAAA"}}]}]},
            "Unsupported MIME type: model/stl",
        ),
    ],
)
def test_gemini_bad_bodies_get_bedrocks_words(body: dict[str, Any], message: str) -> None:
    """A body that does not fit is a ValidationException that says where."""
    with pytest.raises(Fault) as caught:
        DIALECT.read_request(json.dumps(body).encode())
    assert caught.value.name == "ValidationException"
    assert message in caught.value.message


def test_gemini_enters_what_it_cannot_carry() -> None:
    """Other vendors' signatures and S3 are dropped, media in results stand beside them, efforts become budgets."""
    image = c.ImageBlock("png", c.MediaSource(bytes=b"x"))
    video = c.VideoBlock("mp4", c.MediaSource(s3_location=c.S3Location("s3://bucket/v.mp4")))
    request = ConverseRequest(
        messages=[
            Message("user", [ContentBlock(video=video), ContentBlock(text="a")]),
            Message("assistant", [thought("hm", "anthropic-sig"), ContentBlock(text="b")]),
            Message(
                "user",
                [
                    ContentBlock(
                        tool_result=c.ToolResultBlock(
                            "t", [c.ToolResultContent(text="no"), c.ToolResultContent(image=image)], "error"
                        )
                    )
                ],
            ),
        ],
        tool_config=r.ToolConfig([r.Tool(tool_spec=r.ToolSpec("f", r.InputSchema(Raw(b"{}")), strict=True))]),
        output_config=r.OutputConfig(effort="low"),
        additional_model_request_fields={"thinking": {"type": "enabled", "budget_tokens": 99}, "top_k": 5, "min_p": 1},
    )
    out = make.outgoing()
    body = json.loads(DIALECT.write_request(request, out))
    assert out.ledger.dropped == [
        "messages.0.content.0.video",
        "messages.1.content.0.reasoningContent",
        "toolConfig.tools.0.toolSpec.strict",
        "additionalModelRequestFields.min_p",
    ]
    assert out.ledger.emulated == [
        "messages.2.content.0.toolResult.content.1.image",
        "outputConfig.effort",
        "additionalModelRequestFields.thinking",
    ]
    assert body["contents"][1]["parts"] == [{"text": "b"}]
    assert body["contents"][2]["parts"][0]["functionResponse"]["response"] == {"error": "no"}
    assert body["contents"][2]["parts"][1]["inlineData"]["mimeType"] == "image/png"
    assert body["generationConfig"]["topK"] == 5


@pytest.mark.parametrize(
    ("model", "signatures"),
    [
        ("gemini-3-pro-preview", ["skip_thought_signature_validator", None]),
        ("gemini-2.5-flash", [None, None]),
        ("models/gemini-1.5-pro", [None, None]),
    ],
)
def test_gemini_calls_of_another_model(model: str, signatures: list[str | None]) -> None:
    """A first call that Gemini did not sign says so where the model would refuse it, and is read without that."""
    calls = [ContentBlock(tool_use=c.ToolUseBlock(f"t{place}", "f", Raw(b"{}"))) for place in range(2)]
    request = ConverseRequest(messages=[Message("user", [ContentBlock(text="a")]), Message("assistant", calls)])
    written = DIALECT.write_request(request, make.outgoing(model))
    assert [part.get("thoughtSignature") for part in json.loads(written)["contents"][1]["parts"]] == signatures
    assert DIALECT.read_request(written) == request


REPLY: dict[str, Any] = {
    "candidates": [
        {
            "content": {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True},
                    {"text": "Hello", "thoughtSignature": "c2ln"},
                    {"functionCall": {"id": "t1", "name": "f", "args": {"a": 1}}},
                ],
            },
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 7,
        "candidatesTokenCount": 3,
        "totalTokenCount": 10,
        "cachedContentTokenCount": 2,
    },
    "modelVersion": "a.model-v1:0",
    "responseId": "8a1c2b3d-0000-1111-2222-333344445555",
}


def test_gemini_reply_both_ways() -> None:
    """Thoughts, signatures, calls and usage survive the way in and out."""
    reply = DIALECT.read_reply(json.dumps(REPLY).encode())
    assert [block.kind for block in reply.output.message.content] == ["reasoningContent", "text", "toolUse"]
    assert (reply.stop_reason, reply.usage) == ("tool_use", usage(5, 3, 2))
    assert json.loads(DIALECT.write_reply(reply, make.shown())) == REPLY


def test_gemini_thoughts_are_output() -> None:
    """Tokens of thinking, and those that tools read, are counted."""
    body = {
        "candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "MAX_TOKENS"}],
        "usageMetadata": {
            "promptTokenCount": 7, "candidatesTokenCount": 3, "thoughtsTokenCount": 20, "toolUsePromptTokenCount": 5,
        },
    }  # fmt: skip
    reply = DIALECT.read_reply(json.dumps(body).encode())
    assert (reply.usage, reply.stop_reason) == (usage(12, 23), "max_tokens")


def test_gemini_refused_prompt_is_filtered_content() -> None:
    """A prompt that was refused has no candidate; the answer says that it was filtered."""
    reply = DIALECT.read_reply(b'{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}')
    assert (reply.stop_reason, reply.usage) == ("content_filtered", usage(4, 0))


def test_gemini_calls_without_an_id_get_one() -> None:
    """The canon needs ids; Gemini may leave them out."""
    body = b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f"}}]},"finishReason":"STOP"}]}'
    (block,) = DIALECT.read_reply(body).output.message.content
    assert block.tool_use is not None
    assert block.tool_use.tool_use_id.startswith("tooluse_")
    assert bytes(block.tool_use.input) == b"{}"


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"candidates":[]}', b'{"candidates":[{"content":3}]}'])
def test_gemini_replies_that_are_none(body: bytes) -> None:
    """Rubbish is a ModelErrorException."""
    with pytest.raises(Fault) as caught:
        DIALECT.read_reply(body)
    assert caught.value.name == "ModelErrorException"

"""Anthropic Messages: bodies in and out, in Bedrock's form and in the vendor's."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.wire.faults import Fault
from craton.models.canon import content as c
from craton.models.canon import request as r
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.dialects.anthropic_messages.dialect import AnthropicMessages, beta_header, vendor_body
from tests.unit.dialects import dialect_conversations as make

DIALECT = AnthropicMessages()
BODY: dict[str, Any] = {
    "anthropic_version": "bedrock-2023-05-31",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
}


def read(**members: Any) -> ConverseRequest:
    return DIALECT.read_request(json.dumps(BODY | members).encode())


def written(request: ConverseRequest, **quirks: object) -> tuple[dict[str, Any], Any]:
    out = make.outgoing(**quirks)
    return json.loads(DIALECT.write_request(request, out)), out.ledger


def document() -> st.SearchStrategy[ContentBlock]:
    sources = st.one_of(
        make.blobs.map(lambda b: (c.DocumentSource(bytes=b), "pdf")),
        make.texts.map(lambda t: (c.DocumentSource(text=t), None)),
        make.texts.map(lambda t: (c.DocumentSource(content=[c.TextPart(t)]), None)),
    )
    cited = st.none() | st.booleans().map(c.CitationsConfig)
    return st.builds(
        lambda name, s, context, cites: ContentBlock(document=c.DocumentBlock(name, s[0], s[1], context, cites)),
        make.texts, sources, st.none() | make.texts, cited,
    )  # fmt: skip


def search_result() -> c.SearchResultBlock:
    return c.SearchResultBlock("s", "t", [c.SearchResultContent("q")], c.CitationsConfig(True))


CITATIONS = [
    c.CitationLocation(document_char=c.DocumentLocation(0, 1, 5)),
    c.CitationLocation(document_page=c.DocumentLocation(1, 2, 3)),
    c.CitationLocation(document_chunk=c.DocumentLocation(0, 0, 1)),
    c.CitationLocation(search_result_location=c.SearchResultLocation(0, 0, 1)),
]


def cited(text: str, location: c.CitationLocation) -> ContentBlock:
    source = "s" if location.search_result_location is not None else None
    one = c.Citation("title", source, [c.TextPart("quoted")], location)
    return ContentBlock(citations_content=c.CitationsContent([c.TextPart(text)], [one]))


def marked(block: ContentBlock, ttl: Any) -> list[ContentBlock]:
    return [block] if ttl == "none" else [block, ContentBlock(cache_point=c.CachePoint("default", ttl))]


ttls = st.sampled_from(["none", None, "5m", "1h"])
result_parts = st.one_of(
    make.texts.map(lambda t: c.ToolResultContent(text=t)),
    make.blobs.map(lambda b: c.ToolResultContent(image=c.ImageBlock("png", c.MediaSource(bytes=b)))),
    st.just(c.ToolResultContent(search_result=search_result())),
)
user_block = st.one_of(
    make.text(),
    make.image(),
    document(),
    st.just(ContentBlock(search_result=search_result())),
    make.tool_result(result_parts, st.sampled_from([None, "success", "error"])),
)
redacted = make.texts.map(lambda t: ContentBlock(reasoning_content=c.ReasoningContent(redacted_content=t.encode())))
assistant_block = st.one_of(
    make.text(),
    make.tool_use(),
    st.builds(cited, make.texts, st.sampled_from(CITATIONS)),
    make.ids.map(lambda i: ContentBlock(tool_use=c.ToolUseBlock(i, "web_search", c.Raw(b"{}"), "server_tool_use"))),
)
user = st.lists(st.builds(marked, user_block, ttls), min_size=1, max_size=3).map(
    lambda parts: list(chain.from_iterable(parts))
)
assistant = st.builds(
    lambda thoughts, blocks: thoughts + blocks,
    st.lists(make.reasoning(signed=True) | redacted, max_size=2),
    st.lists(assistant_block, min_size=1, max_size=3),
)
system = st.none() | st.lists(make.texts, min_size=1, max_size=2).map(
    lambda parts: [*(r.SystemBlock(text=part) for part in parts), r.SystemBlock(cache_point=c.CachePoint("default"))]
)
output = st.none() | st.builds(
    lambda effort, schema: r.OutputConfig(
        r.TextFormat("json_schema", r.FormatStructure(r.JsonSchema(bytes(schema).decode()))), effort
    ),
    st.none() | st.sampled_from(["low", "high", "max"]),
    make.raw_objects,
)
extras = st.none() | st.fixed_dictionaries(
    {"top_k": st.integers(0, 500)},
    optional={
        "thinking": st.just({"type": "enabled", "budget_tokens": 2048}),
        "anthropic_beta": st.just(["computer-use-2025-01-24"]),
        "metadata": make.texts.map(lambda t: {"user_id": t}),
        "context_management": make.objects,
        "tools": st.just([{"type": "bash_20250124", "name": "bash tool"}]),
    },
)
requests = st.builds(
    ConverseRequest,
    messages=make.turns(user, assistant),
    system=system,
    inference_config=make.inference,
    tool_config=make.tool_config(make.every_choice),
    additional_model_request_fields=extras,
    output_config=output,
)


@settings(max_examples=150, deadline=None)
@given(requests)
def test_anthropic_reads_back_what_it_writes(request: ConverseRequest) -> None:
    """Every request that the schema can carry survives the way out and in, with an empty ledger."""
    out = make.outgoing()
    assert DIALECT.read_request(DIALECT.write_request(request, out)) == request
    assert (out.ledger.dropped, out.ledger.emulated) == ([], [])


FULL: dict[str, Any] = BODY | {
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    "temperature": 0.5,
    "top_k": 5,
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "tools": [
        {"name": "a", "description": "d", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "computer_20250124", "name": "computer", "display_width_px": 10, "display_height_px": 10},
    ],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"a": 1}}, "task_budget": {"x": 1}},
    "container": "c1",
    "messages": [
        {"role": "user", "content": [
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            {"type": "document", "title": "t", "context": "c", "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
            {"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "t", "signature": "s"},
            {"type": "redacted_thinking", "data": "b64="},
            {"type": "tool_use", "id": "toolu_1", "name": "a", "input": {"x": 1}},
            {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}},
            {"type": "web_search_tool_result", "tool_use_id": "srv", "content": [{"type": "web_search_result", "url": "u"}]},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "r"}], "is_error": True},
        ]},
    ],
}  # fmt: skip


def test_anthropic_writes_back_the_body_it_read() -> None:
    """A canonical body comes out as it went in, extra fields and built-in tools included."""
    body, ledger = written(DIALECT.read_request(json.dumps(FULL).encode()))
    assert body == FULL
    assert (ledger.dropped, ledger.emulated) == ([], [])


def test_anthropic_strings_stand_for_one_text_block() -> None:
    """`content`, `system` and a tool's result may be plain strings."""
    result = {"type": "tool_result", "tool_use_id": "t", "content": "done"}
    request = read(
        system="be kind", messages=[{"role": "user", "content": "hi"}, {"role": "user", "content": [result]}]
    )
    assert request.system == [r.SystemBlock(text="be kind")]
    assert request.messages is not None
    assert request.messages[0] == Message("user", [ContentBlock(text="hi")])
    assert request.messages[1].content[0].tool_result == c.ToolResultBlock("t", [c.ToolResultContent(text="done")])


def test_anthropic_vendor_form_names_model_and_stream_and_moves_betas_to_a_header() -> None:
    """The vendor's form has no version and no betas in the body."""
    request = read(anthropic_beta=["b1", "b2"], top_k=3)
    out = make.outgoing("claude-x", stream=True, form="vendor")
    body = json.loads(DIALECT.write_request(request, out))
    assert (body["model"], body["stream"], body["top_k"]) == ("claude-x", True, 3)
    assert not {"anthropic_version", "anthropic_beta"} & set(body)
    assert beta_header(request) == ["b1", "b2"]


def test_anthropic_vendor_form_is_read_by_a_dialect_told_so() -> None:
    """A door's body has a model and no version."""
    vendor = AnthropicMessages(vendor=True)
    body = {"model": "m", "stream": True, "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    assert vendor.read_request(json.dumps(body).encode()).inference_config == InferenceConfig(max_tokens=5)


def test_anthropic_body_passes_to_the_vendor_unread() -> None:
    """`vendor_body` changes only what the two forms write differently."""
    body, betas = vendor_body(json.dumps(FULL | {"anthropic_beta": ["b"]}).encode(), "claude-x", stream=False)
    expected = {name: value for name, value in FULL.items() if name != "anthropic_version"} | {"model": "claude-x"}
    assert (json.loads(body), betas) == (expected, ["b"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_tokens": None}, "#/max_tokens: expected type: Integer, found: Null"),
        ({"temperature": 2}, "#/temperature: 2 is not less or equal to 1"),
        ({"model": "x"}, "#: extraneous key [model] is not permitted"),
        ({"messages": [{"role": "system", "content": "x"}]}, "#/messages/0/role: system is not a valid enum value"),
        ({"tools": [{"name": "x"}]}, "#/tools/0: required key [input_schema] not found"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
            "#/messages/0/content/0: required key [text] not found",
        ),
    ],
)
def test_anthropic_bad_bodies_get_bedrocks_words(change: dict[str, Any], message: str) -> None:
    """A body that does not fit is a ValidationException that says where."""
    with pytest.raises(Fault) as caught:
        read(**change)
    assert caught.value.name == "ValidationException"
    assert caught.value.message == f"Malformed input request: {message}, please reformat your input and try again."


@pytest.mark.parametrize("missing", ["max_tokens", "messages", "anthropic_version"])
def test_anthropic_required_members_are_demanded(missing: str) -> None:
    """The three members that Bedrock requires."""
    body = {name: value for name, value in BODY.items() if name != missing}
    with pytest.raises(Fault, match=rf"required key \[{missing}\] not found"):
        DIALECT.read_request(json.dumps(body).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 10_000, b'{"messages":' + b"[" * 5000])
def test_anthropic_rubbish_is_a_validation_exception(body: bytes) -> None:
    """Bytes that are no body never raise anything else."""
    with pytest.raises(Fault, match="Malformed input request"):
        DIALECT.read_request(body)


LOST = [
    (ContentBlock(video=c.VideoBlock("mp4", c.MediaSource(bytes=b"x"))), "video"),
    (ContentBlock(audio=c.AudioBlock("wav", c.MediaSource(bytes=b"x"))), "audio"),
    (ContentBlock(image=c.ImageBlock("png", c.MediaSource(s3_location=c.S3Location("s3://bucket/k")))), "image"),
    (ContentBlock(document=c.DocumentBlock("d", c.DocumentSource(bytes=b"x"), "docx")), "document"),
    (ContentBlock(reasoning_content=c.ReasoningContent(reasoning_text=c.ReasoningText("t"))), "reasoningContent"),
    (ContentBlock(cache_point=c.CachePoint("default")), "cachePoint"),
]


@pytest.mark.parametrize(("block", "kind"), LOST, ids=[kind for _, kind in LOST])
def test_anthropic_content_that_it_cannot_carry_is_named(block: ContentBlock, kind: str) -> None:
    """The ledger holds the caller's own path of each block that is left out."""
    request = make.asked()
    assert request.messages is not None
    request.messages[0].content.insert(0, block)
    body, ledger = written(request)
    assert ledger.dropped == [f"messages.0.content.0.{kind}"]
    assert body["messages"][0]["content"] == [{"type": "text", "text": "hi"}]


def test_anthropic_text_documents_and_json_results_are_emulated() -> None:
    """CSV goes as plain text, a JSON result as its text."""
    csv = ContentBlock(document=c.DocumentBlock("d", c.DocumentSource(bytes=b"a,b"), "csv"))
    result = ContentBlock(tool_result=c.ToolResultBlock("t", [c.ToolResultContent(json=c.Raw(b'{"a":1}'))]))
    body, ledger = written(ConverseRequest(messages=[Message("user", [csv, result])]))
    assert body["messages"][0]["content"][0]["source"] == {"type": "text", "media_type": "text/plain", "data": "a,b"}
    assert body["messages"][0]["content"][1]["content"] == [{"type": "text", "text": '{"a":1}'}]
    assert ledger.emulated == ["messages.0.content.0.document", "messages.0.content.1.toolResult.content.0.json"]


def test_anthropic_guarded_content_is_ordinary_content() -> None:
    """What a guardrail looks at is text and image to the model, and no loss."""
    text = ContentBlock(guard_content=c.GuardContent(text=c.GuardText("look")))
    image = ContentBlock(guard_content=c.GuardContent(image=c.GuardImage("png", c.GuardImageSource(b"x"))))
    body, ledger = written(ConverseRequest(messages=[Message("user", [text, image])]))
    assert [part["type"] for part in body["messages"][0]["content"]] == ["text", "image"]
    assert ledger.dropped == []


def test_anthropic_demands_a_token_limit_so_one_is_given() -> None:
    """Without `maxTokens` the target's limit is asked for."""
    request = make.asked()
    request.inference_config = None
    assert written(request)[0]["max_tokens"] == 4096


FOREIGN = [
    ({"topK": 5}, "top_k", 5),
    ({"k": 5}, "top_k", 5),
    ({"inferenceConfig": {"topK": 5}}, "top_k", 5),
    ({"stop": "x"}, "stop_sequences", ["x"]),
    ({"user": "u"}, "metadata", {"user_id": "u"}),
    ({"reasoning_effort": "minimal"}, "output_config", {"effort": "low"}),
    ({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}, "output_config", {"effort": "high"}),
    ({"tool_choice": "none"}, "tool_choice", {"type": "none"}),
    ({"temperature": 1.7}, "temperature", 1.0),
]


@pytest.mark.parametrize(("fields", "name", "value"), FOREIGN, ids=[str(fields) for fields, _, _ in FOREIGN])
def test_anthropic_extra_fields_of_other_schemas_are_translated(fields: Any, name: str, value: Any) -> None:
    """A field with an equivalent here arrives under its name here."""
    body, ledger = written(make.asked(additional_model_request_fields=fields))
    assert body[name] == value
    assert ledger.dropped == []


def test_anthropic_extra_fields_without_equivalent_are_dropped() -> None:
    """What only another schema has is named in the ledger."""
    fields = {"seed": 1, "logprobs": True, "countPenalty": {"scale": 1}, "stream_options": {}}
    _, ledger = written(make.asked(additional_model_request_fields=fields))
    assert ledger.dropped == [f"additionalModelRequestFields.{name}" for name in ("seed", "logprobs", "countPenalty")]


def test_anthropic_unknown_fields_pass_to_bedrock_and_not_to_the_vendor() -> None:
    """Bedrock merges what it is given; the vendor's endpoint refuses what it does not know."""
    request = make.asked(additional_model_request_fields={"brand_new": 1})
    assert written(request)[0]["brand_new"] == 1
    body, ledger = written(request, form="vendor")
    assert "brand_new" not in body
    assert ledger.dropped == ["additionalModelRequestFields.brand_new"]

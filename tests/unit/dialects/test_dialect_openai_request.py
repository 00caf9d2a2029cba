"""OpenAI chat: bodies in and out, for every OpenAI-compatible server and for InvokeModel."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.wire.faults import Fault
from craton.models.canon import content as c
from craton.models.canon import request as r
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.dialects.openai_chat.dialect import OpenAIChat
from tests.unit.dialects import dialect_conversations as make

DIALECT = OpenAIChat(clock=lambda: 1_700_000_000.5)
BODY: dict[str, Any] = {"model": "upstream", "messages": [{"role": "user", "content": "hi"}]}


def read(streaming: bool = False, **members: Any) -> ConverseRequest:
    return DIALECT.read_request(json.dumps(BODY | members).encode(), streaming=streaming)


def written(request: ConverseRequest, *, stream: bool = False, **quirks: object) -> tuple[dict[str, Any], Any]:
    out = make.outgoing(stream=stream, **quirks)
    return json.loads(DIALECT.write_request(request, out)), out.ledger


def ask(*blocks: ContentBlock) -> ConverseRequest:
    return ConverseRequest(messages=[Message("user", list(blocks))])


pdf = make.blobs.map(lambda b: ContentBlock(document=c.DocumentBlock("d.pdf", c.DocumentSource(bytes=b), "pdf")))
medium = st.one_of(make.text(), make.image(), make.audio(), make.video(), pdf)
result = make.tool_result(make.texts.map(lambda t: c.ToolResultContent(text=t)), st.none())
user = st.one_of(
    st.lists(medium, min_size=1, max_size=3),
    st.builds(
        lambda results, rest: results + rest, st.lists(result, min_size=1, max_size=2), st.lists(medium, max_size=2)
    ),
)
assistant = st.builds(
    lambda thoughts, texts, calls: thoughts + texts + calls,
    st.lists(make.reasoning(signed=False), max_size=1),
    st.lists(make.text(), min_size=1, max_size=2),
    st.lists(make.tool_use(), max_size=2),
)
system = st.none() | st.lists(make.texts.map(lambda t: r.SystemBlock(text=t)), min_size=1, max_size=2)
output = st.none() | st.builds(
    lambda name, description, schema, effort: r.OutputConfig(
        r.TextFormat("json_schema", r.FormatStructure(r.JsonSchema(bytes(schema).decode(), name, description))), effort
    ),
    make.names, st.none() | make.texts, make.raw_objects, st.none() | st.sampled_from(["low", "medium", "high"]),
)  # fmt: skip
extras = st.none() | st.fixed_dictionaries(
    {"seed": st.integers(0, 99)},
    optional={
        "top_k": st.integers(1, 99),
        "frequency_penalty": st.floats(-2, 2),
        "logit_bias": st.just({"50256": -100}),
        "logprobs": st.booleans(),
        "temperature": st.just(1.5),
        "chat_template_kwargs": st.just({"enable_thinking": False}),
        "tool_choice": st.just("none"),
        "response_format": st.just({"type": "json_object"}),
        "reasoning_effort": st.just("minimal"),
    },
)


def build(
    messages: list[Message], prompt: Any, config: InferenceConfig, tools: Any, fields: Any, wanted: Any, tier: Any
) -> ConverseRequest:
    """A request whose extra fields do not contradict its members."""
    fields = dict(fields or {})
    if "temperature" in fields:
        config = msgspec.structs.replace(config, temperature=None)
    if tools is not None and tools.tool_choice is not None:
        fields.pop("tool_choice", None)
    if wanted is not None:
        fields.pop("response_format", None)
        fields.pop("reasoning_effort", None)
    return ConverseRequest(
        messages=messages, system=prompt, inference_config=config, tool_config=tools, output_config=wanted,
        service_tier=tier, additional_model_request_fields=fields or None,
    )  # fmt: skip


tiers = st.none() | st.sampled_from(["default", "flex", "priority"]).map(r.ServiceTier)
requests = st.builds(
    build,
    make.turns(user, assistant),
    system,
    make.inference,
    make.tool_config(make.every_choice),
    extras,
    output,
    tiers,
)


@settings(max_examples=150, deadline=None)
@given(requests)
def test_openai_reads_back_what_it_writes(request: ConverseRequest) -> None:
    """Every request that the schema can carry survives the way out and in, with an empty ledger."""
    out = make.outgoing(files=True, videos=True)
    assert DIALECT.read_request(DIALECT.write_request(request, out)) == request
    assert (out.ledger.dropped, out.ledger.emulated) == ([], [])


FULL: dict[str, Any] = BODY | {
    "messages": [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [
            {"type": "text", "text": "what is this?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
            {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "one"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "t"}, {"type": "text", "text": "u"}]},
        {"role": "user", "content": "and?"},
        {"role": "assistant", "content": "well", "reasoning_content": "hm"},
        {"role": "user", "content": "go on"},
    ],
    "max_tokens": 20, "temperature": 0.5, "top_p": 0.9, "stop": ["\n"], "seed": 3, "presence_penalty": 0.1,
    "logprobs": True, "top_logprobs": 2, "parallel_tool_calls": False, "reasoning_effort": "low",
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}},
}  # fmt: skip


def test_openai_writes_back_the_body_it_read() -> None:
    """A canonical body comes out as it went in."""
    body, ledger = written(DIALECT.read_request(json.dumps(FULL).encode()))
    assert body == FULL
    assert (ledger.dropped, ledger.emulated) == ([], [])


def test_openai_tool_results_and_the_user_after_them_are_one_turn() -> None:
    """Bedrock wants a turn's results in the user turn that follows it."""
    request = DIALECT.read_request(json.dumps(FULL).encode())
    assert request.messages is not None
    assert [message.role for message in request.messages] == ["user", "assistant", "user", "assistant", "user"]
    assert [block.kind for block in request.messages[2].content] == ["toolResult", "toolResult", "text"]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_openai_system_and_developer_messages_are_the_system_prompt(role: str) -> None:
    """Wherever they stand, and in either spelling."""
    request = read(
        messages=[{"role": "user", "content": "hi"}, {"role": role, "content": [{"type": "text", "text": "s"}]}]
    )
    assert request.system == [r.SystemBlock(text="s")]


def test_openai_older_and_newer_name_of_the_limit_are_read() -> None:
    """`max_completion_tokens` wins over `max_tokens`; either is `maxTokens`."""
    assert read(max_completion_tokens=5, max_tokens=7).inference_config == InferenceConfig(max_tokens=5)
    assert read(max_tokens=7).inference_config == InferenceConfig(max_tokens=7)


def test_openai_nulls_are_as_if_absent() -> None:
    """OpenAI's clients send null for what is not set."""
    nulls = dict.fromkeys(["seed", "stop", "tools", "tool_choice", "user", "temperature", "response_format"])
    assert read(**nulls) == read()


def test_openai_stream_must_agree_with_the_operation() -> None:
    """`stream` may be in a body, but not against the operation."""
    assert read(streaming=True, stream=True).messages is not None
    with pytest.raises(Fault, match="#/stream"):
        read(stream=True)


def test_openai_schema_without_strictness_keeps_its_own_form() -> None:
    """Converse's schema is always strict, so a lax one travels beside it and wins here."""
    lax = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}}}
    request = read(response_format=lax)
    assert request.output_config is not None
    assert written(request)[0]["response_format"] == lax


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"messages": []}, "#/messages: expected minimum item count: 1, found: 0"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "#/messages/0/role: robot is not a valid enum value"),
        ({"temperature": 3}, "#/temperature: 3 is not less or equal to 2"),
        ({"max_tokens": "x"}, "#/max_tokens: expected type: Integer, found: String"),
        ({"tools": [{"type": "custom"}]}, "#/tools/0: required key [function] not found"),
        ({"tools": [{"type": "function", "function": {}}]}, "#/tools/0/function: required key [name] not found"),
    ],
)
def test_openai_bad_bodies_get_bedrocks_words(change: dict[str, Any], message: str) -> None:
    """A body that does not fit is a ValidationException that says where."""
    with pytest.raises(Fault) as caught:
        read(**change)
    assert caught.value.name == "ValidationException"
    assert caught.value.message == f"Malformed input request: {message}, please reformat your input and try again."


URLS = ["http://host/a.png", "data:image/png,AAAA", "data:image/png;base64,*", "data:image/tiff;base64,AAAA", ""]


@pytest.mark.parametrize("url", URLS)
def test_openai_images_must_be_data_urls_of_known_formats(url: str) -> None:
    """Nothing is fetched, and rubbish is refused."""
    part = {"type": "image_url", "image_url": {"url": url}}
    with pytest.raises(Fault) as caught:
        read(messages=[{"role": "user", "content": [part]}])
    assert caught.value.name == "ValidationException"


@pytest.mark.parametrize("given", ["{", "[]", '"x"', "1"])
def test_openai_arguments_must_be_a_json_object(given: str) -> None:
    """History with arguments that are none is refused."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": given}}
    with pytest.raises(Fault, match="#/messages/0/tool_calls/0/function/arguments"):
        read(messages=[{"role": "assistant", "tool_calls": [call]}])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 10_000])
def test_openai_rubbish_is_a_validation_exception(body: bytes) -> None:
    """Bytes that are no body never raise anything else."""
    with pytest.raises(Fault, match="Malformed input request"):
        DIALECT.read_request(body)


def document(kind: Any, **source: Any) -> ContentBlock:
    return ContentBlock(document=c.DocumentBlock("d", c.DocumentSource(**source), kind))


def test_openai_text_documents_are_pasted() -> None:
    """A document that is text becomes a text part under its name."""
    body, ledger = written(ask(document("md", bytes=b"# x")))
    assert body["messages"][0]["content"] == '<document name="d">\n# x\n</document>'
    assert ledger.emulated == ["messages.0.content.0.document"]


LOST = [
    (document("pdf", bytes=b"x"), "document"),
    (ContentBlock(video=c.VideoBlock("mp4", c.MediaSource(bytes=b"x"))), "video"),
    (ContentBlock(image=c.ImageBlock("png", c.MediaSource(s3_location=c.S3Location("s3://bucket/k")))), "image"),
    (ContentBlock(cache_point=c.CachePoint("default")), "cachePoint"),
]


@pytest.mark.parametrize(("block", "kind"), LOST, ids=[kind for _, kind in LOST])
def test_openai_content_that_it_cannot_carry_is_named(block: ContentBlock, kind: str) -> None:
    """The ledger holds the caller's own path of each block that is left out."""
    body, ledger = written(ask(ContentBlock(text="hi"), block))
    assert ledger.dropped == [f"messages.0.content.1.{kind}"]
    assert body["messages"][0]["content"] == "hi"


def test_openai_tool_results_become_text() -> None:
    """JSON as its text, a failure said in words, an image named as lost."""
    parts = [
        c.ToolResultContent(json=c.Raw(b'{"a":1}')),
        c.ToolResultContent(image=c.ImageBlock("png", c.MediaSource(bytes=b"x"))),
    ]
    body, ledger = written(ask(ContentBlock(tool_result=c.ToolResultBlock("t", parts, "error"))), content="string")
    assert body["messages"] == [{"role": "tool", "tool_call_id": "t", "content": 'Error:\n{"a":1}'}]
    assert ledger.dropped == ["messages.0.content.0.toolResult.content.1.image"]
    at = "messages.0.content.0.toolResult"
    assert ledger.emulated == [f"{at}.status", f"{at}.content.0.json"]


def test_openai_signatures_and_redacted_reasoning_are_lost() -> None:
    """Another vendor's seals mean nothing here."""
    signed = ContentBlock(reasoning_content=c.ReasoningContent(reasoning_text=c.ReasoningText("hm", "sig")))
    sealed = ContentBlock(reasoning_content=c.ReasoningContent(redacted_content=b"x"))
    body, ledger = written(ConverseRequest(messages=[Message("assistant", [signed, sealed, ContentBlock(text="a")])]))
    assert body["messages"][0]["reasoning_content"] == "hm"
    assert ledger.dropped == [
        "messages.0.content.0.reasoningContent.reasoningText.signature",
        "messages.0.content.1.reasoningContent",
    ]


def test_openai_tools_of_bedrock_are_lost() -> None:
    """System tools and cache points among the tools have no place."""
    config = r.ToolConfig([r.Tool(system_tool=r.SystemTool("s")), r.Tool(cache_point=c.CachePoint("default"))])
    body, ledger = written(make.asked(tool_config=config))
    assert "tools" not in body
    assert ledger.dropped == ["toolConfig.tools.0.systemTool", "toolConfig.tools.1.cachePoint"]


def test_openai_streams_are_asked_for_their_usage() -> None:
    """A stream says its usage only if asked, which a server may not know."""
    body, _ = written(make.asked(), stream=True)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert "stream_options" not in written(make.asked(), stream=True, usage=False)[0]


def test_openai_quirks_change_what_one_server_wants() -> None:
    """Names of members and roles, and how texts are written, are data of the target."""
    request = make.asked(system=[r.SystemBlock(text="a"), r.SystemBlock(text="b")])
    body, _ = written(request, max_tokens="max_completion_tokens", system="developer", content="string")
    assert body["max_completion_tokens"] == 10
    assert "max_tokens" not in body
    assert body["messages"][0] == {"role": "developer", "content": "a\nb"}


def test_openai_prefill_is_continued_where_the_server_can() -> None:
    """A last assistant message is marked as one to go on with."""
    request = make.asked()
    assert request.messages is not None
    request.messages.append(Message("assistant", [ContentBlock(text="Well,")]))
    body, _ = written(request, prefill=True)
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


FOREIGN: list[tuple[dict[str, Any], str, Any]] = [
    ({"topK": 5}, "top_k", 5),
    ({"inferenceConfig": {"topK": 5}}, "top_k", 5),
    ({"random_seed": 5}, "seed", 5),
    ({"stop_sequences": ["x"]}, "stop", ["x"]),
    ({"max_gen_len": 10}, "max_tokens", 10),
    ({"metadata": {"user_id": "u"}}, "user", "u"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "reasoning_effort", "low"),
    ({"thinking": {"type": "enabled", "budget_tokens": 30000}}, "reasoning_effort", "high"),
    ({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}}, "reasoning_effort", "low"),
]


@pytest.mark.parametrize(("fields", "name", "value"), FOREIGN, ids=[str(fields) for fields, _, _ in FOREIGN])
def test_openai_extra_fields_of_other_schemas_are_translated(fields: Any, name: str, value: Any) -> None:
    """A field with an equivalent here arrives under its name here."""
    body, ledger = written(make.asked(additional_model_request_fields=fields))
    assert body[name] == value
    assert ledger.dropped == []


def test_openai_thinking_budget_is_emulated() -> None:
    """An effort is not a budget, and the ledger says so."""
    fields = {"thinking": {"type": "enabled", "budget_tokens": 4096}}
    body, ledger = written(make.asked(additional_model_request_fields=fields))
    assert body["reasoning_effort"] == "medium"
    assert ledger.emulated == ["additionalModelRequestFields.thinking"]


def test_openai_anthropic_tools_keep_what_the_canon_holds() -> None:
    """A built-in tool is lost by name; the choice not to call tools at once is kept."""
    tool = r.Tool(tool_spec=r.ToolSpec("f", r.InputSchema(c.Raw(b"{}"))))
    fields = {
        "tools": [{"type": "bash_20250124", "name": "bash"}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    }
    request = make.asked(tool_config=r.ToolConfig([tool]), additional_model_request_fields=fields)
    body, ledger = written(request)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["f"]
    assert body["parallel_tool_calls"] is False
    assert ledger.dropped == ["additionalModelRequestFields.tools.bash"]


def test_openai_unknown_fields_are_dropped_unless_told_to_pass() -> None:
    """What nobody knows is named; OpenAI itself does not get servers' fields either."""
    fields = {"anthropic_beta": ["b"], "brand_new": 1, "n": 2, "top_k": 4}
    request = make.asked(additional_model_request_fields=fields)
    at = "additionalModelRequestFields"
    assert written(request)[1].dropped == [f"{at}.anthropic_beta", f"{at}.brand_new", f"{at}.n"]
    assert written(request, extras="vendor")[1].dropped == [
        f"{at}.anthropic_beta",
        f"{at}.brand_new",
        f"{at}.n",
        f"{at}.top_k",
    ]
    body, ledger = written(request, extras="pass")
    assert body["brand_new"] == 1
    assert ledger.dropped == [f"{at}.anthropic_beta", f"{at}.n"]


def test_openai_bad_output_schema_is_the_callers_fault() -> None:
    """The schema of an answer must be a JSON object."""
    wanted = r.OutputConfig(r.TextFormat("json_schema", r.FormatStructure(r.JsonSchema("{"))))
    with pytest.raises(Fault, match=r"outputConfig\.textFormat"):
        written(make.asked(output_config=wanted))

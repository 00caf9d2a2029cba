"""Bad requests get AWS's own words, all of them at once; nothing a caller sends raises anything but a Fault."""

from __future__ import annotations

import functools
import json

import msgspec
import pytest

from craton.aws.wire import faults, model, restjson, validate

LABELS = {"modelId": "anthropic.claude-v2"}


@functools.cache
def runtime():
    return model.load("bedrock-runtime")


@functools.cache
def codec():
    return restjson.RestJson()


def decode(body, operation="Converse", labels=LABELS, query=b"", headers=(), service=None):
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return codec().decode_request((service or runtime()).operations[operation], labels, query, headers, body)


def refusal(*args, **kwargs):
    with pytest.raises(faults.Fault) as caught:
        decode(*args, **kwargs)
    assert caught.value.http_status() == 400
    return caught.value


def complaints(*args, **kwargs):
    fault = refusal(*args, **kwargs)
    assert fault.name == "ValidationException"
    head, _, rest = fault.message.partition(" detected: ")
    parts = rest.split("; ")
    assert head == f"{len(parts)} validation error{'s' if len(parts) > 1 else ''}"
    return parts


def message(**block):
    return {"messages": [{"role": "user", "content": [block]}]}


def test_the_recorded_text():
    """The one text that is quoted from real answers, with the roles of the model in use."""
    roles = ", ".join(runtime().shapes["ConversationRole"].enum)
    assert refusal({"messages": [message(text="a")["messages"][0], {"role": "robot", "content": []}]}).message == (
        "1 validation error detected: Value 'robot' at 'messages.2.member.role' failed to satisfy constraint: "
        f"Member must satisfy enum value set: [{roles}]"
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messages": [{"content": []}]}, "Value null at 'messages.1.member.role' failed to satisfy constraint: Member must not be null"),
        ({"messages": [None]}, "Value null at 'messages.1.member' failed to satisfy constraint: Member must not be null"),
        ({"inferenceConfig": {"maxTokens": 0}}, "Value '0' at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1"),
        ({"inferenceConfig": {"temperature": 1.5}}, "Value '1.5' at 'inferenceConfig.temperature' failed to satisfy constraint: Member must have value less than or equal to 1"),
        ({"inferenceConfig": {"stopSequences": [""]}}, "Value '' at 'inferenceConfig.stopSequences.1.member' failed to satisfy constraint: Member must have length greater than or equal to 1"),
        ({"toolConfig": {"tools": []}}, "Value '[]' at 'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or equal to 1"),
    ],
)  # fmt: skip
def test_each_kind_of_constraint_has_its_words(body, expected):
    """Null, range, length of strings and lists, in the notation of the model."""
    assert complaints(body) == [expected]


def test_all_faults_come_at_once():
    """msgspec stops at the first; the answer does not."""
    body = {"messages": [{"role": "x", "content": [{"text": "a", "image": {}}]}], "inferenceConfig": {"topP": 2}}
    places = [
        text.split("'")[-2 if text.endswith("'") else 3 if text.startswith("Value '") else 1]
        for text in complaints(body)
    ]
    assert places == [
        "messages.1.member.role",
        "messages.1.member.content.1.member",
        "messages.1.member.content.1.member.image.format",
        "messages.1.member.content.1.member.image.source",
        "inferenceConfig.topP",
    ]


@pytest.mark.parametrize(
    "block", [{}, {"text": "a", "cachePoint": {"type": "default"}}, {"unknown": 1}, {"text": None}]
)
def test_unions_have_exactly_one_member(block):
    """None, two, only an unknown one, only a null one."""
    (text,) = complaints(message(**block))
    assert text.startswith(
        "Value at 'messages.1.member.content.1.member' failed to satisfy constraint: Member must have exactly one"
    )


def test_a_required_list_of_labels_and_headers_is_judged_too():
    """Members outside the body take part under their own names."""
    (text,) = complaints({}, labels={"modelId": "a b"})
    assert text.startswith(
        "Value 'a b' at 'modelId' failed to satisfy constraint: Member must satisfy regular expression"
    )
    headers = [(b"X-Amzn-Bedrock-Trace", b"LOUD")]
    (text,) = complaints(b"{}", "InvokeModel", headers=headers)
    assert (
        text
        == "Value 'LOUD' at 'trace' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED, ENABLED_FULL]"
    )


def test_query_members_are_judged_together():
    """A list operation's parameters are one input."""
    texts = complaints(b"", "ListAsyncInvokes", {}, b"maxResults=0&sortBy=Name")
    assert [text.split("'")[3] for text in texts] == ["maxResults", "sortBy"]


def test_required_members_of_an_empty_body_are_listed():
    """No body at all is an empty object."""
    agents = model.load("bedrock-agent")
    texts = complaints(b"", "CreatePrompt", {}, service=agents)
    assert texts == ["Value null at 'name' failed to satisfy constraint: Member must not be null"]


def test_sensitive_values_are_not_repeated():
    """What the model marks sensitive, and bytes, never come back in a message."""
    text = complaints(message(image={"format": "png", "source": {"bytes": ""}}))
    assert text == [
        "Value at 'messages.1.member.content.1.member.image.source.bytes' failed to satisfy constraint: Member must have length greater than or equal to 1"
    ]
    (text,) = complaints({"requestMetadata": {"a~": "private"}})
    assert text.startswith(
        "Value at 'requestMetadata' failed to satisfy constraint: Map keys must satisfy constraint: ["
    )
    assert "private" not in text


def test_a_thousand_faults_make_a_short_answer():
    """The number of complaints is bounded, and so is the value each repeats."""
    assert len(complaints({"messages": [{"role": "x", "content": []}] * 5000})) == validate.MOST_COMPLAINTS
    assert len(refusal({"messages": [{"role": "x" * 100_000, "content": []}]}).message) < 1000


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"nonsense", b"[]", b'"text"', b"null", b"1", b'{"messages": [}', b'{"a": NaN}', b'{"a": 1}garbage', b"\xef\xbb\xbf{}",
        b'{"messages": "\xff\xfe"}', b'{"messages": [{"role": "\\ud800", "content": []}]}', b"[" * 10_000, b'{"a":' * 10_000,
        b'{"messages":' + b"[" * 10_000, b'{"messages": "text"}', b'{"messages": {}}', b'{"messages": [[]]}', b'{"messages": ["text"]}',
        b'{"messages": [{"role": 1, "content": []}]}', b'{"messages": [{"role": {}, "content": []}]}', b'{"inferenceConfig": []}',
        b'{"inferenceConfig": {"maxTokens": "5"}}', b'{"inferenceConfig": {"maxTokens": 5.5}}', b'{"inferenceConfig": {"maxTokens": true}}',
        b'{"inferenceConfig": {"maxTokens": 99999999999}}', b'{"inferenceConfig": {"temperature": "hot"}}',
        b'{"inferenceConfig": {"temperature": 1e999}}', b'{"requestMetadata": {"a": 1}}', b'{"requestMetadata": []}',
        b'{"messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": "@@@"}}}]}]}',
        b'{"messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": 7}}}]}]}',
    ],
)  # fmt: skip
def test_what_is_not_the_right_json_is_a_serialization_exception(body):
    """Broken JSON, wrong JSON types, numbers that do not fit, nesting without end: one clean 400."""
    assert refusal(body).name == "SerializationException"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (b"maxResults=abc", "SerializationException"),
        (b"maxResults=1.5", "SerializationException"),
        (b"maxResults=", "SerializationException"),
        (b"maxResults=" + b"9" * 5000, "SerializationException"),
        (b"maxResults=%D9%A3", "SerializationException"),
        (b"submitTimeAfter=yesterday", "SerializationException"),
        (b"submitTimeAfter=2024-01-01T00:00:00", "SerializationException"),
        (b"maxResults=%zz", "ValidationException"),
        (b"nextToken=%ff", "ValidationException"),
    ],
)
def test_query_values_of_the_wrong_type(query, name):
    """Text that is no number, no time, no UTF-8."""
    assert refusal(b"", "ListAsyncInvokes", {}, query).name == name


def test_unknown_members_are_ignored():
    """A newer SDK's members, anywhere, never make an error."""
    body = {"new": 1, "messages": [{"role": "user", "new": [], "content": [{"text": "a", "new": {}}]}]}
    assert decode(body).messages[0].content[0].text == "a"
    assert decode(b"", "ListAsyncInvokes", {}, b"new=1").maxResults is None


def test_a_body_can_not_set_what_travels_elsewhere():
    """Members of path, query and headers come from there alone, under whatever key a body names them."""
    request = decode({"modelId": 7, "@modelId": "evil"})
    assert request.modelId == "anthropic.claude-v2"
    labels = {"agentId": "A", "agentAliasId": "B", "sessionId": "abc"}
    body = {"inputText": "x", "sourceArn": 5, "@sourceArn": "evil", "sessionId": "evil"}
    request = decode(body, "InvokeAgent", labels, service=model.load("bedrock-agent-runtime"))
    assert (request.sourceArn, request.sessionId) == (None, "abc")


@pytest.mark.parametrize("depth", [100, 400, 900])
def test_a_fault_at_the_bottom_of_a_deep_filter(depth):
    """Recursive shapes are walked as deep as they go, and past that refused, never with a RecursionError."""
    filters = '{"andAll":[' * depth + "{}" + "]}" * depth
    config = f'{{"vectorSearchConfiguration":{{"filter":{filters}}}}}'
    body = f'{{"retrievalQuery":{{"text":"a"}},"retrievalConfiguration":{config}}}'.encode()
    labels = {"knowledgeBaseId": "ABCDEFGHIJ"}
    fault = refusal(body, "Retrieve", labels, service=model.load("bedrock-agent-runtime"))
    assert fault.name in {"ValidationException", "SerializationException"}


def test_nulls_are_absent():
    """An explicit null is an absent member."""
    assert decode({"messages": None, "inferenceConfig": {"maxTokens": None}}).messages is None


def test_documents_keep_any_json():
    """Integers stay integers, floats floats, and order stays."""
    fields = {"z": 1, "a": [1.0, None, {"deep": [[[]]]}], "n": 2**60}
    request = decode({"additionalModelRequestFields": fields})
    assert request.additionalModelRequestFields == fields
    assert isinstance(request.additionalModelRequestFields["a"][0], float)


class Handwritten(msgspec.Struct, rename="camel", kw_only=True):
    model_id: str = ""
    messages: list[dict[str, object]] = []
    stop_after: int = 0


def test_a_handwritten_type_takes_the_place_of_the_compiled_one():
    """The body decodes straight into it, and labels are set by its encoded names."""
    binding = codec().bind(runtime().operations["Converse"], Handwritten)
    assert binding is codec().bind(runtime().operations["Converse"], Handwritten)
    request = binding.decode(LABELS, b"", (), b'{"messages":[{"a":1}],"modelId":"evil","stopAfter":3}')
    assert request == Handwritten(model_id="anthropic.claude-v2", messages=[{"a": 1}], stop_after=3)


def test_what_only_a_handwritten_type_refuses_is_told_in_awss_form():
    """The model allows it, so the text is msgspec's, the place AWS's."""
    binding = codec().bind(runtime().operations["Converse"], Handwritten)
    with pytest.raises(faults.Fault) as caught:
        binding.decode(LABELS, b"", (), b'{"stopAfter":"x"}')
    assert caught.value.name == "ValidationException"
    assert "at 'stopAfter' failed to satisfy constraint" in caught.value.message


def test_a_handwritten_type_must_have_the_bound_members():
    """A missing field is found when the binding is made, not at the first request."""

    class Lacking(msgspec.Struct):
        messages: list[object] = []

    with pytest.raises(TypeError, match="modelId"):
        codec().bind(runtime().operations["Converse"], Lacking)


def test_a_handwritten_type_for_a_raw_payload():
    """InvokeModel's body goes into its field as bytes, headers beside it."""

    class Invoke(msgspec.Struct, rename="camel", kw_only=True):
        model_id: str
        body: bytes = b""
        content_type: str | None = None
        accept: str | None = None
        trace: str | None = None
        guardrail_identifier: str | None = None
        guardrail_version: str | None = None
        performance_config_latency: str | None = None
        service_tier: str | None = None
        request_metadata: str | None = None

    binding = codec().bind(runtime().operations["InvokeModel"], Invoke)
    request = binding.decode(LABELS, b"", [(b"content-type", b"application/json")], b"\x00raw")
    assert (request.model_id, request.body, request.content_type) == (
        "anthropic.claude-v2",
        b"\x00raw",
        "application/json",
    )
    assert request.accept is None

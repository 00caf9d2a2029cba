"""Converse to the full through a server: schemas, documents, reasoning, and what Bedrock repeats of a request."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.acceptance import rawhttp
from tests.acceptance.serving import CLAUDE, GPT, HAIKU, HELLO, LLAMA, NOVA, Served, converse_path, routes
from tests.fakes import files, scripts
from tests.fakes.upstream import FakeUpstream
from tests.running import Running, model_config

# A server that speaks OpenAI's schema but knows no schema for answers.
PLAIN = "own.plain"
FORCED = "own.schemaless"
CHAINED = "own.claude"
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}},
    "required": ["n"],
    "additionalProperties": False,
}
OUTPUT = {
    "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(SCHEMA), "name": "count"}}}
}
METADATA = {"team": "a b", "run": "1"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with FakeUpstream() as up:
        config = routes(up) + model_config(PLAIN, "openai", up.openai_url)
        config += model_config(FORCED, "openai", up.openai_url, extra="quirks = { json_schema = false }")
        config += model_config(CHAINED, "anthropic", up.anthropic_url)
        with Running(tmp_path_factory.mktemp("home"), config) as server:
            yield Served(server, up)


@pytest.fixture(autouse=True)
def _next_request_works(served: Served) -> Iterator[None]:
    yield
    served.check_alive()


def ask(served: Served, model: str, **body: Any) -> Any:
    return served.client().converse(**{"modelId": model, "messages": HELLO, **body})


def header(answer: Any, name: str) -> str:
    return str(answer["ResponseMetadata"]["HTTPHeaders"].get(name, ""))


def told(answer: Any) -> str:
    return str(answer["output"]["message"]["content"][0]["text"])


def document(data: bytes, kind: str, **more: Any) -> dict[str, Any]:
    block = {"name": "the file", "format": kind, "source": {"bytes": data}, **more}
    return {"messages": [{"role": "user", "content": [{"text": "read"}, {"document": block}]}]}


def test_a_schema_goes_to_an_upstream_that_knows_schemas(served: Served) -> None:
    """OpenAI's response_format, strict; nothing is emulated."""
    answer = ask(served, GPT, outputConfig=OUTPUT)
    sent = served.sent()["response_format"]["json_schema"]
    assert (sent["name"], sent["schema"], sent["strict"]) == ("count", SCHEMA, True)
    assert not header(answer, "x-craton-emulated")


def test_elsewhere_it_is_a_tool_that_must_be_called(served: Served) -> None:
    """The call comes back as text, and the header says what was done."""
    called = {"id": "c1", "type": "function", "function": {"name": "answer", "arguments": '{"n": 3}'}}
    served.up.play(scripts.openai_reply("", "tool_calls", tool_calls=[called]))
    answer = ask(served, FORCED, outputConfig=OUTPUT)
    assert (told(answer), answer["stopReason"]) == ('{"n": 3}', "end_turn")
    assert header(answer, "x-craton-emulated") == "outputConfig.textFormat"
    sent = served.sent()
    assert (sent["tool_choice"], sent["tools"][0]["function"]["parameters"]) == ("required", SCHEMA)
    assert "response_format" not in sent


def test_a_streamed_call_comes_back_as_a_streamed_text(served: Served) -> None:
    """Piece by piece, in blocks as text has them."""
    served.up.play(scripts.event_stream(scripts.openai_tool_events("answer", ['{"n"', ": 3}"])))
    answer = served.client().converse_stream(modelId=FORCED, messages=HELLO, outputConfig=OUTPUT)
    events = list(answer["stream"])
    assert [e["contentBlockDelta"]["delta"]["text"] for e in events if "contentBlockDelta" in e] == ['{"n"', ": 3}"]
    assert not [e for e in events if "contentBlockStart" in e]
    assert [e["messageStop"]["stopReason"] for e in events if "messageStop" in e] == ["end_turn"]


@pytest.mark.parametrize(
    ("model", "schema", "words"),
    [
        (NOVA, SCHEMA, "This model doesn't support the outputConfig.textFormat field."),
        (GPT, {"type": "object"}, "'additionalProperties' must be explicitly set to false"),
    ],
)
def test_a_schema_is_refused_where_bedrock_refuses_it(served: Served, model: str, schema: Any, words: str) -> None:
    """By family and by subset, before anything is sent."""
    wanted = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": json.dumps(schema)}}}}
    with pytest.raises(ClientError, match=words.replace(".", r"\.")):
        ask(served, model, outputConfig=wanted)
    assert not served.up.requests


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (files.pdf("Tea costs two"), "pdf", "Tea costs two"),
        (files.docx("Prices", "Tea costs two", [["a", "b"]]), "docx", "## Prices"),
        (files.xlsx({"Prices": [["tea", 2]]}), "xlsx", "tea,2"),
        (files.doc("Tea costs two\r"), "doc", "Tea costs two"),
        (files.xls([["tea", 2.0]]), "xls", "tea,2"),
        (b"<html><script>x</script><p>Tea costs two", "html", "Tea costs two"),
        (b"tea,2", "csv", "tea,2"),
    ],
)
def test_a_document_becomes_text_where_none_is_taken(served: Served, data: bytes, kind: str, words: str) -> None:
    """Named in the header; nothing of the file itself goes out."""
    answer = ask(served, PLAIN, **document(data, kind))
    assert header(answer, "x-craton-emulated") == "messages.0.content.1.document"
    text = json.dumps(served.sent()["messages"], ensure_ascii=False)
    assert words in text
    assert "<script>" not in text


def test_a_document_becomes_text_in_every_operation(served: Served) -> None:
    """In a stream, and in the native body of Claude whose place another vendor takes."""
    data = files.pdf("Tea costs two")
    list(served.client().converse_stream(modelId=PLAIN, **document(data, "pdf"))["stream"])
    assert "Tea costs two" in json.dumps(served.sent())
    source = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(data).decode()}
    turn = {"role": "user", "content": [{"type": "document", "source": source}, {"type": "text", "text": "read"}]}
    body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [turn]}
    served.up.requests.clear()
    served.client().invoke_model(modelId=HAIKU, body=json.dumps(body))
    assert "Tea costs two" in json.dumps(served.sent())


def test_a_pdf_goes_as_it_is_to_who_reads_it(served: Served) -> None:
    """Anthropic takes PDFs."""
    data = files.pdf("Tea costs two")
    answer = ask(served, CLAUDE, **document(data, "pdf"))
    source = served.sent()["messages"][0]["content"][1]["source"]
    assert base64.b64decode(source["data"]) == data
    assert not header(answer, "x-craton-emulated")


def test_a_bad_file_fails_alone_and_by_name(served: Served) -> None:
    """The next one is read."""
    with pytest.raises(ClientError, match=r'The document "the file" at messages\.0\.content\.1 is damaged'):
        ask(served, PLAIN, **document(b"%PDF-1.4 rubbish", "pdf"))
    assert not served.up.requests
    ask(served, PLAIN, **document(files.pdf("fine"), "pdf"))


def test_citations_nobody_can_give_are_named(served: Served) -> None:
    """The document goes, the wish for citations does not."""
    answer = ask(served, PLAIN, **document(b"text", "txt", citations={"enabled": True}))
    assert header(answer, "x-craton-dropped") == "messages.0.content.1.document.citations"


def test_reasoning_goes_back_to_its_signer_alone(served: Served) -> None:
    """Whole to Anthropic, not at all to another vendor."""
    thought = {"reasoningContent": {"reasoningText": {"text": "plan", "signature": "EqQBCgIY"}}}
    turns = [*HELLO, {"role": "assistant", "content": [thought, {"text": "Hi"}]}, *HELLO]
    ask(served, CHAINED, messages=turns)
    assert served.sent()["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": "plan",
        "signature": "EqQBCgIY",
    }
    answer = ask(served, PLAIN, messages=turns)
    assert header(answer, "x-craton-dropped") == "messages.1.content.0.reasoningContent"
    assert "plan" not in json.dumps(served.sent())


def test_a_native_body_does_not_carry_foreign_reasoning_either(served: Served) -> None:
    """Claude's own schema to Anthropic passes unread, but for thoughts that Gemini signed."""

    def invoke(signature: str) -> tuple[Any, Any]:
        thought = {"type": "thinking", "thinking": "plan", "signature": signature}
        turns = [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": [thought, {"type": "text", "text": "Hi"}]},
            {"role": "user", "content": "Hello"},
        ]
        body = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": turns}
        answer = served.client().invoke_model(modelId=CLAUDE, body=json.dumps(body))
        return answer, served.sent()["messages"][1]["content"][0]

    assert invoke("EqQBCgIY")[1]["thinking"] == "plan"
    answer, first = invoke("gemini:abc")
    assert first == {"type": "text", "text": "Hi"}
    assert header(answer, "x-craton-dropped") == "messages.1.content.0.reasoningContent"


def test_what_bedrock_repeats_is_repeated(served: Served) -> None:
    """Latency mode and tier, in the reply and at a stream's end; metadata is taken and not repeated."""
    wish = {"performanceConfig": {"latency": "standard"}, "serviceTier": {"type": "flex"}, "requestMetadata": METADATA}
    answer = ask(served, PLAIN, **wish)
    assert (answer["performanceConfig"], answer["serviceTier"]) == ({"latency": "standard"}, {"type": "flex"})
    assert "requestMetadata" not in answer
    stream = served.client().converse_stream(modelId=PLAIN, messages=HELLO, **wish)["stream"]
    last = next(event["metadata"] for event in stream if "metadata" in event)
    assert (last["performanceConfig"], last["serviceTier"]) == ({"latency": "standard"}, {"type": "flex"})


@pytest.mark.parametrize("metadata", [{"k": "\u00e9"}, {}, {str(n): "v" for n in range(17)}, {"k" * 257: "v"}])
@pytest.mark.parametrize("invoke", [False, True])
def test_metadata_has_bounds(served: Served, metadata: dict[str, str], invoke: bool) -> None:
    """16 pairs of so many characters, in the body of Converse and in InvokeModel's header alike."""
    body = {"messages": HELLO} if not invoke else {"prompt": "hi"}
    given = {"x-amzn-bedrock-request-metadata": json.dumps(metadata)} if invoke else {}
    asked = json.dumps(body if invoke else {**body, "requestMetadata": metadata}).encode()
    path = converse_path(LLAMA, "invoke" if invoke else "converse")
    answer = rawhttp.call(served.server, "POST", path, asked, given)
    assert (answer.status, answer.name) == (400, "ValidationException")


def test_a_native_body_asks_for_no_more_than_the_model_gives(served: Served) -> None:
    """Llama's number, in the words of its schema."""
    body = json.dumps({"prompt": "hi", "max_gen_len": 2049}).encode()
    answer = rawhttp.call(served.server, "POST", converse_path(LLAMA, "invoke"), body)
    rawhttp.refused(answer, 400, "ValidationException", "#/max_gen_len: 2049 is not less or equal to 2048")

"""Meta's Llama, both ways."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, structs

from craton.models.canon.content import (
    CachePoint,
    ContentBlock,
    DocumentBlock,
    DocumentSource,
    ImageBlock,
    MediaSource,
    Message,
)
from craton.models.canon.reply import assistant_reply, usage
from craton.models.canon.request import (
    ConverseRequest,
    InferenceConfig,
    InputSchema,
    SystemBlock,
    Tool,
    ToolConfig,
    ToolSpec,
)
from craton.models.dialects.dialect import Dialect, Shown
from craton.models.dialects.meta_llama import MetaLlama
from tests.unit.dialects import prompt_conversations as make
from tests.unit.dialects.prompt_conversations import NATIVE_METRICS, ON_LAST

DIALECT: Dialect = MetaLlama()
PNG = b"\x89PNG\r\n\x1a\n0000"
SHOWN = Shown("meta.llama3-8b-instruct-v1:0", ConverseRequest(), "r-1")

LLAMA_3 = (
    "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nhello<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nmore<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n"
)
LLAMA_4 = (
    LLAMA_3.replace("start_header_id", "header_start").replace("end_header_id", "header_end").replace("eot_id", "eot")
)
LLAMA_2 = "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nhi [/INST] hello </s><s>[INST] more [/INST]"


@pytest.mark.parametrize(
    ("prompt", "model"),
    [
        (LLAMA_3, "meta.llama3-1-8b-instruct-v1:0"),
        (LLAMA_4, "meta.llama4-scout-17b-instruct-v1:0"),
        (LLAMA_2, "meta.llama2-13b-chat-v1"),
    ],
)
def test_each_template_becomes_turns_and_is_written_again(prompt: str, model: str) -> None:
    """The prompt of each generation gives the same conversation, which gives that prompt for a model of its own."""
    request = make.read(DIALECT, prompt=prompt)
    assert request.system == [SystemBlock(text="Be brief.")]
    assert make.turns(request) == [("user", "hi"), ("assistant", "hello"), ("user", "more")]
    assert make.write(DIALECT, request, model)[0] == {"prompt": prompt}


def test_a_quirk_names_the_template() -> None:
    """A target whose name says nothing of its generation is told which template to write."""
    request = make.read(DIALECT, prompt=LLAMA_3)
    assert make.write(DIALECT, request, "mine", template="llama2")[0]["prompt"] == LLAMA_2
    assert make.write(DIALECT, request, "mine")[0]["prompt"] == LLAMA_3


@pytest.mark.parametrize(
    ("prompt", "turns"),
    [
        ("What is a llama?", [("user", "What is a llama?")]),
        ("[INST]hi[/INST]", [("user", "hi")]),
        ("\n<|start_header_id|>user<|end_header_id|>\nhi\n<|eot_id|>\n", [("user", "hi")]),
        (
            "<|start_header_id|>user<|end_header_id|>hi<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n{",
            [("user", "hi"), ("assistant", "{")],
        ),
        (
            "[INST] a [/INST] b </s><s>[INST] c [/INST] d",
            [("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")],
        ),
        (
            "<|start_header_id|>user<|end_header_id|>a<|eot_id|><|start_header_id|>ipython<|end_header_id|>b<|eom_id|>",
            [("user", "a\n\nb")],
        ),
        ("[INST] [/INST]", [("user", "[INST] [/INST]")]),
        (
            "<|start_header_id|>assistant<|end_header_id|>a",
            [("user", "<|start_header_id|>assistant<|end_header_id|>a")],
        ),
    ],
)
def test_prompts_are_read_generously(prompt: str, turns: list[tuple[str, str]]) -> None:
    """White space and missing ends do not matter; a prompt without a user's turn is one message, word for word."""
    assert make.turns(make.read(DIALECT, prompt=prompt)) == turns


@given(make.conversations(system=True), make.configs(8192, stops=0), st.sampled_from(["llama2", "llama3", "llama4"]))
def test_what_is_written_reads_the_same(request: ConverseRequest, config: InferenceConfig | None, model: str) -> None:
    """Reading a written request gives the request, and writing that gives the same body."""
    request = structs.replace(request, inference_config=config)
    body, ledger = make.write(DIALECT, request, model)
    again = make.read(DIALECT, **body)
    assert again == request
    assert make.write(DIALECT, again, model)[0] == body
    assert (ledger.dropped, ledger.emulated) == ([], [])


def test_images_stand_where_the_prompt_marks_them() -> None:
    """Each mark takes the next image; an image without a mark goes before the last turn's text."""
    picture = base64.b64encode(PNG).decode()
    block = ContentBlock(image=ImageBlock("png", MediaSource(bytes=PNG)))
    prompt = "<|start_header_id|>user<|end_header_id|>\n\n<|image|>What is it?<|eot_id|>"
    marked = make.read(DIALECT, prompt=prompt, images=[picture])
    assert marked.messages == [Message("user", [block, ContentBlock(text="What is it?")])]
    body, ledger = make.write(DIALECT, marked)
    assert (body["images"], ledger.dropped) == ([picture], [])
    assert "\n\n<|image|>What is it?<|eot_id|>" in body["prompt"]
    assert make.read(DIALECT, **body) == marked
    assert make.read(DIALECT, prompt="What is it?", images=[picture]).messages == marked.messages


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({}, "#: required key [prompt] not found"),
        ({"prompt": "a", "max_gen_len": 9000}, "#/max_gen_len: 9000 is not less or equal to 8192"),
        ({"prompt": "a", "max_tokens": 5}, "#: extraneous key [max_tokens] is not permitted"),
        ({"prompt": "a", "temperature": 2}, "#/temperature: 2 is not less or equal to 1"),
        ({"prompt": "a", "images": ["AAAA"]}, "#/images/0: expected a PNG, JPEG, GIF or WebP image in base64"),
    ],
)
def test_a_body_that_breaks_the_schema(body: dict[str, Any], violation: str) -> None:
    """Bounds and names of the schema hold."""
    assert make.refusal(DIALECT, **body) == violation


def test_what_a_prompt_cannot_say_is_entered() -> None:
    """Tools, stop sequences and foreign fields are dropped, a document's text is written out, limits are renamed."""
    request = ConverseRequest(
        messages=[
            Message(
                "user",
                [
                    ContentBlock(text="look"),
                    ContentBlock(document=DocumentBlock("notes", DocumentSource(text="Paris"))),
                    ContentBlock(cache_point=CachePoint("default")),
                ],
            )
        ],
        inference_config=InferenceConfig(stop_sequences=["x"]),
        tool_config=ToolConfig([Tool(tool_spec=ToolSpec("t", InputSchema(json=Raw(b"{}"))))]),
        additional_model_request_fields={"max_tokens": 7, "top_k": 3},
    )
    body, ledger = make.write(DIALECT, request)
    assert body["max_gen_len"] == 7
    assert "look\n<document" in body["prompt"]
    assert ledger.dropped == [
        "toolConfig",
        "messages.0.content.2.cachePoint",
        "inferenceConfig.stopSequences",
        "additionalModelRequestFields.top_k",
    ]
    assert ledger.emulated == ["messages.0.content.1.document"]


@pytest.mark.parametrize(("native", "reason"), [("stop", "end_turn"), ("length", "max_tokens")])
def test_replies_translate_both_ways(native: str, reason: str) -> None:
    """A reply's text, counts and reason survive the way there and back."""
    body = {"generation": "Hi", "prompt_token_count": 3, "generation_token_count": 2, "stop_reason": native}
    reply = DIALECT.read_reply(json.dumps(body).encode())
    assert reply == assistant_reply([ContentBlock(text="Hi")], reason, usage(3, 2))
    assert json.loads(DIALECT.write_reply(reply, SHOWN)) == body


def test_what_came_from_a_cache_is_counted_with_the_prompt() -> None:
    """The schema knows no cache, so the prompt's count is that of the whole prompt."""
    reply = assistant_reply([ContentBlock(text="Hi")], "end_turn", usage(1, 2, 19))
    assert json.loads(DIALECT.write_reply(reply, SHOWN))["prompt_token_count"] == 20


def test_a_stream_is_written_as_llama_streams() -> None:
    """Each delta is a chunk at once; the last tells reason and counts and carries Bedrock's metrics."""
    events = make.stream("max_tokens")
    chunks = make.chunks_of(DIALECT, SHOWN, events)
    blank = {"prompt_token_count": None, "generation_token_count": None, "stop_reason": None}
    assert chunks == [
        {"generation": "Hel", **blank},
        {"generation": "lo", **blank},
        {
            "generation": "",
            "prompt_token_count": 3,
            "generation_token_count": 2,
            "stop_reason": "length",
            ON_LAST: NATIVE_METRICS,
        },
    ]
    assert make.events_of(DIALECT, [*chunks, {"generation": "late"}]) == events


def test_counts_are_gathered_from_the_chunks_that_have_them() -> None:
    """Bedrock's Llama tells the prompt's count on the first chunk and the answer's so far on each."""
    chunks = [
        {"generation": "Hel", "prompt_token_count": 3, "generation_token_count": 1, "stop_reason": None},
        {"generation": "lo", "prompt_token_count": None, "generation_token_count": 2, "stop_reason": None},
        {"generation": "", "prompt_token_count": None, "generation_token_count": 2, "stop_reason": "stop"},
    ]
    assert make.events_of(DIALECT, chunks) == make.stream()


def test_what_cannot_be_read_is_a_fault() -> None:
    """A stream without its end, and rubbish, are the model's faults."""
    make.assert_breaks_are_faults(DIALECT, {"generation": "a", "stop_reason": None})

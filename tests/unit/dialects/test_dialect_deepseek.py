"""DeepSeek-R1, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from craton.models.canon.content import ContentBlock, ReasoningContent, ReasoningText
from craton.models.canon.events import (
    BlockDelta,
    BlockStop,
    Delta,
    MessageStart,
    MessageStop,
    ReasoningDelta,
    StreamEvent,
    StreamMetadata,
    text_delta,
)
from craton.models.canon.reply import Metrics, assistant_reply, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.deepseek_r1 import DeepSeekR1
from craton.models.dialects.dialect import Dialect
from tests.unit.dialects import prompt_conversations as make
from tests.unit.dialects.prompt_conversations import NATIVE_METRICS, ON_LAST

DIALECT: Dialect = DeepSeekR1()
PROMPT = (
    "<｜begin▁of▁sentence｜>Be brief.<｜User｜>hi<｜Assistant｜>hello<｜end▁of▁sentence｜><｜User｜>more"
    "<｜Assistant｜><think>\n"
)
OPENED = make.asked("<｜User｜>hi<｜Assistant｜><think>\n")
UNOPENED = make.asked("hi")


def thought(text: str) -> ContentBlock:
    return ContentBlock(reasoning_content=ReasoningContent(reasoning_text=ReasoningText(text)))


def thinking(text: str) -> BlockDelta:
    return BlockDelta(Delta(reasoning_content=ReasoningDelta(text=text)), 0)


def native(text: str, reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"text": text, "stop_reason": reason}]}


def test_a_prompt_becomes_turns_and_is_written_again() -> None:
    """The model's own template gives system prompt and turns; the open thought at its end is no turn."""
    request = make.read(DIALECT, prompt=PROMPT, max_tokens=9, temperature=0, top_p=1, stop=["x"])
    assert request.system == [SystemBlock(text="Be brief.")]
    assert make.turns(request) == [("user", "hi"), ("assistant", "hello"), ("user", "more")]
    assert request.inference_config == InferenceConfig(9, 0, 1, ["x"])
    assert make.write(DIALECT, request)[0]["prompt"] == PROMPT


@pytest.mark.parametrize(
    ("prompt", "turns"),
    [
        ("Why?", [("user", "Why?")]),
        ("\n<|begin_of_sentence|><|System|>S<|User|>hi<|Assistant|>\n\n", [("user", "hi")]),
        (
            "<｜User｜>a<｜Assistant｜><think>plan</think>\n\nb<｜end▁of▁sentence｜><｜User｜>c<｜Assistant｜>",
            [("user", "a"), ("assistant", "b"), ("user", "c")],
        ),
        ("<｜User｜>a<｜Assistant｜><think>\nOkay", [("user", "a"), ("assistant", "<think>\nOkay")]),
    ],
)
def test_prompts_are_read_generously(prompt: str, turns: list[tuple[str, str]]) -> None:
    """Plain bars serve as marks too; earlier thoughts are left out, one that the caller begins is a prefill."""
    assert make.turns(make.read(DIALECT, prompt=prompt)) == turns


@given(make.conversations(system=True), make.configs(32768, stops=3))
def test_what_is_written_reads_the_same(request: ConverseRequest, config: InferenceConfig | None) -> None:
    """Reading a written request gives the request, and writing that gives the same body."""
    request = structs.replace(request, inference_config=config)
    body, ledger = make.write(DIALECT, request)
    again = make.read(DIALECT, **body)
    assert again == request
    assert make.write(DIALECT, again)[0] == body
    assert (ledger.dropped, ledger.emulated) == ([], [])


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({"prompt": "a", "max_tokens": 40000}, "#/max_tokens: 40000 is not less or equal to 32768"),
        ({"prompt": "a", "top_k": 1}, "#: extraneous key [top_k] is not permitted"),
        ({"prompt": 1}, "#/prompt: expected type: String, found: Integer"),
    ],
)
def test_a_body_that_breaks_the_schema(body: dict[str, Any], violation: str) -> None:
    """Bounds and names of the schema hold."""
    assert make.refusal(DIALECT, **body) == violation


@pytest.mark.parametrize(
    ("text", "reason", "blocks"),
    [
        ("plan</think>\n\nHi", "stop", [thought("plan"), ContentBlock(text="Hi")]),
        ("<think>\nplan</think>\n\nHi", "stop", [thought("plan"), ContentBlock(text="Hi")]),
        ("\n</think>\n\nHi", "stop", [ContentBlock(text="Hi")]),
        ("Hi", "stop", [ContentBlock(text="Hi")]),
        ("plan", "length", [thought("plan")]),
        ("<think>", "length", [ContentBlock(text="")]),
    ],
)
def test_a_reply_is_parted_into_thought_and_answer(text: str, reason: str, blocks: list[ContentBlock]) -> None:
    """What stands before `</think>` is reasoning, with or without the opening tag."""
    reply = DIALECT.read_reply(json.dumps(native(text, reason)).encode())
    assert reply.output.message.content == blocks
    assert reply.stop_reason == ("max_tokens" if reason == "length" else "end_turn")


@pytest.mark.parametrize(
    ("blocks", "opened", "unopened"),
    [
        ([thought("plan"), ContentBlock(text="Hi")], "plan</think>\n\nHi", "<think>\nplan</think>\n\nHi"),
        ([ContentBlock(text="Hi")], "</think>\n\nHi", "<think>\n</think>\n\nHi"),
        ([thought("plan")], "plan", "<think>\nplan"),
    ],
)
def test_a_reply_is_written_as_the_prompt_asks(blocks: list[ContentBlock], opened: str, unopened: str) -> None:
    """A prompt that opened the thought gets no second opening tag; a thought without an answer stays open."""
    reply = assistant_reply(blocks, "max_tokens", usage(3, 2))
    for shown, text in ((OPENED, opened), (UNOPENED, unopened)):
        written = DIALECT.write_reply(reply, shown)
        assert json.loads(written) == native(text, "length")
        assert DIALECT.read_reply(written).output == reply.output


THOUGHT_STREAM: list[StreamEvent] = [
    MessageStart("assistant"),
    thinking("pl"),
    thinking("an"),
    BlockStop(0),
    text_delta("Hel", 1),
    text_delta("lo", 1),
    BlockStop(1),
    MessageStop("end_turn"),
    StreamMetadata(usage(3, 2), Metrics(0)),
]


@pytest.mark.parametrize("shown", [OPENED, UNOPENED])
def test_a_written_stream_reads_as_the_same_events(shown: Any) -> None:
    """Thought and answer keep their blocks, and the last chunk carries Bedrock's metrics."""
    chunks = make.chunks_of(DIALECT, shown, THOUGHT_STREAM)
    opening = "" if shown is OPENED else "<think>\n"
    assert chunks == [
        native(f"{opening}pl"),
        native("an"),
        native("</think>\n\nHel"),
        native("lo"),
        {**native("", "stop"), ON_LAST: NATIVE_METRICS},
    ]
    assert make.events_of(DIALECT, [*chunks, native("late")]) == THOUGHT_STREAM


def test_a_stream_without_a_thought_closes_it_at_once() -> None:
    """A model that does not think is shown as R1 that did not."""
    chunks = make.chunks_of(DIALECT, OPENED, make.stream())
    assert chunks[0] == native("</think>\n\nHel")
    assert make.events_of(DIALECT, chunks) == make.stream()


@settings(max_examples=60)
@given(st.lists(st.integers(1, 6), max_size=12), st.sampled_from(["", "<think>\n", "\n<think>"]))
def test_tags_may_be_cut_anywhere(cuts: list[int], opening: str) -> None:
    """However the text is sliced, thought and answer are the same."""
    text, pieces = f"{opening}plan < a</think>\n\nHello </think> x", []
    for cut in cuts:
        pieces.append(text[:cut])
        text = text[cut:]
    events = make.events_of(DIALECT, [*(native(piece) for piece in [*pieces, text]), native("", "stop")])
    found = {0: "", 1: ""}
    for event in events:
        if isinstance(event, BlockDelta):
            reasoning = event.delta.reasoning_content
            found[event.content_block_index] += (reasoning.text if reasoning else event.delta.text) or ""
    assert found == {0: "plan < a", 1: "Hello </think> x"}


def test_a_thought_that_is_cut_off_stays_a_thought() -> None:
    """A stream that ends before the answer has one block, of reasoning."""
    events = make.events_of(DIALECT, [native("plan"), native("", "length")])
    assert events[1:4] == [thinking("plan"), BlockStop(0), MessageStop("max_tokens")]


def test_what_cannot_be_read_is_a_fault() -> None:
    """A stream without its end, and rubbish, are the model's faults."""
    make.assert_breaks_are_faults(DIALECT, native("a"))

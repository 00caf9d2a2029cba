"""Writer's Palmyra, both ways and in both forms."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.models.canon.content import ContentBlock
from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import assistant_reply, usage
from craton.models.canon.request import Chosen, ConverseRequest, InferenceConfig, SystemBlock, ToolChoice
from craton.models.dialects.dialect import Dialect, Shown
from craton.models.dialects.writer_palmyra import WriterPalmyra
from tests.unit.dialects import dialect_conversations as parts
from tests.unit.dialects import prompt_conversations as make
from tests.unit.dialects.prompt_conversations import NATIVE_METRICS, ON_LAST

DIALECT: Dialect = WriterPalmyra(clock=lambda: 1_700_000_000.5)
SHOWN = Shown("writer.palmyra-x5-v1:0", ConverseRequest(), "r-1")
ASKED = make.asked("hi")
HI = [{"role": "user", "content": "hi"}]

REQUESTS = st.builds(
    lambda messages, config, tools, extras: ConverseRequest(
        messages=messages, inference_config=config, tool_config=tools, additional_model_request_fields=extras or None
    ),
    parts.turns(st.lists(parts.text(), min_size=1, max_size=1), st.lists(parts.text(), min_size=1, max_size=1)),
    st.builds(InferenceConfig, st.integers(1, 8192), st.none() | parts.fractions, st.none() | st.floats(0.1, 1)),
    parts.tool_config(lambda _name: [None, ToolChoice(auto=Chosen()), ToolChoice(any=Chosen())]),
    st.fixed_dictionaries({}, optional={"seed": st.integers(0, 9), "min_tokens": st.integers(0, 9)}),
)


@given(REQUESTS)
def test_what_is_written_reads_the_same(request: ConverseRequest) -> None:
    """Reading a written request gives the request, and writing that gives the same body, without model and stream."""
    body, ledger = make.write(DIALECT, request)
    again = make.read(DIALECT, **body)
    assert again == request
    assert make.write(DIALECT, again)[0] == body
    assert not {"model", "stream", "stream_options"} & set(body)
    assert (ledger.dropped, ledger.emulated) == ([], [])


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({}, "#: required key [messages] not found"),
        ({"messages": HI, "max_tokens": 9000}, "#/max_tokens: 9000 is not less or equal to 8192"),
        ({"messages": HI, "temperature": 2.5}, "#/temperature: 2.5 is not less or equal to 2"),
        ({"messages": HI, "stop": ["x"] * 5}, "#/stop: expected maximum item count: 4, found: 5"),
        ({"prompt": "hi", "top_p": 0}, "#/top_p: 0 is not greater than 0"),
        ({"prompt": "hi", "top_k": 1}, "#: extraneous key [top_k] is not permitted"),
    ],
)
def test_a_body_that_breaks_the_schema(body: dict[str, Any], violation: str) -> None:
    """Bounds and names of both forms hold."""
    assert make.refusal(DIALECT, **body) == violation


def test_high_temperatures_stay_native() -> None:
    """Palmyra's go up to 2, Converse's to 1."""
    for body in ({"messages": HI}, {"prompt": "hi"}):
        request = make.read(DIALECT, temperature=1.5, **body)
        assert request.additional_model_request_fields == {"temperature": 1.5}
        assert make.write(DIALECT, request)[0] == {"messages": HI, "temperature": 1.5}


def test_a_reply_is_a_chat_completion() -> None:
    """A body with messages gets OpenAI's shape, which reads as what was written."""
    reply = assistant_reply([ContentBlock(text="Hi")], "max_tokens", usage(3, 2))
    written = DIALECT.write_reply(reply, SHOWN)
    assert json.loads(written)["choices"][0]["message"]["content"] == "Hi"
    assert DIALECT.read_reply(written) == reply


def test_a_stream_ends_with_done() -> None:
    """The metrics are on the last object, the literal after it."""
    chunks = make.chunks_of(DIALECT, SHOWN, make.stream())
    assert chunks[-1] == "[DONE]"
    assert chunks[-2][ON_LAST] == NATIVE_METRICS
    assert [one["choices"][0]["delta"].get("content") for one in chunks[:-2]] == ["", "Hel", "lo"]
    assert make.events_of(DIALECT, chunks) == make.stream()


def test_a_prompt_is_answered_with_text() -> None:
    """The older form: instructions in the prompt, a text in the reply."""
    request = make.read(DIALECT, prompt="<<SYS>> S <</SYS>>\n[INST] a [/INST]\nb\n[INST] c [/INST]", stop="x")
    assert request.system == [SystemBlock(text="S")]
    assert make.turns(request) == [("user", "a"), ("assistant", "b"), ("user", "c")]
    assert request.inference_config == InferenceConfig(stop_sequences=["x"])
    reply = assistant_reply([ContentBlock(text="Hi")], "max_tokens", usage(3, 2))
    written = DIALECT.write_reply(reply, ASKED)
    assert json.loads(written)["choices"] == [{"index": 0, "text": "Hi", "finish_reason": "length"}]
    assert DIALECT.read_reply(written) == reply


def test_a_prompts_stream_is_one_of_texts() -> None:
    """Chunks of the older form read as the same events."""
    events: list[StreamEvent] = make.stream("max_tokens")
    chunks = make.chunks_of(DIALECT, ASKED, events)
    assert [one["choices"][0]["text"] for one in chunks[:-1]] == ["Hel", "lo", ""]
    assert chunks[-2][ON_LAST] == NATIVE_METRICS
    assert chunks[-1] == "[DONE]"
    assert make.events_of(DIALECT, chunks) == events


@pytest.mark.parametrize("choice", [{"delta": {"content": "a"}}, {"text": "a"}])
def test_what_cannot_be_read_is_a_fault(choice: dict[str, Any]) -> None:
    """A stream of either form without its end, and rubbish, are the model's faults."""
    make.assert_breaks_are_faults(DIALECT, {"choices": [{"index": 0, "finish_reason": None, **choice}]})

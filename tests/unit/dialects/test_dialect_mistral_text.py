"""Mistral's text completions, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from craton.models.canon.content import ContentBlock
from craton.models.canon.reply import assistant_reply, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.dialect import Dialect, Shown
from craton.models.dialects.mistral_text import MistralText
from tests.unit.dialects import prompt_conversations as make
from tests.unit.dialects.prompt_conversations import NATIVE_METRICS, ON_LAST

DIALECT: Dialect = MistralText()
PROMPT = "<s>[INST] hi [/INST] hello</s>[INST] more [/INST]"
SHOWN = make.asked(PROMPT)


def test_a_prompt_becomes_turns() -> None:
    """Instructions are the user's turns, what follows them the assistant's; parameters find their places."""
    request = make.read(DIALECT, prompt=PROMPT, max_tokens=9, temperature=0, top_p=1, top_k=5, stop=["x"])
    assert make.turns(request) == [("user", "hi"), ("assistant", "hello"), ("user", "more")]
    assert request.inference_config == InferenceConfig(9, 0, 1, ["x"])
    assert request.additional_model_request_fields == {"top_k": 5}


@pytest.mark.parametrize(
    ("prompt", "system", "texts"),
    [
        ("Name a capital.", None, ["Name a capital."]),
        ("<s> Talk.\n[INST] a [/INST]\nb</s> \n[INST] c [/INST]\n<output>", "Talk.", ["a", "b", "c", "<output>"]),
        ("<<SYS>> Talk. <</SYS>>\n[INST] a [/INST]\nb\n[INST] c [/INST]", "Talk.", ["a", "b", "c"]),
        ("[INST] <s>a</s> [/INST]", None, ["<s>a</s>"]),
    ],
)
def test_prompts_are_read_generously(prompt: str, system: str | None, texts: list[str]) -> None:
    """What stands before the first instruction is the system prompt; a user's own tags stay."""
    request = make.read(DIALECT, prompt=prompt)
    assert request.system == ([SystemBlock(text=system)] if system else None)
    assert [text for _, text in make.turns(request)] == texts


@given(make.conversations(system=False), make.configs(8192, stops=3), st.none() | st.integers(1, 200))
def test_what_is_written_reads_the_same(
    request: ConverseRequest, config: InferenceConfig | None, top_k: int | None
) -> None:
    """Reading a written request gives the request, and writing that gives the same body."""
    extras = None if top_k is None else {"top_k": top_k}
    request = structs.replace(request, inference_config=config, additional_model_request_fields=extras)
    body, ledger = make.write(DIALECT, request)
    again = make.read(DIALECT, **body)
    assert again == request
    assert make.write(DIALECT, again)[0] == body
    assert (ledger.dropped, ledger.emulated) == ([], [])


def test_a_system_prompt_goes_before_the_first_message() -> None:
    """The template has no place for one, so it is emulated; foreign names of parameters are translated."""
    request = ConverseRequest(
        messages=[make.said("user", "hi")],
        system=[SystemBlock(text="Be brief.")],
        additional_model_request_fields={"k": 5, "seed": 1},
    )
    body, ledger = make.write(DIALECT, request)
    assert body == {"prompt": "<s>[INST] Be brief.\n\nhi [/INST]", "top_k": 5}
    assert (ledger.dropped, ledger.emulated) == (["additionalModelRequestFields.seed"], ["system"])


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({}, "#: required key [prompt] not found"),
        ({"prompt": "a", "max_tokens": 9000}, "#/max_tokens: 9000 is not less or equal to 8192"),
        ({"prompt": "a", "top_k": 0}, "#/top_k: 0 is not greater or equal to 1"),
        ({"prompt": "a", "stop": ["x"] * 11}, "#/stop: expected maximum item count: 10, found: 11"),
        ({"prompt": "a", "stop_sequences": []}, "#: extraneous key [stop_sequences] is not permitted"),
    ],
)
def test_a_body_that_breaks_the_schema(body: dict[str, Any], violation: str) -> None:
    """Bounds and names of the schema hold."""
    assert make.refusal(DIALECT, **body) == violation


@pytest.mark.parametrize(("native", "reason"), [("stop", "end_turn"), ("length", "max_tokens")])
def test_replies_translate_both_ways(native: str, reason: str) -> None:
    """A reply's text and reason survive the way there and back."""
    body = {"outputs": [{"text": "Hi", "stop_reason": native}]}
    reply = DIALECT.read_reply(json.dumps(body).encode())
    assert reply == assistant_reply([ContentBlock(text="Hi")], reason, usage(0, 0))
    assert json.loads(DIALECT.write_reply(reply, SHOWN)) == body


def test_a_stream_is_written_as_mistral_streams() -> None:
    """Each delta is a chunk at once; the last tells the reason and carries Bedrock's metrics."""
    events = make.stream()
    chunks = make.chunks_of(DIALECT, SHOWN, events)
    assert chunks == [
        {"outputs": [{"text": "Hel", "stop_reason": None}]},
        {"outputs": [{"text": "lo", "stop_reason": None}]},
        {"outputs": [{"text": "", "stop_reason": "stop"}], ON_LAST: NATIVE_METRICS},
    ]
    assert make.events_of(DIALECT, [*chunks, {"outputs": [{"text": "late"}]}]) == events


def test_what_cannot_be_read_is_a_fault() -> None:
    """A stream without its end, and rubbish, are the model's faults."""
    make.assert_breaks_are_faults(DIALECT, {"outputs": [{"text": "a", "stop_reason": None}]})


def test_a_body_with_messages_is_answered_in_mistrals_chat() -> None:
    """Large takes both schemas: the reply and the stream have the body's form."""
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
    assert make.turns(DIALECT.read_request(body)) == [("user", "hi")]
    shown = Shown("mistral.mistral-large-2402-v1:0", ConverseRequest(), "r-1", body)
    reply = assistant_reply([ContentBlock(text="Hi")], "end_turn", usage(3, 2))
    native = DIALECT.write_reply(reply, shown)
    assert json.loads(native)["choices"][0]["message"]["content"] == "Hi"
    assert DIALECT.read_reply(native).output == reply.output
    chunks = make.chunks_of(DIALECT, shown, make.stream())
    assert chunks[0]["choices"][0]["message"]["content"] == "Hel"
    assert make.events_of(DIALECT, chunks) == make.stream()

"""AI21's Jurassic-2, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.aws.wire.faults import Fault
from craton.models.canon.content import ContentBlock, Message
from craton.models.canon.reply import assistant_reply, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.ai21_j2 import AI21Jurassic2
from craton.models.dialects.dialect import Dialect, Ledger, Outgoing, Shown

DIALECT: Dialect = AI21Jurassic2()


def said(role: Any, text: str) -> Message:
    return Message(role, [ContentBlock(text=text)])


def shown(body: bytes = b"") -> Shown:
    request = ConverseRequest(messages=[said("user", "asked")])
    return Shown("ai21.j2-ultra-v1", request, "5b0c6a0e-1111-4222-8333-444455556666", body)


def write(request: ConverseRequest) -> tuple[dict[str, Any], Ledger]:
    ledger = Ledger()
    return json.loads(DIALECT.write_request(request, Outgoing("m", stream=False, ledger=ledger))), ledger


def read(**body: Any) -> ConverseRequest:
    return DIALECT.read_request(json.dumps(body).encode())


def test_a_body_becomes_one_user_message() -> None:
    """The prompt is a user message, penalties travel as extra fields."""
    penalty = {"scale": 0.5, "applyToNumbers": True}
    request = read(prompt="hi", maxTokens=9, temperature=0, topP=1, stopSequences=["#"], countPenalty=penalty)
    assert request.messages == [said("user", "hi")]
    assert request.inference_config == InferenceConfig(9, 0, 1, ["#"])
    assert request.additional_model_request_fields == {"countPenalty": penalty}


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({}, "#: required key [prompt] not found"),
        ({"prompt": "x", "max_tokens": 5}, "#: extraneous key [max_tokens] is not permitted"),
        ({"prompt": "x", "maxTokens": 8192}, "#/maxTokens: 8192 is not less or equal to 8191"),
        ({"prompt": "x", "stopSequences": "#"}, "#/stopSequences: expected type: JSONArray, found: String"),
        ({"prompt": "x", "presencePenalty": {"scale": 6}}, "#/presencePenalty/scale: 6 is not less or equal to 5"),
        ({"prompt": "x", "frequencyPenalty": {}}, "#/frequencyPenalty: required key [scale] not found"),
    ],
)
def test_a_body_that_breaks_the_schema(body: dict[str, Any], violation: str) -> None:
    """Bounds and names of the schema hold."""
    with pytest.raises(Fault) as caught:
        read(**body)
    assert caught.value.message == f"Malformed input request: {violation}, please reformat your input and try again."


FRACTION = st.none() | st.floats(0, 1)
SWITCHES = {
    f"applyTo{what}": st.booleans() for what in ("Whitespaces", "Punctuations", "Numbers", "Stopwords", "Emojis")
}
PENALTIES = {
    "countPenalty": st.fixed_dictionaries({"scale": st.floats(0, 1)}, optional=SWITCHES),
    "presencePenalty": st.fixed_dictionaries({"scale": st.floats(0, 5)}, optional=SWITCHES),
    "frequencyPenalty": st.fixed_dictionaries({"scale": st.floats(0, 500)}, optional=SWITCHES),
}
CONFIG = st.builds(
    InferenceConfig,
    st.none() | st.integers(1, 8191),
    FRACTION,
    FRACTION,
    st.none() | st.lists(st.text(min_size=1, max_size=5), max_size=3),
)


@given(st.text(max_size=30), CONFIG, st.fixed_dictionaries({}, optional=PENALTIES))
def test_what_is_written_reads_the_same(prompt: str, config: InferenceConfig, extras: dict[str, Any]) -> None:
    """Reading a written request gives the request, and writing that gives the same body."""
    request = ConverseRequest(
        messages=[said("user", prompt)],
        inference_config=None if config == InferenceConfig() else config,
        additional_model_request_fields=extras or None,
    )
    body, ledger = write(request)
    again = read(**body)
    assert again == request
    assert write(again)[0] == body
    assert (ledger.dropped, ledger.emulated) == ([], [])


def test_a_conversation_becomes_a_transcript() -> None:
    """What Jurassic-2 has no turns for is written as text, and entered as emulated."""
    request = ConverseRequest(
        messages=[said("user", "a"), said("assistant", "b"), said("user", "c")], system=[SystemBlock(text="s")]
    )
    body, ledger = write(request)
    assert body["prompt"] == "s\n\nUser: a\n\nAssistant: b\n\nUser: c\n\nAssistant:"
    assert ledger.emulated == ["system", "messages"]


def test_foreign_fields_are_renamed_or_dropped() -> None:
    """Fields with an equivalent are written under their name here, others entered as dropped."""
    extras = {"max_tokens": 4, "top_k": 3, "presence_penalty": 1}
    body, ledger = write(ConverseRequest(messages=[said("user", "x")], additional_model_request_fields=extras))
    assert body == {"prompt": "x", "maxTokens": 4}
    assert ledger.dropped == [
        "additionalModelRequestFields.top_k",
        "additionalModelRequestFields.presence_penalty",
    ]


@pytest.mark.parametrize(
    ("finish", "reason", "stop"),
    [
        ({"reason": "endoftext"}, "end_turn", None),
        ({"reason": "length", "length": 2}, "max_tokens", None),
        ({"reason": "stop", "sequence": "#"}, "stop_sequence", "#"),
    ],
)
def test_replies_translate_both_ways(finish: dict[str, Any], reason: str, stop: str | None) -> None:
    """A reply's text and the reason of its end survive, its tokens are counted."""
    token: dict[str, Any] = {"generatedToken": {}, "topTokens": None, "textRange": {"start": 0, "end": 1}}
    body = {
        "id": 1234,
        "prompt": {"text": "asked", "tokens": [token] * 3},
        "completions": [{"data": {"text": "\nHi", "tokens": [token] * 2}, "finishReason": finish}],
    }
    reply = DIALECT.read_reply(json.dumps(body).encode())
    assert reply.output.message.content == [ContentBlock(text="\nHi")]
    assert (reply.stop_reason, reply.stop_sequence, reply.usage) == (reason, stop, usage(3, 2))
    native = json.loads(DIALECT.write_reply(reply, shown()))
    assert isinstance(native.pop("id"), int)
    assert native == {
        "prompt": {"text": "asked", "tokens": []},
        "completions": [{"data": {"text": "\nHi", "tokens": []}, "finishReason": finish}],
    }


def test_the_callers_own_prompt_is_echoed() -> None:
    """A reply repeats the prompt of the body that it answers."""
    reply = assistant_reply([ContentBlock(text="x")], "end_turn", usage(1, 1))
    native = json.loads(DIALECT.write_reply(reply, shown(b'{"prompt":"as sent","maxTokens":5}')))
    assert native["prompt"] == {"text": "as sent", "tokens": []}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"completions":[{"finishReason":{"reason":"?"},"data":{}}]}'])
def test_an_unreadable_reply_is_the_models_fault(body: bytes) -> None:
    """Rubbish from an upstream is a ModelErrorException."""
    with pytest.raises(Fault) as caught:
        DIALECT.read_reply(body)
    assert caught.value.name == "ModelErrorException"


def test_there_is_no_stream() -> None:
    """Whoever asks for a stream is told that the model has none."""
    assert not DIALECT.streams
    for ask in (DIALECT.reader, lambda: DIALECT.writer(shown()), lambda: DIALECT.read_request(b"{}", streaming=True)):
        with pytest.raises(Fault) as caught:
            ask()
        assert caught.value.message == "The model is unsupported for streaming"

"""Cohere's Command, both ways."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from craton.aws.wire.faults import Fault
from craton.models.canon.content import ContentBlock
from craton.models.canon.reply import assistant_reply, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.cohere_command import CohereCommand
from craton.models.dialects.dialect import Dialect, Ledger, Outgoing, Shown
from tests.unit.dialects import prompt_conversations as make
from tests.unit.dialects.prompt_conversations import NATIVE_METRICS, ON_LAST

DIALECT: Dialect = CohereCommand()
STREAMED = make.asked("Hello", stream=True)

EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "k": st.integers(0, 500),
        "return_likelihoods": st.sampled_from(["GENERATION", "ALL", "NONE"]),
        "num_generations": st.integers(1, 5),
        "logit_bias": st.dictionaries(st.from_regex(r"[0-9]{1,5}", fullmatch=True), st.floats(-10, 10), max_size=2),
        "truncate": st.sampled_from(["NONE", "START", "END"]),
        "temperature": st.floats(1, 5, exclude_min=True),
    },
)


@given(st.text(st.characters(exclude_categories=("Cs",))), make.configs(4096, stops=4), EXTRAS)
def test_what_is_written_reads_the_same(prompt: str, config: InferenceConfig | None, extras: dict[str, Any]) -> None:
    """Reading a written request gives the request, and writing that gives the same body."""
    if config is not None and config.temperature is not None:
        extras.pop("temperature", None)
    request = ConverseRequest(
        messages=[make.said("user", prompt)],
        inference_config=config,
        additional_model_request_fields=extras or None,
    )
    body, ledger = make.write(DIALECT, request)
    again = make.read(DIALECT, **body)
    assert again == request
    assert make.write(DIALECT, again)[0] == body
    assert (ledger.dropped, ledger.emulated) == ([], [])


def test_a_stream_is_asked_for_in_the_body() -> None:
    """Cohere streams only if the body says so; to a caller of Bedrock the member says nothing more."""
    request = make.read(DIALECT, prompt="a", stream=True)
    assert request.additional_model_request_fields is None
    assert json.loads(DIALECT.write_request(request, Outgoing("m", stream=True, ledger=Ledger())))["stream"] is True


def test_a_conversation_becomes_a_transcript() -> None:
    """Command takes one prompt, so anything more is emulated and foreign parameters are renamed."""
    request = ConverseRequest(
        messages=[make.said("user", "a"), make.said("assistant", "b"), make.said("user", "c")],
        system=[SystemBlock(text="S")],
        additional_model_request_fields={"top_k": 3, "top_p": 0.5, "stop": "x", "thinking": {}},
    )
    body, ledger = make.write(DIALECT, request)
    assert body == {
        "prompt": "S\n\nUser: a\n\nChatbot: b\n\nUser: c\n\nChatbot:",
        "k": 3,
        "p": 0.5,
        "stop_sequences": ["x"],
    }
    assert (ledger.dropped, ledger.emulated) == (["additionalModelRequestFields.thinking"], ["system", "messages"])


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        ({}, "#: required key [prompt] not found"),
        ({"prompt": "a", "max_tokens": 5000}, "#/max_tokens: 5000 is not less or equal to 4096"),
        ({"prompt": "a", "truncate": "MIDDLE"}, "#/truncate: MIDDLE is not a valid enum value"),
        ({"prompt": "a", "message": "b"}, "#: extraneous key [message] is not permitted"),
    ],
)
def test_a_body_that_breaks_the_schema(body: dict[str, Any], violation: str) -> None:
    """Bounds and names of the schema hold."""
    assert make.refusal(DIALECT, **body) == violation


@pytest.mark.parametrize(
    ("native", "reason"),
    [("COMPLETE", "end_turn"), ("MAX_TOKENS", "max_tokens"), ("ERROR_TOXIC", "content_filtered")],
)
def test_replies_translate_both_ways(native: str, reason: str) -> None:
    """A reply's text and reason survive the way there and back; the prompt is repeated."""
    generation = {"id": "r-1", "text": " Hi", "finish_reason": native}
    body = {"id": "r-1", "prompt": "Hello", "generations": [generation]}
    reply = DIALECT.read_reply(json.dumps(body).encode())
    assert reply == assistant_reply([ContentBlock(text=" Hi")], reason, usage(0, 0))
    assert json.loads(DIALECT.write_reply(reply, STREAMED)) == body
    request = ConverseRequest(messages=[make.said("user", "Hello")])
    assert json.loads(DIALECT.write_reply(reply, Shown("m", request, "r-1"))) == body


def test_a_stream_is_written_as_cohere_streams() -> None:
    """Each delta is a chunk at once; the last is finished and carries Bedrock's metrics."""
    events = make.stream("max_tokens")
    chunks = make.chunks_of(DIALECT, STREAMED, events)
    assert chunks == [
        {"text": "Hel", "is_finished": False},
        {"text": "lo", "is_finished": False},
        {"is_finished": True, "finish_reason": "MAX_TOKENS", ON_LAST: NATIVE_METRICS},
    ]
    assert make.events_of(DIALECT, [*chunks, {"text": "late"}]) == events


def test_without_stream_in_the_body_the_reply_is_one_chunk() -> None:
    """Bedrock sends the whole reply at once to a body that does not ask for a stream."""
    (chunk,) = make.chunks_of(DIALECT, make.asked("Hello"), make.stream())
    generation = {"id": "r-1", "text": "Hello", "finish_reason": "COMPLETE"}
    assert chunk == {"id": "r-1", "prompt": "Hello", "generations": [generation], ON_LAST: NATIVE_METRICS}
    assert make.events_of(DIALECT, [chunk]) == make.stream("end_turn", "Hello")


def test_the_end_token_and_further_generations_are_not_text() -> None:
    """Only the first generation is read, without the token that ends it."""
    chunks = [
        {"text": "Hel", "is_finished": False, "index": 0},
        {"text": "Bye", "is_finished": False, "index": 1},
        {"text": "lo", "is_finished": False, "index": 0},
        {"text": "<EOS_TOKEN>", "is_finished": False, "index": 0},
        {"is_finished": True, "finish_reason": "COMPLETE", ON_LAST: NATIVE_METRICS},
    ]
    assert make.events_of(DIALECT, chunks) == make.stream()


def test_what_cannot_be_read_is_a_fault() -> None:
    """A stream without its end, rubbish, and an error that Cohere names, are the model's faults."""
    make.assert_breaks_are_faults(DIALECT, {"text": "a", "is_finished": False})
    with pytest.raises(Fault, match="ModelErrorException"):
        DIALECT.read_reply(b'{"generations":[{"text":"","finish_reason":"ERROR"}]}')
    with pytest.raises(Fault, match="ModelStreamErrorException"):
        DIALECT.reader().feed(b'{"is_finished":true,"finish_reason":"ERROR"}')

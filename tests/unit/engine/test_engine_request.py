"""OpenAI-shaped requests: what is refused and how, and what the others become."""

from __future__ import annotations

import json
from typing import Any

import pytest

from craton.engine import openai_request
from craton.engine.backend import Sampling
from craton.engine.guidance import CallMarkers
from craton.engine.openai_request import BadRequest, ChatRequest, TextRequest

MARKERS = CallMarkers("<tool_call>", "</tool_call>", 5, 6)
USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def read(**fields: Any) -> ChatRequest:
    """All the checks that a chat goes through before it is generated."""
    request = openai_request.decode(ChatRequest, json.dumps({"messages": [USER], **fields}).encode())
    openai_request.check(request)
    openai_request.messages(request.messages)
    openai_request.stops(request)
    openai_request.grammar(request, MARKERS, compact_json=True)
    return request


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content[0]",
        ),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "assistant", "content": "", "tool_calls": [{}]}]}, "messages[0].tool_calls[0]"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"n": 2}, "n"),
        ({"stop": [""]}, "stop"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"tools": [{"type": "retrieval"}]}, "tools[0]"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [TOOL], "tool_choice": "maybe"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
    ],
)
def test_bad_fields_are_refused_by_name(fields: dict[str, Any], param: str) -> None:
    """Each bad field gives status 400 and its own name."""
    with pytest.raises(BadRequest) as refused:
        read(**fields)
    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"messages":[{"role":"\xff"}]}'])
def test_bodies_that_are_no_request(body: bytes) -> None:
    """Broken JSON and JSON that is no object are refused, not crashed on."""
    with pytest.raises(BadRequest):
        openai_request.decode(ChatRequest, body)


def test_unknown_fields_and_user_are_ignored() -> None:
    """Fields of other servers do no harm."""
    assert read(user="me", min_p=0.1, store=True).messages == [USER]


def test_parts_become_one_text() -> None:
    """Text parts are joined, and a developer speaks as the system."""
    given = [{"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}]
    assert openai_request.messages(given) == [{"role": "system", "content": "ab"}]


def test_sampling_falls_back_to_the_models_wish() -> None:
    """Nothing named: the directory's sampling; a temperature named: none of its other wishes."""
    wish = Sampling(temperature=0.7, top_p=0.9, top_k=20)
    assert openai_request.sampling(read(), wish) == wish
    assert openai_request.sampling(read(temperature=1), wish) == Sampling(temperature=1.0)
    assert openai_request.sampling(read(seed=-1), wish).seed == (1 << 64) - 1


@pytest.mark.parametrize(
    ("fields", "has_grammar", "calls"),
    [
        ({}, False, False),
        ({"tools": [TOOL]}, True, True),
        ({"tools": [TOOL], "tool_choice": "none"}, False, False),
        ({"tools": [], "tool_choice": "auto"}, False, False),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "f"}}}, True, True),
        ({"response_format": {"type": "text"}}, False, False),
        ({"response_format": {"type": "json_object"}}, True, False),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}}, True, False),
    ],
)
def test_what_is_constrained(fields: dict[str, Any], has_grammar: bool, calls: bool) -> None:
    """Tools and formats become a grammar; without them the model is free."""
    grammar, looked_for = openai_request.grammar(read(**fields), MARKERS, compact_json=True)
    assert (grammar is not None, looked_for) == (has_grammar, calls)


def test_tools_are_only_offered_to_models_without_markers() -> None:
    """Under `auto` such a model answers in text; `required` works by grammar alone."""
    request = read(tools=[TOOL])
    assert openai_request.grammar(request, None, compact_json=True) == (None, False)
    grammar, calls = openai_request.grammar(read(tools=[TOOL], tool_choice="required"), None, compact_json=True)
    assert grammar is not None
    assert calls


def test_raw_prompts_take_text_or_tokens() -> None:
    """A raw completion's prompt is a text or a list."""
    assert openai_request.decode(TextRequest, b'{"prompt":"x"}').prompt == "x"
    assert openai_request.decode(TextRequest, b'{"prompt":[1,2]}').prompt == [1, 2]
    with pytest.raises(BadRequest):
        openai_request.check(openai_request.decode(TextRequest, b'{"prompt":"x","echo":true}'))

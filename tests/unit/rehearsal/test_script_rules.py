"""A script: which rule answers, what it answers, what it remembers."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from craton.aws.wire.faults import Fault
from craton.models.canon.events import BlockDelta, StreamMetadata
from craton.models.dialects.all import dialect_named
from craton.models.providers.script import Scripted
from craton.models.providers.scripts.rules import BadRules, to_rules
from craton.models.providers.scripts.script import Script
from tests.unit.rehearsal.conversations import Model, attempt, reply, request, text_of

TOOLS = {"tools": [{"toolSpec": {"name": "get_weather", "inputSchema": {"json": {}}}}]}


def scripted(*rules: dict[str, Any], behind: Model | None = None, **rest: Any) -> Scripted:
    dialect = dialect_named("openai.chat")
    assert dialect is not None
    return Scripted(Script(to_rules({"rule": list(rules), **rest})), dialect, "my.model", behind)


def ask(provider: Scripted, text: str = "Hello", **members: Any) -> Any:
    async def main() -> Any:
        return await provider.converse(request(text, **members), attempt())

    return asyncio.run(main())


def stream(provider: Scripted, text: str = "Hello", **given: Any) -> tuple[list[str], list[Any], Fault | None]:
    """The text pieces, one per list that came, all events, and the fault that ended it."""

    async def main() -> tuple[list[str], list[Any], Fault | None]:
        pieces, events = [], []
        try:
            async for lot in provider.converse_stream(request(text), attempt(**given)):
                events += lot
                pieces += [e.delta.text for e in lot if isinstance(e, BlockDelta) and e.delta.text is not None]
        except Fault as fault:
            return pieces, events, fault
        return pieces, events, None

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        ({}, True),
        ({"user": "^Hel"}, True),
        ({"user": "^ell"}, False),
        ({"model": "my.*"}, True),
        ({"model": "other"}, False),
        ({"system": "brief"}, True),
        ({"system": "long"}, False),
        ({"tool": "get_weather"}, True),
        ({"tool": "other"}, False),
        ({"anywhere": "brief"}, True),
        ({"has": ["image"]}, False),
        ({"stream": True}, False),
        ({"user": "Hello", "system": "nothing"}, False),
    ],
)
def test_a_rule_wants_all_that_it_names(rule: dict[str, Any], fits: bool) -> None:
    """And a request that it does not fit is an error that names no prompt."""
    provider = scripted({**rule, "reply": "yes"})
    members = {"system": [{"text": "Be brief"}], "toolConfig": TOOLS}
    if fits:
        assert text_of(ask(provider, **members)) == "yes"
        return
    with pytest.raises(Fault) as caught:
        ask(provider, **members)
    assert caught.value.name == "ResourceNotFoundException"
    assert "Hello" not in caught.value.message


def test_tool_results_are_matched_as_text_and_json() -> None:
    """Both forms of a result."""
    provider = scripted({"tool_result": r'"degrees":(\d+)', "reply": "{1}!"}, {"tool_result": "rain", "reply": "wet"})

    def result(content: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [content]}}]}]

    assert text_of(ask(provider, messages=result({"json": {"degrees": 21}}))) == "21!"
    assert text_of(ask(provider, messages=result({"text": "rainy"}))) == "wet"


def test_the_first_that_fits_answers_and_priority_goes_first() -> None:
    """Order of writing, then of importance."""
    rules = [{"user": "H", "reply": "one"}, {"reply": "two"}]
    assert text_of(ask(scripted(*rules))) == "one"
    assert text_of(ask(scripted(*rules, {"reply": "three", "priority": 1}))) == "three"


@pytest.mark.parametrize(
    ("then", "expected"),
    [("repeat", ["a", "b", "b", "b"]), ("cycle", ["a", "b", "a", "b"]), ("pass", ["a", "b", "rest", "rest"])],
)
def test_replies_come_in_sequence(then: str, expected: list[str]) -> None:
    """And after the last as the rule says."""
    provider = scripted({"reply": ["a", "b"], "then": then}, {"reply": "rest"})
    assert [text_of(ask(provider)) for _ in range(4)] == expected


def test_a_rule_may_want_the_nth_call() -> None:
    """Counted over what fits the rest of it."""
    provider = scripted({"user": "Hello", "call": 2, "reply": "second"}, {"times": 3, "reply": "other"})
    assert [text_of(ask(provider)) for _ in range(3)] == ["other", "second", "other"]
    assert text_of(ask(provider, "Bye")) == "other"
    with pytest.raises(Fault):
        ask(provider, "Bye")


def test_captured_groups_fill_texts_and_arguments() -> None:
    """By number and by name; other braces stay."""
    provider = scripted(
        {
            "user": r"in (?P<city>\w+)",
            "reply": {"text": '{1} {city} {"a": 1} {no}', "tools": [{"name": "t", "input": {"c": ["{city}"], "n": 1}}]},
        }
    )
    answer = ask(provider, "in Oslo")
    assert text_of(answer) == 'Oslo Oslo {"a": 1} {no}'
    use = answer.output.message.content[1].tool_use
    assert msgspec.json.decode(use.input) == {"c": ["Oslo"], "n": 1}
    assert answer.stop_reason == "tool_use"


def test_a_stream_brings_words_or_chunks() -> None:
    """One piece each, and everything else that a stream has."""
    pieces, events, fault = stream(scripted({"reply": "one two  three"}))
    assert pieces == ["one ", "two  ", "three"]
    assert fault is None
    assert isinstance(events[-1], StreamMetadata)
    assert stream(scripted({"reply": {"chunks": ["on", "e"]}}))[0] == ["on", "e"]


@pytest.mark.parametrize("after", [0, 1, 2, 9])
@pytest.mark.parametrize("how", [{"cut": True}, {"error": "ThrottlingException"}, {"hang": True}])
def test_a_stream_breaks_where_it_is_told(how: dict[str, Any], after: int) -> None:
    """After so many chunks, without an end; before the first it is the error itself."""
    provider = scripted({"reply": {"chunks": ["a", "b", "c"], "after": after, **how}})
    pieces, events, fault = stream(provider, timeout_s=0.05)
    assert pieces == ["a", "b", "c"][:after]
    assert fault is not None
    assert not any(isinstance(event, StreamMetadata) for event in events)
    names = {"cut": "ModelStreamErrorException", "error": "ThrottlingException", "hang": "ModelStreamErrorException"}
    first = {"cut": "ModelErrorException", "error": "ThrottlingException", "hang": "ModelTimeoutException"}
    assert fault.name == (names if after else first)[next(iter(how))]


def test_an_error_has_what_it_is_given() -> None:
    """Status, fields and the time to wait."""
    error = {"name": "ModelErrorException", "message": "no", "status": 499, "retry_after_s": 2, "fields": {"a": 1}}
    with pytest.raises(Fault) as caught:
        ask(scripted({"reply": {"error": error}}))
    fault = caught.value
    assert (fault.name, fault.message, fault.status, fault.retry_after_s, fault.fields) == (
        "ModelErrorException", "no", 499, 2, {"a": 1},
    )  # fmt: skip


def test_reasoning_usage_and_stop_reason_are_told() -> None:
    """As the rule has them."""
    rule = {
        "reply": {"text": "x", "reasoning": "hm", "stop_reason": "max_tokens", "input_tokens": 7, "output_tokens": 8}
    }
    answer = ask(scripted(rule))
    assert answer.stop_reason == "max_tokens"
    assert answer.usage.total_tokens == 15
    assert answer.output.message.content[0].reasoning_content.reasoning_text.text == "hm"


def test_what_nothing_fits_may_pass_or_have_a_default() -> None:
    """The model behind answers only when the script lets it."""
    behind = Model(reply({"text": "model"}))
    assert text_of(ask(scripted(behind=behind, unmatched="pass"))) == "model"
    assert text_of(ask(scripted(behind=behind, unmatched="pass", default="mine"))) == "mine"
    with pytest.raises(Fault):
        ask(scripted(behind=behind))
    assert behind.asked == 1


def test_calls_are_listed_with_who_answered() -> None:
    """Also those that nothing fitted."""
    provider = scripted({"name": "greet", "user": "Hello", "reply": "yes"})
    ask(provider)
    stream(provider)
    with pytest.raises(Fault):
        ask(provider, "Bye")
    calls = list(provider.script.calls)
    assert [(call.number, call.rule, call.stream) for call in calls] == [
        (1, "greet", False),
        (2, "greet", True),
        (3, "", False),
    ]
    assert msgspec.json.decode(calls[2].request)["messages"][0]["content"] == [{"text": "Bye"}]
    provider.script.reset()
    assert not provider.script.calls
    assert text_of(ask(provider)) == "yes"


def test_native_bodies_are_answered_in_their_schema() -> None:
    """Whole and as chunks."""
    provider = scripted({"user": "hi", "reply": "one two"})
    body = b'{"messages":[{"role":"user","content":"hi"}]}'

    async def main() -> tuple[Any, list[Any]]:
        whole = msgspec.json.decode(await provider.invoke(body, attempt()))
        chunks = [msgspec.json.decode(c) async for lot in provider.invoke_stream(body, attempt()) for c in lot]
        return whole, chunks

    whole, chunks = asyncio.run(main())
    assert whole["choices"][0]["message"]["content"] == "one two"
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]) == "one two"


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"rule": [{"reply": "x", "usr": "y"}]}, "usr"),
        ({"rule": [{"user": "y"}]}, "reply"),
        ({"rule": [{"reply": []}]}, "reply"),
        ({"rule": [{"reply": "x", "user": "("}]}, "user is no regular expression"),
        ({"rule": [{"reply": {"error": "no such!"}}]}, "error"),
        ([], "object"),
    ],
)
def test_a_mistake_in_the_rules_is_named(rules: Any, text: str) -> None:
    """By its key."""
    with pytest.raises(BadRules, match=text):
        to_rules(rules)

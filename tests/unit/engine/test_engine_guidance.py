"""Grammars: which answers they let through, tried token by token on a real vocabulary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from craton.engine.backend import GrammarRefused
from craton.engine.guidance import CallMarkers, Grammar, ToolShape, any_json, json_schema, tool_calls
from craton.engine.tokenizer import Tokenizer
from tests.unit.engine.fake_rows import TINY

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [ToolShape("get_weather", CITY), ToolShape("add", {"type": "object", "properties": {"n": {"type": "integer"}}})]
SPECIAL = CallMarkers("<tool_call>", "</tool_call>", 5, 6)
LOOSE = CallMarkers("<tool_call>", "</tool_call>", 5, 6, compact=False)
SPELLED = CallMarkers("[CALL]", "[/CALL]")
ONE = '<tool_call>{"name":"get_weather","arguments":{"city":"Paris"}}</tool_call>'
TWO = '<tool_call>{"name":"add","arguments":{"n":2}}</tool_call>'


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(TINY / "tokenizer.json", [0], 320)


def accepts(tokenizer: Tokenizer, lark: str, text: str) -> bool:
    """Whether the grammar lets the text through token by token, and the sequence end after it."""
    grammar = Grammar(tokenizer.ll, lark)
    for token in tokenizer.encode(text):
        if not int(grammar.mask()[token >> 5]) >> (token & 31) & 1 or not grammar.advance(token):
            return False
    return grammar.finished or bool(int(grammar.mask()[0]) & 1)


AUTO = tool_calls(TOOLS, SPECIAL, forced=False, parallel=True)
SINGLE = tool_calls(TOOLS, SPECIAL, forced=False, parallel=False)
FORCED = tool_calls(TOOLS, SPECIAL, forced=True, parallel=False)
BARE = tool_calls(TOOLS[:1], None, forced=True, parallel=False)
TEXTUAL = tool_calls(TOOLS, SPELLED, forced=False, parallel=True)
HERMES = tool_calls(TOOLS, LOOSE, forced=True, parallel=False)
SCHEMA = json_schema(
    {"type": "object", "properties": {"a": {"enum": [1, 2]}}, "required": ["a"]}, compact=True, strict=True
)


@pytest.mark.parametrize(
    ("lark", "text", "let_through"),
    [
        (AUTO, "Just text, even with { braces } and <b>", True),
        (AUTO, ONE, True),
        (AUTO, "Let me see. " + ONE, True),
        (AUTO, ONE + TWO, True),
        (AUTO, ONE + "text", False),
        (AUTO, '<tool_call>{"name":"unknown","arguments":{}}</tool_call>', False),
        (AUTO, '<tool_call>{"name":"get_weather","arguments":{"town":"x"}}</tool_call>', False),
        (AUTO, '<tool_call>{"name":"get_weather","arguments":{}}</tool_call>', False),
        (AUTO, '<tool_call>{"name":"get_weather", "arguments":{"city":"Paris"}}</tool_call>', False),
        (AUTO, '<tool_call>{"name":"get_weather"', False),
        (AUTO, '<tool_call>{"name":"add","arguments":{"n":2,"m":3}}</tool_call>', False),
        (SINGLE, ONE, True),
        (SINGLE, ONE + TWO, False),
        (FORCED, ONE, True),
        (FORCED, "text", False),
        (BARE, '{"name":"get_weather","arguments":{"city":"Paris"}}', True),
        (BARE, ONE, False),
        (TEXTUAL, "text", True),
        (TEXTUAL, 'See: [CALL]{"name":"add","arguments":{"n":1}}[/CALL]', True),
        (TEXTUAL, '[CALL]{"name":"add","arguments":{"n":1}}[/CALL]', True),
        (TEXTUAL, '[CALL]{"name":"add","arguments":{"n":"x"}}[/CALL]', False),
        (HERMES, '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>', True),
        (HERMES, '<tool_call>{"name": "get_weather", "arguments": {"city":"Paris"}}</tool_call>', True),
        (any_json(compact=True), '{"a":[1,true,null]}', True),
        (any_json(compact=True), "[1]", False),
        (any_json(compact=True), '{"a": 1}', False),
        (any_json(compact=False), '{"a": 1}', True),
        (SCHEMA, '{"a":2}', True),
        (SCHEMA, '{"a":3}', False),
    ],
)
def test_a_grammar_lets_through_what_it_should(tokenizer: Tokenizer, lark: str, text: str, let_through: bool) -> None:
    """One table of grammars, texts and verdicts."""
    assert accepts(tokenizer, lark, text) is let_through


def test_marker_tokens_need_not_be_special(tmp_path: Path) -> None:
    """A vocabulary that adds its markers as ordinary tokens (as Qwen's does) is constrained all the same."""
    document = json.loads((TINY / "tokenizer.json").read_text())
    for each in document["added_tokens"]:
        each["special"] = each["id"] < 5
    (tmp_path / "tokenizer.json").write_text(json.dumps(document))
    plain = Tokenizer(tmp_path / "tokenizer.json", [0], 320)
    assert accepts(plain, AUTO, "Let me see. " + ONE)
    assert not accepts(plain, FORCED, "text")


def test_calls_cannot_be_offered_without_markers() -> None:
    """Free text and bare JSON cannot be told apart, so that only a forced call is possible."""
    with pytest.raises(GrammarRefused):
        tool_calls(TOOLS, None, forced=False, parallel=True)


def test_strict_schemas_refuse_what_cannot_be_enforced(tokenizer: Tokenizer) -> None:
    """An unknown keyword is an error for a strict schema and ignored for a lenient one."""
    schema = {"type": "string", "contentEncoding": "base64", "not": {"const": "x"}, "if": {}}
    with pytest.raises(GrammarRefused):
        Grammar(tokenizer.ll, json_schema(schema, compact=True, strict=True))
    Grammar(tokenizer.ll, json_schema(schema, compact=True, strict=False))


def test_names_of_tools_cannot_break_the_grammar(tokenizer: Tokenizer) -> None:
    """Quotes, slashes and line breaks in a name are only a name."""
    shape = ToolShape('we"ird\\na/me\n"', {"type": "object"})
    lark = tool_calls([shape], SPECIAL, forced=True, parallel=False)
    assert accepts(tokenizer, lark, '<tool_call>{"name":"we\\"ird\\\\na/me\\n\\"","arguments":{}}</tool_call>')


def test_a_fresh_matcher_begins_at_the_start(tokenizer: Tokenizer) -> None:
    """Matchers of one compiled grammar do not see each other's progress."""
    compiled = Grammar(tokenizer.ll, SCHEMA)
    first, second = compiled.fresh(), compiled.fresh()
    token = tokenizer.encode("{")[0]
    assert first.advance(token)
    assert second.advance(token)
    assert not first.advance(token)

"""The prompts written by hand: enough of each task, and a strict look at answers."""

from __future__ import annotations

import pytest

from recipes.chat import byhand
from recipes.chat.byhand import Prompt, ask
from recipes.chat.turns import call


def test_each_task_has_twenty() -> None:
    """Twenty prompts at least, all different."""
    for name, prompts in byhand.TASKS.items():
        assert len({str(prompt.chat) for prompt in prompts}) >= 20, name


@pytest.mark.parametrize(
    ("words", "said", "right"),
    [
        (("15",), "7 + 8 = 15.", True),
        (("15",), "7 + 8 = 150.", False),
        (("no",), "I don't know.", False),
        (("no",), "No.", True),
        (("Lima", "[2]"), "Lima [2]", True),
        (("Lima", "[2]"), "Lima", False),
        (("^Tokyo",), "Tokyo", True),
        (("^Tokyo",), "The capital is Tokyo.", False),
        (('{"city":"Rome"}',), '{"city": "Rome"}', True),
        (('{"city":"Rome"}',), '{"city": "Rome", "x": 1}', False),
    ],
)
def test_words_are_whole(words: tuple[str, ...], said: str, right: bool) -> None:
    """A number inside a number, or a word inside a word, is no match."""
    assert Prompt(ask("?"), words).right(said) is right


def test_a_call_is_right_with_tool_and_arguments() -> None:
    """Another tool or value is wrong, and so is plain text."""
    prompt = Prompt(ask("?"), calls=("f", {"a": 1}))
    assert prompt.right(call("f", {"a": 1}))
    assert not prompt.right(call("f", {"a": 2}))
    assert not prompt.right(call("g", {"a": 1}))
    assert not prompt.right('{"name":"f","arguments":{"a":1}}')

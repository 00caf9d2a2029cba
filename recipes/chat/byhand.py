"""The second held-out set: prompts written by hand, as people and SDK examples type them, twenty and more a task.

The data lies in `hand/`. A right answer holds the words that its row names, or is the JSON value or the call that it
names. The plainest prompts ("Hello") stand in the training templates too, since people do type them. This file owns
how rows become conversations and what counts as right. It must not know the generator.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from recipes.chat.hand import plain, structured, texts
from recipes.chat.turns import CALL_END, CALL_START, Chat, call


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation whose last answer is still to come. One of the three says what is right.

    `words`: all must stand in the answer as words of their own, in any case; "^" asks for the answer's beginning.
    With `exact_case` they are compared as they are. `value`: the JSON value. `calls`: name and arguments of the one call.
    """

    chat: Chat
    words: tuple[str, ...] = ()
    exact_case: bool = False
    value: object = None
    calls: tuple[str, Mapping[str, object]] | None = None

    def right(self, said: str) -> bool:
        if self.calls is not None:
            return said.startswith(CALL_START) and parsed(said.removeprefix(CALL_START).removesuffix(CALL_END)) == {
                "name": self.calls[0],
                "arguments": self.calls[1],
            }
        if self.value is not None:
            return bool(parsed(said) == self.value)
        return all(self.holds(said, word) for word in self.words)

    def holds(self, said: str, word: str) -> bool:
        if word.startswith("{"):
            return bool(parsed(said) == json.loads(word))
        bare = word.removeprefix("^")
        pattern = ("^" if word != bare else r"(?<!\w)") + re.escape(bare) + (r"(?!\w)" if bare[-1].isalnum() else "")
        return re.search(pattern, said, 0 if self.exact_case else re.IGNORECASE) is not None


def parsed(text: str) -> object:
    """The value of a JSON text, None where it is none."""
    try:
        found: object = json.loads(text)
    except ValueError:
        return None
    return found


def ask(question: str, system: str = "", tools: tuple[dict[str, object], ...] = ()) -> Chat:
    return Chat("by hand", [("user", question), ("assistant", "")], system, list(tools))


def rows(table: plain.Rows, *, exact_case: bool = False) -> tuple[Prompt, ...]:
    return tuple(Prompt(ask(question), tuple(words.split("|")), exact_case) for question, words in table)


def about(table: tuple[tuple[str, str, str], ...]) -> tuple[Prompt, ...]:
    return tuple(Prompt(ask(way.format(p=text)), tuple(words.split("|"))) for text, way, words in table)


def forms() -> tuple[Prompt, ...]:
    return tuple(
        Prompt(ask(question, system), tuple(words.split("|")), exact_case=words.isupper() or words.islower())
        for system, question, words in plain.FORMS
    )


def cited() -> tuple[Prompt, ...]:
    made = []
    for passages, questions in texts.SOURCES:
        told = "\n".join(f"[{at}] {text}" for at, text in enumerate(passages, 1))
        made += [
            Prompt(ask(f"{told}\n\n{question} Cite the source."), tuple(words.split("|")))
            for question, words in questions
        ]
    return tuple(made)


def results() -> tuple[Prompt, ...]:
    made = []
    for tool, arguments, question, result, words in structured.RESULTS:
        told = result if isinstance(result, str) else json.dumps(result)
        turns = [
            ("user", question),
            ("assistant", call(str(tool["name"]), arguments)),
            ("tool", told),
            ("assistant", ""),
        ]
        made.append(Prompt(Chat("by hand", turns, tools=[tool]), tuple(words.split("|"))))
    return tuple(made)


# The tasks, in its order.
TASKS: dict[str, tuple[Prompt, ...]] = {
    "greetings and who-are-you": rows(plain.TALK),
    "echo": rows(plain.ECHO),
    "upper case": rows(plain.UPPER, exact_case=True),
    "addition": rows(plain.PLUS),
    "subtraction": rows(plain.MINUS),
    "capitals": rows(plain.CAPITALS),
    "other small facts": rows(plain.FACTS),
    "sentiment": rows(plain.REVIEWS),
    "passage: yes or no": about(texts.CLAIMS),
    "passage: spans": about(texts.SPANS),
    "passage: cited from three": cited(),
    "JSON extraction": tuple(Prompt(ask(text), value=value) for text, value in structured.JSON),
    "tool call, one of three": tuple(
        Prompt(ask(question, "", tools), calls=(name, arguments))
        for tools, question, name, arguments in structured.CALLS
    ),
    "answer from a tool result": results(),
    "form fixed by the system prompt": forms(),
    "passage: not told": tuple(Prompt(ask(way.format(p=text)), (texts.DONT_KNOW,)) for text, way in texts.UNTOLD),
}

"""One conversation and its text form: the exact characters that the chat template must produce.

This file owns the markers and how tools and calls are written. It must not know tasks, tokens or tensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SYSTEM, USER, ASSISTANT, TOOL = "<|system|>", "<|user|>", "<|assistant|>", "<|tool|>"
END, CALL_START, CALL_END = "<|end|>", "<tool_call>", "</tool_call>"
SPECIALS = (END, SYSTEM, USER, ASSISTANT, TOOL, CALL_START, CALL_END)
MARKERS = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT, "tool": TOOL}
TOOLS_HEADING = "# Tools"


@dataclass(slots=True)
class Chat:
    """A conversation: `turns` are (role, text) pairs; `task` names what its last answer is scored as."""

    task: str
    turns: list[tuple[str, str]]
    system: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)

    @property
    def answer(self) -> str:
        """What the assistant must say last."""
        return self.turns[-1][1]


def ask(task: str, question: str, answer: str) -> Chat:
    return Chat(task, [("user", question), ("assistant", answer)])


def compact(value: object) -> str:
    """JSON as the grammar forces it when whitespace is not flexible: no blank after a comma or a colon."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def call(name: str, arguments: Mapping[str, object]) -> str:
    return CALL_START + compact({"name": name, "arguments": arguments}) + CALL_END


def system_text(system: str, tools: Sequence[Mapping[str, Any]]) -> str:
    """The text of the system turn: the instructions, then one JSON line for each tool; empty if there is neither."""
    lines = [TOOLS_HEADING, *(json.dumps(tool, ensure_ascii=False) for tool in tools)] if tools else []
    return "\n\n".join(part for part in (system, "\n".join(lines)) if part)


def segments(chat: Chat) -> list[tuple[str, bool]]:
    """The conversation as (text, is it learned?) pieces: what the assistant says, with its end, is learned."""
    opening = system_text(chat.system, chat.tools)
    pieces = [(SYSTEM + opening + END, False)] if opening else []
    for role, text in chat.turns:
        if role == "assistant":
            pieces += [(ASSISTANT, False), (text + END, True)]
        else:
            pieces.append((MARKERS[role] + text + END, False))
    return pieces


def prompt(chat: Chat) -> str:
    """Everything before the last answer, the assistant's marker included."""
    return "".join(text for text, _ in segments(chat)[:-1])

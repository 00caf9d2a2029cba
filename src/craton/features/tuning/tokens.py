"""From a record to the token ids that a model sees, and which of them it is to learn to say.

A conversation is rendered by the base's own chat template. What the assistant says, the marker that ends its turn
included, is found as the part by which a rendering grows with that turn; the rest is context and costs no loss.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from craton.features.tuning.records import Record, Turn


class Sample(msgspec.Struct):
    """`ids` as the model reads them; `learned[i]` says that `ids[i]` is to be predicted from those before it."""

    ids: NDArray[np.int32]
    learned: NDArray[np.bool_]


class NoTemplate(Exception):
    """The base has no chat template and the record is more than a prompt and a completion."""


class Renderer:
    """Makes samples by a tokenizer of transformers (a fast one, for its offsets)."""

    def __init__(self, tokenizer: Any, most: int) -> None:
        self._tokenizer = tokenizer
        self._most = most

    def sample(self, record: Record, last: str = "") -> tuple[Sample, bool]:
        """A record's sample and whether it had to be cut; `last` stands in for its last answer. Raises NoTemplate."""
        if record.text:
            text = record.text + (self._tokenizer.eos_token or "")
            return self._cut(text, [(0, len(text))])
        turns = record.turns
        if last:
            turns = [*turns[:-1], Turn("assistant", last, True)]
        if not self._tokenizer.chat_template:
            return self._plain(turns)
        messages = [_message(turn) for turn in turns]
        text = ""
        spans: list[tuple[int, int]] = []
        for at, turn in enumerate(turns):
            if turn.learned:
                before = self._rendered(messages[:at], record.tools, prompt=True)
                text = self._rendered(messages[: at + 1], record.tools)
                if not text.startswith(before):  # a template that rewrites what came before: learn from the last alone
                    spans.clear()
                    before = _common(before, text)
                spans.append((len(before), len(text)))
        return self._cut(text, spans)

    def prompt(self, record: Record) -> NDArray[np.int32]:
        """What is before the answer that a reinforcement asks for."""
        if not self._tokenizer.chat_template:
            text = "\n".join(turn.text for turn in record.turns) + "\n"
        else:
            text = self._rendered([_message(turn) for turn in record.turns], record.tools, prompt=True)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return np.asarray(ids, np.int32)

    def _rendered(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], *, prompt: bool = False) -> str:
        rendered: str = self._tokenizer.apply_chat_template(
            messages, tools=tools or None, add_generation_prompt=prompt, tokenize=False
        )
        return rendered

    def _plain(self, turns: list[Turn]) -> tuple[Sample, bool]:
        if [turn.role for turn in turns] != ["user", "assistant"]:
            raise NoTemplate("the base model has no chat template: only {prompt, completion} can be learned")
        prompt, answer = turns[0].text, turns[1].text + (self._tokenizer.eos_token or "")
        return self._cut(prompt + answer, [(len(prompt), len(prompt) + len(answer))])

    def _cut(self, text: str, spans: list[tuple[int, int]]) -> tuple[Sample, bool]:
        """Tokens of `text`, at most as many as a row holds; cut at the end."""
        found = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids = np.asarray(found["input_ids"][: self._most], np.int32)
        starts = np.asarray([start for start, _ in found["offset_mapping"][: self._most]], np.int64)
        learned = np.zeros(len(ids), np.bool_)
        for start, stop in spans:
            learned |= (starts >= start) & (starts < stop)
        if len(learned):
            learned[0] = False  # nothing stands before it
        return Sample(ids, learned), len(found["input_ids"]) > self._most


def _message(turn: Turn) -> dict[str, Any]:
    message: dict[str, Any] = {"role": turn.role, "content": turn.text}
    if turn.calls:
        message["tool_calls"] = [{"type": "function", "function": call} for call in turn.calls]
    return message


def _common(one: str, other: str) -> str:
    length = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]

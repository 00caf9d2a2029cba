"""How each schema that is one prompt says an `Ask`: its template, the names of its parameters, and nothing else.

As in `say_chat`, None stands for what the schema has no words for. Sources: reference invoke-bodies.md and the model
makers' pages of prompt formats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.matrix import asks
from tests.matrix.asks import Ask

Json = dict[str, Any]


@dataclass(frozen=True)
class Prompt:
    """One schema. `stop` "": it has no stop sequences; `group`: where its parameters stand; `system`, `top_k` "": it has none."""

    member: str
    template: str
    names: tuple[str, str, str]
    stop: str = ""
    system: str = ""
    group: str = ""
    image: str = ""
    mark: str = ""
    top_k: str = ""

    def say(self, ask: Ask) -> Json | None:
        lacking = ask.tools or ask.results or ask.schema or ask.note or ask.pdf
        if (
            lacking
            or (ask.system and not self.system)
            or (ask.stop and not self.stop)
            or (ask.image and not self.image)
            or (ask.knob and not self.top_k)
        ):
            return None
        before = self.system.format(asks.SYSTEM) if ask.system else ""
        said = (self.mark if ask.image else "") + asks.QUESTION
        settings: Json = {self.names[0]: asks.MAX_TOKENS if ask.limits else 400}
        if ask.limits:
            settings |= {self.names[1]: asks.TEMPERATURE, self.names[2]: asks.TOP_P}
        if ask.stop:
            settings[self.stop] = [asks.STOP]
        if ask.knob:
            settings[self.top_k] = asks.KNOBS["top_k"]
        body: Json = {self.member: self.template.format(before, said)}
        if ask.image:
            body[self.image] = [asks.IMAGE]
        if ask.nobodys:
            body[asks.NOBODYS] = asks.NOBODYS_VALUE
        return {**body, self.group: settings} if self.group else {**body, **settings}


_USUAL = ("max_tokens", "temperature", "top_p")
_HEADER = "<|start_header_id|>{}<|end_header_id|>\n\n"
_LLAMA = f"<|begin_of_text|>{{}}{_HEADER.format('user')}{{}}<|eot_id|>{_HEADER.format('assistant')}"

PROMPTS: dict[str, Prompt] = {
    "anthropic.text": Prompt(
        "prompt",
        "{}\n\nHuman: {}\n\nAssistant:",
        ("max_tokens_to_sample", *_USUAL[1:]),
        "stop_sequences",
        "{}",
        top_k="top_k",
    ),
    "ai21.j2": Prompt("prompt", "{}{}", ("maxTokens", "temperature", "topP"), "stopSequences"),
    "amazon.titan-text": Prompt(
        "inputText", "{}{}", ("maxTokenCount", "temperature", "topP"), "stopSequences", group="textGenerationConfig"
    ),
    "cohere.command": Prompt("prompt", "{}{}", ("max_tokens", "temperature", "p"), "stop_sequences", top_k="k"),
    "meta.llama": Prompt(
        "prompt",
        _LLAMA,
        ("max_gen_len", *_USUAL[1:]),
        system=_HEADER.format("system") + "{}<|eot_id|>",
        image="images",
        mark="<|image|>",
    ),
    "mistral.text": Prompt("prompt", "<s>[INST] {}{} [/INST]", _USUAL, "stop", top_k="top_k"),
    "deepseek.r1": Prompt(
        "prompt", "<｜begin▁of▁sentence｜>{}<｜User｜>{}<｜Assistant｜><think>\n", _USUAL, "stop", "{}"
    ),
}


def sayer(name: str) -> Callable[[Ask], Json | None]:
    return PROMPTS[name].say


def command(ask: Ask) -> Json | None:
    """Command wants to be told in the body that a stream is wanted."""
    body = PROMPTS["cohere.command"].say(ask)
    return {**body, "stream": True} if body is not None and ask.stream else body

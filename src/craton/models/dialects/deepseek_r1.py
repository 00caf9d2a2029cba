"""DeepSeek-R1, the schema of `deepseek.r1-*`: one prompt in the model's template, one text that thinks before it answers.

Owns: bodies, replies and chunks (all of one shape), the template, and the parting of thought and answer: the model
thinks in `<think>…</think>` at the head of its text, and a prompt that ends in `<think>` has opened that tag already.
A model that does not think closes the tag at once. Earlier thoughts are not shown to the model again, as its own chat
template has it. Sources: reference invoke-bodies.md; the model's card and chat template.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from craton.models.canon.content import ContentBlock
from craton.models.canon.reply import ConverseReply, assistant_reply, usage
from craton.models.canon.request import ConverseRequest, Fraction, InferenceConfig
from craton.models.dialects.deepseek_r1_stream import (
    CLOSING,
    OPENING,
    Output,
    Reader,
    Writer,
    answer,
    join_thought,
    part_thought,
)
from craton.models.dialects.dialect import Outgoing, Shown
from craton.models.dialects.extras import Schema, merge
from craton.models.dialects.malformed import decode_native, decode_reply
from craton.models.dialects.openai_chat.content import reasoning_block
from craton.models.dialects.prompt_template import Template, messages_of, read_prompt, system_blocks
from craton.models.dialects.text_pieces import counts, read_stop, write_stop
from craton.models.dialects.turns import Turn, config_or_none, plain_turns, reply_text, system_text, write_config

_USER, _ASSISTANT = "<｜User｜>", "<｜Assistant｜>"
_BEGIN, _END = "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"
# Written by hand, the marks often have plain bars and underscores in them.
TEMPLATE = Template(
    marker=re.compile(r"<[｜|](User|Assistant|System)[｜|]>"),
    speakers={"User": "user", "Assistant": "assistant", "System": "system"},
    closings=(_BEGIN, _END, "<|begin_of_sentence|>", "<|end_of_sentence|>"),
    closed=frozenset({"system", "user", "assistant"}),
    heads={"user": _USER, "assistant": _ASSISTANT},
    tails={"user": "", "assistant": _END},
    begin=_BEGIN,
    cue=f"{_ASSISTANT}{OPENING}\n",
    system=("", ""),
)


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """`guardrail` belongs to Bedrock, which reads it before the model does."""

    prompt: str
    max_tokens: Annotated[int, Meta(ge=1, le=32768)] | None = None
    temperature: Fraction | None = None
    top_p: Fraction | None = None
    stop: Annotated[list[str], Meta(max_length=10)] | None = None
    guardrail: Any = msgspec.field(default=None, name="amazon-bedrock-guardrailConfig")


class _Asked(msgspec.Struct):
    prompt: str = ""


_BODY = msgspec.json.Decoder(Body)
_OUTPUT = msgspec.json.Decoder(Output)
_ASKED = msgspec.json.Decoder(_Asked)
_encode = msgspec.json.Encoder().encode

_PARAMETERS = ("max_tokens", "temperature", "top_p", "stop")
FIELDS = Schema(
    known=frozenset(),
    names={name: (name,) for name in ("top_p", "temperature", "stop", "max_tokens")},
    translate={},
)


class DeepSeekR1:
    name = "deepseek.r1"
    streams = True

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        native = decode_native(_BODY, body)
        system, turns = read_prompt(native.prompt, TEMPLATE)
        config = InferenceConfig(native.max_tokens, native.temperature, native.top_p, native.stop)
        return ConverseRequest(
            messages=messages_of(_without_thoughts(turns)),
            system=system_blocks(system),
            inference_config=config_or_none(config),
        )

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        prompt = TEMPLATE.write(system_text(request.system, out.ledger), plain_turns(request, out.ledger))
        body: dict[str, Any] = {"prompt": prompt, **write_config(request.inference_config, _PARAMETERS)}
        merge(request.additional_model_request_fields, FIELDS, body, out.ledger)
        return _encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        native = decode_reply(_OUTPUT, body)
        first = native.choices[0]
        given, answered = counts(native.metrics)
        reason = read_stop(first.stop_reason)
        thought, text = part_thought(first.text, cut_off=reason == "max_tokens")
        blocks = [reasoning_block(thought)] if thought else []
        if text or not blocks:
            blocks.append(ContentBlock(text=text))
        return assistant_reply(blocks, reason, usage(given or 0, answered or 0))

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        thought = "".join(
            block.reasoning_content.reasoning_text.text
            for block in reply.output.message.content
            if block.reasoning_content is not None and block.reasoning_content.reasoning_text is not None
        )
        text = join_thought(thought, reply_text(reply), opened=_opened(shown))
        return _encode(answer(text, write_stop(reply.stop_reason)))

    def reader(self) -> Reader:
        return Reader()

    def writer(self, shown: Shown) -> Writer:
        return Writer(opened=_opened(shown))


def _opened(shown: Shown) -> bool:
    """Whether the prompt that is answered ends within a thought."""
    if not shown.body:
        return True  # a prompt of ours: `TEMPLATE` opens it
    asked = decode_native(_ASKED, shown.body).prompt
    return asked.rfind(OPENING) > max(asked.rfind(CLOSING), asked.rfind("Assistant"))


def _without_thoughts(turns: list[Turn]) -> list[Turn]:
    """The turns with the answers alone; a last one that only opens a thought is the cue, no turn."""
    kept = [Turn(role, text.rpartition(CLOSING)[2].lstrip() if role == "assistant" else text) for role, text in turns]
    return kept[:-1] if kept[-1] == Turn("assistant", OPENING) else kept

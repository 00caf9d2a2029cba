"""Palmyra's older form: one prompt in, one text out, as OpenAI's first completions had it.

Owns: bodies, replies and chunks of that form. Prompts are often written with `[INST]` marks, as LangChain does for
Palmyra; any other prompt is one user message. Must not know the chat form.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from craton.models.canon.content import ContentBlock
from craton.models.canon.reply import ConverseReply, StopReason, Usage, assistant_reply, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.dialects.dialect import InvocationMetrics, Shown
from craton.models.dialects.malformed import decode_chunk, decode_native
from craton.models.dialects.openai_chat.reply import write_usage
from craton.models.dialects.prompt_template import instruction_template, messages_of, read_prompt, system_blocks
from craton.models.dialects.text_pieces import Piece, PieceReader, PieceWriter, counts, read_stop, write_stop
from craton.models.dialects.turns import config_or_none, reply_text

_TEMPLATE = instruction_template("</s>", ("", "\n\n"))


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """`guardrail` belongs to Bedrock, which reads it before the model does."""

    prompt: str
    max_tokens: Annotated[int, Meta(ge=1, le=8192)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    seed: int | None = None
    min_tokens: Annotated[int, Meta(ge=0, le=8192)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    stream: bool | None = None
    guardrail: Any = msgspec.field(default=None, name="amazon-bedrock-guardrailConfig")


class _Choice(msgspec.Struct):
    text: str | None = None
    finish_reason: str | None = None


class _Counted(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Answer(msgspec.Struct, rename={"metrics": "amazon-bedrock-invocationMetrics"}):
    choices: list[_Choice] = []
    usage: _Counted | None = None
    metrics: InvocationMetrics | None = None


_BODY = msgspec.json.Decoder(Body)
_ANSWER = msgspec.json.Decoder(_Answer)
_encode = msgspec.json.Encoder().encode

_EXTRAS = ("seed", "min_tokens", "presence_penalty", "frequency_penalty")


def read_request(body: bytes) -> ConverseRequest:
    native = decode_native(_BODY, body)
    system, turns = read_prompt(native.prompt, _TEMPLATE)
    extras = {name: value for name in _EXTRAS if (value := getattr(native, name)) is not None}
    temperature = native.temperature
    if temperature is not None and temperature > 1:  # where Converse ends
        extras["temperature"], temperature = temperature, None
    stop = [native.stop] if isinstance(native.stop, str) else native.stop
    return ConverseRequest(
        messages=messages_of(turns),
        system=system_blocks(system),
        inference_config=config_or_none(InferenceConfig(native.max_tokens, temperature, native.top_p, stop)),
        additional_model_request_fields=extras or None,
    )


def read_reply(body: bytes) -> ConverseReply | None:
    """None for a reply that is not of this form."""
    try:
        native = _ANSWER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not native.choices or native.choices[0].text is None:
        return None
    first = native.choices[0]
    used = usage(native.usage.prompt_tokens, native.usage.completion_tokens) if native.usage else usage(0, 0)
    return assistant_reply([ContentBlock(text=first.text)], read_stop(first.finish_reason), used)


def write_reply(reply: ConverseReply, shown: Shown, *, created: int) -> bytes:
    choice = {"index": 0, "text": reply_text(reply), "finish_reason": write_stop(reply.stop_reason)}
    return _encode({**_frame(shown, created), "choices": [choice], "usage": write_usage(reply.usage)})


def reader_of(chunk: bytes) -> PieceReader | None:
    """A reader if a stream's first chunk is of this form."""
    try:
        native = _ANSWER.decode(chunk)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return PieceReader(_take) if native.choices and native.choices[0].text is not None else None


def writer(shown: Shown, *, created: int) -> PieceWriter:
    frame = _frame(shown, created)

    def last(reason: StopReason, used: Usage) -> dict[str, Any]:
        choice = {"index": 0, "text": "", "finish_reason": write_stop(reason)}
        return {**frame, "choices": [choice], "usage": write_usage(used)}

    before = _encode(frame)[:-1] + b',"choices":[{"index":0,"text":'
    return PieceWriter(before, b',"finish_reason":null}]}', last)


def _frame(shown: Shown, created: int) -> dict[str, Any]:
    return {"id": f"cmpl-{shown.request_id}", "object": "text_completion", "created": created, "model": shown.model}


def _take(data: bytes) -> Piece:
    chunk = decode_chunk(_ANSWER, data)
    if not chunk.choices:
        return Piece("")
    first = chunk.choices[0]
    if first.finish_reason is None:
        return Piece(first.text or "")
    used = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens) if chunk.usage else counts(chunk.metrics)
    return Piece(first.text or "", read_stop(first.finish_reason), *used)

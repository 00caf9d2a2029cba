r"""Anthropic's text completions, the schema of `anthropic.claude-v2` and its forerunners.

Owns: bodies, replies and chunks, and the prompt's turns ("\n\nHuman: …\n\nAssistant:"). What stands before the first
Human turn is the system prompt; what follows the last "Assistant:" is a prefill. Source: reference invoke-bodies.md;
the texts for a wrong prompt are Bedrock's, as quoted in public issues of 2023 and 2024.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import Fault, model_stream_error, validation
from craton.models.canon.content import ContentBlock, Role
from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import ConverseReply, StopReason, assistant_reply, usage
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects.dialect import InvocationMetrics, Outgoing, Shown
from craton.models.dialects.extras import Schema, merge
from craton.models.dialects.malformed import decode_chunk, decode_native, decode_reply
from craton.models.dialects.text_stream import Ending, TextEvents, text_of, with_metrics
from craton.models.dialects.turns import (
    Turn,
    config_or_none,
    plain_turns,
    reply_text,
    system_text,
    text_message,
    write_config,
)

_HUMAN = "\n\nHuman:"
_ASSISTANT = "\n\nAssistant:"
_MARKERS: dict[Role, str] = {"user": _HUMAN, "assistant": _ASSISTANT}
_ROLES: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}
_SPLIT = re.compile(r"\n\n(Human|Assistant):").split

_NO_START = f'prompt must start with "{_HUMAN}" turn after an optional system prompt'
_NO_END = f'prompt must end with "{_ASSISTANT}" turn'

Fraction = Annotated[float, Meta(ge=0, le=1)]


class Body(
    msgspec.Struct,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename={"guardrail": "amazon-bedrock-guardrailConfig"},
):
    """`guardrail` belongs to Bedrock, which reads it before the model does."""

    prompt: str
    max_tokens_to_sample: Annotated[int, Meta(ge=0, le=4096)]
    temperature: Fraction | None = None
    top_p: Fraction | None = None
    top_k: Annotated[int, Meta(ge=0, le=500)] | None = None
    stop_sequences: list[str] | None = None
    anthropic_version: str | None = None
    guardrail: Any = None


class Reply(msgspec.Struct, rename={"metrics": "amazon-bedrock-invocationMetrics"}):
    """A reply, and a chunk of a stream: `stop_reason` is null until the last."""

    completion: str = ""
    stop_reason: str | None = None
    stop: str | None = None
    type: str = "completion"
    metrics: InvocationMetrics | None = None


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode

_PARAMETERS = ("max_tokens_to_sample", "temperature", "top_p", "stop_sequences")
FIELDS = Schema(
    known=frozenset({"top_k"}),
    names={
        "top_k": ("top_k",),
        "top_p": ("top_p",),
        "temperature": ("temperature",),
        "stop": ("stop_sequences",),
        "max_tokens": ("max_tokens_to_sample",),
    },
    translate={},
)


class AnthropicText:
    name = "anthropic.text"
    streams = True

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        native = decode_native(_BODY, body)
        system, turns = _read_prompt(native.prompt)
        extras: dict[str, Any] = {} if native.top_k is None else {"top_k": native.top_k}
        if native.max_tokens_to_sample == 0:  # Converse begins at 1
            extras["max_tokens_to_sample"] = 0
        return ConverseRequest(
            messages=[text_message(role, text) for role, text in turns],
            system=[SystemBlock(text=system)] if system else None,
            inference_config=config_or_none(
                InferenceConfig(
                    native.max_tokens_to_sample or None, native.temperature, native.top_p, native.stop_sequences
                )
            ),
            additional_model_request_fields=extras or None,
        )

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        prompt = _write_prompt(system_text(request.system, out.ledger), plain_turns(request, out.ledger))
        body: dict[str, Any] = {"prompt": prompt, **write_config(request.inference_config, _PARAMETERS)}
        merge(request.additional_model_request_fields, FIELDS, body, out.ledger)
        body.setdefault("max_tokens_to_sample", out.max_tokens)
        return _encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        native = decode_reply(_REPLY, body)
        reason, stop = _stop(native)
        text = native.completion.removeprefix(" ")
        return assistant_reply([ContentBlock(text=text)], reason, usage(0, 0), stop)

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        reason, stop = _native_stop(reply.stop_reason, reply.stop_sequence)
        return _encode(
            {"type": "completion", "completion": " " + reply_text(reply), "stop_reason": reason, "stop": stop}
        )

    def reader(self) -> Reader:
        return Reader()

    def writer(self, shown: Shown) -> Writer:
        return Writer()


class Reader:
    """Chunks → events. Claude begins its answer with a blank, which is the prompt's, not the text's."""

    __slots__ = ("_events", "_first")

    def __init__(self) -> None:
        self._events = TextEvents()
        self._first = True

    def feed(self, data: bytes, event: str = "") -> list[StreamEvent]:
        if self._events.ended:
            return []
        chunk = decode_chunk(_REPLY, data)
        if chunk.type != "completion":
            if chunk.type == "ping":
                return []
            raise model_stream_error()
        text = chunk.completion
        if self._first and text:
            self._first = False
            text = text.removeprefix(" ")
        if chunk.stop_reason is None:
            return self._events.text(text)
        metrics = chunk.metrics
        used = usage(metrics.inputTokenCount, metrics.outputTokenCount) if metrics else usage(0, 0)
        reason, stop = _stop(chunk)
        return [*self._events.text(text), *self._events.end(reason, used, stop)]

    def close(self) -> list[StreamEvent]:
        return self._events.close()


class Writer:
    """Events → chunks; the last one tells why the answer ended."""

    __slots__ = ("_ending", "_lead")

    def __init__(self) -> None:
        self._ending = Ending()
        self._lead = " "

    def write(self, event: StreamEvent) -> list[bytes]:
        text = text_of(event)
        if text is None:
            self._ending.note(event)
            return []
        if self._lead:
            text, self._lead = self._lead + text, ""
        return [b'{"type":"completion","completion":%b,"stop_reason":null,"stop":null}' % _encode(text)]

    def finish(self, metrics: InvocationMetrics) -> list[bytes]:
        reason, stop = _native_stop(self._ending.stop_reason, self._ending.stop_sequence)
        last = _encode({"type": "completion", "completion": "", "stop_reason": reason, "stop": stop})
        return [with_metrics(last, metrics)]


def _read_prompt(prompt: str) -> tuple[str, list[Turn]]:
    """System prompt and turns. Raises ValidationException unless Human begins and Assistant ends."""
    head, *pieces = _SPLIT(prompt)
    roles = [_ROLES[name] for name in pieces[::2]]
    wrong = [text for text, bad in (
        (_NO_START, not roles or roles[0] != "user"),
        (_NO_END, not roles or roles[-1] != "assistant"),
    ) if bad]  # fmt: skip
    if wrong:
        raise _invalid(", ".join(wrong))
    said = [Turn(role, text.removeprefix(" ")) for role, text in zip(roles, pieces[1::2], strict=True)]
    if not said[-1].text.strip():
        said.pop()
    # Turns of one speaker in a row are one turn, as Converse alternates.
    turns = [
        Turn(role, "\n\n".join(turn.text for turn in group))
        for role, group in groupby(said, key=lambda turn: turn.role)
    ]
    return head if head.strip() else "", turns


def _write_prompt(system: str, turns: list[Turn]) -> str:
    said = "".join(f"{_MARKERS[role]} {text}" for role, text in turns if role in _MARKERS)
    return f"{system}{said}" if turns and turns[-1].role == "assistant" else f"{system}{said}{_ASSISTANT}"


def _invalid(what: str) -> Fault:
    return validation(f"Invalid prompt: {what}")


def _stop(native: Reply) -> tuple[StopReason, str | None]:
    if native.stop_reason == "max_tokens":
        return "max_tokens", None
    if native.stop is None or native.stop == _HUMAN:
        return "end_turn", None
    return "stop_sequence", native.stop


def _native_stop(reason: StopReason, stop_sequence: str | None) -> tuple[str, str | None]:
    """A turn that ended by itself stopped, natively, before the next "Human:"."""
    if reason == "max_tokens":
        return "max_tokens", None
    return "stop_sequence", stop_sequence if reason == "stop_sequence" else _HUMAN

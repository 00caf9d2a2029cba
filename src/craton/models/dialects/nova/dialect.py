"""Amazon Nova (`amazon.nova-*`): Converse's own shapes with a schema version around them.

Blocks and tools are the canon's; what differs is the grouping of inference parameters (`topK` and `reasoningConfig`
have a place there), the names in `usage`, and what the schema lacks. Streams are `nova_stream`'s. Source: reference
invoke-bodies.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

from craton.aws.wire.faults import model_error
from craton.models.canon.content import Message
from craton.models.canon.reply import ConverseReply, Output, StopReason, assistant_reply
from craton.models.canon.request import ConverseRequest, Fraction, InferenceConfig, SystemBlock, ToolConfig
from craton.models.dialects import extras
from craton.models.dialects.dialect import Ledger, Outgoing, Shown
from craton.models.dialects.malformed import decode_native
from craton.models.dialects.nova.content import write_messages, write_system, write_tools
from craton.models.dialects.nova.stream import Reader, Usage, Writer, read_usage, write_usage

SCHEMA_VERSION = "messages-v1"
UNREADABLE = "The model's answer could not be read."


class _Inference(msgspec.Struct, rename="camel"):
    """`max_new_tokens` is the name of the first versions."""

    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_new_tokens: Annotated[int, Meta(ge=1)] | None = msgspec.field(default=None, name="max_new_tokens")
    temperature: Fraction | None = None
    top_p: Fraction | None = None
    stop_sequences: list[str] | None = None


class _Body(msgspec.Struct, rename="camel"):
    messages: list[Message]
    schema_version: Literal["messages-v1"] | None = None
    system: list[SystemBlock] | None = None
    inference_config: _Inference | None = None
    tool_config: ToolConfig | None = None


class _Reply(msgspec.Struct, rename="camel"):
    output: Output
    stop_reason: StopReason
    usage: Usage


_BODY = msgspec.json.Decoder(_Body)
_REPLY = msgspec.json.Decoder(_Reply)
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_ANY_MEMBERS = msgspec.json.Decoder(dict[str, Any])

_CANONICAL = frozenset(_Body.__struct_encode_fields__)
_INFERENCE = frozenset(_Inference.__struct_encode_fields__)

_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
# Anthropic's thinking budgets, in tokens, and the effort that each stands for; above the last it is "high".
_BUDGETS = ((2048, "low"), (8192, "medium"))


class Nova:
    """The dialect `amazon.nova`."""

    name = "amazon.nova"
    streams = True

    __slots__ = ()

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        read = decode_native(_BODY, body)
        members = _MEMBERS.decode(body)
        extra = {
            name: msgspec.json.decode(raw)
            for name, raw in members.items()
            if name not in _CANONICAL and not name.startswith("amazon-bedrock-")
        }
        config = None
        if read.inference_config is not None:
            config = _read_inference(read.inference_config)
            given = _ANY_MEMBERS.decode(members["inferenceConfig"])
            beyond = {name: value for name, value in given.items() if name not in _INFERENCE}
            if beyond:
                extra["inferenceConfig"] = beyond
        return ConverseRequest(
            messages=read.messages,
            system=read.system or None,
            inference_config=config,
            tool_config=read.tool_config,
            additional_model_request_fields=extra or None,
        )

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        ledger = out.ledger
        body: extras.Body = {
            "schemaVersion": SCHEMA_VERSION,
            "messages": write_messages(request.messages or [], ledger),
        }
        if request.system:
            body["system"] = write_system(request.system)
        if request.inference_config is not None:
            body["inferenceConfig"] = msgspec.to_builtins(request.inference_config)
        tools = write_tools(request.tool_config, ledger)
        if tools is not None:
            body["toolConfig"] = tools
        _write_output(request, body, ledger)
        extras.merge(request.additional_model_request_fields, FIELDS, body, ledger)
        return msgspec.json.encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        try:
            read = _REPLY.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise model_error(UNREADABLE) from None
        return assistant_reply(read.output.message.content, read.stop_reason, read_usage(read.usage))

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        written = {"output": reply.output, "stopReason": reply.stop_reason, "usage": write_usage(reply.usage)}
        return msgspec.json.encode(written)

    def reader(self) -> Reader:
        return Reader()

    def writer(self, shown: Shown) -> Writer:
        return Writer()


def _read_inference(read: _Inference) -> InferenceConfig | None:
    limit = read.max_tokens or read.max_new_tokens
    config = InferenceConfig(limit, read.temperature, read.top_p, read.stop_sequences)
    return config if config != InferenceConfig() else None


def _write_output(request: ConverseRequest, body: extras.Body, ledger: Ledger) -> None:
    """An effort becomes Nova's; a schema for the answer has no place."""
    output = request.output_config
    if output is None:
        return
    if output.text_format is not None:
        ledger.drop("outputConfig.textFormat")
    if output.effort is not None and not _set_effort(_EFFORTS.get(output.effort), body, ledger, "outputConfig.effort"):
        ledger.drop("outputConfig.effort")


def _set_effort(effort: str | None, body: extras.Body, ledger: Ledger, path: str) -> bool:
    if effort is None:
        return False
    body.setdefault("reasoningConfig", {"type": "enabled", "maxReasoningEffort": effort})
    ledger.emulate(path)
    return True


def _reasoning_effort(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """OpenAI's; `none` is what happens without it."""
    effort = _EFFORTS.get(value) if isinstance(value, str) else None
    return value == "none" or _set_effort(effort, body, ledger, f"{extras.ROOT}.reasoning_effort")


def _thinking(value: Any, body: extras.Body, ledger: Ledger) -> bool:
    """Anthropic's. Without a budget nothing is said, as without thinking."""
    if not isinstance(value, dict):
        return False
    budget = value.get("budget_tokens")
    if value.get("type") != "enabled" or not isinstance(budget, int):
        return True
    effort = next((name for limit, name in _BUDGETS if budget <= limit), "high")
    return _set_effort(effort, body, ledger, f"{extras.ROOT}.thinking")


_NAMES = {
    "top_k": ("inferenceConfig", "topK"),
    "top_p": ("inferenceConfig", "topP"),
    "temperature": ("inferenceConfig", "temperature"),
    "stop": ("inferenceConfig", "stopSequences"),
    "max_tokens": ("inferenceConfig", "maxTokens"),
}
FIELDS = extras.Schema(
    known=frozenset({"inferenceConfig", "reasoningConfig", "toolConfig"}),
    names=_NAMES,
    translate={"reasoning_effort": _reasoning_effort, "thinking": _thinking},
    open=True,
)

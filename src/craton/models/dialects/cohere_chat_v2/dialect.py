"""Cohere's second chat API (`POST /v2/chat`), the schema of its own service; on Bedrock its models speak the first.

Owns: bodies and whole replies. Turns are `cohere_chat_v2_turns`', streams `cohere_chat_v2_stream`'s. Source, from
memory: Cohere's API reference, "Chat" (v2).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw

from craton.aws.wire.faults import model_error
from craton.models.canon import request as canon
from craton.models.canon.content import ContentBlock, ToolUseBlock
from craton.models.canon.reply import ConverseReply, assistant_reply
from craton.models.canon.request import ConverseRequest, Fraction, InferenceConfig
from craton.models.dialects.cohere_chat_v2 import turns
from craton.models.dialects.cohere_chat_v2.stream import (
    FAILED,
    FINISH_REASONS,
    STOP_REASONS,
    NativeUsage,
    Reader,
    Writer,
    native_usage,
    read_usage,
)
from craton.models.dialects.dialect import Ledger, Outgoing, Shown
from craton.models.dialects.extras import ROOT, Body, Schema, merge
from craton.models.dialects.malformed import decode_native, decode_reply
from craton.models.dialects.tool_calls import answered, output_schema, tool_use_id
from craton.models.dialects.turns import config_or_none, reply_text, system_text, write_config


class Declared(msgspec.Struct):
    name: str
    parameters: Raw = Raw(b'{"type":"object","properties":{}}')
    description: str | None = None


class Offered(msgspec.Struct):
    function: Declared
    type: Literal["function"] = "function"


class Format(msgspec.Struct):
    """`schema` is the earlier name of `json_schema`."""

    type: str
    json_schema: Raw = Raw()
    schema: Raw = Raw()


class Native(msgspec.Struct):
    """What the canon has members for. Anything else travels as an extra field."""

    messages: Annotated[list[turns.AnyMessage], Meta(min_length=1)]
    model: str | None = None
    stream: bool | None = None
    documents: list[str | turns.Named] | None = None
    tools: list[Offered] | None = None
    strict_tools: bool | None = None
    tool_choice: Literal["REQUIRED", "NONE"] | None = None
    response_format: Format | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Fraction | None = None
    p: Annotated[float, Meta(ge=0.01, le=0.99)] | None = None
    stop_sequences: list[str] | None = None


class Message(msgspec.Struct):
    content: list[turns.Text | turns.Thinking] | None = None
    tool_plan: str | None = None
    tool_calls: list[turns.Call] | None = None
    citations: list[Any] | None = None


class Reply(msgspec.Struct):
    message: Message
    finish_reason: str | None = None
    usage: NativeUsage | None = None


_BODY = msgspec.json.Decoder(Native)
_REPLY = msgspec.json.Decoder(Reply)
_MEMBERS: msgspec.json.Decoder[dict[str, Raw]] = msgspec.json.Decoder(dict[str, Raw])
_CANONICAL = frozenset(Native.__struct_encode_fields__)
_encode = msgspec.json.Encoder().encode

_PARAMETERS = ("max_tokens", "temperature", "p", "stop_sequences")
_LEAST_P, _MOST_P = 0.01, 0.99


def _thinking(value: Any, body: Body, ledger: Ledger) -> bool:
    """Anthropic's form; Cohere's own (`token_budget`) is laid over as it is."""
    if not isinstance(value, dict) or "token_budget" in value:
        return False
    if value.get("type") == "disabled":
        body["thinking"] = {"type": "disabled"}
        return True
    written: Body = {"type": "enabled"}
    if isinstance(value.get("budget_tokens"), int):
        written["token_budget"] = value["budget_tokens"]
        ledger.emulate(f"{ROOT}.thinking")
    body["thinking"] = written
    return True


_NUMBERS = ("seed", "frequency_penalty", "presence_penalty")
FIELDS = Schema(
    known=frozenset(
        {
            *_NUMBERS, "k", "safety_mode", "citation_options", "logprobs", "thinking", "priority", "tool_choice",
            "response_format",
        }
    ),
    names={
        "top_k": ("k",),
        "top_p": ("p",),
        "stop": ("stop_sequences",),
        **{name: (name,) for name in ("temperature", "max_tokens", *_NUMBERS)},
    },
    translate={"thinking": _thinking},
)  # fmt: skip


class CohereChatV2:
    """The dialect `cohere.chat-v2`."""

    name = "cohere.chat-v2"
    streams = True

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        native = decode_native(_BODY, body)
        extra = {
            name: msgspec.json.decode(raw)
            for name, raw in _MEMBERS.decode(body).items()
            if name not in _CANONICAL and not name.startswith("amazon-bedrock-")
        }
        system, messages = turns.read_messages(native.messages, native.documents or [])
        config = InferenceConfig(native.max_tokens, native.temperature, native.p, native.stop_sequences)
        return ConverseRequest(
            messages=messages,
            system=system or None,
            inference_config=config_or_none(config),
            tool_config=_read_tools(native, extra),
            output_config=_read_format(native.response_format, extra),
            additional_model_request_fields=extra or None,
        )

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        ledger = out.ledger
        writing = turns.Writing(ledger)
        messages: list[Body] = []
        system = system_text(request.system, ledger)
        if system:
            messages.append({"role": "system", "content": system})
        for place, message in enumerate(request.messages or ()):
            messages += writing.turn(message, f"messages.{place}.content")
        body: Body = {"model": out.model, "stream": out.stream, "messages": messages}
        if writing.documents:
            body["documents"] = writing.documents
        body |= write_config(_bounded(request.inference_config, ledger), _PARAMETERS)
        if request.tool_config is not None:
            _write_tools(request.tool_config, body, ledger)
        _write_output(request.output_config, body, ledger)
        merge(request.additional_model_request_fields, FIELDS, body, ledger)
        return _encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        native = decode_reply(_REPLY, body)
        reason = (native.finish_reason or "COMPLETE").upper()
        if reason in FAILED:
            raise model_error()
        message = native.message
        blocks = turns.read_said(message.content, message.tool_plan)
        for call in message.tool_calls or ():
            given = answered(call.function.arguments, cut=reason == "MAX_TOKENS")
            blocks.append(ContentBlock(tool_use=ToolUseBlock(tool_use_id(call.id), call.function.name, given)))
        blocks = blocks or [ContentBlock(text="")]
        reply = assistant_reply(blocks, STOP_REASONS.get(reason, "end_turn"), read_usage(native.usage))
        if message.citations:
            reply.additional_model_response_fields = {"citations": message.citations}
        return reply

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        content: list[Body] = []
        calls: list[Body] = []
        for block in reply.output.message.content:
            if block.tool_use is not None:
                use = block.tool_use
                function = {"name": use.name, "arguments": bytes(use.input).decode()}
                calls.append({"id": use.tool_use_id, "type": "function", "function": function})
            elif block.reasoning_content is not None and block.reasoning_content.reasoning_text is not None:
                content.append({"type": "thinking", "thinking": block.reasoning_content.reasoning_text.text})
        text = reply_text(reply)
        message: Body = {"role": "assistant"}
        if calls:
            message |= {"tool_plan": text, "tool_calls": calls} if text else {"tool_calls": calls}
        elif text:
            content.append({"type": "text", "text": text})
        if content or not calls:
            message["content"] = content
        fields = reply.additional_model_response_fields
        if isinstance(fields, dict) and fields.get("citations"):
            message["citations"] = fields["citations"]
        return _encode(
            {
                "id": shown.request_id,
                "finish_reason": FINISH_REASONS.get(reply.stop_reason, "COMPLETE"),
                "message": message,
                "usage": native_usage(reply.usage),
            }
        )

    def reader(self) -> Reader:
        return Reader()

    def writer(self, shown: Shown) -> Writer:
        return Writer(shown.request_id)


def _read_tools(native: Native, extra: Body) -> canon.ToolConfig | None:
    if not native.tools:
        return None
    strict = native.strict_tools
    tools = [
        canon.Tool(
            tool_spec=canon.ToolSpec(
                tool.function.name,
                canon.InputSchema(tool.function.parameters),
                tool.function.description or None,
                strict,
            )
        )
        for tool in native.tools
    ]
    if native.tool_choice == "NONE":
        extra["tool_choice"] = "NONE"
    return canon.ToolConfig(tools, canon.ToolChoice(any=canon.Chosen()) if native.tool_choice == "REQUIRED" else None)


def _read_format(wanted: Format | None, extra: Body) -> canon.OutputConfig | None:
    if wanted is None or wanted.type == "text":
        return None
    schema = bytes(wanted.json_schema) or bytes(wanted.schema)
    if not schema or schema == b"null":
        extra["response_format"] = {"type": wanted.type}
        return None
    structure = canon.FormatStructure(canon.JsonSchema(schema.decode()))
    return canon.OutputConfig(canon.TextFormat("json_schema", structure))


def _write_tools(config: canon.ToolConfig, body: Body, ledger: Ledger) -> None:
    """Cohere can demand a call, but not of one tool: then that tool is the only one that is offered."""
    choice = config.tool_choice
    chosen = choice.tool.name if choice is not None and choice.tool is not None else None
    tools: list[Body] = []
    strict: set[bool | None] = set()
    for place, tool in enumerate(config.tools):
        spec = tool.tool_spec
        if spec is None:
            ledger.drop(f"toolConfig.tools.{place}.{tool.kind}")
            continue
        if chosen is not None and spec.name != chosen:
            continue
        strict.add(spec.strict)
        function: Body = {"name": spec.name, "parameters": spec.input_schema.json}
        if spec.description is not None:
            function["description"] = spec.description
        tools.append({"type": "function", "function": function})
    if not tools:
        return
    body["tools"] = tools
    if strict != {None}:
        body["strict_tools"] = True in strict
        if len(strict) > 1:
            ledger.emulate("toolConfig.tools.strict")
    if chosen is not None:
        ledger.emulate("toolConfig.toolChoice.tool")
    if choice is not None and choice.auto is None:
        body["tool_choice"] = "REQUIRED"


def _write_output(wanted: canon.OutputConfig | None, body: Body, ledger: Ledger) -> None:
    if wanted is None:
        return
    if wanted.effort is not None:
        ledger.drop("outputConfig.effort")
    schema = wanted.text_format.structure.json_schema if wanted.text_format is not None else None
    if schema is not None:
        body["response_format"] = {"type": "json_object", "json_schema": output_schema(schema.schema)}


def _bounded(config: InferenceConfig | None, ledger: Ledger) -> InferenceConfig | None:
    """Cohere's `p` stays off both ends of Converse's topP."""
    if config is None or config.top_p is None or _LEAST_P <= config.top_p <= _MOST_P:
        return config
    ledger.emulate("inferenceConfig.topP")
    return msgspec.structs.replace(config, top_p=min(max(config.top_p, _LEAST_P), _MOST_P))

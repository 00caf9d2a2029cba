"""AI21's Jamba, the schema of `ai21.jamba-*`: chat messages like OpenAI's, with text, tools and nothing else.

Owns: bodies and whole replies; streams are in `ai21_jamba_stream`. Bedrock's form has neither `model` nor `stream`; AI21's
own API has both (`out.quirks["form"] == "vendor"`). Sources: reference invoke-bodies.md; AI21's API reference for
`documents`, `response_format` and tools.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from craton.aws.wire.faults import model_error
from craton.models.canon.content import ContentBlock, Message, ToolResultBlock, ToolResultContent, ToolUseBlock
from craton.models.canon.reply import ConverseReply, Usage, assistant_reply, usage
from craton.models.canon.request import (
    ConverseRequest,
    InferenceConfig,
    InputSchema,
    SystemBlock,
    Tool,
    ToolConfig,
    ToolSpec,
)
from craton.models.dialects.ai21_jamba_stream import (
    FINISH_REASONS,
    STOP_REASONS,
    NativeUsage,
    Reader,
    Writer,
    native_usage,
)
from craton.models.dialects.dialect import Ledger, Outgoing, Shown
from craton.models.dialects.extras import Schema, merge
from craton.models.dialects.malformed import decode_native, decode_reply, malformed
from craton.models.dialects.plain_text import result_text
from craton.models.dialects.tool_calls import answered, arguments, tool_use_id
from craton.models.dialects.turns import (
    config_or_none,
    drop_output_config,
    reply_text,
    said,
    system_text,
    write_config,
)

Json = dict[str, Any]


class Function(msgspec.Struct):
    """`arguments` is a JSON text."""

    name: str
    arguments: Any = "{}"


class Call(msgspec.Struct):
    function: Function
    id: str | None = None


class System(msgspec.Struct, tag_field="role", tag="system"):
    content: str


class User(msgspec.Struct, tag_field="role", tag="user"):
    content: str


class Assistant(msgspec.Struct, tag_field="role", tag="assistant"):
    content: str | None = None
    tool_calls: list[Call] | None = None


class Result(msgspec.Struct, tag_field="role", tag="tool"):
    content: str
    tool_call_id: str


class Declared(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] = {}


class Offered(msgspec.Struct):
    function: Declared
    type: Literal["function"] = "function"


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """`guardrail` belongs to Bedrock, which reads it before the model does."""

    messages: Annotated[list[System | User | Assistant | Result], Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=0, le=4096)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop: str | list[str] | None = None
    n: Annotated[int, Meta(ge=1, le=16)] | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    tools: list[Offered] | None = None
    documents: list[Any] | None = None
    response_format: Json | None = None
    model: str | None = None
    stream: bool | None = None
    guardrail: Any = msgspec.field(default=None, name="amazon-bedrock-guardrailConfig")


class Said(msgspec.Struct):
    content: str | None = None
    tool_calls: list[Call] | None = None


class Choice(msgspec.Struct):
    message: Said
    finish_reason: str | None = None


class Reply(msgspec.Struct):
    choices: list[Choice]
    usage: NativeUsage | None = None


_BODY = msgspec.json.Decoder(Body)
_REPLY = msgspec.json.Decoder(Reply)
_encode = msgspec.json.Encoder().encode

_PARAMETERS = ("max_tokens", "temperature", "top_p", "stop")
_EXTRAS = ("n", "frequency_penalty", "presence_penalty", "documents", "response_format")
FIELDS = Schema(
    known=frozenset({*_EXTRAS, "temperature", "max_tokens"}),
    names={
        "top_p": ("top_p",),
        "temperature": ("temperature",),
        "stop": ("stop",),
        "max_tokens": ("max_tokens",),
        "frequency_penalty": ("frequency_penalty",),
        "presence_penalty": ("presence_penalty",),
    },
    translate={},
)


class AI21Jamba:
    name = "ai21.jamba"
    streams = True

    def read_request(self, body: bytes, *, streaming: bool = False) -> ConverseRequest:
        native = decode_native(_BODY, body)
        if streaming and native.n is not None and native.n > 1:
            raise malformed(f"#/n: {native.n} is not less or equal to 1")
        system, messages = _read_messages(native)
        extras = {name: value for name in _EXTRAS if (value := getattr(native, name)) is not None}
        if native.n == 1:  # what everybody does
            del extras["n"]
        stop = [native.stop] if isinstance(native.stop, str) else native.stop
        config = InferenceConfig(native.max_tokens, native.temperature, native.top_p, stop)
        if config.temperature is not None and config.temperature > 1:  # Converse ends at 1
            extras["temperature"], config.temperature = config.temperature, None
        if config.max_tokens == 0:  # and begins at 1
            extras["max_tokens"], config.max_tokens = 0, None
        return ConverseRequest(
            messages=messages,
            system=system or None,
            inference_config=config_or_none(config),
            tool_config=ToolConfig([_read_tool(tool.function) for tool in native.tools]) if native.tools else None,
            additional_model_request_fields=extras or None,
        )

    def write_request(self, request: ConverseRequest, out: Outgoing) -> bytes:
        body: Json = {"model": out.model} if out.quirks.get("form") == "vendor" else {}
        messages: list[Json] = []
        system = system_text(request.system, out.ledger)
        if system:
            messages.append({"role": "system", "content": system})
        for index, message in enumerate(request.messages or ()):
            messages += _write_message(message, f"messages.{index}.content", out.ledger)
        body |= {"messages": messages, **write_config(request.inference_config, _PARAMETERS)}
        if request.tool_config is not None:
            tools = _write_tools(request.tool_config, out.ledger)
            if tools:
                body["tools"] = tools
        drop_output_config(request, out.ledger)
        merge(request.additional_model_request_fields, FIELDS, body, out.ledger)
        if out.stream and "model" in body:
            body["stream"] = True
        return _encode(body)

    def read_reply(self, body: bytes) -> ConverseReply:
        native = decode_reply(_REPLY, body)
        if not native.choices:
            raise model_error()
        first = native.choices[0]
        cut = first.finish_reason == "length"
        content = _read_said(first.message.content, first.message.tool_calls, cut=cut)
        reason = STOP_REASONS.get(first.finish_reason or "stop", "end_turn")
        return assistant_reply(content, reason, _used(native.usage))

    def write_reply(self, reply: ConverseReply, shown: Shown) -> bytes:
        message: Json = {"role": "assistant", "content": reply_text(reply)}
        calls = [_write_call(block.tool_use) for block in reply.output.message.content if block.tool_use is not None]
        if calls:
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "finish_reason": FINISH_REASONS.get(reply.stop_reason, "stop")}
        used = native_usage(reply.usage)
        return _encode({"id": f"chatcmpl-{shown.request_id}", "choices": [choice], "usage": used})

    def reader(self) -> Reader:
        return Reader()

    def writer(self, shown: Shown) -> Writer:
        return Writer(shown.request_id)


def _used(native: NativeUsage | None) -> Usage:
    return usage(native.prompt_tokens, native.completion_tokens) if native is not None else usage(0, 0)


def _read_messages(native: Body) -> tuple[list[SystemBlock], list[Message]]:
    """System blocks and turns. Results and the user's next words are one turn, as Converse alternates."""
    system: list[SystemBlock] = []
    turns: list[Message] = []
    for index, message in enumerate(native.messages):
        if isinstance(message, System):
            if message.content:
                system.append(SystemBlock(text=message.content))
            continue
        if isinstance(message, Assistant):
            blocks = _read_said(message.content, message.tool_calls, f"#/messages/{index}/tool_calls")
            turns.append(Message("assistant", blocks))
            continue
        if isinstance(message, Result):
            answer = ToolResultBlock(tool_use_id(message.tool_call_id), [ToolResultContent(text=message.content)])
            block = ContentBlock(tool_result=answer)
        else:
            block = ContentBlock(text=message.content)
        if turns and turns[-1].role == "user":
            turns[-1].content.append(block)
        else:
            turns.append(Message("user", [block]))
    return system, turns


def _read_said(text: str | None, calls: list[Call] | None, at: str = "", *, cut: bool = False) -> list[ContentBlock]:
    """An assistant's words and calls; `at` is where the calls lie in a caller's body, "" in an upstream's reply.

    `cut`: that reply ended at its limit of tokens.
    """
    blocks = [ContentBlock(text=text or "")] if text or not calls else []
    for index, call in enumerate(calls or ()):
        given = arguments(call.function.arguments) if at else answered(call.function.arguments, cut=cut)
        if given is None:
            raise malformed(f"{at}/{index}/function/arguments: expected a JSON object")
        blocks.append(ContentBlock(tool_use=ToolUseBlock(tool_use_id(call.id), call.function.name, given)))
    return blocks


def _read_tool(declared: Declared) -> Tool:
    schema = InputSchema(json=msgspec.Raw(_encode(declared.parameters or {"type": "object", "properties": {}})))
    return Tool(tool_spec=ToolSpec(declared.name, schema, declared.description or None))


def _write_message(message: Message, path: str, ledger: Ledger) -> list[Json]:
    texts: list[str] = []
    calls: list[Json] = []
    written: list[Json] = []
    for index, block in enumerate(message.content):
        if block.text is not None:
            texts.append(block.text)
        elif block.tool_use is not None:
            calls.append(_write_call(block.tool_use))
        elif block.tool_result is not None:
            written.append(_write_result(block.tool_result, f"{path}.{index}.toolResult", ledger))
        elif (text := said(block, f"{path}.{index}", ledger)) is not None:
            texts.append(text)
    if message.role == "assistant":
        spoken: Json = {"role": "assistant", "content": "\n".join(texts)}
        return [spoken | {"tool_calls": calls} if calls else spoken]
    if message.role == "user" and (texts or not written):
        written.append({"role": "user", "content": "\n".join(texts)})
    return written


def _write_call(use: ToolUseBlock) -> Json:
    function = {"name": use.name, "arguments": bytes(use.input).decode()}
    return {"id": use.tool_use_id, "type": "function", "function": function}


def _write_result(result: ToolResultBlock, path: str, ledger: Ledger) -> Json:
    """A tool's answer as text. The schema has no mark for a failed call, so the text says it."""
    texts: list[str] = []
    if result.status == "error":
        ledger.emulate(f"{path}.status")
        texts.append("Error:")
    for index, part in enumerate(result.content):
        text = result_text(part)
        if text is None:
            ledger.drop(f"{path}.content.{index}.{part.kind}")
            continue
        if part.text is None:
            ledger.emulate(f"{path}.content.{index}.{part.kind}")
        texts.append(text)
    return {"role": "tool", "tool_call_id": result.tool_use_id, "content": "\n".join(texts)}


def _write_tools(config: ToolConfig, ledger: Ledger) -> list[Json]:
    tools: list[Json] = []
    for index, tool in enumerate(config.tools):
        spec = tool.tool_spec
        if spec is None:
            ledger.drop(f"toolConfig.tools.{index}.{tool.kind}")
            continue
        if spec.strict:
            ledger.drop(f"toolConfig.tools.{index}.toolSpec.strict")
        function: Json = {"name": spec.name, "parameters": spec.input_schema.json}
        if spec.description is not None:
            function["description"] = spec.description
        tools.append({"type": "function", "function": function})
    if config.tool_choice is not None and config.tool_choice.auto is None:
        ledger.drop(f"toolConfig.toolChoice.{config.tool_choice.kind}")
    return tools

"""Requests: OpenAI chat bodies ↔ canon.

Messages are `openai_chat_content`'s (read) and `openai_chat_turns`' (written), extra fields `openai_chat_extras`'.
What the canon cannot hold of a member stays native among the extra fields and wins when it is written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from craton.models.canon import request as canon
from craton.models.canon.request import ConverseRequest, InferenceConfig
from craton.models.dialects import extras
from craton.models.dialects.dialect import Ledger, Outgoing
from craton.models.dialects.malformed import decode_native, malformed
from craton.models.dialects.openai_chat import schema as native
from craton.models.dialects.openai_chat.content import read_messages
from craton.models.dialects.openai_chat.extras import fields_of
from craton.models.dialects.openai_chat.turns import USUAL, Habits, write_system, write_turn
from craton.models.dialects.tool_calls import output_schema

_BODY = msgspec.json.Decoder(native.Body)
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode
_ANY_OBJECT = Raw(b'{"type":"object","properties":{}}')
_CANONICAL = frozenset(native.Body.__struct_encode_fields__)
_NULL = Raw(b"null")

_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
_TIERS = frozenset({"default", "flex", "priority"})


# --- OpenAI → canon ------------------------------------------------------------------------------------------------


def read_request(body: bytes, *, streaming: bool) -> ConverseRequest:
    """Raises ValidationException. `stream` may be in the body, but must agree with the operation."""
    read = decode_native(_BODY, body)
    if read.stream is not None and read.stream != streaming:
        raise malformed(f"#/stream: {str(read.stream).lower()} does not agree with the operation")
    extra = {
        name: msgspec.json.decode(raw)
        for name, raw in _MEMBERS.decode(body).items()
        if name not in _CANONICAL and raw != _NULL and not name.startswith("amazon-bedrock-")
    }
    system, messages = read_messages(read.messages)
    request = ConverseRequest(
        messages=messages,
        system=system or None,
        inference_config=_read_inference(read, extra),
        tool_config=_read_tools(read, extra),
        output_config=_read_output(read, extra),
    )
    if read.service_tier in _TIERS:
        request.service_tier = msgspec.convert({"type": read.service_tier}, canon.ServiceTier)
    elif read.service_tier is not None:
        extra["service_tier"] = read.service_tier
    request.additional_model_request_fields = extra or None
    return request


def _read_inference(read: native.Body, extra: dict[str, Any]) -> InferenceConfig | None:
    """OpenAI's temperatures go up to 2; above 1, where Converse's end, one travels as an extra field."""
    temperature = read.temperature
    if temperature is not None and temperature > 1:
        extra["temperature"] = temperature
        temperature = None
    stop = [read.stop] if isinstance(read.stop, str) else read.stop
    config = InferenceConfig(read.max_completion_tokens or read.max_tokens, temperature, read.top_p, stop or None)
    return config if config != InferenceConfig() else None


def _read_tools(read: native.Body, extra: dict[str, Any]) -> canon.ToolConfig | None:
    tools: list[canon.Tool] = []
    for position, tool in enumerate(read.tools or ()):
        function = tool.function
        if function is None:
            raise malformed(f"#/tools/{position}: required key [function] not found")
        schema = canon.InputSchema(function.parameters or _ANY_OBJECT)
        spec = canon.ToolSpec(function.name, schema, function.description or None, function.strict)
        tools.append(canon.Tool(tool_spec=spec))
    choice = _read_choice(read.tool_choice) if tools else None
    if choice is None and read.tool_choice is not None:
        extra["tool_choice"] = read.tool_choice
    return canon.ToolConfig(tools, choice) if tools else None


def _read_choice(choice: str | dict[str, Any] | None) -> canon.ToolChoice | None:
    """None also for a choice that Converse cannot express (`none`, a list of allowed tools)."""
    if choice == "auto":
        return canon.ToolChoice(auto=canon.Chosen())
    if choice == "required":
        return canon.ToolChoice(any=canon.Chosen())
    if isinstance(choice, dict) and choice.get("type") == "function":
        function = choice.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str):
            raise malformed("#/tool_choice/function: required key [name] not found")
        return canon.ToolChoice(tool=canon.ChosenTool(name))
    return None


def _read_output(read: native.Body, extra: dict[str, Any]) -> canon.OutputConfig | None:
    effort, text_format = None, None
    if read.reasoning_effort in _EFFORTS:
        effort = read.reasoning_effort
    elif read.reasoning_effort is not None:
        extra["reasoning_effort"] = read.reasoning_effort
    wanted = read.response_format
    named = wanted.json_schema if wanted is not None and wanted.type == "json_schema" else None
    if named is not None and named.schema is not None:
        schema = canon.JsonSchema(bytes(named.schema).decode(), named.name, named.description)
        text_format = canon.TextFormat("json_schema", canon.FormatStructure(schema))
        if named.strict is not True:
            extra["response_format"] = {"type": "json_schema", "json_schema": _loose(schema, named.strict)}
    elif wanted is not None and wanted.type != "text":
        extra["response_format"] = {"type": wanted.type}
    return canon.OutputConfig(text_format, effort) if text_format is not None or effort is not None else None


# --- canon → OpenAI ------------------------------------------------------------------------------------------------


def write_request(request: ConverseRequest, out: Outgoing) -> bytes:
    """A body for one target. Raises ValidationException if the output schema is no JSON."""
    habits = msgspec.convert(out.quirks, Habits) if out.quirks else USUAL
    body: extras.Body = {"model": out.model, "messages": _write_messages(request, habits, out.ledger)}
    if out.stream:
        body["stream"] = True
        if out.quirks.get("usage") is not False:
            body["stream_options"] = {"include_usage": True}
    config = request.inference_config
    if config is not None:
        _write_inference(config, body)
    if request.tool_config is not None:
        _write_tools(request.tool_config, body, out.ledger)
    if request.output_config is not None:
        _write_output(request.output_config, body)
    if request.service_tier is not None or request.performance_config is not None:
        _write_platform(request, body, out.ledger)
    if request.additional_model_request_fields:
        extras.merge(request.additional_model_request_fields, fields_of(out.quirks), body, out.ledger)
    if out.quirks:
        _apply(out.quirks, request, body)
    return _encode(body)


def _write_inference(config: InferenceConfig, body: extras.Body) -> None:
    if config.max_tokens is not None:
        body["max_tokens"] = config.max_tokens
    if config.temperature is not None:
        body["temperature"] = config.temperature
    if config.top_p is not None:
        body["top_p"] = config.top_p
    if config.stop_sequences is not None:
        body["stop"] = config.stop_sequences


def _apply(quirks: Mapping[str, object], request: ConverseRequest, body: extras.Body) -> None:
    """What one server wants of a body that is otherwise whole."""
    limit = quirks.get("max_tokens")
    if isinstance(limit, str) and "max_tokens" in body:
        body[limit] = body.pop("max_tokens")
    if quirks.get("prefill") and request.messages and request.messages[-1].role == "assistant":
        body |= {"continue_final_message": True, "add_generation_prompt": False}


def _write_messages(request: ConverseRequest, habits: Habits, ledger: Ledger) -> list[dict[str, Any]]:
    system = write_system(request.system, habits, ledger) if request.system else None
    messages = [system] if system is not None else []
    for position, message in enumerate(request.messages or ()):
        messages += write_turn(message, f"messages.{position}.content", habits, ledger)
    return messages


def _write_tools(config: canon.ToolConfig, body: extras.Body, ledger: Ledger) -> None:
    tools: list[dict[str, Any]] = []
    for position, tool in enumerate(config.tools):
        spec = tool.tool_spec
        if spec is None:
            ledger.drop(f"toolConfig.tools.{position}.{tool.kind}")
            continue
        function: dict[str, Any] = {"name": spec.name, "parameters": spec.input_schema.json}
        if spec.description is not None:
            function["description"] = spec.description
        if spec.strict is not None:
            function["strict"] = spec.strict
        tools.append({"type": "function", "function": function})
    if not tools:
        return
    body["tools"] = tools
    choice = config.tool_choice
    if choice is None:
        return
    if choice.tool is not None:
        body["tool_choice"] = {"type": "function", "function": {"name": choice.tool.name}}
    else:
        body["tool_choice"] = "auto" if choice.auto is not None else "required"


def _write_output(output: canon.OutputConfig, body: extras.Body) -> None:
    if output.effort is not None:
        body["reasoning_effort"] = output.effort
    schema = output.text_format.structure.json_schema if output.text_format is not None else None
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": _named(schema, strict=True)}


def _loose(schema: canon.JsonSchema, strict: bool | None) -> dict[str, Any]:  # noqa: FBT001 - JSON's own value
    named = _named(schema, strict=strict)
    return {**named, "schema": msgspec.json.decode(named["schema"])}


def _named(schema: canon.JsonSchema, *, strict: bool | None) -> dict[str, Any]:
    """OpenAI demands a name, Converse does not."""
    named: dict[str, Any] = {"name": schema.name or "response", "schema": output_schema(schema.schema)}
    if strict is not None:
        named["strict"] = strict
    if schema.description is not None:
        named["description"] = schema.description
    return named


def _write_platform(request: ConverseRequest, body: extras.Body, ledger: Ledger) -> None:
    """What Bedrock offers beside the model."""
    tier = request.service_tier
    if tier is not None and tier.type in _TIERS:
        body["service_tier"] = tier.type
    elif tier is not None:
        ledger.drop("serviceTier")
    if request.performance_config is not None and request.performance_config.latency == "optimized":
        ledger.drop("performanceConfig")

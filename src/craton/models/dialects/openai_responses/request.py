"""Requests: OpenAI Responses bodies ↔ canon.

Items are `items`' (read) and `turns`' (written). A member that chat has too travels as an extra field under chat's
name, so that every target knows it; what the canon cannot hold of a member stays native and wins when it is written.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from craton.aws.wire.faults import validation
from craton.models.canon import request as canon
from craton.models.canon.request import ConverseRequest, InferenceConfig, SystemBlock
from craton.models.dialects import extras
from craton.models.dialects.dialect import Ledger, Outgoing
from craton.models.dialects.malformed import decode_native, malformed
from craton.models.dialects.openai_responses import schema as native
from craton.models.dialects.openai_responses.extras import FIELDS
from craton.models.dialects.openai_responses.items import read_input
from craton.models.dialects.openai_responses.turns import write_turns
from craton.models.dialects.tool_calls import output_schema

CUSTOM_SCHEMA = Raw(
    b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}'
)
NOT_SUPPORTED = "{name} is not supported."

_BODY = msgspec.json.Decoder(native.Body)
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_TOOLS = msgspec.json.Decoder(list[Raw])
_ANY_OBJECT = Raw(b'{"type":"object","properties":{}}')
_NULL = Raw(b"null")

# Members that say how an answer is kept or shown; nothing of them is for the model.
_NOT_FOR_THE_MODEL = frozenset(
    {"store", "metadata", "include", "stream_options", "previous_response_id", "background_options"}
)
_CANONICAL = frozenset(native.Body.__struct_encode_fields__) | _NOT_FOR_THE_MODEL
_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
_TIERS = frozenset({"default", "flex", "priority"})


# --- OpenAI → canon --------------------------------------------------------------------------------------------------


def read_request(body: bytes, *, streaming: bool) -> ConverseRequest:
    """Raises ValidationException. `stream` may be in the body, but must agree with the operation."""
    read = decode_native(_BODY, body)
    if read.stream is not None and read.stream != streaming:
        raise malformed(f"#/stream: {str(read.stream).lower()} does not agree with the operation")
    for name in ("background", "conversation", "prompt"):
        if getattr(read, name):
            raise validation(NOT_SUPPORTED.format(name=name))
    members = _MEMBERS.decode(body)
    extra = {name: msgspec.json.decode(raw) for name, raw in members.items() if name not in _CANONICAL and raw != _NULL}
    system, messages = read_input(read.input)
    if read.instructions:
        system.insert(0, SystemBlock(text=read.instructions))
    request = ConverseRequest(
        messages=messages,
        system=system or None,
        inference_config=_read_inference(read, extra),
        tool_config=_read_tools(read, members, extra),
        output_config=_read_output(read, extra),
    )
    if read.service_tier in _TIERS:
        request.service_tier = msgspec.convert({"type": read.service_tier}, canon.ServiceTier)
    elif read.service_tier not in (None, "auto"):
        extra["service_tier"] = read.service_tier
    request.additional_model_request_fields = extra or None
    return request


def _read_inference(read: native.Body, extra: dict[str, Any]) -> InferenceConfig | None:
    """OpenAI's temperatures go up to 2; above 1, where Converse's end, one travels as an extra field."""
    temperature = read.temperature
    if temperature is not None and temperature > 1:
        extra["temperature"] = temperature
        temperature = None
    config = InferenceConfig(read.max_output_tokens, temperature, read.top_p)
    return config if config != InferenceConfig() else None


def _read_tools(read: native.Body, members: dict[str, Raw], extra: dict[str, Any]) -> canon.ToolConfig | None:
    """The caller's own tools; those that run at the vendor stay native among the extra fields."""
    tools: list[canon.Tool] = []
    beyond: list[Any] = []
    written = _TOOLS.decode(members["tools"]) if read.tools else []
    for position, (tool, raw) in enumerate(zip(read.tools or (), written, strict=True)):
        if tool.type not in ("function", "custom"):
            beyond.append(msgspec.json.decode(raw))
            continue
        if not tool.name:
            raise malformed(f"#/tools/{position}: required key [name] not found")
        is_custom = tool.type == "custom"
        given = tool.parameters if tool.parameters is not None and tool.parameters != _NULL else _ANY_OBJECT
        schema = canon.InputSchema(CUSTOM_SCHEMA if is_custom else given)
        described = custom_description(tool) if is_custom else tool.description
        tools.append(canon.Tool(tool_spec=canon.ToolSpec(tool.name, schema, described or None, tool.strict)))
    if beyond:
        extra["tools"] = beyond
    choice = _read_choice(read.tool_choice) if tools else None
    if choice is None and read.tool_choice is not None and (tools or beyond):
        extra["tool_choice"] = read.tool_choice
    return canon.ToolConfig(tools, choice) if tools else None


def custom_description(tool: native.Tool) -> str:
    """What a tool of one text is for; a grammar of its text can only be told."""
    grammar = tool.format if isinstance(tool.format, dict) and tool.format.get("type") == "grammar" else None
    if grammar is None:
        return tool.description or ""
    told = f"The input must match this {grammar.get('syntax')} grammar:\n{grammar.get('definition')}"
    return f"{tool.description}\n\n{told}" if tool.description else told


def _read_choice(choice: str | dict[str, Any] | None) -> canon.ToolChoice | None:
    """None also for a choice that Converse cannot express (`none`, a list of allowed tools, a vendor's tool)."""
    if choice == "auto":
        return canon.ToolChoice(auto=canon.Chosen())
    if choice == "required":
        return canon.ToolChoice(any=canon.Chosen())
    if isinstance(choice, dict) and choice.get("type") in ("function", "custom"):
        name = choice.get("name")
        if not isinstance(name, str):
            raise malformed("#/tool_choice: required key [name] not found")
        return canon.ToolChoice(tool=canon.ChosenTool(name))
    return None


def _read_output(read: native.Body, extra: dict[str, Any]) -> canon.OutputConfig | None:
    effort = read.reasoning.effort if read.reasoning is not None else None
    if effort is not None and effort not in _EFFORTS:
        extra["reasoning_effort"] = effort
        effort = None
    if read.reasoning is not None and read.reasoning.summary is not None:
        extra["reasoning"] = {"summary": read.reasoning.summary}
    if read.text is not None and read.text.verbosity is not None:
        extra["verbosity"] = read.text.verbosity
    text_format = None
    wanted = read.text.format if read.text is not None else None
    if wanted is not None and wanted.type == "json_object":
        extra["response_format"] = {"type": "json_object"}
    elif wanted is not None and wanted.type == "json_schema":
        if wanted.schema is None:
            raise malformed("#/text/format: required key [schema] not found")
        schema = canon.JsonSchema(bytes(wanted.schema).decode(), wanted.name, wanted.description)
        text_format = canon.TextFormat("json_schema", canon.FormatStructure(schema))
        if wanted.strict is not True:
            extra["response_format"] = {"type": "json_schema", "json_schema": _loose(wanted)}
    return canon.OutputConfig(text_format, effort) if text_format is not None or effort is not None else None


def _loose(wanted: native.TextFormat) -> dict[str, Any]:
    """Chat's form of a schema that need not be kept strictly."""
    members = {"name": wanted.name or "response", "description": wanted.description, "strict": wanted.strict}
    kept = {name: value for name, value in members.items() if value is not None}
    return {**kept, "schema": msgspec.json.decode(wanted.schema or _NULL)}


# --- canon → OpenAI --------------------------------------------------------------------------------------------------


def write_request(request: ConverseRequest, out: Outgoing) -> bytes:
    """A body for one target. OpenAI keeps nothing of it (`store`), and shows what it needs back of its reasoning."""
    body: extras.Body = {"model": out.model, "store": False, "include": ["reasoning.encrypted_content"]}
    if out.stream:
        body["stream"] = True
    if request.system:
        _write_system(request.system, body, out.ledger)
    body["input"] = write_turns(request.messages or [], out.ledger)
    config = request.inference_config or InferenceConfig()
    members = {"max_output_tokens": config.max_tokens, "temperature": config.temperature, "top_p": config.top_p}
    body |= {name: value for name, value in members.items() if value is not None}
    if config.stop_sequences:
        out.ledger.drop("inferenceConfig.stopSequences")
    if request.tool_config is not None:
        _write_tools(request.tool_config, body, out.ledger)
    if request.output_config is not None:
        _write_output(request.output_config, body)
    _write_platform(request, body, out.ledger)
    extras.merge(request.additional_model_request_fields, FIELDS, body, out.ledger)
    return msgspec.json.encode(body)


def _write_system(system: list[SystemBlock], body: extras.Body, ledger: Ledger) -> None:
    texts: list[str] = []
    for position, block in enumerate(system):
        guarded = block.guard_content.text if block.guard_content is not None else None
        if block.text is not None:
            texts.append(block.text)
        elif guarded is not None:
            texts.append(guarded.text)
        else:
            ledger.drop(f"system.{position}.{block.kind}")
    if texts:
        body["instructions"] = "\n\n".join(texts)


def _write_tools(config: canon.ToolConfig, body: extras.Body, ledger: Ledger) -> None:
    tools: list[dict[str, Any]] = []
    for position, tool in enumerate(config.tools):
        spec = tool.tool_spec
        if spec is None:
            ledger.drop(f"toolConfig.tools.{position}.{tool.kind}")
            continue
        # OpenAI holds a schema strictly unless it is told otherwise, and refuses those that do not fit.
        strict = spec.strict is True
        written: dict[str, Any] = {"type": "function", "name": spec.name, "strict": strict}
        written["parameters"] = spec.input_schema.json
        if spec.description is not None:
            written["description"] = spec.description
        tools.append(written)
    if not tools:
        return
    body["tools"] = tools
    choice = config.tool_choice
    if choice is not None and choice.tool is not None:
        body["tool_choice"] = {"type": "function", "name": choice.tool.name}
    elif choice is not None:
        body["tool_choice"] = "auto" if choice.auto is not None else "required"


def _write_output(output: canon.OutputConfig, body: extras.Body) -> None:
    if output.effort is not None:
        body["reasoning"] = {"effort": output.effort}
    schema = output.text_format.structure.json_schema if output.text_format is not None else None
    if schema is not None:
        written = {"type": "json_schema", "name": schema.name or "response", "schema": output_schema(schema.schema)}
        if schema.description is not None:
            written["description"] = schema.description
        body["text"] = {"format": {**written, "strict": True}}


def _write_platform(request: ConverseRequest, body: extras.Body, ledger: Ledger) -> None:
    """What Bedrock offers beside the model."""
    tier = request.service_tier
    if tier is not None and tier.type in _TIERS:
        body["service_tier"] = tier.type
    elif tier is not None:
        ledger.drop("serviceTier")
    if request.performance_config is not None and request.performance_config.latency == "optimized":
        ledger.drop("performanceConfig")

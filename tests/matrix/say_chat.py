"""How each schema that knows turns says an `Ask`: bodies as a caller writes them, by the vendors' documentation.

One function a schema; it returns None where the schema has no words for what is to be said. Written by hand and not by
the dialects, whose work is judged here. Sources: reference invoke-bodies.md and converse.md, the vendors' API
references.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.matrix import asks
from tests.matrix.asks import Ask

Json = dict[str, Any]


def _without(ask: Ask, *lacking: str) -> bool:
    """Whether the ask needs something that the schema lacks."""
    return any(getattr(ask, name) for name in lacking)


def _limits(ask: Ask, tokens: str, temperature: str, top_p: str) -> Json:
    if not ask.limits:
        return {tokens: 400}
    return {tokens: asks.MAX_TOKENS, temperature: asks.TEMPERATURE, top_p: asks.TOP_P}


def _fields(ask: Ask, **knob: str) -> Json:
    """A schema's own field by its meaning and name, and the one that nobody knows."""
    own = {name: asks.KNOBS[meaning] for meaning, name in knob.items()} if ask.knob else {}
    return {**own, asks.NOBODYS: asks.NOBODYS_VALUE} if ask.nobodys else own


# --- OpenAI's chat and what is shaped like it ------------------------------------------------------------------------


def openai_chat(ask: Ask, *lacking: str, any_word: Any = "required", seed: str = "seed") -> Json | None:
    if _without(ask, *lacking):
        return None
    call = {"name": asks.TOOL, "arguments": asks.arguments(asks.CALLED)}
    messages: list[Json] = [{"role": "system", "content": asks.SYSTEM}] if ask.system else []
    parts: list[Json] = [{"type": "text", "text": asks.QUESTION}]
    if ask.image:
        parts.append({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{asks.IMAGE}"}})
    if ask.pdf:
        data = f"data:application/pdf;base64,{asks.PDF}"
        parts.append({"type": "file", "file": {"filename": "notes.pdf", "file_data": data}})
    if ask.results:
        messages += [
            {"role": "user", "content": asks.EARLIER},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": asks.CALL_ID, "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": asks.CALL_ID, "content": asks.RESULT},
        ]
    if not ask.results:
        messages.append({"role": "user", "content": parts if len(parts) > 1 else asks.QUESTION})
    body: Json = {"messages": messages, **_limits(ask, "max_tokens", "temperature", "top_p"), **_fields(ask, seed=seed)}
    if ask.stop:
        body["stop"] = [asks.STOP]
    if ask.tools:
        function = {"name": asks.TOOL, "description": asks.TOOL_TEXT, "parameters": asks.TOOL_SCHEMA}
        body["tools"] = [{"type": "function", "function": function}]
    if ask.forced:
        body["tool_choice"] = any_word
    if ask.schema:
        schema = {"name": "nest", "schema": asks.ANSWER_SCHEMA, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def openai_native(ask: Ask) -> Json | None:
    """OpenAI's chat has files, but no document that is a text."""
    return openai_chat(ask, "note")


def jamba(ask: Ask) -> Json | None:
    """Text and tools alone, and no word for a tool that must be called."""
    return openai_chat(ask, "image", "note", "pdf", "forced", "schema", "knob")


def mistral_chat(ask: Ask) -> Json | None:
    """Pixtral sees; `any` is Mistral's word."""
    return openai_chat(ask, "note", "pdf", any_word="any", seed="random_seed")


def palmyra(ask: Ask) -> Json | None:
    """Palmyra Vision sees."""
    return openai_chat(ask, "note", "pdf")


# --- Anthropic -------------------------------------------------------------------------------------------------------


def anthropic(ask: Ask) -> Json | None:
    blocks: list[Json] = [{"type": "text", "text": asks.QUESTION}]
    if ask.image:
        blocks.append({"type": "image", "source": _base64("image/png", asks.IMAGE)})
    if ask.note:
        source = {"type": "text", "media_type": "text/plain", "data": asks.NOTE}
        blocks.append({"type": "document", "title": asks.NOTE_NAME, "source": source})
    if ask.pdf:
        blocks.append({"type": "document", "source": _base64("application/pdf", asks.PDF)})
    messages: list[Json] = [{"role": "user", "content": blocks}]
    if ask.results:
        use = {"type": "tool_use", "id": asks.CALL_ID, "name": asks.TOOL, "input": asks.CALLED}
        result = {"type": "tool_result", "tool_use_id": asks.CALL_ID, "content": asks.RESULT}
        messages = [
            {"role": "user", "content": asks.EARLIER},
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
        ]
    body: Json = {"messages": messages, **_limits(ask, "max_tokens", "temperature", "top_p")}
    body |= _fields(ask, top_k="top_k")
    if ask.system:
        body["system"] = asks.SYSTEM
    if ask.stop:
        body["stop_sequences"] = [asks.STOP]
    if ask.tools:
        tool = {"name": asks.TOOL, "description": asks.TOOL_TEXT, "input_schema": asks.TOOL_SCHEMA}
        body["tools"] = [tool]
    if ask.forced:
        body["tool_choice"] = {"type": "any"}
    if ask.schema:
        body["output_config"] = {"format": {"type": "json_schema", "schema": asks.ANSWER_SCHEMA}}
    return body


def anthropic_native(ask: Ask) -> Json | None:
    return {"anthropic_version": "bedrock-2023-05-31", **(anthropic(ask) or {})}


def _base64(kind: str, data: str) -> Json:
    return {"type": "base64", "media_type": kind, "data": data}


# --- Amazon ----------------------------------------------------------------------------------------------------------


def converse(ask: Ask) -> Json | None:
    blocks: list[Json] = [{"text": asks.QUESTION}]
    if ask.image:
        blocks.append({"image": {"format": "png", "source": {"bytes": asks.IMAGE}}})
    if ask.note:
        blocks.append({"document": {"name": asks.NOTE_NAME, "format": "txt", "source": {"text": asks.NOTE}}})
    if ask.pdf:
        blocks.append({"document": {"name": asks.NOTE_NAME, "format": "pdf", "source": {"bytes": asks.PDF}}})
    messages: list[Json] = [{"role": "user", "content": blocks}]
    if ask.results:
        use = {"toolUseId": asks.CALL_ID, "name": asks.TOOL, "input": asks.CALLED}
        result = {"toolUseId": asks.CALL_ID, "content": [{"text": asks.RESULT}]}
        messages = [
            {"role": "user", "content": [{"text": asks.EARLIER}]},
            {"role": "assistant", "content": [{"toolUse": use}]},
            {"role": "user", "content": [{"toolResult": result}]},
        ]
    config = _limits(ask, "maxTokens", "temperature", "topP")
    if ask.stop:
        config["stopSequences"] = [asks.STOP]
    body: Json = {"messages": messages, "inferenceConfig": config}
    if ask.knob or ask.nobodys:
        body["additionalModelRequestFields"] = _fields(ask, top_k="top_k")
    if ask.system:
        body["system"] = [{"text": asks.SYSTEM}]
    if ask.tools:
        spec = {"name": asks.TOOL, "description": asks.TOOL_TEXT, "inputSchema": {"json": asks.TOOL_SCHEMA}}
        body["toolConfig"] = {"tools": [{"toolSpec": spec}]}
    if ask.forced:
        body["toolConfig"]["toolChoice"] = {"any": {}}
    if ask.schema:
        structure = {"jsonSchema": {"name": "nest", "schema": json.dumps(asks.ANSWER_SCHEMA)}}
        body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}
    return body


def nova(ask: Ask) -> Json | None:
    """Converse's blocks, without a schema for the answer; a document's source is always bytes."""
    if ask.schema:
        return None
    body = converse(ask) or {}
    for block in body["messages"][-1]["content"]:
        if ask.note and "document" in block:
            block["document"]["source"] = {"bytes": base64.b64encode(asks.NOTE.encode()).decode()}
    extra = body.pop("additionalModelRequestFields", {})
    if "top_k" in extra:
        body["inferenceConfig"]["topK"] = extra.pop("top_k")
    body |= extra
    return {"schemaVersion": "messages-v1", **body}


# --- Cohere ----------------------------------------------------------------------------------------------------------


def command_r(ask: Ask) -> Json | None:
    """No calls have ids here, and no word says that a tool must be called."""
    if _without(ask, "image", "pdf", "forced", "schema"):
        return None
    body: Json = {"message": asks.QUESTION, **_limits(ask, "max_tokens", "temperature", "p"), **_fields(ask, top_k="k")}
    if ask.results:
        call = {"name": asks.TOOL, "parameters": asks.CALLED}
        body |= {"message": asks.EARLIER, "tool_results": [{"call": call, "outputs": [{"found": asks.RESULT}]}]}
    if ask.system:
        body["preamble"] = asks.SYSTEM
    if ask.stop:
        body["stop_sequences"] = [asks.STOP]
    if ask.note:
        body["documents"] = [{"title": asks.NOTE_NAME, "snippet": asks.NOTE}]
    if ask.tools:
        member = {"description": "in cubits", "type": "str", "required": True}
        tool = {"name": asks.TOOL, "description": asks.TOOL_TEXT, "parameter_definitions": {asks.TOOL_MEMBER: member}}
        body["tools"] = [tool]
    return body


def cohere_v2(ask: Ask) -> Json | None:
    if ask.pdf:
        return None
    body = openai_chat(
        Ask(
            **{
                **ask.__dict__,
                **dict.fromkeys(("note", "forced", "stop", "limits", "schema", "knob", "nobodys"), False),
            }
        )
    )
    assert body is not None
    del body["max_tokens"]
    body |= {"model": "command", **_limits(ask, "max_tokens", "temperature", "p"), **_fields(ask, top_k="k")}
    if ask.note:
        body["documents"] = [{"id": asks.NOTE_NAME, "data": {"title": asks.NOTE_NAME, "text": asks.NOTE}}]
    if ask.stop:
        body["stop_sequences"] = [asks.STOP]
    if ask.forced:
        body["tool_choice"] = "REQUIRED"
    if ask.schema:
        body["response_format"] = {"type": "json_object", "json_schema": asks.ANSWER_SCHEMA}
    return body


# --- Google ----------------------------------------------------------------------------------------------------------


def gemini(ask: Ask) -> Json | None:
    """A text that is a document is inline text here, and nothing tells it from what is said."""
    if ask.note:
        return None
    parts: list[Json] = [{"text": asks.QUESTION}]
    if ask.image:
        parts.append({"inlineData": {"mimeType": "image/png", "data": asks.IMAGE}})
    if ask.pdf:
        parts.append({"inlineData": {"mimeType": "application/pdf", "data": asks.PDF}})
    contents: list[Json] = [{"role": "user", "parts": parts}]
    if ask.results:
        call = {"id": asks.CALL_ID, "name": asks.TOOL, "args": asks.CALLED}
        response = {"id": asks.CALL_ID, "name": asks.TOOL, "response": {"output": asks.RESULT}}
        contents = [
            {"role": "user", "parts": [{"text": asks.EARLIER}]},
            {"role": "model", "parts": [{"functionCall": call}]},
            {"role": "user", "parts": [{"functionResponse": response}]},
        ]
    config = _limits(ask, "maxOutputTokens", "temperature", "topP")
    if ask.stop:
        config["stopSequences"] = [asks.STOP]
    if ask.schema:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": asks.ANSWER_SCHEMA}
    if ask.knob:
        config["topK"] = asks.KNOBS["top_k"]
    body: Json = {"contents": contents, "generationConfig": config}
    if ask.nobodys:
        body[asks.NOBODYS] = asks.NOBODYS_VALUE
    if ask.system:
        body["systemInstruction"] = {"parts": [{"text": asks.SYSTEM}]}
    if ask.tools:
        declared = {"name": asks.TOOL, "description": asks.TOOL_TEXT, "parametersJsonSchema": asks.TOOL_SCHEMA}
        body["tools"] = [{"functionDeclarations": [declared]}]
    if ask.forced:
        body["toolConfig"] = {"functionCallingConfig": {"mode": "ANY"}}
    return body


# --- OpenAI's Responses ----------------------------------------------------------------------------------------------


def responses(ask: Ask) -> Json | None:
    """No stop sequences, no document that is a text, and neither `top_k` nor a seed."""
    if _without(ask, "stop", "note", "knob"):
        return None
    parts: list[Json] = [{"type": "input_text", "text": asks.QUESTION}]
    if ask.image:
        parts.append({"type": "input_image", "detail": "auto", "image_url": f"data:image/png;base64,{asks.IMAGE}"})
    if ask.pdf:
        data = f"data:application/pdf;base64,{asks.PDF}"
        parts.append({"type": "input_file", "filename": "notes.pdf", "file_data": data})
    given: list[Json] = [{"role": "user", "content": parts}]
    if ask.results:
        call = {"call_id": asks.CALL_ID, "name": asks.TOOL, "arguments": asks.arguments(asks.CALLED)}
        given = [
            {"role": "user", "content": asks.EARLIER},
            {"type": "function_call", **call},
            {"type": "function_call_output", "call_id": asks.CALL_ID, "output": asks.RESULT},
        ]
    body: Json = {"input": given, **_limits(ask, "max_output_tokens", "temperature", "top_p"), **_fields(ask)}
    if ask.system:
        body["instructions"] = asks.SYSTEM
    if ask.tools:
        tool = {"type": "function", "name": asks.TOOL, "description": asks.TOOL_TEXT, "parameters": asks.TOOL_SCHEMA}
        body["tools"] = [{**tool, "strict": False}]
    if ask.forced:
        body["tool_choice"] = "required"
    if ask.schema:
        schema = {"type": "json_schema", "name": "nest", "schema": asks.ANSWER_SCHEMA, "strict": True}
        body["text"] = {"format": schema}
    return body

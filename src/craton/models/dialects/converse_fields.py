"""Extra fields of one schema for a model of another that is asked by Converse.

Converse carries its own members and the model's own fields side by side, so a foreign field is translated by the
model's table (`extras.Schema`) as if its native body were written, and what Converse says itself is taken out again.
Owns that detour only: the tables are the dialects', the order and the ledger `extras`'.
"""

from __future__ import annotations

from typing import Any

from craton.models.canon.request import ConverseRequest, InferenceConfig, ToolChoice
from craton.models.dialects.dialect import Ledger
from craton.models.dialects.extras import Body, Schema, merge, put

# What Converse has members for, by the meaning that a schema's table gives it.
_LIMITS = {"max_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p", "stop": "stop_sequences"}


class _Tool(dict[str, Any]):
    """A tool of Converse's, as the tables' translations look at one that is there already."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, function={"name": name})
        self.name = name


def reworded(request: ConverseRequest, schema: Schema, ledger: Ledger) -> Body | None:
    """The extra fields as a model of this schema has them; what it lacks goes to the ledger."""
    extra = dict(request.additional_model_request_fields or {})
    output = request.output_config
    if output is not None and output.text_format is not None and _is_schema(extra.get("response_format")):
        del extra["response_format"]  # what OpenAI says of it beside the schema itself
    body, said = _body(request, schema), _body(request, schema)
    merge(extra, schema, body, ledger)
    return _beyond(body, said) or None


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "json_schema"


def _body(request: ConverseRequest, schema: Schema) -> Body:
    """What Converse says itself, where the model's native body would have it."""
    body: Body = {}
    config = request.inference_config or InferenceConfig()
    for meaning, member in _LIMITS.items():
        value, where = getattr(config, member), schema.names.get(meaning)
        if value is not None and where is not None:
            put(body, where, value)
    if request.tool_config is not None:
        body["tools"] = [_Tool(tool.tool_spec.name) for tool in request.tool_config.tools if tool.tool_spec is not None]
        choice = request.tool_config.tool_choice
        if choice is not None:
            body["tool_choice"] = _choice(choice)
    return body


def _choice(choice: ToolChoice) -> Body:
    """In Anthropic's form, the only one that a translation goes on from."""
    if choice.tool is not None:
        return {"type": "tool", "name": choice.tool.name}
    return {"type": "any" if choice.any is not None else "auto"}


def _beyond(body: Body, said: Body) -> Body:
    """What stands in a body beside what Converse says; a choice of tools is one thing and stays whole."""
    found: Body = {}
    for name, value in body.items():
        there = said.get(name)
        left = value
        if isinstance(value, dict) and isinstance(there, dict) and name != "tool_choice":
            left = _beyond(value, there) or there
        elif isinstance(value, list):
            left = [item for item in value if not isinstance(item, _Tool)] or there
        if left != there:
            found[name] = left
    return found

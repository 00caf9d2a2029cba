"""What a Converse request says in Claude's own words though the canon has a place for it.

Some clients (Vercel's AI SDK) ask Claude for an answer by a schema through `additionalModelRequestFields.output_config`
instead of `outputConfig`. As a vendor's field it would reach Anthropic alone; lifted to its place it reaches every
target in that target's form. Owns these fields only; what is no valid value of them stays where it is, for Claude to
refuse.
"""

from __future__ import annotations

from typing import Any

import msgspec

from craton.models.canon.request import ConverseRequest, FormatStructure, JsonSchema, OutputConfig, TextFormat
from craton.models.catalog.capabilities import Capabilities

_OUTPUT = "output_config"


def lift(request: ConverseRequest, able: Capabilities) -> None:
    """Move Claude's `output_config.format` and `.effort` to `outputConfig`, unless the request has one already."""
    given = (request.additional_model_request_fields or {}).get(_OUTPUT)
    if request.output_config is not None or not able.claude or not able.output_schema or not isinstance(given, dict):
        return
    left = dict(given)
    text_format = read_format(left.get("format"))
    if text_format is not None:
        del left["format"]
    effort = left.pop("effort") if isinstance(left.get("effort"), str) else None
    if text_format is None and effort is None:
        return
    request.output_config = OutputConfig(text_format, effort)
    fields = {name: value for name, value in (request.additional_model_request_fields or {}).items() if name != _OUTPUT}
    if left:
        fields[_OUTPUT] = left
    request.additional_model_request_fields = fields or None


def read_format(given: Any) -> TextFormat | None:
    """Anthropic's `{"type": "json_schema", "schema": {…}}`; None if it is anything else."""
    if not isinstance(given, dict) or given.keys() != {"type", "schema"} or given["type"] != "json_schema":
        return None
    if not isinstance(given["schema"], dict):
        return None
    return TextFormat("json_schema", FormatStructure(JsonSchema(msgspec.json.encode(given["schema"]).decode())))

"""Which schemas an answer may have: the subset is refused at once, as on Bedrock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from craton.aws.wire.faults import Fault
from craton.features.inference.rules.output_schema import check_answer, check_tool

STRING = {"type": "string"}


def closed(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


@pytest.mark.parametrize(
    "schema",
    [
        closed(a=STRING),
        closed(a={"type": "array", "items": closed(b=STRING), "minItems": 1}),
        closed(a={"anyOf": [STRING, {"type": "null"}]}, b={"enum": [1, 2]}, c={"const": 3}),
        {**closed(a={"$ref": "#/$defs/x"}, b={"$ref": "#/$defs/x"}), "$defs": {"x": closed(c={"$ref": "#/$defs/y"}), "y": STRING}},
        closed(a={"type": "string", "format": "date-time", "description": "maximum", "pattern": "^a$"}),
        closed(minimum=STRING, maxLength={"type": "integer"}),  # names of properties, not constraints
        {"type": "array", "items": STRING},
    ],
)  # fmt: skip
def test_the_subset_passes(schema: dict[str, Any]) -> None:
    """Closed objects, lists, choices, references within."""
    check_answer(json.dumps(schema))


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "object", "properties": {}}, "For 'object' type, 'additionalProperties' must be explicitly set to false"),
        (closed(a={"type": ["object", "null"]}), "'additionalProperties' must be explicitly set to false"),
        (closed(a={"type": "integer", "minimum": 1}), "For 'integer' type, property 'minimum' is not supported"),
        (closed(a={"type": "number", "multipleOf": 2}), "For 'number' type, property 'multipleOf' is not supported"),
        (closed(a={"type": "string", "maxLength": 2}), "For 'string' type, property 'maxLength' is not supported"),
        (closed(a={"type": "array", "items": STRING, "minItems": 2}), "'minItems' values other than 0 or 1"),
        (closed(a={"$ref": "https://example.com/x"}), "must refer to a definition within the schema"),
        (closed(a={"$ref": "#"}), "Recursive schemas are not supported"),
        ({**closed(a={"$ref": "#/$defs/n"}), "$defs": {"n": closed(b={"$ref": "#/$defs/n"})}}, "Recursive"),
        (
            {**closed(a={"$ref": "#/$defs/n"}), "$defs": {"n": closed(b={"$ref": "#/$defs/m"}), "m": closed(c={"$ref": "#/$defs/n"})}},
            "Recursive",
        ),
        (closed(a={"not": STRING}), "Property 'not' is not supported"),
    ],
)  # fmt: skip
def test_what_lies_outside_is_refused_by_name(schema: dict[str, Any], words: str) -> None:
    """The words for an open object are the vendor's own."""
    with pytest.raises(Fault) as caught:
        check_answer(json.dumps(schema))
    assert caught.value.name == "ValidationException"
    assert "The model returned the following errors: output_config.format.schema: " in caught.value.message
    assert words in caught.value.message


@pytest.mark.parametrize("text", ["", "{", "[]", "1"])
def test_a_schema_is_a_json_object(text: str) -> None:
    """It travels as text, so it may be anything."""
    with pytest.raises(Fault, match="not a JSON object"):
        check_answer(text)


def test_depth_has_an_end() -> None:
    """A schema nested beyond reason is refused, not walked."""
    schema: dict[str, Any] = STRING
    for _ in range(200):
        schema = {"type": "array", "items": schema}
    with pytest.raises(Fault, match="nested too deeply"):
        check_answer(json.dumps(schema))


def test_a_strict_tool_obeys_the_same_subset() -> None:
    """The message says which tool."""
    check_tool(0, json.dumps(closed(a=STRING)).encode())
    with pytest.raises(Fault, match=r"tools\.2\.custom\.input_schema: For 'object' type"):
        check_tool(2, b'{"type":"object"}')

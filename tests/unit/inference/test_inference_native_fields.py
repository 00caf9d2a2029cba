"""A schema for the answer in Claude's own words is moved to where every target finds it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from craton.features.inference.fitting.native_fields import lift
from craton.models.canon.request import ConverseRequest, OutputConfig
from craton.models.catalog.capabilities import Capabilities, capabilities
from craton.models.catalog.rows import load

CATALOG = load()

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
FORMAT = {"type": "json_schema", "schema": SCHEMA}
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"


def able(model_id: str = SONNET) -> Capabilities:
    model = CATALOG.find(model_id)
    assert model is not None
    return capabilities(model)


def lifted(fields: dict[str, Any], model_id: str = SONNET, **more: Any) -> ConverseRequest:
    request = ConverseRequest(additional_model_request_fields=fields, **more)
    lift(request, able(model_id))
    return request


def test_a_schema_is_moved() -> None:
    """The canon holds it, and nothing is left among the fields."""
    request = lifted({"output_config": {"format": FORMAT}})
    assert request.additional_model_request_fields is None
    assert request.output_config is not None
    assert request.output_config.text_format is not None
    found = request.output_config.text_format.structure.json_schema
    assert found is not None
    assert json.loads(found.schema) == SCHEMA


def test_what_has_no_place_stays() -> None:
    """Other members, and other fields."""
    request = lifted({"top_k": 5, "output_config": {"format": FORMAT, "effort": "low", "new": 1}})
    assert request.additional_model_request_fields == {"top_k": 5, "output_config": {"new": 1}}
    assert request.output_config is not None
    assert request.output_config.effort == "low"


@pytest.mark.parametrize(
    "given", [None, "x", {}, {"format": None}, {"format": {"type": "xml"}}, {"format": {**FORMAT, "schema": "x"}}]
)
def test_what_is_no_schema_is_left_to_the_model(given: Any) -> None:
    """Claude refuses it in its own words."""
    request = lifted({"output_config": given})
    assert request.output_config is None
    assert request.additional_model_request_fields == {"output_config": given}


def test_the_requests_own_schema_goes_first() -> None:
    """Both given: nothing is moved."""
    request = lifted({"output_config": {"format": FORMAT}}, output_config=OutputConfig(effort="low"))
    assert request.output_config == OutputConfig(effort="low")
    assert request.additional_model_request_fields == {"output_config": {"format": FORMAT}}


@pytest.mark.parametrize("model_id", ["anthropic.claude-3-haiku-20240307-v1:0", "amazon.nova-lite-v1:0"])
def test_other_models_have_no_such_field(model_id: str) -> None:
    """A family without schemas, and a vendor whose field of that name would be another."""
    assert lifted({"output_config": {"format": FORMAT}}, model_id).output_config is None

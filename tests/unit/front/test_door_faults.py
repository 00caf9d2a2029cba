"""Failures in the vendors' shapes: every kind has its status, every text its words."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from craton.aws.wire.faults import (
    MODEL_TIMED_OUT,
    STATUS,
    Fault,
    internal,
    model_error,
    model_stream_error,
    serialization,
    throttled,
    unavailable,
    validation,
)
from craton.front.door_faults import ANTHROPIC, OPENAI, DoorFault, Kind, Shape, Wrong, kind_of, wait_headers, wrong
from craton.models.dialects.malformed import malformed
from craton.models.providers.faults import RETURNED, TOO_LONG

SHAPES = pytest.mark.parametrize("shape", [OPENAI, ANTHROPIC], ids=lambda shape: shape.name)


def shown(shape: Shape, fault: Fault) -> tuple[int, dict[str, Any]]:
    status, body = shape.error(fault, "r-1")
    return status, msgspec.json.decode(body)["error"]


@SHAPES
@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_has_a_status_and_a_type(shape: Shape, kind: Kind) -> None:
    """No failure is without a row."""
    status, error = shown(shape, DoorFault(kind, "text"))
    assert 400 <= status < 600
    assert error["message"] == "text"
    assert error["type"]


@SHAPES
@pytest.mark.parametrize("name", sorted(STATUS))
def test_bedrocks_side_of_the_fault_stays(shape: Shape, name: str) -> None:
    """What the client must change stays its own fault at the doors; failures of models are the server's there."""
    fault = Fault(name, "text")
    status, _ = shown(shape, fault)
    servers = not fault.client_fault or kind_of(fault) in ("model", "timeout", "overloaded")
    assert (status >= 500) == servers


@pytest.mark.parametrize(
    ("fault", "openai", "anthropic"),
    [
        (throttled(), (429, "requests", "rate_limit_exceeded"), (429, "rate_limit_error")),
        (unavailable(), (503, "server_error", "service_unavailable"), (529, "overloaded_error")),
        (internal(), (500, "server_error", None), (500, "api_error")),
        (model_error(), (500, "server_error", "model_error"), (500, "api_error")),
        (model_stream_error(MODEL_TIMED_OUT), (504, "server_error", "timeout"), (504, "timeout_error")),
        (DoorFault("authentication", "x"), (401, "invalid_request_error", "invalid_api_key"), (401, "authentication_error")),
        (Fault("AccessDeniedException", "x"), (403, "insufficient_permissions", None), (403, "permission_error")),
        (DoorFault("unknown_model", "x"), (404, "invalid_request_error", "model_not_found"), (404, "not_found_error")),
    ],
    ids=str,
)  # fmt: skip
def test_the_vendors_classes(fault: Fault, openai: tuple[Any, ...], anthropic: tuple[Any, ...]) -> None:
    """The rows that clients look at."""
    status, error = shown(OPENAI, fault)
    assert (status, error["type"], error["code"]) == openai
    status, error = shown(ANTHROPIC, fault)
    assert (status, error["type"]) == anthropic


@pytest.mark.parametrize(
    ("violation", "found", "openai", "anthropic"),
    [
        ("", Wrong((), ""), "We could not parse the JSON body", "The request body is not valid JSON"),
        ("#: required key [model] not found", Wrong(("model",), "", missing=True), "'model'", "model: Field required"),
        (
            "#/messages/0: required key [role] not found",
            Wrong(("messages", "0", "role"), "", missing=True),
            "Missing required parameter: 'messages[0].role'.",
            "messages.0.role: Field required",
        ),
        (
            "#/top_p: 2 is not less or equal to 1",
            Wrong(("top_p",), "2 is not less or equal to 1"),
            "Invalid value for 'top_p': 2 is not less or equal to 1.",
            "top_p: 2 is not less or equal to 1",
        ),
        ("2 schema violations found", None, "2 schema violations found", "2 schema violations found"),
    ],
)
def test_a_bodys_faults_are_named_as_the_vendor_names_them(
    violation: str, found: Wrong | None, openai: str, anthropic: str
) -> None:
    """The member's path in OpenAI's form and in Anthropic's."""
    fault = malformed(violation)
    if found is not None:
        assert wrong(fault.message) == found
    assert openai in shown(OPENAI, fault)[1]["message"]
    assert anthropic in shown(ANTHROPIC, fault)[1]["message"]


def test_converses_names_become_the_vendors() -> None:
    """A rule's text names the member that the caller sent."""
    text = "This model doesn't support the stopSequences field. Remove stopSequences and try again."
    assert shown(OPENAI, validation(text))[1]["message"].startswith("This model doesn't support the stop field.")
    assert "the stop_sequences field" in shown(ANTHROPIC, validation(text))[1]["message"]
    assert OPENAI.rename("additionalModelRequestFields.top_k, toolConfig.tools.0") == "top_k, tools.0"


@SHAPES
def test_an_upstreams_own_text_is_left_alone(shape: Shape) -> None:
    """Its words are about its own schema."""
    text = RETURNED + "toolConfig is nothing that I know"
    assert shown(shape, validation(text))[1]["message"] == text


def test_a_prompt_that_is_too_long_has_the_words_that_clients_look_for() -> None:
    """They shorten the conversation and go on."""
    assert shown(OPENAI, validation(TOO_LONG))[1]["code"] == "context_length_exceeded"
    assert shown(ANTHROPIC, validation(TOO_LONG))[1]["message"] == "prompt is too long"


def test_openai_is_told_that_json_does_not_parse() -> None:
    """Also where Bedrock calls it a SerializationException."""
    _, error = shown(OPENAI, serialization("The request body is no JSON."))
    assert "could not parse the JSON body" in error["message"]


def test_when_to_try_again() -> None:
    """The wait in whole seconds; no retry where only the operator can mend it."""
    assert wait_headers(throttled(retry_after_s=1.2)) == [(b"retry-after", b"2")]
    assert wait_headers(model_error(original_status=401)) == [(b"x-should-retry", b"false")]
    assert wait_headers(model_error(original_status=500)) == []

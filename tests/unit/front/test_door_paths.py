"""Which path is whose door."""

from __future__ import annotations

from typing import Any

import pytest

from craton.aws.wire.model import load
from craton.config import Settings
from craton.config_tables import ConfigFile
from craton.front.door_faults import DoorFault
from craton.front.vendor_doors import VendorDoors, at, at_door

VERSION = {b"anthropic-version": b"2023-06-01"}


@pytest.mark.parametrize(
    ("path", "headers", "vendor", "rest"),
    [
        ("/v1/chat/completions", {}, "openai", "chat/completions"),
        ("/v1/chat/completions", VERSION, "openai", "chat/completions"),
        ("/openai/v1/chat/completions", {}, "openai", "chat/completions"),
        ("/v1/messages", {}, "anthropic", "messages"),
        ("/anthropic/v1/messages/count_tokens", {}, "anthropic", "messages/count_tokens"),
        ("/v1/models", {}, "openai", "models"),
        ("/v1/models", VERSION, "anthropic", "models"),
        ("/openai/v1/models", VERSION, "openai", "models"),
        ("/anthropic/v1/models", {}, "anthropic", "models"),
        ("/v1/embeddings", {}, "openai", "embeddings"),
    ],
)
def test_a_path_has_its_vendor(path: str, headers: dict[bytes, bytes], vendor: str, rest: str) -> None:
    """The path tells, and where both have it the header."""
    assert at_door(path)
    found, after = at(path, headers)
    assert (found.shape.name, after) == (vendor, rest)


@pytest.mark.parametrize("path", ["/model/x/converse", "/v1", "/health", "/foundation-models", "/openai", "/v10/x"])
def test_other_paths_are_no_doors(path: str) -> None:
    """AWS operations and Craton's own stay what they are."""
    assert not at_door(path)


class Bare:
    settings = Settings(home="/nowhere", file=ConfigFile())


@pytest.fixture(scope="module")
def doors() -> VendorDoors:
    app: Any = Bare()
    return VendorDoors(app, [load("bedrock"), load("bedrock-runtime")], lambda _: None)


@pytest.mark.parametrize(
    ("method", "path", "operation", "rest"),
    [
        ("POST", "/v1/chat/completions", "Converse", ""),
        ("POST", "/v1/messages", "Converse", ""),
        ("POST", "/v1/messages/count_tokens", "CountTokens", ""),
        ("GET", "/v1/models", "ListFoundationModels", ""),
        ("GET", "/v1/models/a/b", "GetFoundationModel", "a/b"),
        ("POST", "/v1/responses", "Converse", ""),
        ("POST", "/openai/v1/responses/input_tokens", "CountTokens", ""),
        ("GET", "/v1/responses/resp_1", "Converse", "resp_1"),
        ("DELETE", "/v1/responses/resp_1", "Converse", "resp_1"),
        ("GET", "/v1/responses/resp_1/input_items", "Converse", "resp_1"),
        ("POST", "/v1/embeddings", "InvokeModel", ""),
        ("POST", "/v1/images/generations", "InvokeModel", ""),
        ("POST", "/v1/images/edits", "InvokeModel", ""),
    ],
)
def test_a_path_has_its_exchange(doors: VendorDoors, method: str, path: str, operation: str, rest: str) -> None:
    """Each is a form of an AWS operation, whose rules and accounts it shares."""
    vendor, below = at(path, {})
    found = doors.find(vendor, method, below)
    assert (found.operation.name, found.rest) == (operation, rest)


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/v1/chat/completions", "method"),
        ("DELETE", "/v1/models/x", "method"),
        ("POST", "/v1/audio/speech", "not_built"),
        ("POST", "/v1/responses/compact", "method"),
        ("POST", "/v1/responses/a/b/input_items", "not_built"),
        ("POST", "/v1/messages/batches", "not_built"),
        ("POST", "/v1/nothing", "unknown_url"),
        ("GET", "/v1/models/", "unknown_url"),
        ("GET", "/v1/", "unknown_url"),
    ],
)
def test_the_rest_says_what_it_is(doors: VendorDoors, method: str, path: str, kind: str) -> None:
    """Not built, not there, or another method."""
    vendor, below = at(path, {})
    with pytest.raises(DoorFault) as caught:
        doors.find(vendor, method, below)
    assert caught.value.kind == kind

"""Pictures between caller and target: which targets can, what passes through, what is translated, what is told."""

from __future__ import annotations

import asyncio
import json
import time
import tomllib
from typing import Any

import msgspec
import pytest

from craton import config, config_tables
from craton.aws.wire.faults import Fault
from craton.features.inference import images
from craton.features.inference.routing.compile import Compiler
from craton.features.inference.routing.routes import Routes
from craton.models.canon.image import ImageReply, ImageRequest, Painted
from craton.models.catalog.local import LocalModel
from craton.models.catalog.rows import load
from craton.models.dialects.all import dialect_named
from craton.models.providers.provider import Attempt, Upstream

CATALOG = load()
TITAN, SDXL = "amazon.titan-image-generator-v2:0", "stability.stable-diffusion-xl-v1"
BRUSH = LocalModel(id="brush", directory="/nowhere", kind="image")
TEXT = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": "a"}}


class Brush:
    """A provider that paints, and takes native bodies of Titan's."""

    name = "brush"
    dialect = dialect_named("openai.chat")
    image_schema = "amazon.titan-image"

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        self.asked: list[ImageRequest] = []
        self.bodies: list[bytes] = []

    async def paint(self, request: ImageRequest, attempt: Attempt) -> ImageReply:
        self.asked.append(request)
        if request.steps is not None:
            attempt.ledger.drop(request.path("steps"))
        return ImageReply(pictures=[Painted(base64="aGk=", seed=3)])

    async def paint_native(self, body: bytes, attempt: Attempt) -> bytes:
        self.bodies.append(body)
        return b'{"images":["native"]}'


class Chatter:
    """A provider that only talks."""

    name = "chatter"
    dialect = dialect_named("openai.chat")

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream


class Clock:
    monotonic = staticmethod(time.monotonic)


class Call:
    """As much of a call as an inference looks at."""

    def __init__(self, mode: str = "lenient") -> None:
        self.headers = {b"x-craton-translation": mode.encode()}
        self.response_headers: list[tuple[bytes, bytes]] = []
        self.request_id, self.speaks, self.started_at = "r", "", time.monotonic()
        self.app = self
        self.clock, self.quota, self.tracer = Clock(), None, None
        self.settings = config.Settings(home="/nowhere", file=config_tables.ConfigFile())


def routes(text: str = "", *local: LocalModel, make: Any = Brush) -> Routes:
    settings = config.Settings(home="/nowhere", file=msgspec.convert(tomllib.loads(text), config_tables.ConfigFile))
    return Compiler(settings, CATALOG, make, dialect_named).routes(local)


def target(model: str) -> str:
    return f'[[model]]\nid = "{model}"\n[[model.target]]\nprovider = "openai"\nbase_url = "http://127.0.0.1:1/v1"\n'


def invoke(found: Routes, model: str, body: dict[str, Any], call: Call) -> dict[str, Any]:
    resolved = found.resolve(model, "123456789012", "us-east-1")
    native, counted = asyncio.run(images.invoke(call, resolved, model, json.dumps(body).encode()))  # type: ignore[arg-type]
    assert counted.input_tokens is None
    value: dict[str, Any] = json.loads(native)
    return value


def test_a_target_of_the_callers_schema_gets_the_body_as_it_is() -> None:
    """Body and reply pass through once the body has been checked; a bad one is not sent."""
    found = routes(target(TITAN))
    brush = found.by_id[TITAN].targets[0].provider
    assert invoke(found, TITAN, TEXT, Call()) == {"images": ["native"]}
    assert brush.bodies == [json.dumps(TEXT).encode()]
    with pytest.raises(Fault, match="required key"):
        invoke(found, TITAN, {"taskType": "TEXT_IMAGE"}, Call())
    assert len(brush.bodies) == 1


def test_another_schema_is_translated_and_its_losses_told() -> None:
    """SDXL's request reaches the target through the canon; what is lost stands in the header."""
    call = Call()
    body = {"text_prompts": [{"text": "a"}], "steps": 20}
    reply = invoke(routes(target(SDXL)), SDXL, body, call)
    assert reply["artifacts"] == [{"seed": 3, "base64": "aGk=", "finishReason": "SUCCESS"}]
    assert call.response_headers == [(b"x-craton-dropped", b"steps")]
    with pytest.raises(Fault, match="cannot carry steps"):
        invoke(routes(target(SDXL)), SDXL, body, Call("strict"))


def test_a_stand_in_never_sees_a_native_body() -> None:
    """It answers through the canon and says who it is."""
    found, call = routes('[standins]\nimage = ""\n', BRUSH), Call()
    assert invoke(found, TITAN, TEXT, call)["images"] == ["aGk="]
    assert call.response_headers == [(b"x-craton-standin", b"brush")]
    assert found.by_id[TITAN].targets[0].provider.bodies == []


def test_without_anything_that_paints_the_answer_says_so() -> None:
    """No local image model: the call says how to add one; a provider that cannot paint ends the start."""
    with pytest.raises(Fault, match="No model of this server makes images"):
        invoke(routes(), TITAN, TEXT, Call())
    with pytest.raises(config.ConfigError, match="has no images"):
        routes(target(TITAN), make=Chatter)


def test_the_configured_stand_in_is_taken() -> None:
    """`[standins] image` chooses among local models."""
    other = LocalModel(id="other", directory="/nowhere", kind="image")
    found = routes('[standins]\nimage = "other"\n', BRUSH, other)
    assert found.by_id[SDXL].targets[0].standin == "other"

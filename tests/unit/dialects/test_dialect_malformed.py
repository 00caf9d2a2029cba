"""Bad native bodies are answered in Bedrock's own words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta

from craton.aws.wire.faults import Fault
from craton.models.dialects.malformed import decode_native

RETRY = ", please reformat your input and try again."


class Text(msgspec.Struct, tag="text", forbid_unknown_fields=True):
    text: str


class Image(msgspec.Struct, tag="image"):
    source: dict[str, int]


class Turn(msgspec.Struct):
    role: Literal["user", "assistant"]
    content: str | list[Text | Image] = ""


class Body(msgspec.Struct, forbid_unknown_fields=True, rename={"max_tokens": "maxTokens"}):
    prompt: Annotated[str, Meta(min_length=1, max_length=9)]
    max_tokens: Annotated[int, Meta(ge=0, le=2048)] = 5
    top_p: Annotated[float, Meta(gt=0, lt=1.5)] | None = None
    stop: Annotated[list[str], Meta(max_length=2, min_length=1)] | None = None
    messages: list[Turn] = []
    echo: bool = False
    name: Annotated[str, Meta(pattern="^[a-z]+$")] | None = None
    mixed: str | int | None = None
    extra: Any = None
    raw: msgspec.Raw | None = None


class Odd(msgspec.Struct):
    even: int = 0

    def __post_init__(self) -> None:
        if self.even % 2:
            raise ValueError("must be even")


class Outer(msgspec.Struct):
    odds: list[Odd]


BODY = msgspec.json.Decoder(Body)


def text_of(body: bytes, decoder: Any = BODY) -> str:
    with pytest.raises(Fault) as caught:
        decode_native(decoder, body)
    assert caught.value.name == "ValidationException"
    return caught.value.message


def test_a_good_body_is_decoded() -> None:
    """A body that fits comes back as its Struct."""
    assert decode_native(BODY, b'{"prompt":"hi","maxTokens":2}') == Body("hi", 2)


@pytest.mark.parametrize(
    ("body", "violation"),
    [
        (b"{}", "#: required key [prompt] not found"),
        (b"[]", "#: expected type: JSONObject, found: JSONArray"),
        (b'{"prompt":"x","foo":1}', "#: extraneous key [foo] is not permitted"),
        (b'{"prompt":1}', "#/prompt: expected type: String, found: Integer"),
        (b'{"prompt":null}', "#/prompt: expected type: String, found: Null"),
        (b'{"prompt":""}', "#/prompt: expected minLength: 1, actual: 0"),
        (b'{"prompt":"0123456789"}', "#/prompt: expected maxLength: 9, actual: 10"),
        (b'{"prompt":"x","maxTokens":8192}', "#/maxTokens: 8192 is not less or equal to 2048"),
        (b'{"prompt":"x","maxTokens":-1}', "#/maxTokens: -1 is not greater or equal to 0"),
        (b'{"prompt":"x","maxTokens":1.5}', "#/maxTokens: expected type: Integer, found: BigDecimal"),
        (b'{"prompt":"x","maxTokens":true}', "#/maxTokens: expected type: Integer, found: Boolean"),
        (b'{"prompt":"x","top_p":"1"}', "#/top_p: expected type: Number, found: String"),
        (b'{"prompt":"x","top_p":0}', "#/top_p: 0 is not greater than 0"),
        (b'{"prompt":"x","top_p":1.5}', "#/top_p: 1.5 is not less than 1.5"),
        (b'{"prompt":"x","stop":"y"}', "#/stop: expected type: JSONArray, found: String"),
        (b'{"prompt":"x","stop":[]}', "#/stop: expected minimum item count: 1, found: 0"),
        (b'{"prompt":"x","stop":["a","b","c"]}', "#/stop: expected maximum item count: 2, found: 3"),
        (b'{"prompt":"x","stop":["a",{}]}', "#/stop/1: expected type: String, found: JSONObject"),
        (b'{"prompt":"x","echo":0}', "#/echo: expected type: Boolean, found: Integer"),
        (b'{"prompt":"x","name":"A"}', "#/name: string does not match pattern ^[a-z]+$"),
        (b'{"prompt":"x","messages":[{"role":"bot"}]}', "#/messages/0/role: bot is not a valid enum value"),
        (b'{"prompt":"x","mixed":[]}', "#/mixed: no subschema matched out of the total 2 subschemas"),
        (
            b'{"prompt":"x","messages":[{"role":"user","content":[{"type":"text","text":3}]}]}',
            "#/messages/0/content/0/text: expected type: String, found: Integer",
        ),
        (
            b'{"prompt":"x","messages":[{"role":"user","content":[{"type":"text","text":"a","x":3}]}]}',
            "#/messages/0/content/0: extraneous key [x] is not permitted",
        ),
        (
            b'{"prompt":"x","messages":[{"role":"user","content":[{"text":"a"}]}]}',
            "#/messages/0/content/0: required key [type] not found",
        ),
        (
            b'{"prompt":"x","messages":[{"role":"user","content":[{"type":"zip"}]}]}',
            "#/messages/0/content/0/type: zip is not a valid enum value",
        ),
        (b'{"foo":1}', "2 schema violations found"),
    ],
)
def test_each_violation_is_named_with_its_place(body: bytes, violation: str) -> None:
    """A violation of the schema is answered with Bedrock's text for it."""
    assert text_of(body) == f"Malformed input request: {violation}{RETRY}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b'{"prompt":"\xff"}',
        b'{"prompt":NaN}',
        b'{"prompt":"x","raw":' + b"[" * 100_000,
    ],
)
def test_what_is_no_json_has_one_answer(body: bytes) -> None:
    """Bytes that are not JSON, or nested without end, get the plain text."""
    assert text_of(body) == "Malformed input request, please reformat your input and try again."


def test_a_rule_of_the_struct_itself_is_reported() -> None:
    """A rule that only a Struct's own check knows is reported with its place."""
    text = text_of(b'{"odds":[{"even":2},{"even":3}]}', msgspec.json.Decoder(Outer))
    assert text == "Malformed input request: #/odds/1: must be even" + RETRY


def test_no_long_value_is_echoed() -> None:
    """A message shows no more of a body than the head of a word that was not in an enum."""
    secret = b"s" * 500
    assert len(text_of(b'{"prompt":"x","messages":[{"role":"' + secret + b'"}]}')) < 180
    assert len(text_of(b'{"prompt":"x","' + secret + b'":1}')) < 180
    assert "ssss" not in text_of(b'{"prompt":"' + secret + b'"}')

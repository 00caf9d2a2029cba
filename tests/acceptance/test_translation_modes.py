"""What a target cannot carry: named when it is left out (lenient), refused when nothing may be lost (strict)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance import rawhttp
from tests.acceptance.serving import CLAUDE, GPT, HAIKU, HELLO, LLAMA, TITAN, Served, converse_path, serving

# What an OpenAI-compatible server has no place for.
LOSSY: dict[str, Any] = {
    "messages": [{"role": "user", "content": [{"text": "Hello"}, {"cachePoint": {"type": "default"}}]}],
    "additionalModelRequestFields": {"top_k": 5, "unheard_of": 1},
}
LOST = ["messages.0.content.1.cachePoint", "additionalModelRequestFields.unheard_of"]
TOOLS = {"tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}]}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose configuration says strict."""
    with serving(tmp_path_factory.mktemp("strict"), '[translation]\nmode = "strict"\n') as running:
        yield running


@pytest.fixture(autouse=True)
def _next_request_works(served: Served) -> Iterator[None]:
    yield
    served.check_alive()


def ask(
    served: Served, body: dict[str, Any], mode: str = "", model: str = HAIKU, action: str = "converse"
) -> rawhttp.Answer:
    headers = {"x-craton-translation": mode} if mode else {}
    return rawhttp.call(served.server, "POST", converse_path(model, action), json.dumps(body).encode(), headers)


@pytest.mark.parametrize("mode", ["", "lenient", "LENIENT", "nonsense"])
def test_lenient_sends_on_without_it_and_says_so(served: Served, mode: str) -> None:
    """The default; the header names every path that was left out, and the rest arrived."""
    answer = ask(served, LOSSY, mode)
    assert answer.status == 200
    assert sorted(answer.headers["x-craton-dropped"].split(", ")) == sorted(LOST)
    assert served.sent()["top_k"] == 5
    assert "unheard_of" not in served.sent()


@pytest.mark.parametrize("action", ["converse", "converse-stream"])
def test_strict_refuses_what_it_cannot_carry(served: Served, action: str) -> None:
    """The error names it, and the vendor was never asked."""
    answer = ask(served, LOSSY, "strict", action=action)
    rawhttp.refused(answer, 400, "ValidationException", "cachePoint")
    assert not served.up.requests


def test_strict_lets_through_what_is_carried(served: Served) -> None:
    """Nothing is lost on the way to Anthropic's own API, so nothing is refused."""
    body = {**LOSSY, "additionalModelRequestFields": {"top_k": 5}}
    answer = ask(served, body, "strict", CLAUDE)
    assert answer.status == 200
    assert "x-craton-dropped" not in answer.headers
    assert served.sent()["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}


def test_a_stream_says_what_was_dropped(served: Served) -> None:
    """The header is there before the first event."""
    answer = ask(served, LOSSY, action="converse-stream")
    assert answer.status == 200
    assert sorted(answer.headers["x-craton-dropped"].split(", ")) == sorted(LOST)


def test_native_bodies_are_ledgered_too(served: Served) -> None:
    """InvokeModel with Claude's own cache_control, answered by an OpenAI-compatible server."""
    part = {"type": "text", "text": "Hello", "cache_control": {"type": "ephemeral"}}
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": [part]}],
    }
    answer = ask(served, body, action="invoke")
    assert answer.status == 200
    assert "cachePoint" in answer.headers["x-craton-dropped"]
    rawhttp.refused(ask(served, body, "strict", action="invoke"), 400, "ValidationException", "cachePoint")


def test_the_configuration_sets_the_mode_and_the_header_changes_it(strict: Served) -> None:
    """Strict for all, lenient for one request."""
    rawhttp.refused(ask(strict, LOSSY), 400, "ValidationException", "")
    assert ask(strict, LOSSY, "lenient").status == 200
    assert ask(strict, {"messages": HELLO}).status == 200


@pytest.mark.parametrize("mode", ["lenient", "strict"])
@pytest.mark.parametrize(
    ("model", "body", "message"),
    [
        (TITAN, {"messages": HELLO, "system": [{"text": "x"}]}, "This model doesn't support system messages."),
        (TITAN, {"messages": HELLO, "toolConfig": TOOLS}, "This model doesn't support tool use."),
        (
            LLAMA,
            {"messages": [{"role": "user", "content": [{"image": {"format": "png", "source": {"bytes": "aGk="}}}]}]},
            "This model doesn't support the image content block",
        ),
        (
            GPT,
            {"messages": HELLO, "inferenceConfig": {"stopSequences": ["x"]}},
            "This model doesn't support the stopSequences field.",
        ),
        (HAIKU, {"messages": HELLO, "inferenceConfig": {"maxTokens": 100_000}}, "exceeds the model limit of 4096"),
    ],
    ids=["system", "tools", "image", "stop", "tokens"],
)
def test_a_family_is_as_limited_as_on_bedrock(
    served: Served, mode: str, model: str, body: dict[str, Any], message: str
) -> None:
    """The upstream could do it, but the program would then fail on Bedrock: both modes refuse."""
    rawhttp.refused(ask(served, body, mode, model), 400, "ValidationException", message)
    assert not served.up.requests

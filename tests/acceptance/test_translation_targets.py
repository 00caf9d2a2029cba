"""A model with several targets: weights, fallbacks, and another try only while the caller has seen no byte."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError

from tests.acceptance.serving import HELLO
from tests.fakes import scripts
from tests.fakes.upstream import FakeUpstream
from tests.running import Running

EVEN = "mistral.mistral-large-2402-v1:0"
FALLING = "mistral.mistral-large-2407-v1:0"
DEAD = "mistral.mixtral-8x7b-instruct-v0:1"
OWN = "house.special-v1"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def target(url: str, model: str, extra: str = "") -> str:
    return f'[[model.target]]\nprovider = "openai"\nbase_url = "{url}"\nmodel = "{model}"\ntimeout_s = 1.0\n{extra}\n'


@dataclass
class Pair:
    """A server and the two vendors behind it."""

    first: FakeUpstream
    second: FakeUpstream
    client: Any


@pytest.fixture(scope="module")
def _pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with FakeUpstream() as one, FakeUpstream() as two:
        dead = f"http://127.0.0.1:{free_port()}/v1"
        models = {
            EVEN: target(one.openai_url, "a", "weight = 3") + target(two.openai_url, "b", "weight = 1"),
            FALLING: target(one.openai_url, "a") + target(two.openai_url, "b", "fallback = true"),
            DEAD: target(dead, "a", "weight = 1000000") + target(two.openai_url, "b", "fallback = true"),
            OWN: target(one.openai_url, "a"),
        }
        # What a failure does to the target itself (breaker, rest) is another page's: test_chaos, test_routing.
        config = "[routing]\nretries = 0\nbreaker_failures = 0\n"
        config += "".join(f'[[model]]\nid = "{name}"\n{targets}' for name, targets in models.items())
        with Running(tmp_path_factory.mktemp("home"), config) as server:
            yield Pair(one, two, server.client("bedrock-runtime"))


@pytest.fixture
def pair(_pair: Pair) -> Pair:
    for up in (_pair.first, _pair.second):
        up.scripts.clear()
        up.requests.clear()
    return _pair


def text(pair: Pair, model: str) -> str:
    reply = pair.client.converse(modelId=model, messages=HELLO)
    said: str = reply["output"]["message"]["content"][0]["text"]
    return said


def test_weights_share_the_requests(pair: Pair) -> None:
    """Three to one: both are used, the heavier one more."""
    for _ in range(60):
        assert text(pair, EVEN) == "Echo: Hello"
    used = Counter(request.json["model"] for up in (pair.first, pair.second) for request in up.requests)
    assert used["a"] > used["b"] > 0
    assert len(pair.first.requests) == used["a"]


def test_a_fallback_rests_until_it_is_needed(pair: Pair) -> None:
    """It is asked only after the others failed."""
    for _ in range(10):
        text(pair, FALLING)
    assert not pair.second.requests


@pytest.mark.parametrize(
    "script",
    [*(scripts.error_openai(status) for status in (401, 404, 429, 500, 503)), scripts.HANG, scripts.CUT, scripts.HTML],
    ids=["401", "404", "429", "500", "503", "hang", "cut", "html"],
)
def test_a_failure_goes_to_the_fallback(pair: Pair, script: scripts.Script) -> None:
    """Misconfigured, throttled, overloaded, silent or dead: the caller gets the answer of the other one."""
    pair.first.play(script, script)
    assert text(pair, FALLING) == "Echo: Hello"
    assert [request.json["model"] for request in pair.second.requests] == ["b"]


def test_an_upstream_that_is_not_there_goes_to_the_fallback(pair: Pair) -> None:
    """A refused connection is no news to the caller."""
    assert text(pair, DEAD) == "Echo: Hello"


def test_the_callers_own_mistake_is_not_tried_elsewhere(pair: Pair) -> None:
    """A 400 would be one everywhere."""
    pair.first.play(scripts.error_openai(400))
    with pytest.raises(ClientError, match="ValidationException"):
        text(pair, FALLING)
    assert not pair.second.requests


def test_the_last_fault_is_the_callers(pair: Pair) -> None:
    """When all fail, the caller hears of the last."""
    pair.first.play(scripts.error_openai(503))
    pair.second.play(scripts.error_openai(429))
    with pytest.raises(ClientError, match="ThrottlingException"):
        text(pair, FALLING)


def test_a_stream_falls_back_before_its_first_byte(pair: Pair) -> None:
    """The caller sees one stream, the second vendor's."""
    pair.first.play(scripts.error_openai(503))
    events = list(pair.client.converse_stream(modelId=FALLING, messages=HELLO)["stream"])
    assert "metadata" in events[-1]
    assert len(pair.second.requests) == 1


def test_a_stream_does_not_fall_back_after_its_first_byte(pair: Pair) -> None:
    """What was said cannot be unsaid."""
    pair.first.play(scripts.cut_midstream(scripts.openai_events(["one "])[:2]))
    with pytest.raises(EventStreamError):
        list(pair.client.converse_stream(modelId=FALLING, messages=HELLO)["stream"])
    assert not pair.second.requests


def test_invoke_model_falls_back_too(pair: Pair) -> None:
    """Native bodies take the same way."""
    pair.first.play(scripts.error_openai(503))
    body = json.dumps({"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5})
    reply = pair.client.invoke_model(modelId=FALLING, body=body)
    assert "Echo: Hello" in reply["body"].read().decode()
    assert len(pair.second.requests) == 1


def test_an_id_of_ones_own(pair: Pair) -> None:
    """An id that no catalog knows works for Converse and, in its target's schema, for InvokeModel."""
    assert text(pair, OWN) == "Echo: Hello"
    body = json.dumps({"messages": [{"role": "user", "content": "Hello"}]})
    reply = json.loads(pair.client.invoke_model(modelId=OWN, body=body)["body"].read())
    assert reply["choices"][0]["message"]["content"] == "Echo: Hello"

"""The vendors' doors byte by byte: events as they stand on the wire, credentials, bad input, and clients that leave."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance import rawhttp
from tests.acceptance.door_keys import short_term
from tests.acceptance.h2client import H2
from tests.acceptance.rawhttp import Answer
from tests.acceptance.serving import CLAUDE, GPT, Served, serving
from tests.fakes import scripts

LATE_S = 1.0
SOON_S = 1.0
MOST_BYTES = 200_000
CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
HELLO = [{"role": "user", "content": "Hello"}]
BODIES: dict[str, dict[str, Any]] = {
    CHAT: {"model": GPT, "messages": HELLO},
    MESSAGES: {"model": CLAUDE, "messages": HELLO, "max_tokens": 20},
}
DOORS = pytest.mark.parametrize("path", [CHAT, MESSAGES], ids=["openai", "anthropic"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    limits = f"[server]\nbody_timeout_s = {LATE_S}\nmax_body_bytes = {MOST_BYTES}\nwrite_stall_s = 1.5\n"
    with serving(tmp_path_factory.mktemp("home"), limits, target="timeout_s = 1.5") as running:
        yield running


@pytest.fixture(autouse=True)
def _next_request_works(served: Served) -> Iterator[None]:
    yield
    served.check_alive()


def request(
    served: Served, path: str, body: bytes, headers: dict[str, str] | None = None, method: str = "POST"
) -> bytes:
    given = {"Authorization": f"Bearer {short_term()}", "Content-Type": "application/json"}
    given |= {"Content-Length": str(len(body)), **(headers or {})}
    return rawhttp.head(served.server, method, path, [(k, v) for k, v in given.items() if v]) + body


def post(served: Served, path: str, body: bytes | dict[str, Any], headers: dict[str, str] | None = None) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return rawhttp.exchange(served.server, request(served, path, data, headers))


def failed(answer: Answer, path: str, status: int, kind: str) -> str:
    """Assert the vendor's own error with this status and type; its message."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    said = answer.json
    if path == MESSAGES:
        assert said["type"] == "error"
        assert said["request_id"] == answer.headers["request-id"]
    else:
        assert set(said["error"]) == {"message", "type", "param", "code"}
        assert answer.headers["x-request-id"]
    assert said["error"]["type"] == kind
    assert answer.seconds < rawhttp.IN_TIME_S
    return str(said["error"]["message"])


def test_openais_stream_on_the_wire(served: Served) -> None:
    """Data lines alone, and `[DONE]`."""
    answer = post(served, CHAT, {**BODIES[CHAT], "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.body.decode().split("\n\n")
    assert events.pop() == ""
    assert all(event.startswith("data: ") for event in events)
    assert events[-1] == "data: [DONE]"
    chunks = [json.loads(event[6:]) for event in events[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_anthropics_stream_on_the_wire(served: Served) -> None:
    """Each event has a name, which is its type."""
    answer = post(served, MESSAGES, {**BODIES[MESSAGES], "stream": True})
    events = answer.body.decode().split("\n\n")
    assert events.pop() == ""
    for event in events:
        name, data = event.split("\n")
        assert name == "event: " + json.loads(data.removeprefix("data: "))["type"]
    assert events[-1].startswith("event: message_stop\n")


@DOORS
def test_a_stream_that_breaks_ends_with_the_vendors_error(served: Served, path: str) -> None:
    """After what came, in the stream itself."""
    begun = scripts.anthropic_events(["one "])[:4] if path == MESSAGES else scripts.openai_events(["one "])[:2]
    served.up.play(scripts.cut_midstream(begun))
    answer = post(served, path, {**BODIES[path], "stream": True})
    assert answer.status == 200
    last = answer.body.decode().split("\n\n")[-2]
    if path == MESSAGES:
        name, data = last.split("\n")
        assert name == "event: error"
        assert json.loads(data[6:])["error"]["type"] == "api_error"
    else:
        assert json.loads(last[6:])["error"]["type"] == "server_error"
        assert b"[DONE]" not in answer.body


@DOORS
def test_a_signature_opens_the_door(served: Served, path: str) -> None:
    """SigV4, as for every AWS operation; a wrong one does not."""
    body = json.dumps(BODIES[path]).encode()
    assert rawhttp.call(served.server, "POST", path, body).status == 200
    answer = rawhttp.call(served.server, "POST", path, body, secret="x" * 40)
    failed(answer, path, 401, "authentication_error" if path == MESSAGES else "invalid_request_error")


@DOORS
def test_no_key_is_an_authentication_error(served: Served, path: str) -> None:
    """It says how to send one, before it says anything about the path."""
    kind = "authentication_error" if path == MESSAGES else "invalid_request_error"
    for where in (path, path + "/nowhere"):
        answer = post(served, where, BODIES[path], {"Authorization": ""})
        assert "x-api-key" in failed(answer, path, 401, kind)


@DOORS
@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"x"', b"\xff\xfe", b'{"model": 7}'], ids=repr)
def test_what_is_no_request_is_refused(served: Served, path: str, body: bytes) -> None:
    """Rubbish in the body is the client's fault."""
    failed(post(served, path, body), path, 400, "invalid_request_error")


@DOORS
def test_a_big_body_is_refused(served: Served, path: str) -> None:
    """Over the cap it is not read."""
    kind = "request_too_large" if path == MESSAGES else "invalid_request_error"
    failed(post(served, path, b"x" * (MOST_BYTES + 1)), path, 413, kind)


@DOORS
def test_a_slow_body_is_given_up(served: Served, path: str) -> None:
    """After the time that AWS operations have too."""
    data = request(served, path, b"{", {"Content-Length": "100"})
    failed(
        rawhttp.exchange(served.server, data),
        path,
        408,
        "timeout_error" if path == MESSAGES else "invalid_request_error",
    )


@DOORS
def test_a_hanging_upstream_is_a_timeout(served: Served, path: str) -> None:
    """The target's deadline holds at the doors."""
    served.up.play(scripts.HANG)
    failed(post(served, path, BODIES[path]), path, 504, "timeout_error" if path == MESSAGES else "server_error")


@DOORS
def test_wrong_methods_and_paths(served: Served, path: str) -> None:
    """405 names the method to use, 404 the path."""
    got = rawhttp.exchange(served.server, request(served, path, b"", method="GET"), "GET")
    assert "Use POST" in failed(got, path, 405, "invalid_request_error")
    lost = post(served, path + "/nowhere", b"{}")
    kind = "not_found_error" if path == MESSAGES else "invalid_request_error"
    assert path + "/nowhere" in failed(lost, path, 404, kind)


def test_a_guardrail_that_is_not_there_is_refused(served: Served) -> None:
    """Its header is not passed over in silence."""
    headers = {"X-Amzn-Bedrock-GuardrailIdentifier": "gr1", "X-Amzn-Bedrock-GuardrailVersion": "1"}
    assert "guardrail" in failed(post(served, CHAT, BODIES[CHAT], headers), CHAT, 400, "invalid_request_error")


def test_models_speak_the_shape_of_who_asks(served: Served) -> None:
    """`/v1/models` is OpenAI's, but for clients that send `anthropic-version`."""

    def listed(path: str, headers: dict[str, str]) -> Any:
        return rawhttp.exchange(served.server, request(served, path, b"", headers, "GET"), "GET").json

    assert listed("/v1/models", {})["object"] == "list"
    assert listed("/openai/v1/models", {"anthropic-version": "2023-06-01"})["object"] == "list"
    assert listed("/v1/models", {"anthropic-version": "2023-06-01"})["has_more"] is True
    assert listed("/anthropic/v1/models?limit=2", {})["data"][0]["type"] == "model"


@DOORS
def test_leaving_a_stream_closes_the_upstream(served: Served, path: str) -> None:
    """Within a second, though the upstream is silent."""
    begun = scripts.anthropic_events(["one "])[:4] if path == MESSAGES else scripts.openai_events(["one "])[:2]
    served.up.play(scripts.hang_midstream(begun))
    with rawhttp.connect(served.server) as sock:
        sock.sendall(request(served, path, json.dumps({**BODIES[path], "stream": True}).encode()))
        got = b""
        while b"one " not in got:
            got += sock.recv(65536)
    left_at = time.monotonic()
    served.up.wait(lambda up: up.requests[-1].closed_at is not None)
    closed_at = served.up.requests[-1].closed_at
    assert closed_at is not None
    assert closed_at - left_at < SOON_S


@DOORS
def test_leaving_a_whole_answer_closes_the_upstream(served: Served, path: str) -> None:
    """Nobody waits for it any more."""
    served.up.play(scripts.HANG)
    with rawhttp.connect(served.server) as sock:
        sock.sendall(request(served, path, json.dumps(BODIES[path]).encode()))
        served.up.wait(lambda up: up.requests)
        time.sleep(0.1)
    left_at = time.monotonic()
    served.up.wait(lambda up: up.requests[-1].closed_at is not None)
    closed_at = served.up.requests[-1].closed_at
    assert closed_at is not None
    assert closed_at - left_at < SOON_S


@DOORS
def test_a_client_that_stops_reading_is_cut(served: Served, path: str) -> None:
    """After `write_stall_s` the stream ends on both sides."""
    event = scripts.openai_chunk({"content": "x" * 4000})
    if path == MESSAGES:
        delta = {"type": "text_delta", "text": "x" * 4000}
        start = b"".join(scripts.anthropic_events([])[:2])
        event = start + scripts.anthropic_event("content_block_delta", index=0, delta=delta)
    served.up.play(scripts.endless(event))
    with rawhttp.connect(served.server) as sock:
        sock.sendall(request(served, path, json.dumps({**BODIES[path], "stream": True}).encode()))
        sock.recv(1000)
        served.up.wait(lambda up: up.requests[-1].closed_at is not None)


def test_http2_reaches_the_doors(served: Served) -> None:
    """By prior knowledge on the same port."""
    with H2(served.server) as client:
        stream = client.post(CHAT, json.dumps({**BODIES[CHAT], "stream": True}).encode())
        assert b"[DONE]" in client.read_until(stream, b"[DONE]")

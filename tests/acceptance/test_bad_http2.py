"""The same trouble over HTTP/2: one stream gets its error, the connection and its other streams live on."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.acceptance import rawhttp
from tests.acceptance.h2client import H2
from tests.acceptance.serving import GPT, HELLO, Served, converse_path, serving
from tests.fakes import scripts

PATH = converse_path(GPT)
BODY = json.dumps({"messages": HELLO}).encode()
LIMITS = "[server]\nmax_body_bytes = 60_000\nbody_timeout_s = 1.0\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), LIMITS) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Iterator[H2]:
    """A connection on which, after each test, the next request works."""
    with H2(served.server) as opened:
        yield opened
        served.up.scripts.clear()
        assert opened.answer(opened.post(PATH, BODY)).json["output"]["message"]["content"] == [{"text": "Echo: Hello"}]
    served.check_alive()


def test_a_wrong_signature(client: H2) -> None:
    """Refused as over HTTP/1.1."""
    answer = client.answer(client.post(PATH, BODY, secret="x" * 40))
    rawhttp.refused(answer, 403, "InvalidSignatureException", "signature we calculated does not match")


def test_a_broken_body(client: H2) -> None:
    """Its own error, with the request's id."""
    rawhttp.refused(client.answer(client.post(PATH, b"{")), 400, "SerializationException", "parsed as JSON")


def test_rubbish_in_the_path(client: H2) -> None:
    """Percent-encoded rubbish travels in a pseudo-header here."""
    answer = client.answer(client.post("/model/%FF/converse", BODY))
    rawhttp.refused(answer, 400, "ValidationException", "The request path is not valid UTF-8.")
    rawhttp.refused(client.answer(client.post("/nothing", BODY)), 404, "UnknownOperationException", "")


def test_a_body_that_is_too_large(client: H2) -> None:
    """Refused before it has all come."""
    stream = client.post(PATH, b"x" * 16_000, ends=False)
    for _ in range(3):
        client.conn.send_data(stream, b"x" * 15_900)
    client.flush()
    rawhttp.refused(client.answer(stream), 413, "RequestEntityTooLargeException", "exceeds the maximum size")


def test_a_body_that_never_ends(client: H2) -> None:
    """The deadline of one stream is no other's business."""
    stream = client.post(PATH, BODY[:5], ends=False)
    rawhttp.refused(client.answer(client.post(PATH, b"[]")), 400, "SerializationException", "must be a JSON object")
    rawhttp.refused(client.answer(stream), 408, "RequestTimeoutException", "not received in time")


def test_a_request_that_is_taken_back(client: H2) -> None:
    """Reset before its body was complete, and after."""
    client.reset(client.post(PATH, BODY[:5], ends=False))
    client.reset(client.post(PATH, BODY))


def test_a_vendor_that_fails(served: Served, client: H2) -> None:
    """The upstream's failure is the stream's alone."""
    served.up.play(scripts.error_openai(429))
    rawhttp.refused(client.answer(client.post(PATH, BODY)), 429, "ThrottlingException", "Too many requests")


def test_what_is_hardly_http2(served: Served) -> None:
    """The preface and then rubbish: the connection ends, the server does not."""
    with rawhttp.connect(served.server, 5) as sock:
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 1000)
        while sock.recv(65536):
            pass
    served.check_alive()


def test_a_storm_of_resets_ends_the_connection(served: Served) -> None:
    """Streams opened only to be reset are refused as an attack (CVE-2023-44487), and nothing of it stays."""
    with H2(served.server) as client, pytest.raises(ConnectionError):
        for _ in range(30):
            for _ in range(50):
                client.conn.reset_stream(client.post(PATH, b"", ends=False))
            client.flush()
        client.answer(client.post(PATH, BODY))
    served.check_alive()


def test_a_head_without_end(served: Served) -> None:
    """Continuation frames that never end are cut."""
    with rawhttp.connect(served.server, 5) as sock, pytest.raises(OSError, match=r"Broken pipe|reset"):
        sock.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + b"\0\0\1\1\0\0\0\0\1\x82")
        for _ in range(1000):
            sock.sendall(b"\0\x40\0\x09\0\0\0\0\1" + b"\x82" * 16384)
    served.check_alive()


def test_a_client_that_says_farewell_gets_its_open_answers(served: Served) -> None:
    """GOAWAY ends no stream that is open."""
    events = scripts.openai_events(["one ", "two "])
    served.up.play(
        (
            *scripts.event_stream(events[:2], end=()),
            scripts.Sleep(0.5),
            *map(scripts.chunk, events[2:]),
            scripts.LAST_CHUNK,
        )
    )
    with H2(served.server) as client:
        stream = client.post(converse_path(GPT, "converse-stream"), BODY)
        client.read_until(stream, b"contentBlockDelta")
        client.sock.sendall(b"\0\0\x08\x07\0\0\0\0\0" + b"\0" * 8)
        assert b"metadata" in client.read_until(stream)
    served.up.scripts.clear()

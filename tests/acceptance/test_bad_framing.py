"""Trouble with the HTTP around a body: its size, its pace, its framing. The next request works after each."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.acceptance import rawhttp
from tests.acceptance.serving import GPT, HELLO, Served, converse_path, serving

PATH = converse_path(GPT)
BODY = json.dumps({"messages": HELLO}).encode()
LENGTH = ("Content-Length", str(len(BODY)))
CHUNKED = ("Transfer-Encoding", "chunked")
LIMITS = "[server]\nmax_body_bytes = 1_000_000\nbody_timeout_s = 1.0\n"
TOO_LARGE = (413, "RequestEntityTooLargeException", "The request body exceeds the maximum size")
TOO_SLOW = (408, "RequestTimeoutException", "The request body was not received in time.")
CUT_SHORT = (400, "SerializationException", "The request body ended before it was complete.")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home"), LIMITS) as running:
        yield running


@pytest.fixture(autouse=True)
def _next_request_works(served: Served) -> Iterator[None]:
    yield
    served.check_alive()


def head(served: Served, *more: tuple[str, str]) -> bytes:
    """The head of a request that is signed for BODY."""
    signed = rawhttp.sign("POST", served.server.url + PATH, BODY)
    return rawhttp.head(served.server, "POST", PATH, [*signed.items(), *more])


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_a_body_declared_too_large_is_refused_unread(served: Served) -> None:
    """The answer comes before the body, and what is sent after it is not taken."""
    with rawhttp.connect(served.server) as sock:
        sock.sendall(head(served, ("Content-Length", "100000000")))
        rawhttp.refused(rawhttp.read(sock), *TOO_LARGE)
        taken = 0
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            for _ in range(1000):
                sock.sendall(b"x" * 65536)
                taken += 65536
        assert taken < 20_000_000


def test_a_body_that_grows_too_large_is_cut(served: Served) -> None:
    """A chunked body tells no size; reading stops soon after the cap."""
    with rawhttp.connect(served.server) as sock:
        sock.sendall(head(served, CHUNKED))
        taken = 0
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            for _ in range(1000):
                sock.sendall(chunk(b"x" * 65536))
                taken += 65536
        assert taken < 30_000_000
        rawhttp.refused(rawhttp.read(sock), *TOO_LARGE)


def test_a_length_that_is_no_number(served: Served) -> None:
    """The server's own bare refusal."""
    assert rawhttp.exchange(served.server, head(served, ("Content-Length", "many")) + BODY).status == 400


@pytest.mark.parametrize("framing", [LENGTH, CHUNKED], ids=["length", "chunked"])
def test_a_body_that_never_ends(served: Served, framing: tuple[str, str]) -> None:
    """After `body_timeout_s` the caller is told, even if it goes on sending a byte now and then."""
    begun = time.monotonic()
    with rawhttp.connect(served.server) as sock:
        sock.sendall(head(served, framing) + (BODY[:5] if framing is LENGTH else b"5\r\nab"))
        time.sleep(0.5)
        sock.sendall(b"c")
        rawhttp.refused(rawhttp.read(sock, since=begun), *TOO_SLOW)
    assert time.monotonic() - begun > 0.9


@pytest.mark.parametrize(
    ("framing", "rest"),
    [(LENGTH, BODY[:9]), (CHUNKED, b"zz\r\nabc\r\n"), (CHUNKED, chunk(BODY[:9]))],
    ids=["short", "bad-size", "no-last-chunk"],
)
def test_a_body_that_is_cut_short(served: Served, framing: tuple[str, str], rest: bytes) -> None:
    """Half a body and no more to come."""
    with rawhttp.connect(served.server) as sock:
        sock.sendall(head(served, framing) + rest)
        sock.shutdown(1)
        rawhttp.refused(rawhttp.read(sock), *CUT_SHORT)


def test_a_chunked_body_is_a_body(served: Served) -> None:
    """Byte by byte, and still the signature over the whole holds."""
    data = b"".join(chunk(BODY[at : at + 1]) for at in range(len(BODY)))
    answer = rawhttp.exchange(served.server, head(served, CHUNKED) + data + b"0\r\n\r\n")
    assert answer.json["output"]["message"]["content"] == [{"text": "Echo: Hello"}]


def test_expect_100_continue(served: Served) -> None:
    """curl and some SDKs wait for leave to send."""
    with rawhttp.connect(served.server, 5) as sock:
        sock.sendall(head(served, LENGTH, ("Expect", "100-continue")))
        assert sock.recv(100).startswith(b"HTTP/1.1 100")
        sock.sendall(BODY)
        assert rawhttp.read(sock).status == 200


def test_two_lengths_that_differ(served: Served) -> None:
    """Nothing is guessed about where the body ends."""
    assert rawhttp.exchange(served.server, head(served, LENGTH, ("Content-Length", "5")) + BODY).status == 400


def test_doubled_headers_do_no_harm(served: Served) -> None:
    """What is not signed may come twice; a second Host breaks the signature."""
    doubled = head(served, LENGTH, ("X-Trace", "a"), ("X-Trace", "b"))
    assert rawhttp.exchange(served.server, doubled + BODY).status == 200
    answer = rawhttp.exchange(served.server, head(served, LENGTH, ("Host", "elsewhere")) + BODY)
    rawhttp.refused(answer, 403, "InvalidSignatureException", "signature we calculated")


def test_many_headers(served: Served) -> None:
    """Seventy are fine; a hundred and fifty get the server's bare refusal."""
    many = [(f"X-Header-{number}", "x") for number in range(150)]
    assert rawhttp.exchange(served.server, head(served, LENGTH, *many[:70]) + BODY).status == 200
    assert rawhttp.exchange(served.server, head(served, LENGTH, *many) + BODY).status == 431


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10, 400),
        (b"GET /\r\n\r\n", 400),
        (b"POST " + b"/a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 700_000 + b"\r\n\r\n", 431),
        (b"GET /he\x00alth HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nX Y: z\r\n\r\n", 400),
    ],
    ids=["tls", "http-0.9", "long-url", "long-header", "nul", "header-name"],
)
def test_what_is_hardly_http(served: Served, data: bytes, status: int) -> None:
    """Faults below HTTP keep the server's own bare status."""
    assert rawhttp.exchange(served.server, data).status == status


def test_a_connection_is_kept(served: Served) -> None:
    """After a refusal of the request, not of its framing, the same connection serves the next one."""
    signed = rawhttp.sign("POST", served.server.url + PATH, b"[]")
    bad = rawhttp.head(served.server, "POST", PATH, [*signed.items(), ("Content-Length", "2")]) + b"[]"
    with rawhttp.connect(served.server) as sock:
        sock.sendall(bad)
        assert rawhttp.read(sock).status == 400
        sock.sendall(head(served, LENGTH) + BODY)
        assert rawhttp.read(sock).status == 200

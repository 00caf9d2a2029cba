"""The gate before a replica on the network: who knows the secret passes, with every request of the connection."""

from __future__ import annotations

import pytest

from craton.infra.compute.relay import Gate, Refused, new_secret

SECRET = b"s3cret"
POST = b"POST /s3cret/v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
PASSED = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
GET = b"GET /s3cret/health HTTP/1.1\r\nHost: a\r\n\r\n"
GOT = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.parametrize("step", [1, 2, 7, 64, 10_000])
def test_requests_pass_without_the_secret_in_their_paths(step: int) -> None:
    """Several on one connection, however they are cut into pieces."""
    gate, data = Gate(SECRET), POST + GET + POST
    passed = b"".join(gate.feed(data[at : at + step]) for at in range(0, len(data), step))
    assert passed == PASSED + GOT + PASSED


@pytest.mark.parametrize(
    "path", [b"/health", b"/", b"/s3cre/health", b"/s3crett/health", b"/S3CRET/health", b"/s3cret", b"//s3cret/health"]
)
def test_who_does_not_know_the_secret_finds_nothing(path: bytes) -> None:
    """404, as for a path that is not there."""
    with pytest.raises(Refused) as caught:
        Gate(SECRET).feed(b"GET %b HTTP/1.1\r\n\r\n" % path)
    assert caught.value.status == 404


def test_the_second_request_needs_the_secret_as_well() -> None:
    """A connection is nobody's for good."""
    gate = Gate(SECRET)
    gate.feed(POST)
    with pytest.raises(Refused):
        gate.feed(GOT)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (b"Transfer-Encoding: chunked", 411),
        (b"transfer-encoding: gzip", 411),
        (b"Content-Length: 5\r\nContent-Length: 5", 400),
        (b"Content-Length: 5\r\nContent-Length: 6", 400),
        (b"Content-Length: -1", 400),
        (b"Content-Length: 0x5", 400),
        (b"Content-Length: 5, 5", 400),
        (b"Content-Length: " + b"9" * 16, 400),
        (b"Content-Length : 5", 400),
        (b" Content-Length: 5", 400),
        (b"A: b\nContent-Length: 5", 400),
        (b"A: b\rContent-Length: 5", 400),
        (b"no colon", 400),
    ],
)
def test_what_could_be_framed_in_two_ways_is_refused(fields: bytes, status: int) -> None:
    """Else a body could hold a request that nobody judged."""
    with pytest.raises(Refused) as caught:
        Gate(SECRET).feed(b"POST /s3cret/x HTTP/1.1\r\n%b\r\n\r\n" % fields)
    assert caught.value.status == status


@pytest.mark.parametrize("line", [b"GET", b"GET /s3cret/x", b"GET  /s3cret/x HTTP/1.1", b"GET s3cret/x HTTP/1.1", b""])
def test_what_is_no_request_is_refused(line: bytes) -> None:
    """400."""
    with pytest.raises(Refused) as caught:
        Gate(SECRET).feed(line + b"\r\n\r\n")
    assert caught.value.status == 400


def test_a_head_without_end_is_refused() -> None:
    """Its memory has a bound."""
    gate = Gate(SECRET)
    with pytest.raises(Refused) as caught:
        for _ in range(100):
            gate.feed(b"x" * 1024)
    assert caught.value.status == 431


def test_secrets_are_long_and_never_the_same() -> None:
    """And fit into a path as they are."""
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(each) >= 43 and each.replace("-", "").replace("_", "").isalnum() for each in made)

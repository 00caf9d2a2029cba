"""Addresses, request heads, and which transport an environment asks for."""

from __future__ import annotations

import pytest

from craton.models.providers.dial import open_transport, proxy_for
from craton.models.providers.http import Pool
from craton.models.providers.transport import head, parse_address


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "prefix", "authority"),
    [
        ("http://127.0.0.1:9001/v1", "127.0.0.1", 9001, False, b"/v1", b"127.0.0.1:9001"),
        ("http://example.com", "example.com", 80, False, b"", b"example.com"),
        ("https://api.example.com/", "api.example.com", 443, True, b"", b"api.example.com"),
        ("https://api.example.com:8443/a/b/", "api.example.com", 8443, True, b"/a/b", b"api.example.com:8443"),
        ("http://[::1]:80/v1", "::1", 80, False, b"/v1", b"[::1]"),
        ("http://bücher.example/v1", "bücher.example", 80, False, b"/v1", b"xn--bcher-kva.example"),
    ],
)
def test_http_addresses(url, host, port, tls, prefix, authority):
    """Scheme, host, port and path of a base URL."""
    found = parse_address(url)
    assert (found.host, found.port, found.tls, found.prefix, found.authority) == (host, port, tls, prefix, authority)


@pytest.mark.parametrize(
    ("url", "path", "prefix"),
    [
        ("unix:/run/m.sock", "/run/m.sock", b""),
        ("unix:///run/m.sock", "/run/m.sock", b""),
        ("unix:/run/m.sock|/v1", "/run/m.sock", b"/v1"),
    ],
)
def test_unix_addresses(url, path, prefix):
    """A Unix socket, with a prefix of the path behind a bar."""
    found = parse_address(url)
    assert (found.socket_path, found.prefix, found.authority) == (path, prefix, b"localhost")


@pytest.mark.parametrize(
    "url", ["", "ftp://x", "example.com", "http://", "unix:", "http://u:p@host", "http://h/?q=1", "http://h/#f"]
)
def test_what_is_no_address(url):
    """Anything else is refused when the provider is made, not at the first request."""
    with pytest.raises(ValueError, match="base URL"):
        parse_address(url)


@pytest.mark.parametrize("value", [b"a\r\nx-evil: 1", b"a\nb", b"a\rb", b"a\0b"])
def test_no_header_breaks_out_of_its_line(value):
    """A value from a caller cannot add a header."""
    with pytest.raises(ValueError, match="line break"):
        head(b"POST", parse_address("http://h"), b"/", [(b"anthropic-beta", value)], 0)


def test_head_of_a_request():
    """The head as it is sent."""
    written = head(b"POST", parse_address("http://h:1/v1"), b"/x", [(b"a", b"b")], 3)
    assert written == b"POST /v1/x HTTP/1.1\r\nhost: h:1\r\na: b\r\ncontent-length: 3\r\n\r\n"


@pytest.fixture
def clean(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_no_proxy_without_a_variable(clean):
    """Without a variable our own pool is used."""
    assert isinstance(open_transport("https://api.example.com"), Pool)


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("https://api.example.com", "http://proxy:3128"),
        ("http://api.example.com", None),
        ("https://inside.corp", None),
        ("https://127.0.0.1:8000", None),
        ("https://localhost:8000", None),
        ("https://[::1]:8000", None),
        ("unix:/run/m.sock", None),
    ],
)
def test_which_addresses_go_through_the_proxy(clean, url, proxy):
    """The variable of the scheme counts, NO_PROXY and this machine are exempt."""
    clean.setenv("HTTPS_PROXY", "proxy:3128")
    clean.setenv("NO_PROXY", ".corp")
    assert proxy_for(parse_address(url)) == proxy

"""Requests that do not prove who sends them: AWS's own refusal for each, and the next request works."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.acceptance import rawhttp
from tests.acceptance.serving import GPT, HELLO, Served, converse_path, serving
from tests.running import SECRET_KEY

PATH = converse_path(GPT)
BODY = json.dumps({"messages": HELLO}).encode()
LENGTH = ("Content-Length", str(len(BODY)))
INVALID = "The request signature we calculated does not match the signature you provided."


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(autouse=True)
def _next_request_works(served: Served) -> Iterator[None]:
    yield
    served.check_alive()


def post(served: Served, headers: rawhttp.Headers, body: bytes = BODY, target: str = PATH) -> rawhttp.Answer:
    return rawhttp.exchange(served.server, rawhttp.head(served.server, "POST", target, headers) + body)


def signed(served: Served, **signing: object) -> rawhttp.Headers:
    return [*rawhttp.sign("POST", served.server.url + PATH, BODY, **signing).items(), LENGTH]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(-10, "Signature expired: "), (-24 * 60, "Signature expired: "), (10, "Signature not yet current: ")],
    ids=["replayed", "yesterday", "future"],
)
def test_a_signature_of_another_time(served: Served, minutes: int, words: str) -> None:
    """Five minutes either way are allowed; a request that is replayed later is refused."""
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    answer = rawhttp.call(served.server, "POST", PATH, BODY, at=at)
    rawhttp.refused(answer, 403, "InvalidSignatureException", words)
    assert "5 min.)" in answer.message


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_clock_that_is_a_little_off(served: Served, minutes: int) -> None:
    """Clocks differ; four minutes do no harm."""
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    assert rawhttp.call(served.server, "POST", PATH, BODY, at=at).status == 200


@pytest.mark.parametrize(
    ("signing", "name", "message"),
    [
        ({"secret": "x" * 40}, "InvalidSignatureException", INVALID),
        (
            {"key": "AKIAUNKNOWNUNKNOWN00"},
            "UnrecognizedClientException",
            "The security token included in the request is",
        ),
        (
            {"service": "sagemaker"},
            "InvalidSignatureException",
            "Credential should be scoped to correct service: 'bedrock'.",
        ),
        ({"region": "A_B"}, "InvalidSignatureException", "Credential should be scoped to a valid region."),
    ],
    ids=["secret", "key", "service", "region"],
)
def test_a_signature_that_does_not_hold(served: Served, signing: dict[str, str], name: str, message: str) -> None:
    """Each way has AWS's own name and words, and the secret in none of them."""
    answer = rawhttp.call(served.server, "POST", PATH, BODY, **signing)
    rawhttp.refused(answer, 403, name, message)
    assert SECRET_KEY not in answer.body.decode()


def test_a_body_that_was_changed(served: Served) -> None:
    """The signature covers it."""
    answer = post(served, signed(served), BODY.replace(b"Hello", b"Hallo"))
    rawhttp.refused(answer, 403, "InvalidSignatureException", INVALID)


def test_a_path_that_was_changed(served: Served) -> None:
    """The signature covers it too."""
    answer = post(served, signed(served), target=PATH + "-stream")
    rawhttp.refused(answer, 403, "InvalidSignatureException", INVALID)


def test_a_header_that_was_added(served: Served) -> None:
    """Whatever begins with x-amz- changes the meaning, so it must be signed."""
    answer = post(served, [*signed(served), ("x-amz-target", "Something.Else")])
    rawhttp.refused(answer, 403, "InvalidSignatureException", "'x-amz-target' must be a 'SignedHeader'")


@pytest.mark.parametrize("stated", ["UNSIGNED-PAYLOAD", "0" * 64])
def test_a_stated_hash_that_is_not_the_bodys(served: Served, stated: str) -> None:
    """An unsigned payload is S3's privilege, another hash nobody's."""
    headers = rawhttp.sign("POST", served.server.url + PATH, BODY, {"x-amz-content-sha256": stated})
    rawhttp.refused(post(served, [*headers.items(), LENGTH]), 403, "InvalidSignatureException", INVALID)


@pytest.mark.parametrize(
    ("authorization", "name", "message"),
    [
        ((), "MissingAuthenticationTokenException", "Missing Authentication Token"),
        (
            (("Authorization", "AWS4-HMAC-SHA256 rubbish"),),
            "IncompleteSignatureException",
            "not a valid key=value pair",
        ),
        (
            (("Authorization", "AWS4-HMAC-SHA256 Credential=a"),),
            "IncompleteSignatureException",
            "'Signature' parameter",
        ),
        ((("Authorization", "Basic YTpi"),), "IncompleteSignatureException", "Authorization"),
        ((("Authorization", ""),), "IncompleteSignatureException", "Authorization"),
    ],
    ids=["none", "rubbish", "partial", "basic", "empty"],
)
def test_credentials_that_are_none(served: Served, authorization: rawhttp.Headers, name: str, message: str) -> None:
    """Missing is not the same as malformed, and neither repeats the header."""
    answer = post(served, [LENGTH, *authorization])
    rawhttp.refused(answer, 403, name, message)
    assert "YTpi" not in answer.body.decode()


def test_two_authorizations(served: Served) -> None:
    """It is not for the server to choose one."""
    answer = post(served, [*signed(served), ("Authorization", "Bearer x")])
    assert answer.status == 403
    assert answer.name in ("IncompleteSignatureException", "InvalidSignatureException")


def test_an_unknown_path_is_no_oracle(served: Served) -> None:
    """Without credentials a path that exists and one that does not look the same."""
    for target in (PATH, "/nothing/here"):
        rawhttp.refused(post(served, [LENGTH], target=target), 403, "MissingAuthenticationTokenException", "Missing")


def test_a_presigned_query_works_until_its_end(served: Served) -> None:
    """The signature may stand in the URL; it ends when it says."""
    url = served.server.url
    good = rawhttp.presign("GET", url + "/foundation-models?byProvider=ai21").removeprefix(url)
    answer = rawhttp.exchange(served.server, rawhttp.head(served.server, "GET", good, []), "GET")
    assert answer.status == 200
    brief = rawhttp.presign("GET", url + "/foundation-models", expires_s=1).removeprefix(url)
    time.sleep(2.1)  # a signature's times are whole seconds
    answer = rawhttp.exchange(served.server, rawhttp.head(served.server, "GET", brief, []), "GET")
    rawhttp.refused(answer, 403, "InvalidSignatureException", "Signature expired: ")


def test_a_presigned_query_that_was_changed(served: Served) -> None:
    """Another parameter breaks it."""
    url = served.server.url
    target = rawhttp.presign("GET", url + "/foundation-models").removeprefix(url) + "&byProvider=ai21"
    answer = rawhttp.exchange(served.server, rawhttp.head(served.server, "GET", target, []), "GET")
    rawhttp.refused(answer, 403, "InvalidSignatureException", INVALID)


@pytest.mark.parametrize("expires", ["-1", "soon", "9999999"])
def test_a_presigned_query_with_a_senseless_end(served: Served, expires: str) -> None:
    """Malformed, whatever the signature."""
    url = served.server.url
    target = (
        rawhttp.presign("GET", url + "/foundation-models")
        .removeprefix(url)
        .replace("Expires=300", f"Expires={expires}")
    )
    answer = rawhttp.exchange(served.server, rawhttp.head(served.server, "GET", target, []), "GET")
    rawhttp.refused(answer, 403, "IncompleteSignatureException", "X-Amz-Expires")

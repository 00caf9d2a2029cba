"""Paths, methods and queries that lead nowhere: a modelled error for each, and the next request works."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.acceptance import rawhttp
from tests.acceptance.serving import GPT, HELLO, Served, converse_path, serving

PATH = converse_path(GPT)
BODY = json.dumps({"messages": HELLO}).encode()
UNKNOWN = "The requested operation is not recognized by the service."


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(autouse=True)
def _next_request_works(served: Served) -> Iterator[None]:
    yield
    served.check_alive()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/model/%ZZ/converse", "The request path holds an invalid percent-encoded sequence."),
        ("/model/%/converse", "The request path holds an invalid percent-encoded sequence."),
        ("/model/a%4/converse", "The request path holds an invalid percent-encoded sequence."),
        ("/model/%FF/converse", "The request path is not valid UTF-8."),
        ("/model/%C0%AF/converse", "The request path is not valid UTF-8."),
        ("/model/%ED%A0%80/converse", "The request path is not valid UTF-8."),
        ("/model/%00/converse", "at 'modelId' failed to satisfy constraint"),
        ("/model/x%0d%0aset-cookie:%20a/converse", "at 'modelId' failed to satisfy constraint"),
        ("/model/..%2F..%2Fetc%2Fpasswd/converse", "at 'modelId' failed to satisfy constraint"),
        ("/model/%252e%252e/converse", "at 'modelId' failed to satisfy constraint"),
        ("/model/" + "a" * 3000 + "/converse", "Member must have length less than or equal to 2048"),
        ("/model/nobody.none/converse", "The provided model identifier is invalid."),
        (
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Fnobody.no-model-v1%3A0/converse",
            "identifier is invalid.",
        ),
    ],
)
def test_rubbish_in_a_label(served: Served, target: str, message: str) -> None:
    """Percent-encoded rubbish is decoded once, judged, and never echoed as a header or a file."""
    rawhttp.refused(rawhttp.call(served.server, "POST", target, BODY), 400, "ValidationException", message)


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/nothing",
        "/model",
        "/model/x",
        "/model/x/nothing",
        "/model//converse",
        "//model//x//converse",
        "/model/../../etc/passwd",
        "/model/x%2Fconverse",
        PATH + "/",
        PATH + "/extra",
        "/craton/reset",
        "/craton/nothing",
        "/MODEL/x/converse",
        "/" + "a/" * 500,
    ],
)
def test_unknown_paths(served: Served, target: str) -> None:
    """Nothing is normalised and nothing guessed: UnknownOperationException, 404."""
    answer = rawhttp.call(served.server, "POST", target, BODY)
    rawhttp.refused(answer, 404, "UnknownOperationException", UNKNOWN)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_wrong_methods(served: Served, method: str) -> None:
    """The path exists, this method of it does not."""
    rawhttp.refused(rawhttp.call(served.server, method, PATH), 404, "UnknownOperationException", UNKNOWN)


def test_head_has_no_body(served: Served) -> None:
    """HEAD answers with the status and the error's name alone."""
    answer = rawhttp.call(served.server, "HEAD", PATH)
    assert (answer.status, answer.name, answer.body) == (404, "UnknownOperationException", b"")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("maxResults=0", "'0' at 'maxResults' failed to satisfy constraint: Member must have value greater than"),
        ("maxResults=many", "maxResults"),
        ("maxResults=1001", "'1001' at 'maxResults' failed to satisfy constraint: Member must have value less than"),
        ("type=OTHER", "'OTHER' at 'typeEquals' failed to satisfy constraint: Member must satisfy enum value set"),
        ("nextToken=unheard-of", "The provided nextToken is invalid."),
    ],
)
def test_rubbish_in_a_query(served: Served, query: str, message: str) -> None:
    """Query members are judged like those of a body."""
    answer = rawhttp.call(served.server, "GET", f"/inference-profiles?{query}")
    assert (answer.status, answer.name) in ((400, "ValidationException"), (400, "SerializationException"))
    assert message in answer.message


def test_a_query_that_is_not_asked_for(served: Served) -> None:
    """Unknown parameters are ignored, as unknown members are."""
    assert rawhttp.call(served.server, "POST", PATH + "?debug=1", BODY).status == 200


def test_every_operation_that_is_not_built_says_so(served: Served) -> None:
    """A modelled error with the operation's name, never a made-up success."""
    for method, target, name in (
        ("GET", "/guardrails", "ListGuardrails"),
        ("POST", "/automated-reasoning-policies", "CreateAutomatedReasoningPolicy"),
        ("PUT", "/agents/", "CreateAgent"),
        ("PUT", "/sessions/", "CreateSession"),
    ):
        answer = rawhttp.call(served.server, method, target, b"{}" if method != "GET" else b"")
        rawhttp.refused(answer, 400, "ValidationException", f"The operation {name} is not implemented by this server.")

"""An upstream's failures as the Faults of Bedrock."""

from __future__ import annotations

import json

import pytest

from craton.models.providers import faults
from craton.models.providers.transport import BadReply, Busy, ConnectError, ConnectionLost, DeadlineExceeded

OPENAI = json.dumps({"error": {"message": "No such field.", "type": "invalid_request_error"}}).encode()
ANTHROPIC = json.dumps(
    {"type": "error", "error": {"type": "invalid_request_error", "message": "No such field."}}
).encode()
FASTAPI = json.dumps({"detail": [{"loc": ["body", "n"], "msg": "must be 1", "input": "the prompt"}]}).encode()

STATUSES = [
    (400, "ValidationException", 400),
    (401, "ModelErrorException", 424),
    (402, "ModelErrorException", 424),
    (403, "ModelErrorException", 424),
    (404, "ModelErrorException", 424),
    (408, "ModelTimeoutException", 408),
    (409, "ModelErrorException", 424),
    (413, "ValidationException", 400),
    (418, "ModelErrorException", 424),
    (422, "ValidationException", 400),
    (429, "ThrottlingException", 429),
    (301, "ModelErrorException", 424),
    (500, "ModelErrorException", 424),
    (502, "ModelErrorException", 424),
    (503, "ServiceUnavailableException", 503),
    (504, "ModelErrorException", 424),
    (529, "ServiceUnavailableException", 503),
]


@pytest.mark.parametrize(("status", "name", "shown"), STATUSES)
def test_status_becomes_bedrocks_error(status, name, shown):
    """Each status has its one error, with the status that Bedrock gives it."""
    fault = faults.from_status(status, {}, OPENAI, model="up")
    assert (fault.name, fault.http_status()) == (name, shown)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (OPENAI, "No such field."),
        (ANTHROPIC, "No such field."),
        (b'{"message": "No such field."}', "No such field."),
        (b'{"error": "No such field."}', "No such field."),
        (b'{"detail": "No such field."}', "No such field."),
        (b"No such\nfield.", "No such field."),
        (FASTAPI, "body.n: must be 1"),
        (b"<html>Bad gateway</html>", "The request is not valid."),
        (b"", "The request is not valid."),
        (b"[" * 100_000, None),
    ],
)
def test_vendors_own_text_reaches_the_caller(body, message):
    """Whatever shape the vendor's error has, its text is found, and a page of HTML is not shown."""
    fault = faults.from_status(400, {}, body, model="up")
    assert fault.message.startswith("The model returned the following errors: ")
    if message is not None:
        assert fault.message == "The model returned the following errors: " + message


def test_vendors_text_is_bounded():
    """A vendor's text of any length is cut to 1,000 characters."""
    body = json.dumps({"error": {"message": "long " * 10_000}}).encode()
    assert len(faults.vendor_message(body)) == 1000


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: hunter2-secret.",
        "bad header Authorization: Bearer hunter2-secret",
        "Incorrect API key provided: sk-proj-hunter2secret",
        "x-api-key=hunter2-secret refused",
    ],
)
def test_no_key_is_echoed(text):
    """Neither the key that was used nor anything that looks like one is shown."""
    body = json.dumps({"error": {"message": text}}).encode()
    assert "hunter2" not in faults.from_status(400, {}, body, model="up", secret="hunter2-secret").message


def test_model_error_carries_status_and_resource():
    """The original status and the upstream's model are modelled fields of a ModelErrorException."""
    fault = faults.from_status(500, {}, b"", model="up-model")
    assert fault.fields == {"originalStatusCode": 500, "resourceName": "up-model"}


def test_refused_credentials_are_the_operators_affair():
    """A wrong key shows no vendor text, and no SDK retries it."""
    fault = faults.from_status(401, {}, b'{"error": {"message": "bad key abc"}}', model="up")
    assert "abc" not in fault.message
    assert not fault.retryable


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({b"retry-after": b"7"}, 7.0),
        ({b"retry-after": b"0.5"}, 0.5),
        ({b"retry-after-ms": b"1500", b"retry-after": b"9"}, 1.5),
        ({b"retry-after": b"Sun, 22 Nov 2026 17:00:30 GMT"}, 30.0),
        ({b"retry-after": b"Sun, 22 Nov 2020 17:00:30 GMT"}, 0.0),
        ({b"retry-after": b"99999999999"}, 86400.0),
        ({b"retry-after": b"-3"}, None),
        ({b"retry-after": b"nan"}, None),
        ({b"retry-after": b"inf"}, None),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after": b"\xff\xfe"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers, seconds):
    """Seconds, milliseconds or a date; rubbish is no wait."""
    now_s = 1795366800.0  # Sun, 22 Nov 2026 17:00:00 GMT
    assert faults.from_status(429, headers, b"", model="up", now_s=now_s).retry_after_s == seconds


TRANSPORT = [
    (ConnectError("x"), "ServiceUnavailableException"),
    (Busy("x"), "ServiceUnavailableException"),
    (ConnectionLost(received=False), "ModelErrorException"),
    (ConnectionLost(received=True), "ModelErrorException"),
    (DeadlineExceeded("x"), "ModelTimeoutException"),
    (BadReply("x"), "ModelErrorException"),
]


@pytest.mark.parametrize(("error", "name"), TRANSPORT)
def test_transport_error_before_the_first_byte(error, name):
    """Before the caller's first byte a failed exchange has a status of its own."""
    assert faults.from_transport(error, model="up").name == name


@pytest.mark.parametrize("error", [error for error, _ in TRANSPORT])
def test_transport_error_in_a_stream(error):
    """After the first byte every failure is the stream's own error event."""
    assert faults.from_transport(error, model="up", streaming=True).name == "ModelStreamErrorException"


@pytest.mark.parametrize(
    ("error", "name"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, "ServiceUnavailableException"),
        ({"type": "rate_limit_error", "message": "slow down"}, "ThrottlingException"),
        ({"code": 429, "message": "slow down"}, "ThrottlingException"),
        ({"code": "rate_limit_exceeded", "message": "slow down"}, "ThrottlingException"),
        ({"status": 400, "message": "bad"}, "ValidationException"),
        ({"message": "?"}, "ModelErrorException"),
        ("just text", "ModelErrorException"),
    ],
)
def test_error_in_the_body_of_a_200(error, name):
    """An error that came as a success is an error all the same."""
    fault = faults.from_error_body(json.dumps({"error": error}).encode(), model="up")
    assert fault is not None
    assert fault.name == name


@pytest.mark.parametrize("body", [b'{"choices": []}', b'{"error": null}', b"[]", b"not json", b"\xff"])
def test_body_without_an_error(body):
    """What holds no error makes no Fault."""
    assert faults.from_error_body(body, model="up") is None

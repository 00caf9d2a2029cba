"""Faults know whose they are, whether to retry, and what they say."""

from __future__ import annotations

import pytest

from craton.aws.wire import faults


@pytest.mark.parametrize(
    ("fault", "name", "status", "client", "retryable"),
    [
        (faults.validation("m"), "ValidationException", 400, True, False),
        (faults.serialization("m"), "SerializationException", 400, True, False),
        (faults.not_found("m"), "ResourceNotFoundException", 404, True, False),
        (faults.access_denied("m"), "AccessDeniedException", 403, True, False),
        (faults.throttled(), "ThrottlingException", 429, True, True),
        (faults.model_error(), "ModelErrorException", 424, True, False),
        (faults.model_stream_error(), "ModelStreamErrorException", 424, True, True),
        (faults.model_timeout(), "ModelTimeoutException", 408, True, True),
        (faults.model_not_ready(), "ModelNotReadyException", 429, True, True),
        (faults.unavailable(), "ServiceUnavailableException", 503, False, True),
        (faults.internal(), "InternalServerException", 500, False, True),
        (faults.unknown_operation(), "UnknownOperationException", 404, True, False),
        (faults.too_large(), "RequestEntityTooLargeException", 413, True, False),
        (faults.missing_token(), "MissingAuthenticationTokenException", 403, True, False),
        (faults.expired_token(), "ExpiredTokenException", 403, True, False),
        (faults.Fault("SomethingNew", "m"), "SomethingNew", 400, True, False),
    ],
)
def test_each_fault_has_its_duties(fault, name, status, client, retryable):
    """Name, status, whose fault, safe to retry."""
    assert (fault.name, fault.http_status(), fault.client_fault, fault.retryable) == (name, status, client, retryable)
    assert str(fault).startswith(name)


def test_model_faults_carry_what_the_upstream_said():
    """Only what is known becomes a field."""
    assert faults.model_error("m").fields == {}
    fields = faults.model_error("m", original_status=500, resource_name="r").fields
    assert fields == {"originalStatusCode": 500, "resourceName": "r"}
    fields = faults.model_stream_error("m", original_status=500, original_message="o").fields
    assert fields == {"originalStatusCode": 500, "originalMessage": "o"}


def test_a_modelled_status_wins_and_an_override_wins_over_it():
    """Agents answer ModelNotReadyException with 424, the runtime with 429."""
    assert faults.model_not_ready().http_status({"ModelNotReadyException": 424}) == 424
    assert faults.Fault("ModelNotReadyException", "m", status=503).http_status({"ModelNotReadyException": 424}) == 503
    assert faults.throttled(retry_after_s=2.5).retry_after_s == 2.5


def test_what_is_not_built_avoids_errors_that_sdks_retry():
    """A client error where the model has one, the server's own where it has none."""
    assert faults.not_built("X", ()).name == "InternalServerException"
    assert faults.not_built("X", ("AccessDeniedException",)).name == "AccessDeniedException"
    assert faults.not_built("X").name == "ValidationException"

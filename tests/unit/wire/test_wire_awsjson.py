"""The JSON protocol: botocore's serializer is the sender and its parser the receiver, for every operation of KMS."""

from __future__ import annotations

import functools

import msgspec
import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.wire import faults
from craton.aws.wire.awsjson import TARGET, AwsJson, shown
from craton.aws.wire.model import load
from tests.unit.wire.generate import Draw, service_model
from tests.unit.wire.test_wire_requests import plain

NAMES = tuple(service_model("kms").operation_names)


def dumped(value):
    return msgspec.json.encode({"KeyId": value, "Operations": value, "Constraints": value})


@functools.cache
def protocol() -> AwsJson:
    return AwsJson(load("kms"))


@pytest.mark.parametrize("name", NAMES)
def test_botocores_requests_are_read(name):
    """What botocore sends arrives as what its caller gave."""
    operation = service_model("kms").operation_model(name)
    params = Draw(7, 0.7).structure(operation.input_shape) if operation.input_shape else {}
    sent = create_serializer("json").serialize_to_request(params, operation)
    found = protocol().route(sent["headers"]["X-Amz-Target"].encode())
    assert found.name == name
    body = sent["body"]
    assert plain(protocol().decode(found, body if isinstance(body, bytes) else body.encode())) == params


@pytest.mark.parametrize("name", NAMES)
def test_botocore_reads_the_answers(name):
    """What a handler gives arrives as that at botocore's caller."""
    operation = service_model("kms").operation_model(name)
    value = Draw(8, 0.7).structure(operation.output_shape) if operation.output_shape else None
    encoded = protocol().encode(protocol().service.operations[name], value, "the-id")
    headers = {key.decode(): text.decode() for key, text in encoded.headers}
    response = {"status_code": encoded.status, "headers": headers, "body": encoded.body}
    parsed = create_parser("json").parse(response, operation.output_shape)
    metadata = parsed.pop("ResponseMetadata")
    assert metadata["RequestId"] == "the-id"
    assert parsed == (value or {})


@pytest.mark.parametrize(
    "target", [None, b"", b"TrentService", b"TrentService.Nope", b"Other.Encrypt", b"Encrypt", b"\xff"]
)
def test_unknown_targets(target):
    """Whatever names no operation is AWS's UnknownOperationException."""
    with pytest.raises(faults.Fault) as refused:
        protocol().route(target)
    assert refused.value.name == "UnknownOperationException"
    assert TARGET == b"x-amz-target"


@pytest.mark.parametrize(
    ("body", "name", "told"),
    [
        (b'{"KeyId":""}', "ValidationException", "Value '' at 'keyId' failed to satisfy constraint"),
        (b'{"KeyId":"a","Tags":[{"TagKey":"k"}]}', "ValidationException", "at 'tags.1.member.tagValue'"),
        (b"{}", "ValidationException", "2 validation errors detected"),
        (b"[]", "SerializationException", ""),
        (b'{"KeyId":', "SerializationException", ""),
        (b"\xff", "SerializationException", ""),
        (b'{"KeyId":[]}', "SerializationException", ""),
    ],
)
def test_what_does_not_fit(body, name, told):
    """All broken constraints in one message, with members spelt as these services do; what is no JSON says so."""
    with pytest.raises(faults.Fault) as refused:
        protocol().decode(protocol().service.operations["TagResource"], body)
    assert refused.value.name == name
    assert told in refused.value.message


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text(max_size=5) | st.integers(), st.lists).map(dumped))
@settings(max_examples=150, deadline=None)
def test_whatever_comes_is_read_or_refused(body):
    """Bytes of any kind, and JSON of any shape, end in a request or in a fault of the caller's."""
    operation = protocol().service.operations["CreateGrant"]
    refused = None
    try:
        protocol().decode(operation, body)
    except faults.Fault as fault:
        refused = fault
    assert refused is None or refused.client_fault


def test_values_stay_as_they_were_sent():
    """Only places are respelt."""
    text = "1 validation error detected: Value 'KeyId.Tags' at 'KeyId' failed to satisfy constraint: Member must"
    assert shown(text) == text.replace("at 'KeyId'", "at 'keyId'")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (faults.Fault("NotFoundException", "no"), 400, "NotFoundException"),
        (faults.access_denied("no"), 400, "AccessDeniedException"),
        (faults.unrecognized_client(), 400, "UnrecognizedClientException"),
        (faults.internal("no"), 500, "KMSInternalException"),
    ],
)
def test_errors_as_botocore_reads_them(fault, status, code):
    """The name in `__type`, 400 for whatever the caller did, the service's own name for what it did itself."""
    encoded = protocol().encode_error(protocol().service.operations["Encrypt"], fault, "the-id")
    headers = {key.decode(): text.decode() for key, text in encoded.headers}
    response = {"status_code": encoded.status, "headers": headers, "body": encoded.body}
    shape = service_model("kms").operation_model("Encrypt").output_shape
    parsed = create_parser("json").parse(response, shape)
    assert encoded.status == status
    assert parsed["Error"]["Code"] == code
    assert parsed["Error"]["Message"] == fault.message

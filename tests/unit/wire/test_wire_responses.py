"""botocore's parser is the receiver: what our encoder writes for any operation or error, it must read."""

from __future__ import annotations

import functools
import io
import json
import zlib
from datetime import UTC, datetime

import msgspec
import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser

from craton.aws.wire import faults, model, restjson
from tests.unit.wire.generate import SERVICES, Draw, all_operations, service_model

OPERATIONS = all_operations()
IDS = [f"{service}.{operation}" for service, operation in OPERATIONS]


@functools.cache
def services():
    return {name: model.load(name) for name in SERVICES}


@functools.cache
def codec():
    return restjson.RestJson()


def receive(encoded, shape, *, raw=False):
    """Parse a response with botocore; ``raw`` hands the body over as a stream, as its client does for blobs."""
    headers = HeadersDict({name.decode(): value.decode() for name, value in encoded.headers})
    body = io.BytesIO(encoded.body) if raw else encoded.body
    response = {"headers": headers, "status_code": encoded.status, "body": body, "context": {}}
    return create_parser("rest-json").parse(response, shape)


def streamed(shape):
    return [name for name, member in shape.members.items() if member.serialization.get("eventstream")]


@pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=IDS)
def test_what_a_handler_returns_is_what_botocore_reads(service, operation):
    """Every operation's output, as a dict, reaches a botocore caller unchanged, with the model's status."""
    theirs = service_model(service).operation_model(operation)
    shape, ours = theirs.output_shape, services()[service].operations[operation]
    skip = streamed(shape) if shape else ()
    for seed, full in enumerate((0.0, 1.0, 0.5, 0.5, 0.8)):
        value = Draw(zlib.crc32(operation.encode()) + seed, full).structure(shape, skip=skip) if shape else {}
        encoded = codec().encode_response(ours, value)
        if ours.event_stream_output:
            assert dict(encoded.headers)[b"content-type"] == b"application/vnd.amazon.eventstream"
            continue
        parsed = receive(encoded, shape, raw=theirs.has_streaming_output)
        metadata = parsed.pop("ResponseMetadata")
        if theirs.has_streaming_output:
            parsed["body"] = parsed["body"].read()
        assert parsed == value, seed
        assert metadata["HTTPStatusCode"] == theirs.http.get("responseCode", 200)


@pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=IDS)
def test_every_modelled_error_keeps_its_name_and_status(service, operation):
    """Each error that an operation's model lists is parsed to its name, message, fields and status."""
    ours, theirs = services()[service].operations[operation], service_model(service).operation_model(operation)
    for shape in theirs.error_shapes:
        fields = {name: 418 if member.type_name == "integer" else "more" for name, member in shape.members.items()}
        fields = {
            name: value for name, value in fields.items() if shape.members[name].type_name in {"integer", "string"}
        }
        del fields["message"]
        fault = faults.Fault(shape.name, "what went wrong", fields={**fields, "unmodelled": 1})
        encoded = restjson.encode_error(ours, fault, "some-id")
        # botocore's client parses an error twice: for its name, then for the members of its shape.
        parsed, modelled = receive(encoded, theirs.output_shape), receive(encoded, shape)
        assert parsed["Error"] == {"Code": shape.name, "Message": "what went wrong"}
        assert parsed["ResponseMetadata"]["HTTPStatusCode"] == shape.metadata["error"]["httpStatusCode"]
        assert parsed["ResponseMetadata"]["RequestId"] == "some-id"
        assert {name: modelled[name] for name in fields} == fields
        assert b"unmodelled" not in encoded.body


def test_integers_leave_as_integers():
    """A strict SDK fails on 3.0 where the model says long, so a handler that gives it is at fault."""
    converse = services()["bedrock-runtime"].operations["Converse"]
    assert b'"latencyMs":3}' in codec().encode_response(converse, {"metrics": {"latencyMs": 3}}).body
    with pytest.raises(faults.Fault, match="InternalServerException") as caught:
        codec().encode_response(converse, {"metrics": {"latencyMs": 3.0}})
    assert "metrics.latencyMs" in str(caught.value.__cause__)


def test_a_trusted_struct_is_encoded_as_it_is():
    """A handler's own Struct goes out under its encoded names without a detour."""

    class Output(msgspec.Struct, rename="camel", omit_defaults=True):
        stop_reason: str
        trace: str | None = None

    converse = services()["bedrock-runtime"].operations["Converse"]
    assert codec().encode_response(converse, Output("end_turn")).body == b'{"stopReason":"end_turn"}'


def test_a_raw_payload_keeps_its_bytes_and_media_type():
    """InvokeModel's body is the HTTP body, and its content type the response's."""
    invoke = services()["bedrock-runtime"].operations["InvokeModel"]
    value = {"body": b"\x00\xff", "contentType": "image/png", "performanceConfigLatency": "standard"}
    encoded = codec().encode_response(invoke, value)
    assert encoded.body == b"\x00\xff"
    assert sorted(encoded.headers) == [
        (b"content-type", b"image/png"),
        (b"x-amzn-bedrock-performanceconfig-latency", b"standard"),
    ]


def test_a_header_value_can_not_add_headers():
    """Line breaks in a header member become spaces."""
    invoke = services()["bedrock-runtime"].operations["InvokeModel"]
    encoded = codec().encode_response(invoke, {"body": b"", "contentType": "a\r\nset-cookie: b"})
    assert (b"content-type", b"a  set-cookie: b") in encoded.headers


def test_times_leave_in_the_format_of_the_model():
    """A timestamp without a format of its own travels in a body as seconds since 1970."""
    types = codec().types(services()["bedrock-agent-runtime"])
    kind = types.response_shape("AgenticRetrieveMemoryMetadataValue")
    value = restjson._checked({"dateTimeValue": datetime(2024, 1, 1, tzinfo=UTC)}, kind)
    assert restjson._encode(value) == b'{"dateTimeValue":1704067200}'


def test_the_layer_before_the_service_says_message_with_a_capital():
    """Authentication faults have {"Message": …}, service faults {"message": …}; retry times round up."""
    encoded = restjson.encode_error(None, faults.missing_token(), "id")
    assert (encoded.status, json.loads(encoded.body)) == (403, {"Message": "Missing Authentication Token"})
    encoded = restjson.encode_error(None, faults.throttled(retry_after_s=1.2), "id")
    assert (encoded.status, dict(encoded.headers)[b"retry-after"]) == (429, b"2")
    assert json.loads(encoded.body) == {"message": faults.TOO_MANY_REQUESTS}


@pytest.mark.parametrize(
    ("name", "status"),
    [("UnknownOperationException", 404), ("SerializationException", 400), ("RequestEntityTooLargeException", 413)],
)
def test_errors_outside_every_model_have_a_status(name, status):
    """Faults that no model lists get the table's status, and an override wins over both."""
    assert restjson.encode_error(None, faults.Fault(name, "m"), "id").status == status
    assert restjson.encode_error(None, faults.Fault(name, "m", status=418), "id").status == 418


def test_conflicts_differ_by_service():
    """ConflictException is 400 in bedrock and 409 in bedrock-agent: the operation's model decides."""
    conflict = faults.conflict("taken")
    control = services()["bedrock"].operations["CreateEvaluationJob"]
    agent = services()["bedrock-agent"].operations["CreateAgent"]
    assert restjson.encode_error(control, conflict, "id").status == 400
    assert restjson.encode_error(agent, conflict, "id").status == 409


@pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=IDS)
def test_an_operation_that_is_not_built_answers_a_modelled_error(service, operation):
    """The answer is an error of the operation's own model and names the operation."""
    ours = services()[service].operations[operation]
    fault = faults.not_built(operation, ours.errors)
    assert fault.name in ours.errors
    assert operation in fault.message

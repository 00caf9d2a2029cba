"""botocore's serializer is the sender: what it writes for any operation, our router and decoder must read."""

from __future__ import annotations

import functools
import zlib
from urllib.parse import urlsplit

import msgspec
import pytest
from botocore.awsrequest import prepare_request_dict
from botocore.serialize import create_serializer

from craton.aws.wire import model, restjson, route
from craton.aws.wire.compile import attribute
from tests.unit.wire.generate import SERVICES, Draw, all_operations, service_model

OPERATIONS = all_operations()


@functools.cache
def services():
    return {name: model.load(name) for name in SERVICES}


@functools.cache
def router():
    return route.Router(services().values())


@functools.cache
def codec():
    return restjson.RestJson()


def send(service, operation, params):
    """Return (method, raw path, raw query, headers, body) as botocore puts them on the wire."""
    target = service_model(service).operation_model(operation)
    # A stream of events is not a parameter, so botocore's validation would miss it.
    serializer = create_serializer("rest-json", include_validation=not target.has_event_stream_input)
    request = serializer.serialize_to_request(params, target)
    prepare_request_dict(request, endpoint_url="http://127.0.0.1:8765")
    url = urlsplit(request["url"])
    headers = [(name.lower().encode(), str(value).encode("latin-1")) for name, value in request["headers"].items()]
    body = request["body"]
    body = body.encode() if isinstance(body, str) else bytes(body or b"")
    return request["method"], url.path.encode(), url.query.encode(), headers, body


def plain(value):
    """Turn our Structs into the dicts that a caller of botocore would have given."""
    if isinstance(value, msgspec.Struct):
        pairs = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name.rstrip("_"): plain(item) for name, item in pairs if item is not None}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=[f"{s}.{o}" for s, o in OPERATIONS])
def test_what_botocore_sends_is_what_the_handler_gets(service, operation):
    """Every operation of the four services decodes to the parameters that its caller gave."""
    ours = service_model(service).operation_model(operation)
    shape = ours.input_shape
    stream = ours.get_event_stream_input()
    skip = [name for name, member in shape.members.items() if member is stream] if stream else ()
    for seed, full in enumerate((0.0, 1.0, 0.5, 0.5, 0.2, 0.8)):
        params = Draw(zlib.crc32(operation.encode()) + seed, full).structure(shape, skip=skip) if shape else {}
        method, path, query, headers, body = send(service, operation, params)
        match = router().match(method, path, query)
        assert (match.operation.service, match.operation.name) == (service, operation)
        request = codec().decode_request(match.operation, match.labels, query, headers, body)
        if match.operation.payload_input and not skip:
            params.setdefault(match.operation.payload_input.name, b"")
        assert plain(request) == params, seed


def test_keywords_get_an_underscore():
    """Members called like Python keywords are reachable as attributes."""
    assert attribute("in") == "in_"
    assert attribute("modelId") == "modelId"

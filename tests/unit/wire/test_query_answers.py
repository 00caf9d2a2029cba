"""botocore's parser is the receiver: what our encoder writes in the query protocol, it reads."""

from __future__ import annotations

import functools
import zlib
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from botocore.parsers import create_parser

from craton.aws.wire import faults, model
from craton.aws.wire.faults import Fault
from craton.aws.wire.query_answer import NAMES, Encoder
from tests.unit.wire.generate import Draw, service_model

SERVICES = ("iam", "sts")
OPERATIONS = [(service, name) for service in SERVICES for name in service_model(service).operation_names]


@functools.cache
def service(name: str) -> model.Service:
    return model.load(name)


def receive(encoded: Any, shape: Any) -> Any:
    headers = {name.decode(): value.decode() for name, value in encoded.headers}
    response = {"headers": headers, "status_code": encoded.status, "body": encoded.body, "context": {}}
    return create_parser("query").parse(response, shape)


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[".".join(pair) for pair in OPERATIONS])
def test_what_a_handler_returns_is_what_botocore_reads(name: str, operation: str) -> None:
    """Every operation's output reaches a botocore caller unchanged, with the request's id."""
    shape = service_model(name).operation_model(operation).output_shape
    for seed, full in enumerate((0.0, 1.0, 0.5)):
        value = Draw(zlib.crc32(operation.encode()) + seed, full).structure(shape) if shape else {}
        encoded = Encoder(service(name)).response(service(name).operations[operation], value, "some-id")
        parsed = receive(encoded, shape)
        metadata = parsed.pop("ResponseMetadata")
        assert parsed == value
        assert metadata["RequestId"] == "some-id"
        assert metadata["HTTPStatusCode"] == 200


def test_every_early_refusal_has_its_name_and_status() -> None:
    """The names that IAM and STS use for what other services call …Exception."""
    operation = service("iam").operations["GetUser"]
    for given, (name, status) in NAMES.items():
        encoded = Encoder(service("iam")).error(operation, Fault(given, "why <&> not"), "some-id")
        parsed = receive(encoded, None)
        assert parsed["Error"]["Code"] == name
        assert parsed["Error"]["Message"] == "why <&> not"
        assert parsed["Error"]["Type"] == ("Sender" if status < 500 else "Receiver")
        assert parsed["ResponseMetadata"]["RequestId"] == "some-id"
        assert encoded.status == status


def test_a_modelled_error_has_the_models_status() -> None:
    """IAM's own errors keep their names."""
    operation = service("iam").operations["CreateUser"]
    encoded = Encoder(service("iam")).error(operation, Fault("EntityAlreadyExists", "taken"), "some-id")
    assert encoded.status == 409
    assert receive(encoded, None)["Error"]["Code"] == "EntityAlreadyExists"


def test_no_text_breaks_the_document() -> None:
    """Characters that XML cannot carry are replaced, markup is escaped, white space survives."""
    every = "".join(map(chr, range(0x300))) + "\ud800\ufffe\uffff]]><!--"
    encoded = Encoder(service("iam")).error(None, faults.validation(every), "some-id")
    found = ET.fromstring(encoded.body).findtext(".//{*}Message")
    assert found is not None
    assert "]]><!--" in found
    assert "\t\n" in found
    assert "\r" in found
    assert "\x00" not in found


def test_a_value_that_does_not_fit_is_the_servers_fault() -> None:
    """A misspelt member or a wrong type never leaves as if it were an answer."""
    operation = service("iam").operations["GetUser"]
    for value in ({"Usr": {}}, {"User": {"UserName": 3}}, {"User": "x"}, {"User": {"CreateDate": 3}}):
        with pytest.raises(Fault, match="unexpected error"):
            Encoder(service("iam")).response(operation, value, "some-id")

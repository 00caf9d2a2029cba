"""botocore's parser is the receiver: what our encoder writes in rest-xml, it reads."""

from __future__ import annotations

import functools
import zlib
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser

from craton.aws.wire import model, s3_faults
from craton.aws.wire.faults import Fault
from craton.aws.wire.payload import Reply
from craton.aws.wire.restxml_answer import ROOTS, Encoder
from tests.unit.wire.generate import Draw, service_model

# An old form whose members share a name, and whose successor is answered; one whose root holds the value, which
# botocore reads by a hook and not by its parser; one that is never answered.
APART = {"GetBucketNotification", "GetBucketLocation", "SelectObjectContent"}
OPERATIONS = [name for name in service_model("s3").operation_names if name not in APART]
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


@functools.cache
def s3() -> model.Service:
    return model.load("s3")


def encoded(name: str, value: Any) -> Any:
    return Encoder(s3()).response(s3().operations[name], value)


def receive(answer: Any, shape: Any) -> Any:
    headers = HeadersDict({name.decode(): value.decode() for name, value in answer.headers})
    response = {"headers": headers, "status_code": answer.status, "body": answer.body, "context": {}}
    return create_parser("rest-xml").parse(response, shape)


class Filled(Draw):
    """Empty lists are the same as none; header values are ASCII; times are in seconds, as headers have them."""

    def _list(self, shape: Any, depth: int) -> list[Any]:
        return super()._list(shape, depth) or [self.value(shape.member, depth + 1)]

    def _map(self, shape: Any, depth: int) -> dict[str, str]:
        return {"a": "1", "b-c": "two"}

    def _blob(self, shape: Any, depth: int) -> bytes:
        return b"content"


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_a_handler_returns_is_what_botocore_reads(name: str) -> None:
    """Every operation's output reaches a botocore caller unchanged."""
    shape = service_model("s3").operation_model(name).output_shape
    for seed, full in enumerate((0.0, 1.0, 0.5)):
        value = Filled(zlib.crc32(name.encode()) + seed, full).structure(shape) if shape else {}
        if "Expires" in value:
            value["Expires"] = "Thu, 01 Dec 1994 16:00:00 GMT"
        parsed = receive(encoded(name, value), shape)
        parsed.pop("ResponseMetadata")
        assert whole(parsed) == whole(value)


def whole(value: dict[str, Any]) -> dict[str, Any]:
    """A stream as its bytes; the date of expiry as its text, and no element for what is empty."""
    found = {
        name: item.encode() if name in ("Body", "AnnotationPayload") and isinstance(item, str) else item
        for name, item in value.items()
    }
    for name in ("Expires", "ExpiresString"):
        found.pop(name, None)
    return {name: item for name, item in found.items() if item not in ({}, "", b"")}


@pytest.mark.parametrize(("name", "root"), ROOTS.items())
def test_documents_have_the_roots_that_clients_look_for(name: str, root: str) -> None:
    """Clients that look at the root find the one of the S3 API reference, in S3's namespace."""
    assert ET.fromstring(encoded(name, {}).body).tag == NAMESPACE + root


def test_the_location_of_a_bucket_stands_in_the_root() -> None:
    """The one answer of its kind; the first region is nothing."""
    body = encoded("GetBucketLocation", {"LocationConstraint": "eu-west-1"}).body
    assert ET.fromstring(body).text == "eu-west-1"
    assert not ET.fromstring(encoded("GetBucketLocation", {}).body).text


def test_a_reply_brings_its_status() -> None:
    """A handler may answer with another status than its operation's."""
    answer = encoded("GetObject", Reply(206, {"Body": b"part", "ContentRange": "bytes 0-3/9"}))
    assert (answer.status, answer.body) == (206, b"part")
    assert (b"content-range", b"bytes 0-3/9") in answer.headers


def test_times_are_written_in_milliseconds() -> None:
    """As S3 writes them; a time that was kept as a text stays as it is."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    body = encoded(
        "ListBuckets", {"Buckets": [{"CreationDate": moment}, {"CreationDate": "2020-01-01T00:00:00Z"}]}
    ).body
    assert b"<CreationDate>2026-01-02T03:04:05.678Z</CreationDate>" in body
    assert b"<CreationDate>2020-01-01T00:00:00Z</CreationDate>" in body


def test_a_grantee_says_what_it_is_in_an_attribute() -> None:
    """The one attribute of the model, with its namespace declared."""
    grant = {"Grantee": {"ID": "a", "Type": "CanonicalUser"}, "Permission": "READ"}
    body = encoded("GetBucketAcl", {"Grants": [grant]}).body
    grantee = ET.fromstring(body).find(f".//{NAMESPACE}Grantee")
    assert grantee is not None
    assert grantee.get("{http://www.w3.org/2001/XMLSchema-instance}type") == "CanonicalUser"


@pytest.mark.parametrize("value", [{"NoSuchMember": 1}, {"Buckets": [{"Name": 1}]}, {"Buckets": [{"No": "x"}]}])
def test_what_does_not_fit_the_model_is_the_handlers_mistake(value: dict[str, Any]) -> None:
    """It never reaches a client, and its cause says where."""
    with pytest.raises(Fault) as caught:
        encoded("ListBuckets", value)
    assert caught.value.name == "InternalServerException"
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize(("given", "name"), s3_faults.NAMES.items())
def test_every_early_refusal_has_its_name(given: str, name: str) -> None:
    """What other services call …Exception has S3's name and status, and its message is safe in XML."""
    answer = Encoder(s3()).error(Fault(given, "why <&> \x00 not"), "id", "host")
    root = ET.fromstring(answer.body)
    assert root.findtext("Code") == name
    assert root.findtext("Message") == "why <&> \ufffd not"
    assert answer.status == s3_faults.STATUS[name]


def test_an_error_carries_its_fields() -> None:
    """Fields are elements, in their order."""
    fault = s3_faults.too_large(7, 5)
    root = ET.fromstring(Encoder(s3()).error(fault, "id", "host").body)
    assert [one.tag for one in root][:4] == ["Code", "Message", "ProposedSize", "MaxSizeAllowed"]
    assert root.findtext("RequestId") == "id"


def test_a_wait_is_told_in_a_header() -> None:
    """Whole seconds, rounded up."""
    answer = Encoder(s3()).error(Fault("ThrottlingException", "slow", retry_after_s=1.2), "id", "host")
    assert (answer.status, (b"retry-after", b"2") in answer.headers) == (503, True)

"""botocore's serializer is the sender: what it writes for any operation of S3, our router and decoder read."""

from __future__ import annotations

import functools
import zlib
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.wire import model, xml
from craton.aws.wire.bind import parse_query
from craton.aws.wire.faults import Fault
from craton.aws.wire.restxml import RestXml
from craton.aws.wire.s3_route import S3Router
from tests.unit.wire.generate import Draw, service_model

# Directory buckets' listing has another endpoint; the last is asked at a host of its own.
ELSEWHERE = {"ListDirectoryBuckets", "WriteGetObjectResponse"}
# Old forms of operations that have the same address under another name.
OLD = {"GetBucketLifecycle", "GetBucketNotification", "PutBucketLifecycle", "PutBucketNotification"}
OPERATIONS = [name for name in service_model("s3").operation_names if name not in ELSEWHERE | OLD]


@functools.cache
def s3() -> model.Service:
    return model.load("s3")


@functools.cache
def router() -> S3Router:
    return S3Router(s3())


@functools.cache
def protocol() -> RestXml:
    return RestXml(s3())


class Filled(Draw):
    """No list is empty: where S3 needs one, it is no document without, and elsewhere it is the same as none."""

    def _list(self, shape: Any, depth: int) -> list[Any]:
        return super()._list(shape, depth) or [self.value(shape.member, depth + 1)]


def plain(value: Any) -> Any:
    """A request as the caller wrote it: XML cannot tell an absent list of flattened elements from an empty one."""
    if isinstance(value, msgspec.Struct):
        return plain({name: item for name, item in msgspec.structs.asdict(value).items() if item is not None})
    if isinstance(value, dict):
        found = {name.rstrip("_"): plain(item) for name, item in value.items()}
        return {name: item for name, item in found.items() if item not in ({}, [], b"")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def decode(
    method: str, place: str, labels: dict[str, str], query: bytes, headers: dict[bytes, bytes], body: Any
) -> Any:
    found = {name: values[0] for name, values in parse_query(query).items()}
    operation = router().match(method, place, found, headers)
    return operation, protocol().bind(operation).decode(labels, query, headers, body)


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_botocore_writes_is_what_a_handler_gets(name: str) -> None:
    """Every operation is found again, and its input arrives unchanged."""
    theirs = service_model("s3").operation_model(name)
    for seed, full in enumerate((0.0, 1.0, 0.5)):
        drawn = Filled(zlib.crc32(name.encode()) + seed, full)
        value = drawn.structure(theirs.input_shape, skip=("ContentLength", "Metadata")) if theirs.input_shape else {}
        sent = create_serializer("rest-xml").serialize_to_request(value, theirs)
        labels = {
            key: str(value[key]) for key in ("Bucket", "Key") if key in value and key in theirs.input_shape.members
        }
        place = "object" if "Key" in labels else "bucket" if "Bucket" in labels else "service"
        query = urlencode(query_of(sent), quote_via=quote).encode()
        headers = {key.lower().encode(): str(item).encode() for key, item in sent["headers"].items()}
        body = sent["body"].encode() if isinstance(sent["body"], str) else sent["body"]
        ours, request = decode(sent["method"], place, labels, query, headers, body)
        assert ours.name == name
        assert plain(request) == plain(value) | (
            {"Expires": headers[b"expires"].decode()} if "Expires" in value else {}
        )


def query_of(sent: dict[str, Any]) -> list[tuple[str, str]]:
    """The parameters of a request: those in its path and those apart."""
    fixed = sent["url_path"].partition("?")[2]
    pairs = [(name, value) for name, _, value in (part.partition("=") for part in fixed.split("&") if part)]
    for name, value in sent["query_string"].items():
        pairs += [(name, str(one)) for one in (value if isinstance(value, list) else [value])]
    return pairs


@pytest.mark.parametrize(
    ("method", "place", "query", "expected"),
    [
        ("GET", "service", "", "ListBuckets"),
        ("GET", "service", "x-id=ListBuckets", "ListBuckets"),
        ("GET", "bucket", "", "ListObjects"),
        ("GET", "bucket", "list-type=2", "ListObjectsV2"),
        ("GET", "bucket", "list-type=1", "ListObjects"),
        ("GET", "bucket", "versioning", "GetBucketVersioning"),
        ("GET", "bucket", "versioning=", "GetBucketVersioning"),
        ("GET", "bucket", "notification", "GetBucketNotificationConfiguration"),
        ("GET", "bucket", "lifecycle", "GetBucketLifecycleConfiguration"),
        ("GET", "bucket", "analytics", "ListBucketAnalyticsConfigurations"),
        ("GET", "bucket", "analytics&id=a", "GetBucketAnalyticsConfiguration"),
        ("GET", "object", "", "GetObject"),
        ("GET", "object", "uploadId=u", "ListParts"),
        ("GET", "object", "partNumber=1", "GetObject"),
        ("HEAD", "object", "partNumber=1", "HeadObject"),
        ("PUT", "object", "", "PutObject"),
        ("PUT", "object", "uploadId=u&partNumber=1", "UploadPart"),
        ("POST", "object", "uploads", "CreateMultipartUpload"),
        ("POST", "object", "uploadId=u", "CompleteMultipartUpload"),
        ("POST", "object", "select&select-type=2", "SelectObjectContent"),
        ("DELETE", "object", "uploadId=u", "AbortMultipartUpload"),
        ("DELETE", "object", "versionId=v", "DeleteObject"),
    ],
)
def test_an_address_and_a_query_name_an_operation(method: str, place: str, query: str, expected: str) -> None:
    """What clients send, flags with or without an equals sign."""
    found = {name: values[0] for name, values in parse_query(query.encode()).items()}
    assert router().match(method, place, found, {}).name == expected


def test_a_copy_is_told_by_its_header() -> None:
    """PutObject and UploadPart become copies where a source is named."""
    source = {b"x-amz-copy-source": b"b/k"}
    assert router().match("PUT", "object", {}, source).name == "CopyObject"
    assert router().match("PUT", "object", {"uploadId": "u", "partNumber": "1"}, source).name == "UploadPartCopy"


@pytest.mark.parametrize(
    ("method", "place", "query"),
    [
        ("DELETE", "object", {"acl": ""}),
        ("DELETE", "bucket", {"analytics": ""}),
        ("DELETE", "bucket", {"versioning": ""}),
        ("PUT", "object", {"uploadId": "u"}),
        ("PUT", "object", {"partNumber": "1"}),
        ("PUT", "bucket", {"location": ""}),
        ("POST", "object", {}),
        ("PATCH", "object", {}),
        ("POST", "service", {}),
    ],
)
def test_a_subresource_never_falls_back_on_the_whole(method: str, place: str, query: dict[str, str]) -> None:
    """A request for what there is not is refused, and never taken for the operation without it."""
    with pytest.raises(Fault) as caught:
        router().match(method, place, query, {})
    assert (caught.value.name, caught.value.http_status()) == ("MethodNotAllowed", 405)


DELETE = b"<Delete><Object><Key> a </Key></Object><Object><Key>b</Key><VersionId>v</VersionId></Object></Delete>"


@pytest.mark.parametrize(
    "document",
    [
        DELETE,
        b'<?xml version="1.0"?>'
        + DELETE.replace(b"<Delete>", b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'),
        DELETE.replace(b"<Delete>", b"<Delete><Unheard>of</Unheard>\n  "),
        DELETE.replace(b"Delete>", b"x:Delete>").replace(b"<x:Delete>", b'<x:Delete xmlns:x="urn:y">', 1),
    ],
)
def test_documents_are_read_as_clients_write_them(document: bytes) -> None:
    """With and without namespace, with what this server has not heard of; a key keeps its spaces."""
    _, request = decode("POST", "bucket", {"Bucket": "b"}, b"delete", {}, document)
    assert [one.Key for one in request.Delete.Objects] == [" a ", "b"]
    assert request.Delete.Quiet is None


@pytest.mark.parametrize(
    "document",
    [
        b"<Delete>",
        b"<Other></Other>",
        b"<Delete></Delete>",
        b"<Delete><Object></Object></Delete>",
        b"<Delete><Object><Key><b/></Key></Object></Delete>",
        b"<Delete><Quiet>perhaps</Quiet><Object><Key>a</Key></Object></Delete>",
        b"<Delete><Quiet>true</Quiet><Quiet>false</Quiet><Object><Key>a</Key></Object></Delete>",
        b'<!DOCTYPE d [<!ENTITY a "b">]><Delete><Object><Key>&a;</Key></Object></Delete>',
        b"<Delete>" + b"<a>" * 100 + b"</a>" * 100 + b"</Delete>",
        b'<?xml version="1.0" encoding="no-such"?><Delete/>',
        b"\xff\xfe\x00",
        b"not xml",
    ],
)
def test_other_documents_are_malformed(document: bytes) -> None:
    """Whatever is wrong with a document, the answer is S3's one word for it."""
    with pytest.raises(Fault) as caught:
        decode("POST", "bucket", {"Bucket": "b"}, b"delete", {}, document)
    assert caught.value.name == "MalformedXML"


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        (b"list-type=2&max-keys=many", {}, "InvalidArgument"),
        (b"list-type=2&encoding-type=base64", {}, "InvalidArgument"),
        (b"list-type=2&prefix=%FF", {}, "ValidationException"),
        (b"list-type=2&fetch-owner=perhaps", {}, "InvalidArgument"),
    ],
)
def test_parameters_that_cannot_be_are_named(query: bytes, headers: dict[bytes, bytes], code: str) -> None:
    """A parameter that the model does not allow is an invalid argument."""
    with pytest.raises(Fault) as caught:
        decode("GET", "bucket", {"Bucket": "b"}, query, headers, b"")
    assert caught.value.name == code


def test_metadata_comes_without_its_prefix_and_as_utf8() -> None:
    """Headers of the metadata are one map; other headers are none of it."""
    headers = {b"x-amz-meta-a": b"1", b"x-amz-meta-b-c": "é".encode(), b"x-amz-acl": b"private"}
    _, request = decode("PUT", "object", {"Bucket": "b", "Key": "k"}, b"", headers, b"")
    assert request.Metadata == {"a": "1", "b-c": "é"}
    assert request.ACL == "private"


def test_a_condition_on_a_date_that_is_none_is_not_heard() -> None:
    """As HTTP wants it."""
    _, request = decode("GET", "object", {"Bucket": "b", "Key": "k"}, b"", {b"if-modified-since": b"yesterday"}, b"")
    assert request.IfModifiedSince is None


def test_an_unknown_storage_has_its_own_error() -> None:
    """S3 has a name for it."""
    with pytest.raises(Fault) as caught:
        decode("PUT", "object", {"Bucket": "b", "Key": "k"}, b"", {b"x-amz-storage-class": b"SHELF"}, b"")
    assert caught.value.name == "InvalidStorageClass"


@given(st.binary(max_size=200) | st.text(alphabet="<>/abK&;![]\"' =?x", max_size=200).map(str.encode))
@settings(max_examples=300)
def test_no_bytes_do_more_than_be_refused(document: bytes) -> None:
    """The reader of documents either reads or refuses."""
    try:
        xml.parse(document)
    except xml.MalformedXml:
        pass

"""botocore's serializer is the sender: what it writes in the query protocol for any operation, our decoder reads."""

from __future__ import annotations

import functools
import zlib
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from botocore.serialize import create_serializer
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.wire import model
from craton.aws.wire.faults import Fault
from craton.aws.wire.query import MAX_PARAMETERS, Decoder, read_form
from tests.unit.wire.generate import Draw, service_model

SERVICES = ("iam", "sts")
OPERATIONS = [(service, name) for service in SERVICES for name in service_model(service).operation_names]
FORM = b"application/x-www-form-urlencoded; charset=utf-8"


@functools.cache
def decoder(service: str) -> Decoder:
    return Decoder(model.load(service))


def plain(value: Any) -> Any:
    """A request as the caller wrote it: a form cannot tell an absent structure or map from an empty one."""
    if isinstance(value, msgspec.Struct):
        pairs = zip(value.__struct_encode_fields__, msgspec.structs.astuple(value), strict=True)
        return {name: plain(item) for name, item in pairs if item is not None and plain(item) != {}}
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items() if plain(item) != {}}
    return [plain(item) for item in value if plain(item) != {}] if isinstance(value, list) else value


def asked(body: str, query: bytes = b"", method: str = "POST") -> Any:
    form = read_form(method, query, FORM, body.encode())
    return decoder("iam").request(decoder("iam").operation(form), form)


def user(**more: str) -> str:
    return urlencode({"Action": "CreateUser", "Version": "2010-05-08", "UserName": "bob", **more})


@pytest.mark.parametrize(("service", "operation"), OPERATIONS, ids=[".".join(pair) for pair in OPERATIONS])
def test_what_botocore_writes_is_what_a_handler_gets(service: str, operation: str) -> None:
    """Every operation's input arrives unchanged, as the form of a POST and as the query of a GET."""
    theirs = service_model(service).operation_model(operation)
    for seed, full in enumerate((0.0, 1.0, 0.5)):
        drawn = Draw(zlib.crc32(operation.encode()) + seed, full)
        value = drawn.structure(theirs.input_shape) if theirs.input_shape else {}
        if any(value.get(name) == {} for name in (theirs.input_shape.required_members if value else ())):
            continue  # a form cannot say it
        body = urlencode(create_serializer("query").serialize_to_request(value, theirs)["body"]).encode()
        for method, query, content in (("POST", b"", body), ("GET", body, b"")):
            form = read_form(method, query, FORM if content else b"", content)
            ours = decoder(service).operation(form)
            assert ours.name == operation
            assert plain(decoder(service).request(ours, form)) == plain(value)


def test_lists_may_have_more_than_nine_items() -> None:
    """Items come in the order of their numbers, not of their digits."""
    pairs = {f"Tags.member.{at}.{part}": f"{part}{at}" for at in range(1, 13) for part in ("Key", "Value")}
    assert [tag.Key for tag in asked(user(**pairs)).Tags] == [f"Key{at}" for at in range(1, 13)]


def test_a_parameter_may_come_once() -> None:
    """One that is given twice, in the form or beside it, could be judged by one value and served by the other."""
    for body, query in ((user() + "&UserName=eve", b""), (user(), b"UserName=eve"), (user(), b"Action=DeleteUser")):
        with pytest.raises(Fault, match="more than once"):
            asked(body, query)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("", "MissingAction"),
        ("Action=CreateUser", "InvalidAction"),
        ("Action=CreateUser&Version=1999-01-01", "InvalidAction"),
        ("Action=Nothing&Version=2010-05-08", "InvalidAction"),
        ("Action=CreateUser&Version=2010-05-08", "ValidationError"),
        (user(UserName="a b"), "ValidationError"),
        (user(**{"Tags.member.0.Key": "k"}), "MalformedInput"),
        (user(**{"Tags.member.x.Key": "k"}), "MalformedInput"),
        (user(Tags="k"), "MalformedInput"),
        (user(**{"Tags.member.1": "k"}), "ValidationError"),
        (user(**{"UserName.x": "k"}), "MalformedQueryString"),
        (user() + "&Path=%zz", "MalformedQueryString"),
        (user() + "&Path=%ff", "MalformedQueryString"),
        (user() + "&a=b" + "&x" * MAX_PARAMETERS, "MalformedQueryString"),
        (user(**{".".join("a" * 5000): "k"}), "nothing"),
    ],
)
def test_a_bad_form_is_refused(body: str, name: str) -> None:
    """Each way to be wrong has its error; what no operation knows is ignored."""
    if name == "nothing":
        assert asked(body).UserName == "bob"
        return
    with pytest.raises(Fault) as caught:
        asked(body)
    assert caught.value.name == name


def test_the_place_of_a_fault_is_named_as_aws_does() -> None:
    """A missing member and a bad one, each with its place in small letters."""
    with pytest.raises(Fault) as caught:
        asked(urlencode({"Action": "CreateUser", "Version": "2010-05-08", "Tags.member.1.Key": "k"}))
    assert caught.value.message == (
        "2 validation errors detected: Value null at 'userName' failed to satisfy constraint: Member must not be null; "
        "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null"
    )


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"Action=CreateUser&Version=2010-05-08&"]))
def test_any_bytes_are_a_request_or_a_fault(junk: bytes, head: bytes) -> None:
    """Nothing but a Fault comes out of garbage."""
    try:
        form = read_form("POST", b"", FORM, head + junk)
        decoder("iam").request(decoder("iam").operation(form), form)
    except Fault as fault:
        assert fault.http_status() == 400  # noqa: PT017 - most of what is drawn raises nothing

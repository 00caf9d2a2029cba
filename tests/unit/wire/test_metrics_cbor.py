"""RPC v2 CBOR with botocore at the other end, and the errors of services that spoke forms first."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from botocore.parsers import RpcV2CBORParser
from botocore.serialize import RpcV2CBORSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from craton.aws.wire.faults import Fault, access_denied
from craton.aws.wire.model import load
from craton.aws.wire.querycompat import CompatibleJson
from craton.aws.wire.rpccbor import RpcCbor
from tests.unit.wire.generate import service_model

PROTOCOL = RpcCbor(load("cloudwatch"))
MODEL = service_model("cloudwatch")
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=20)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
MOMENT = st.integers(0, 2**31).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
DATUM = st.fixed_dictionaries(
    {"MetricName": TEXT},
    optional={
        "Timestamp": MOMENT, "Value": NUMBER, "Values": st.lists(NUMBER, max_size=5), "Unit": st.just("Count"),
        "Dimensions": st.lists(st.fixed_dictionaries({"Name": TEXT, "Value": TEXT}), max_size=3),
        "StorageResolution": st.sampled_from([1, 60]),
        "StatisticValues": st.fixed_dictionaries(
            dict.fromkeys(("SampleCount", "Sum", "Minimum", "Maximum"), NUMBER)
        ),
    },
)  # fmt: skip
RESULT = st.fixed_dictionaries(
    {"Id": TEXT, "Label": TEXT, "Timestamps": st.lists(MOMENT, max_size=4), "Values": st.lists(NUMBER, max_size=4)}
)


def operation(name: str) -> Any:
    return PROTOCOL.service.operations[name]


def plain(value: Any) -> Any:
    """A decoded request as botocore's user wrote it."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if hasattr(value, "__struct_fields__"):
        pairs = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name: plain(one) for name, one in pairs if one is not None}
    return value


@given(st.lists(DATUM, max_size=5))
@settings(max_examples=60)
def test_requests_are_what_botocore_wrote(data: list[dict[str, Any]]) -> None:
    """Texts, numbers, lists and times, whatever they are."""
    asked = {"Namespace": "Own", "MetricData": data}
    sent = RpcV2CBORSerializer().serialize_to_request(asked, MODEL.operation_model("PutMetricData"))
    found = PROTOCOL.route(sent["url_path"].encode())
    assert found.name == "PutMetricData"
    assert plain(PROTOCOL.decode(found, sent["body"])) == asked


@given(st.lists(RESULT, max_size=4))
@settings(max_examples=60)
def test_answers_are_what_botocore_reads(results: list[dict[str, Any]]) -> None:
    """Whole doubles stay doubles, times stay times."""
    encoded = PROTOCOL.encode(operation("GetMetricData"), {"MetricDataResults": results}, "id")
    response = {
        "body": encoded.body,
        "headers": {k.decode(): v.decode() for k, v in encoded.headers},
        "status_code": 200,
    }
    parsed = RpcV2CBORParser().parse(response, MODEL.operation_model("GetMetricData").output_shape)
    assert parsed["MetricDataResults"] == results


@pytest.mark.parametrize(
    "body",
    [
        b"\x00\xff", b"\xa1", b"\xff", b"\xa2aNaxaNay", b"\x81" * 5000 + b"\x00", b"[]", cbor2.dumps([1]),
        cbor2.dumps({"Namespace": cbor2.CBORTag(35, "(a+)+$")}), cbor2.dumps({"Namespace": 2**70}),
        cbor2.dumps({"Namespace": cbor2.CBORTag(1, 1e300)}), b"\xa1iNamespace\xc1\xfb\x7f\xf8" + b"\x00" * 6,
        b"\xa1iNamespace\x5b\xff\xff\xff\xff\xff\xff\xff\xff", b"\xa1\xa0\x00", b"\xa1\xd8\x1d\x00\x00",
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(body: bytes) -> None:
    """As a mistake of the caller's, whatever the bytes try."""
    with pytest.raises(Fault) as caught:
        PROTOCOL.decode(operation("PutMetricData"), body)
    assert caught.value.name in ("SerializationException", "ValidationException")


@given(st.binary(max_size=60))
def test_any_bytes_are_survived(body: bytes) -> None:
    """A request or a fault, nothing else."""
    with suppress(Fault):
        PROTOCOL.decode(operation("ListMetrics"), body)


@pytest.mark.parametrize(
    "path", [b"", b"/service/x/operation/ListMetrics", b"/service/GraniteServiceVersion20100801/x/y/z"]
)
def test_a_path_names_the_operation(path: bytes) -> None:
    """Of this service, and one that there is."""
    with pytest.raises(Fault, match="not recognized"):
        PROTOCOL.route(path)


@pytest.mark.parametrize("protocol", [PROTOCOL, CompatibleJson(PROTOCOL.service)], ids=["cbor", "json"])
def test_errors_have_both_names(protocol: Any) -> None:
    """The model's in the body, the old one in a header, for errors of the service and of what stands before it."""
    own = protocol.encode_error(operation("PutMetricData"), Fault("InvalidParameterValue", "no", status=400), "id")
    assert dict(own.headers)[b"x-amzn-query-error"] == b"InvalidParameterValue;Sender"
    assert b"InvalidParameterValueException" in own.body
    denied = protocol.encode_error(operation("ListMetrics"), access_denied("no"), "id")
    assert (denied.status, dict(denied.headers)[b"x-amzn-query-error"]) == (400, b"AccessDenied;Sender")


def test_a_mistake_of_a_handler_is_not_sent() -> None:
    """What the model lacks becomes an internal error."""
    for value in ({"Nothing": 1}, {"MetricDataResults": [{"Values": ["x"]}]}, {"MetricDataResults": 5}):
        with pytest.raises(Fault) as caught:
            PROTOCOL.encode(operation("GetMetricData"), value, "id")
        assert caught.value.name == "InternalServerException"

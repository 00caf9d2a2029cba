"""From an entry of the spool to a record: bodies of every form, media switches, counts, names in a bucket."""

from __future__ import annotations

import gzip
import json
from binascii import b2a_base64
from typing import Any

import msgspec
import pytest

from craton.aws.wire.eventstream import encode_event, encode_exception
from craton.features.invocations import bodies, layout, media
from craton.features.invocations.entry import Entry, decode, encode
from craton.features.invocations.record import Record, compose, line
from craton.features.invocations.terms import Terms, read

AT = 1_768_478_400.25  # 2026-01-15T12:00:00Z
ARN = "arn:aws:iam::111122223333:user/ann"
CONVERSE = Entry(
    at=AT,
    request_id="11111111-2222-4333-a444-555555555555",
    operation="Converse",
    path=b"/model/us.amazon.nova-lite-v1%3A0/converse",
    identity=ARN,
    error="",
    kind="chat",
    profiled=True,
    door="",
    metadata=b"",
    content_type=b"application/json",
    counts=(7, 5, 3, None),
    body=b'{"messages":[\n {"role":"user","content":[{"text":"a\\nb"}]}]}',
    answer=b'{"output":{}}',
)
ALL = Terms()


def record(terms: Terms = ALL, **changes: Any) -> Record:
    return compose(msgspec.structs.replace(CONVERSE, **changes), "111122223333", "us-east-1", terms)


def shown(found: Record, **paths: str) -> dict[str, Any]:
    text = line(found, paths)
    assert b"\n" not in text
    value: dict[str, Any] = json.loads(text)
    return value


def test_a_record_has_bedrocks_members() -> None:
    """Exactly the schema's members, in a line, with counts where they are known."""
    assert shown(record()) == {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": "2026-01-15T12:00:00Z",
        "accountId": "111122223333",
        "identity": {"arn": ARN},
        "region": "us-east-1",
        "requestId": CONVERSE.request_id,
        "operation": "Converse",
        "modelId": "us.amazon.nova-lite-v1:0",
        "inferenceRegion": "us-east-1",
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": {"messages": [{"role": "user", "content": [{"text": "a\nb"}]}]},
            "inputTokenCount": 7,
            "cacheReadInputTokenCount": 3,
        },
        "output": {"outputContentType": "application/json", "outputBodyJson": {"output": {}}, "outputTokenCount": 5},
    }


def test_entries_survive_the_spool() -> None:
    """What is written is what is read."""
    assert decode(encode([CONVERSE, CONVERSE])) == [CONVERSE, CONVERSE]


def test_events_of_converse_stream_are_an_array() -> None:
    """Each event stands under its name, without the filler that hides its length."""
    frames = encode_event("messageStart", b'{"role":"assistant","p":"abcDEF12"}') + encode_event(
        "metadata", b'{"usage":{"inputTokens":1},"p":"a"}'
    )
    found = shown(record(answer=frames))
    assert found["operation"] == "ConverseStream"
    assert found["output"]["outputBodyJson"] == [
        {"messageStart": {"role": "assistant"}},
        {"metadata": {"usage": {"inputTokens": 1}}},
    ]


def test_chunks_of_invoke_model_are_the_models_own() -> None:
    """InvokeModelWithResponseStream's chunks are logged as the model wrote them."""
    chunk = b'{"bytes":"' + b2a_base64(b'{"generation":"Hi"}', newline=False) + b'","p":"abc"}'
    found = shown(record(operation="InvokeModelWithResponseStream", answer=encode_event("chunk", chunk) * 2))
    assert found["output"]["outputBodyJson"] == [{"generation": "Hi"}, {"generation": "Hi"}]


def test_a_stream_that_failed_has_its_error() -> None:
    """An exception event in mid-stream is the record's errorCode; what came before it is kept."""
    frames = encode_event("messageStart", b'{"role":"assistant","p":"a"}') + encode_exception(
        "throttlingException", b'{"message":"slow"}'
    )
    found = shown(record(answer=frames))
    assert found["errorCode"] == "ThrottlingException"
    assert found["output"]["outputBodyJson"][1] == {"throttlingException": {"message": "slow"}}


def test_a_stream_that_was_left_is_logged_as_far_as_it_came() -> None:
    """Half a frame at the end of a cut stream is no reason to lose the whole of it."""
    whole = encode_event("messageStart", b'{"role":"assistant","p":"a"}')
    assert bodies.answer(whole + whole[:20]).json == b'[{"messageStart":{"role":"assistant"}}]'


def test_server_sent_events_are_an_array() -> None:
    """The doors' streams are their data, without names and without the end mark."""
    text = b'event: a\ndata: {"type":"a"}\n\ndata: {"type":"b"}\n\ndata: [DONE]\n\n'
    found = shown(record(operation="Converse", door="/v1/messages", path=b"/v1/messages", answer=text))
    assert found["operation"] == "ConverseStream"
    assert found["door"] == "/v1/messages"
    assert found["output"]["outputBodyJson"] == [{"type": "a"}, {"type": "b"}]


def test_a_failed_call_has_no_output() -> None:
    """A fault is named by errorCode; the request is there, an answer is not."""
    found = shown(record(error="ThrottlingException", answer=b'{"message":"slow down"}', counts=None))
    assert found["errorCode"] == "ThrottlingException"
    assert found["output"] == {}
    assert "inputTokenCount" not in found["input"]


def test_a_body_that_is_no_json_lies_apart() -> None:
    """Binary input has a path, never a place in the record."""
    made = record(body=b"\x89PNG\r\n", content_type=b"multipart/form-data; boundary=x")
    assert made.input.apart
    assert made.input.data == b"\x89PNG\r\n"
    found = shown(made, input="s3://logs/key")
    assert found["input"]["inputBodyS3Path"] == "s3://logs/key"
    assert "inputBodyJson" not in found["input"]


def test_a_large_body_lies_apart() -> None:
    """Over 100 KB a body leaves the record; without a bucket for it only its counts stay."""
    made = record(body=json.dumps({"messages": "x" * 110_000}).encode())
    assert made.input.apart
    assert set(shown(made)["input"]) == {"inputContentType", "inputTokenCount", "cacheReadInputTokenCount"}


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"body": b'{"requestMetadata":{"a":"b"}}'}, {"a": "b"}),
        ({"body": b"{}", "metadata": b'{"c":"d"}'}, {"c": "d"}),
        ({"body": b"{}", "metadata": b"not json"}, None),
    ],
)
def test_request_metadata_is_found(entry: dict[str, Any], expected: dict[str, str] | None) -> None:
    """In Converse's body, or in InvokeModel's header."""
    assert shown(record(**entry)).get("requestMetadata") == expected


def test_the_model_is_named_as_it_was_called() -> None:
    """An ARN in the path is decoded; at a door the body names the model."""
    arn = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc"
    path = b"/model/" + arn.replace(":", "%3A").replace("/", "%2F").encode() + b"/converse"
    assert shown(record(path=path))["modelId"] == arn
    assert shown(record(path=b"/v1/x", door="/v1/x", body=b'{"model":"m"}'))["modelId"] == "m"


def test_switches_decide_by_the_models_kind() -> None:
    """Text, embeddings and pictures are logged or not by the kind of the model; counts always are."""
    off = read(b'{"embeddingDataDeliveryEnabled":false,"imageDataDeliveryEnabled":false}')
    assert "inputBodyJson" in shown(record(off))["input"]
    for kind in ("embedding", "image"):
        found = shown(record(off, kind=kind))
        assert "inputBodyJson" not in found["input"]
        assert found["input"]["inputTokenCount"] == 7
        assert "outputBodyJson" not in found["output"]


@pytest.mark.parametrize(
    ("block", "left"),
    [
        ({"image": {"format": "png", "source": {"bytes": "AAAA"}}}, {"image": {"format": "png", "source": {}}}),
        (
            {"type": "image", "source": {"type": "base64", "data": "AAAA"}},
            {"type": "image", "source": {"type": "base64"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
            {"type": "image_url", "image_url": {}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://x"}},
            {"type": "image_url", "image_url": {"url": "https://x"}},
        ),
        ({"video": {"source": {"bytes": "AAAA"}}}, {"video": {"source": {"bytes": "AAAA"}}}),
    ],
)
def test_pictures_in_conversations_can_be_left_out(block: dict[str, Any], left: dict[str, Any]) -> None:
    """With images switched off their data goes, the rest of the conversation stays."""
    off = read(b'{"imageDataDeliveryEnabled":false}')
    body = json.dumps({"messages": [{"content": [{"text": "Hi"}, block]}]}).encode()
    assert json.loads(media.without_media(off, body)) == {"messages": [{"content": [{"text": "Hi"}, left]}]}


def test_keys_are_bedrocks_and_repeat() -> None:
    """The layout of the user guide; the same segment always gives the same name."""
    made = record()
    key = layout.object_key("a/b/", "111122223333", "us-east-1", made.at, "segment-1")
    start = "a/b/AWSLogs/111122223333/BedrockModelInvocationLogs/us-east-1/2026/01/15/12"
    assert key.startswith(f"{start}/20260115T120000Z_")
    assert len(key) == len(f"{start}/20260115T120000Z_0123456789abcdef.json.gz")
    assert key == layout.object_key("a/b/", "111122223333", "us-east-1", made.at, "segment-1")
    assert key != layout.object_key("a/b/", "111122223333", "us-east-1", made.at, "segment-2")
    assert layout.root("", "1") == "AWSLogs/1/BedrockModelInvocationLogs"
    data = layout.data_key("", "1", "eu-west-1", made, "output", made.input)
    assert data.endswith(f"/2026/01/15/12/data/{made.request_id}_output.json.gz")


def test_an_object_is_gzipped_lines() -> None:
    """Newline-delimited JSON, the same bytes each time."""
    made = [record(), record()]
    data = layout.packed(layout.lines(made, [{}, {}]))
    assert data == layout.packed(layout.lines(made, [{}, {}]))
    assert [json.loads(one)["modelId"] for one in gzip.decompress(data).splitlines()] == [
        "us.amazon.nova-lite-v1:0"
    ] * 2


def test_records_lie_by_their_hour() -> None:
    """A segment over the turn of an hour makes two objects."""
    hours = layout.by_hour([record(at=AT + 3600), record(), record(at=AT - 1)])
    assert [[one.at.hour for one in hour] for hour in hours] == [[11], [12], [13]]

"""StartAsyncInvoke of video models by boto3: AWS's example for Nova Reel, shots, Luma's ratios, and what is refused."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import av
import pytest
from botocore.exceptions import ClientError
from PIL import Image

from tests.acceptance.asynchronous import FILM, RAY, REEL, REEL_0, bucket, finished, manifest, names, read, to, uri_of
from tests.running import Running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server on embedded defaults, with a bucket."""
    with Running(tmp_path_factory.mktemp("home")) as running:
        bucket(running, "films")
        yield running


@pytest.fixture(scope="module")
def runtime(server: Running) -> Any:
    return server.client("bedrock-runtime")


@pytest.fixture(scope="module")
def s3(server: Running) -> Any:
    return server.client("s3")


def seen(data: bytes) -> tuple[str, int, int, int, float]:
    """Codec, width, height, frames and seconds of a film whose frames were all decoded."""
    with av.open(io.BytesIO(data)) as film:
        stream = film.streams.video[0]
        frames = sum(1 for _ in film.decode(stream))
        seconds = float(stream.duration * stream.time_base)
        return stream.codec_context.name, stream.width, stream.height, frames, round(seconds, 2)


def test_a_film_comes_as_aws_shows_it(runtime: Any, s3: Any) -> None:
    """Start, poll, and output.mp4 below the s3Uri that Get names: 6 seconds of 24 frames at 1280x720."""
    started = runtime.start_async_invoke(modelId=REEL, modelInput=FILM, outputDataConfig=to("films", "/reel/"))
    arn = started["invocationArn"]
    ident = arn.rpartition("/")[2]
    assert arn == f"arn:aws:bedrock:us-east-1:000000000000:async-invoke/{ident}"
    found = finished(runtime, arn)
    assert found["status"] == "Completed", found
    uri = uri_of(found)
    assert uri == f"s3://films/reel/{ident}"
    assert seen(read(s3, uri + "/output.mp4")) == ("h264", 1280, 720, 144, 6.0)
    assert found["modelArn"].endswith(f"foundation-model/{REEL}")
    assert found["submitTime"] <= found["endTime"]
    told = manifest(s3, found)
    assert told["madeBy"] == {"standin": "craton.image-mini-v2:0"}
    assert told["invocationArn"] == arn
    status = json.loads(read(s3, uri + "/video-generation-status.json"))
    assert status["fullVideo"] == {"status": "SUCCESS", "location": uri + "/output.mp4"}
    assert sorted(names(s3, "films", f"reel/{ident}/")) == [
        f"reel/{ident}/{name}" for name in ("manifest.json", "output.mp4", "video-generation-status.json")
    ]


def test_shots_lie_beside_the_film(runtime: Any, s3: Any) -> None:
    """A film of several shots is there in one and by its shots; a picture of the caller's is its first frame."""
    picture = io.BytesIO()
    Image.new("RGB", (1280, 720), (200, 30, 40)).save(picture, "PNG")
    s3.put_object(Bucket="films", Key="first.png", Body=picture.getvalue())
    shots = [
        {"text": "A red wall.", "image": {"format": "png", "source": {"s3Location": {"uri": "s3://films/first.png"}}}},
        {"text": "A green meadow."},
    ]
    body = {
        "taskType": "MULTI_SHOT_MANUAL",
        "multiShotManualParams": {"shots": shots},
        "videoGenerationConfig": {"seed": 3},
    }
    arn = runtime.start_async_invoke(modelId=REEL, modelInput=body, outputDataConfig=to("films"))["invocationArn"]
    found = finished(runtime, arn)
    assert found["status"] == "Completed", found
    uri = uri_of(found)
    assert seen(read(s3, uri + "/output.mp4")) == ("h264", 1280, 720, 288, 12.0)
    first = read(s3, uri + "/shot_0001.mp4")
    assert seen(first)[3:] == seen(read(s3, uri + "/shot_0002.mp4"))[3:] == (144, 6.0)
    with av.open(io.BytesIO(first)) as film:
        red, green, blue = next(film.decode(video=0)).to_image().getpixel((640, 360))
    assert (abs(red - 200) < 12, abs(green - 30) < 12, abs(blue - 40) < 12) == (True, True, True)
    status = json.loads(read(s3, uri + "/video-generation-status.json"))
    assert [shot["location"] for shot in status["shots"]] == [f"{uri}/shot_000{number}.mp4" for number in (1, 2)]


def test_ray_has_the_ratio_that_was_asked(runtime: Any, s3: Any) -> None:
    """Luma's model answers with output.mp4 in the ratio, resolution and length of the body."""
    body = {"prompt": "a paper boat", "aspect_ratio": "9:16", "duration": "5s", "resolution": "540p", "loop": True}
    arn = runtime.start_async_invoke(modelId=RAY, modelInput=body, outputDataConfig=to("films", "/ray"))[
        "invocationArn"
    ]
    found = finished(runtime, arn)
    assert found["status"] == "Completed", found
    uri = uri_of(found)
    assert seen(read(s3, uri + "/output.mp4")) == ("h264", 540, 960, 120, 5.0)
    assert not [name for name in names(s3, "films", "ray/") if "status" in name]


@pytest.mark.parametrize(
    ("model", "change", "message"),
    [
        (REEL, {"textToVideoParams": {"text": "x" * 513}}, "#/textToVideoParams/text: expected maxLength: 512"),
        (REEL, {"taskType": "VIDEO"}, "#/taskType: VIDEO is not a valid enum value"),
        (REEL, {"videoGenerationConfig": {"durationSeconds": 12}}, "#/videoGenerationConfig/durationSeconds"),
        (REEL, {"extra": 1}, "extraneous key [extra] is not permitted"),
        (
            REEL_0,
            {"taskType": "MULTI_SHOT_AUTOMATED", "textToVideoParams": None},
            "#/taskType: MULTI_SHOT_AUTOMATED is not a valid enum value",
        ),
    ],
)
def test_a_malformed_input_is_refused_at_once(runtime: Any, model: str, change: dict[str, Any], message: str) -> None:
    """The input is held against the model's schema before anything is kept."""
    with pytest.raises(ClientError) as refused:
        runtime.start_async_invoke(modelId=model, modelInput={**FILM, **change}, outputDataConfig=to("films"))
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert message in refused.value.response["Error"]["Message"]

"""Asynchronous invocations that others answer: another Bedrock (a second server, which checks every signature) and a
vendor of OpenAI's videos API; and a server that is killed on the way.
"""

from __future__ import annotations

import io
import json
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

import av
import pytest

from tests.acceptance.asynchronous import (
    CANVAS,
    FILM,
    MARENGO,
    PAINTING,
    RAY,
    REEL,
    bucket,
    finished,
    manifest,
    read,
    to,
    uri_of,
)  # fmt: skip
from tests.acceptance.test_batch_crash import kill_worker
from tests.fakes import painters, scripts
from tests.fakes.upstream import FakeUpstream, Request
from tests.running import ACCESS_KEY, SECRET_KEY, Running, model_config

KEYS = {"UPSTREAM_ID": ACCESS_KEY, "UPSTREAM_SECRET": SECRET_KEY}
SIGNED = (
    'region = "us-east-1"\naccess_key_id = "env:UPSTREAM_ID"\nsecret_access_key = "env:UPSTREAM_SECRET"\n'
    'output_s3 = "s3://upstream/from-here/"\n'
)


def relayed(model: str, there: Running, extra: str = SIGNED) -> str:
    return model_config(model, "bedrock", there.url, model=model, extra=extra)


def started(server: Running, model: str, body: dict[str, Any], place: dict[str, Any]) -> dict[str, Any]:
    """The invocation once it is over."""
    runtime = server.client("bedrock-runtime")
    arn = runtime.start_async_invoke(modelId=model, modelInput=body, outputDataConfig=place)["invocationArn"]
    return finished(runtime, arn)


def test_another_bedrock_makes_it_and_its_files_come_here(tmp_path: Path) -> None:
    """Started there with the target's own keys, waited for, copied; what names its bucket names ours afterwards. What the
    upstream refuses ends the invocation with its message.
    """
    with (
        Running(tmp_path / "there", '[standins]\nembedding = "somebody.else"\n') as there,
        Running(tmp_path / "here", relayed(REEL, there) + relayed(MARENGO, there), env=KEYS) as here,
    ):
        bucket(here, "films")
        found = started(here, REEL, FILM, to("films"))
        assert (found["status"], "Invalid S3 credentials" in found["failureMessage"]) == ("Failed", True), found
        heard = {"inputType": "audio", "mediaSource": {"s3Location": {"uri": "s3://upstream/a.mp3"}}}
        found = started(here, MARENGO, heard, to("films"))
        assert (found["status"], "makes embeddings" in found["failureMessage"]) == ("Failed", True), found
        bucket(there, "upstream")
        found = started(here, REEL, FILM, to("films", "/in"))
        assert found["status"] == "Completed", found
        s3, uri = here.client("s3"), uri_of(found)
        (theirs,) = there.client("bedrock-runtime").list_async_invokes()["asyncInvokeSummaries"]
        assert manifest(s3, found)["madeBy"] == {"bedrock": theirs["invocationArn"]}
        assert read(s3, uri + "/output.mp4") == read(there.client("s3"), uri_of(theirs) + "/output.mp4")
        status = json.loads(read(s3, uri + "/video-generation-status.json"))
        assert status["fullVideo"]["location"] == uri + "/output.mp4"


def mp4() -> bytes:
    """A film of half a second."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for _ in range(12):
            container.mux(stream.encode(av.VideoFrame(64, 36, "yuv420p")))
        container.mux(stream.encode(None))
    return target.getvalue()


class Vendor:
    """OpenAI's videos API: each video is done when it was asked after twice, or fails where its prompt says so."""

    def __init__(self) -> None:
        self.forms: list[dict[str, bytes]] = []
        self.polls: Counter[str] = Counter()
        self.film = mp4()

    def __call__(self, request: Request) -> scripts.Script:
        if request.method == "POST":
            self.forms.append(painters.form(request))
            return scripts.reply({"id": f"video_{len(self.forms)}", "object": "video", "status": "queued"})
        if request.path.endswith("/content"):
            return (scripts.plain(self.film, 200, {"content-type": "video/mp4"}),)
        ident = request.path.rpartition("/")[2]
        self.polls[ident] += 1
        if b"forbidden" in self.forms[int(ident.rpartition("_")[2]) - 1]["prompt"]:
            return scripts.reply({"id": ident, "status": "failed", "error": {"code": "x", "message": "Not this."}})
        return scripts.reply({"id": ident, "status": "completed" if self.polls[ident] > 1 else "in_progress"})


def test_a_vendor_of_videos_makes_each_shot(tmp_path: Path) -> None:
    """Each shot is a job of the vendor's, in a length and size that it has; joined they are the film."""
    vendor = Vendor()
    with FakeUpstream(fallback=vendor) as up:
        config = model_config(REEL, "openai", up.openai_url, model="sora-2") + model_config(
            RAY, "openai", up.openai_url, model="sora-2"
        )
        with Running(tmp_path, config) as server:
            bucket(server, "films")
            shots = {"taskType": "MULTI_SHOT_AUTOMATED", "multiShotAutomatedParams": {"text": "A boat, then a storm."}}
            found = started(server, REEL, {**shots, "videoGenerationConfig": {"durationSeconds": 12}}, to("films"))
            assert found["status"] == "Completed", found
            s3, uri = server.client("s3"), uri_of(found)
            with av.open(io.BytesIO(read(s3, uri + "/output.mp4"))) as film:
                assert sum(1 for _ in film.decode(video=0)) == 24
            assert read(s3, uri + "/shot_0002.mp4") == vendor.film
            fields = {"model": b"sora-2", "prompt": b"A boat, then a storm.", "seconds": b"8", "size": b"1280x720"}
            assert vendor.forms == [fields, fields]
            assert manifest(s3, found)["madeBy"]["shotSeconds"] == [8, 8]
            found = started(server, RAY, {"prompt": "forbidden", "aspect_ratio": "9:16"}, to("films"))
            assert (found["status"], found["failureMessage"]) == ("Failed", "Not this.")
            assert vendor.forms[-1]["size"] == b"720x1280"


def test_a_target_that_makes_no_videos_is_named(tmp_path: Path) -> None:
    """What the configuration lacks is said when the invocation is started."""
    unplaced = SIGNED.replace('output_s3 = "s3://upstream/from-here/"\n', "")
    config = model_config(REEL, "bedrock", "http://127.0.0.1:9", extra=unplaced)
    with Running(tmp_path, config + model_config(RAY, "cohere", "http://127.0.0.1:9"), env=KEYS) as server:
        bucket(server, "films")
        refusal = server.client("bedrock-runtime").exceptions.ValidationException
        with pytest.raises(refusal, match="has no place for its results"):
            started(server, REEL, FILM, to("films"))
        with pytest.raises(refusal, match="makes no videos"):
            started(server, RAY, {"prompt": "a boat"}, to("films"))


def test_a_killed_worker_and_server_lose_nothing(tmp_path: Path) -> None:
    """Worker and server are killed while the model is asked: the invocation goes on and ends as if nothing had been. The
    input is nowhere in the clear, and nowhere at all in the end.
    """

    def slowly(request: Request) -> scripts.Script:
        return [scripts.Sleep(0.7), *painters.natural(request)]

    with FakeUpstream(fallback=slowly) as up:
        config = model_config(CANVAS, "openai", up.openai_url, model="gpt-image-1")
        with Running(tmp_path, config) as server:
            bucket(server, "films")
            runtime = server.client("bedrock-runtime")
            wanted = {"modelId": CANVAS, "modelInput": PAINTING, "outputDataConfig": to("films")}
            arn = runtime.start_async_invoke(**wanted)["invocationArn"]
            wait_for(up, 1)
            assert kill_worker(server)
            wait_for(up, 2)
            assert server.process is not None
            server.process.kill()
            server.process.wait()
        assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"a lighthouse" in path.read_bytes()]
        with Running(tmp_path, config) as server:
            found = finished(server.client("bedrock-runtime"), arn)
            assert found["status"] == "Completed", found
            uri = uri_of(found)
            assert json.loads(read(server.client("s3"), uri + "/output.json"))["images"]
            assert len(up.requests) == 3
        assert not kept_steps(tmp_path)


def kept_steps(home: Path) -> int:
    """How many results of steps are in the store."""
    with sqlite3.connect(home / "craton.db") as connection:
        count: int = connection.execute("SELECT count(*) FROM job_steps").fetchone()[0]
    return count


def wait_for(up: FakeUpstream, count: int) -> None:
    """Until the upstream was asked so often."""
    end = time.monotonic() + 90
    while len(up.requests) < count:
        assert time.monotonic() < end
        time.sleep(0.01)

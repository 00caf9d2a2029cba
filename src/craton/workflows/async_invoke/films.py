"""Films by the stand-in: a picture for each shot, painted by an image model of this server, and a slow move over it.

Owns who paints and what the pictures are asked for; each picture's reply is journaled, so that nobody paints it twice.
What the files of a film are called is `reels`. It must not know how a film is encoded.
"""

from __future__ import annotations

import asyncio
import base64
from functools import partial

import msgspec

from craton.features.hosting.registry import registered
from craton.models.canon.video import Picture, Shot, VideoRequest
from craton.models.catalog.local import boxed_models
from craton.workflows.async_invoke.asking import answered, models_of_account
from craton.workflows.async_invoke.encoding import Form, Take, encoded, loaded
from craton.workflows.async_invoke.output import Output
from craton.workflows.workflow import Job, JobFailed

MAX_PICTURE_BYTES = 50 * 1024 * 1024
NO_PAINTER = "No model of this server paints pictures, of which the stand-in makes its videos."
_SEEDS = 2_147_483_647
_TEXT_CHARS = 4000
_encode = msgspec.json.Encoder().encode


class _Datum(msgspec.Struct):
    b64_json: str = ""


class _Reply(msgspec.Struct):
    data: list[_Datum] = []


_REPLY = msgspec.json.Decoder(_Reply)


async def shots(job: Job, request: VideoRequest, output: Output, painter: str) -> list[bytes]:
    """An MP4 file for each shot. Raises JobFailed."""
    await asyncio.to_thread(loaded)  # before anybody paints in vain
    form = Form(request.width, request.height, request.fps, comment_of(painter))
    made: list[bytes] = []
    for number, shot in enumerate(request.shots):
        first = await fetched(output, shot.first)
        if first is None:
            paint = partial(painted, job, painter, request, shot, number)
            first = await job.step(f"picture-{number}", paint, bytes, sealed=True)
        last = await fetched(output, shot.last)
        way = (request.seed or 0) + number
        made.append(await asyncio.to_thread(encoded, Take(first, last, shot.seconds, way, request.loop), form))
        job.progress(number + 1, len(request.shots), "shots")
    return made


async def painter_of(job: Job) -> str:
    """The model that paints: the configured stand-in for images, or the first that is here. Raises JobFailed."""
    settings = job.tools.settings
    if settings.file.standins.image:
        return settings.file.standins.image
    local = await job.tools.storage.read(lambda store: registered(store, settings.account))
    for model in (*boxed_models(), *local):
        if model.kind == "image":
            return model.id
    raise JobFailed(NO_PAINTER)


def comment_of(painter: str) -> str:
    return f"Made by Craton's stand-in for video models from pictures of {painter}; not by the model that was asked."


async def painted(job: Job, painter: str, request: VideoRequest, shot: Shot, number: int) -> bytes:
    """The picture of a shot: the same for the same text, seed and number."""
    body: dict[str, object] = {
        "prompt": shot.text[:_TEXT_CHARS], "size": f"{request.width}x{request.height}", "output_format": "jpeg",
    }  # fmt: skip
    if request.seed is not None:
        body["seed"] = (request.seed + number) % _SEEDS
    reply, _ = await answered(models_of_account(job, painter), painter, _encode(body))
    found = _REPLY.decode(reply).data
    if not found or not found[0].b64_json:
        raise JobFailed("The image model gave no picture for the film.")
    return base64.b64decode(found[0].b64_json)


async def fetched(output: Output, picture: Picture | None) -> bytes | None:
    """The caller's own picture, from the input or from S3."""
    if picture is None:
        return None
    return picture.data or await output.fetched(picture.uri, picture.owner, MAX_PICTURE_BYTES)

"""Videos of a vendor that speaks OpenAI's videos API: a job created for each shot, polled, its content fetched.

Owns paths, forms and the vendor's states. The id of each job is journaled, so none is created twice. Lengths and sizes
that the vendor lacks become the next that it has, and the manifest says so. Source: OpenAI's API reference, Videos.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec

from craton.config import ConfigError, secret
from craton.config_tables import TargetTable
from craton.models.canon.video import Shot, VideoRequest
from craton.models.providers import multipart
from craton.models.providers.dial import open_transport
from craton.models.providers.multipart import Part
from craton.models.providers.transport import Busy, ConnectError, Limits, Transport, TransportError
from craton.workflows.async_invoke.films import fetched
from craton.workflows.async_invoke.output import Output
from craton.workflows.workflow import Job, JobFailed

_SECONDS = (4, 8, 12)
_MAX_BYTES = 512 * 1024 * 1024
_PAUSE_FIRST_S, _PAUSE_MAX_S = 0.5, 10.0
_RUNNING = frozenset({"queued", "in_progress"})
_PASSING = frozenset({408, 409, 429, 500, 502, 503, 504})
# What a video that was to be created may be asked for again after: nobody has begun one.
_REFUSED = frozenset({429, 503})
_UNSENT = (ConnectError, Busy)
_PATIENCE = 10
_GOOD = 200


class _Error(msgspec.Struct):
    message: str = ""


class _Video(msgspec.Struct):
    id: str = ""
    status: str = ""
    error: _Error | None = None


_VIDEO = msgspec.json.Decoder(_Video)


class Vendor:
    """One upstream, with the pool to it and the time that an exchange may take."""

    def __init__(self, transport: Transport, key: str, timeout_s: float) -> None:
        self._transport = transport
        self._key = ((b"authorization", f"Bearer {key}".encode()),) if key else ()
        self._timeout_s = timeout_s

    async def asked(self, method: bytes, path: str, body: bytes = b"", kind: bytes = b"") -> bytes:
        """A good answer's body. Raises JobFailed with the vendor's message."""
        headers = (*self._key, *(((b"content-type", kind),) if kind else ()))
        pause_s = _PAUSE_FIRST_S
        for left in reversed(range(_PATIENCE)):
            deadline = asyncio.get_running_loop().time() + self._timeout_s
            try:
                got = await self._transport.fetch(
                    method, path.encode(), headers, body, deadline=deadline, limit=_MAX_BYTES
                )
            except TransportError as error:
                why = f"The target of the model could not be reached: {error}."
                passes = method == b"GET" or isinstance(error, _UNSENT)
            else:
                if got.status == _GOOD:
                    return got.body
                why = _told(got.body) or f"The target of the model answered with the status {got.status}."
                passes = got.status in (_PASSING if method == b"GET" else _REFUSED)
            if not passes or not left:
                break
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _PAUSE_MAX_S)
        raise JobFailed(why)


async def shots(
    job: Job, request: VideoRequest, output: Output, target: TargetTable
) -> tuple[list[bytes], dict[str, Any]]:
    """An MP4 file for each shot, and what the manifest tells of who made them. Raises JobFailed."""
    try:
        vendor_key = secret(target.api_key)
    except ConfigError as error:
        raise JobFailed(str(error)) from None
    transport = open_transport(target.base_url, Limits(body_bytes=_MAX_BYTES))
    vendor = Vendor(transport, vendor_key, max(target.timeout_s, 60.0))
    try:
        idents = []
        for number, shot in enumerate(request.shots):
            create = partial(created, vendor, target, request, shot, output)
            idents.append(await job.step(f"video-{number}", create, str))
        made = []
        for number, ident in enumerate(idents):
            made.append(await finished(vendor, ident))
            job.progress(number + 1, len(idents), "shots")
    finally:
        await transport.close()
    told = {"openai": target.model, "videos": idents, "size": size_of(request)}
    return made, {**told, "shotSeconds": [length_of(shot) for shot in request.shots]}


async def created(vendor: Vendor, target: TargetTable, request: VideoRequest, shot: Shot, output: Output) -> str:
    """The id of the vendor's job for a shot."""
    fields = {
        "model": target.model, "prompt": shot.text, "seconds": str(length_of(shot)), "size": size_of(request),
    }  # fmt: skip
    parts = [Part(name, value.encode()) for name, value in fields.items()]
    first = await fetched(output, shot.first)
    if first is not None:
        parts.append(Part("input_reference", first, "first.png"))
    kind, body = multipart.encode(parts)
    return read(await vendor.asked(b"POST", "/videos", body, kind)).id


async def finished(vendor: Vendor, ident: str) -> bytes:
    """The file of a job, once it is there. Raises JobFailed."""
    path, pause_s = f"/videos/{quote(ident, safe='')}", _PAUSE_FIRST_S
    while True:
        video = read(await vendor.asked(b"GET", path))
        if video.status == "completed":
            return await vendor.asked(b"GET", f"{path}/content")
        if video.status not in _RUNNING:
            why = video.error.message if video.error is not None else ""
            raise JobFailed(why or f"The video ended with the status {video.status or 'unknown'}.")
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _PAUSE_MAX_S)


def read(body: bytes) -> _Video:
    try:
        video = _VIDEO.decode(body)
    except msgspec.DecodeError:
        video = _Video()
    if not video.id:
        raise JobFailed("The target of the model answered with something that is no video of OpenAI's API.")
    return video


def length_of(shot: Shot) -> int:
    """The shortest length that the vendor has and that is enough, else its longest."""
    return next((seconds for seconds in _SECONDS if seconds >= shot.seconds), _SECONDS[-1])


def size_of(request: VideoRequest) -> str:
    """Landscape or portrait, in the size that all models of the API have."""
    return "1280x720" if request.width >= request.height else "720x1280"


def _told(body: bytes) -> str:
    """The vendor's message of an error."""
    try:
        error = msgspec.json.decode(body, type=_Video).error
    except msgspec.DecodeError:
        return ""
    return error.message if error is not None else ""

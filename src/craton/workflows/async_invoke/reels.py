"""The files of a video: the film, its shots where they are wanted apart, and Nova Reel's account of both.

Owns their names. It must not know who makes the shots.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from craton.features.async_invoke.upstreams import target_of
from craton.models.dialects.videos.all import video_dialect
from craton.workflows.async_invoke import films, openai_videos
from craton.workflows.async_invoke.encoding import joined
from craton.workflows.async_invoke.output import JSON, VIDEO, Output
from craton.workflows.workflow import Job, JobFailed

FILM = "output.mp4"
STATUS = "video-generation-status.json"
_WITH_STATUS = frozenset({"amazon.nova-reel"})


async def made(job: Job, model_id: str, schema: str, plain: bytes, output: Output) -> dict[str, Any]:
    """Make a film and write its files; what the manifest tells of it. Raises JobFailed."""
    dialect = video_dialect(schema)
    if dialect is None:
        raise JobFailed(f"Nobody here makes videos of the kind {schema}.")
    request = await asyncio.to_thread(dialect.read_request, plain, model_id)
    target = target_of(job.tools.settings.file, model_id)
    if target is not None:
        shots, maker = await openai_videos.shots(job, request, output, target)
        comment = ""
    else:
        painter = await films.painter_of(job)
        shots, comment = await films.shots(job, request, output, painter), films.comment_of(painter)
        maker = {"standin": painter}
    names = []
    if request.apart:
        names = [f"shot_{number:04d}.mp4" for number in range(1, len(shots) + 1)]
        for name, shot in zip(names, shots, strict=True):
            await output.put(name, shot, VIDEO)
    await output.put(FILM, await asyncio.to_thread(joined, shots, comment), VIDEO)
    if schema in _WITH_STATUS:
        await output.put(STATUS, status(output, names), JSON)
        return {"madeBy": maker, "outputs": [FILM, *names, STATUS]}
    return {"madeBy": maker, "outputs": [FILM]}


def status(output: Output, shots: list[str]) -> bytes:
    """Nova Reel's own account: each file and that it is there."""
    told = [{"status": "SUCCESS", "location": output.uri(name)} for name in (FILM, *shots)]
    return msgspec.json.encode({"schemaVersion": "1.0", "shots": told[1:], "fullVideo": told[0]})

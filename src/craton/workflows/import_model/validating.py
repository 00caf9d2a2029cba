"""Whether what lies in S3 is a model that may be imported, found out before its gigabytes are fetched.

Owns the order: the listing, the small files, then of each file of weights the header alone. The rules are
`features.importing`'s. It must not know who waits for the result.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from craton.features.importing import listing, safetensors
from craton.features.importing.fault import BadModel
from craton.features.importing.listing import File
from craton.features.importing.model import Facts, facts, weights
from craton.features.importing.safetensors import PREFIX_BYTES, Tensor
from craton.workflows.import_model.source import Source
from craton.workflows.workflow import JobFailed

_AT_ONCE = 8


class Validated(msgspec.Struct, frozen=True):
    """What the journal knows of a folder that is as it must be: the files to fetch, and the model's facts."""

    files: list[File]
    facts: Facts

    @property
    def size_bytes(self) -> int:
        return sum(file.size for file in self.files)


async def validated(source: Source, max_bytes: int) -> Validated:
    """Raises JobFailed with what is wrong, and in which file."""
    try:
        return await _validated(source, max_bytes)
    except BadModel as error:
        raise JobFailed(f"The model cannot be imported. {error}") from None


async def _validated(source: Source, max_bytes: int) -> Validated:
    files = listing.chosen(await source.files(), max_bytes=max_bytes)
    texts = {file.name: await source.read(file) for file in files if not file.is_weights}
    found, shards = await asyncio.to_thread(weights, [file.name for file in files if file.is_weights], texts)
    wanted = [file for file in files if not file.is_weights or file.name in shards]
    turns = asyncio.Semaphore(_AT_ONCE)

    async def header(file: File) -> list[Tensor]:
        async with turns:
            length = safetensors.header_bytes(file.name, await source.read(file, 0, PREFIX_BYTES), file.size)
            data = await source.read(file, PREFIX_BYTES, length)
            return await asyncio.to_thread(safetensors.tensors, file.name, data, file.size)

    held = {file.name: await header(file) for file in wanted if file.is_weights}
    return Validated(wanted, await asyncio.to_thread(facts, found, texts, held))


def check_fetched(folder: Path, files: list[File]) -> None:
    """The same of what came to the disk: it is what was validated. Raises JobFailed."""
    try:
        for file in files:
            path = folder / file.name
            if not path.is_file() or path.stat().st_size != file.size:
                raise BadModel(f"{file.name} is not on the disk as it was fetched.")
            if file.is_weights:
                with path.open("rb") as opened:
                    length = safetensors.header_bytes(file.name, opened.read(PREFIX_BYTES), file.size)
                    safetensors.tensors(file.name, opened.read(length), file.size)
    except BadModel as error:
        raise JobFailed(f"The model cannot be imported. {error}") from None

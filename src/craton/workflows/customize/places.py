"""The places of a customization: what it reads and writes in S3, and its scratch on the disk.

Owns the names of the output's files, which are Bedrock's where Bedrock has them, and of the scratch's. It must not know
what stands in them.
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from craton.features.hosting.custom import Form
from craton.features.tuning import artifacts
from craton.workflows.batch.files import refused

OUTPUT: dict[str, str] = {
    artifacts.STEPS: f"training_artifacts/{artifacts.STEPS}",
    artifacts.VALIDATION: f"validation_artifacts/post_fine_tuning_validation/validation/{artifacts.VALIDATION}",
    artifacts.CURVE: "training_artifacts/loss.png",
    artifacts.CARD: "model_card.json",
    "card.md": "model_card.md",
}
"""What training leaves → where it goes, under `model-customization-job-ID/`."""
MODEL = "model_artifacts"
CHECKPOINT = "checkpoint/checkpoint.pt"
_LARGE_BYTES = 64 * 1024 * 1024


class Location(msgspec.Struct, frozen=True):
    """A place in S3 as a role sees it (`import_model.source.Place`)."""

    uri: str
    role_arn: str

    @property
    def bucket(self) -> str:
        return self.uri.removeprefix("s3://").partition("/")[0]

    @property
    def key(self) -> str:
        return self.uri.removeprefix("s3://").partition("/")[2]

    @property
    def prefix(self) -> str:
        """What the keys of a folder's files begin with; empty for the whole bucket."""
        folder = self.key.rstrip("/")
        return f"{folder}/" if folder else ""


class Scratch:
    """HOME/scratch/customize/ID: the fetched files, the plan, the child's work and what it leaves."""

    def __init__(self, home: Path, ident: str) -> None:
        self.folder = home / "scratch" / "customize" / ident
        self.train, self.validation = self.folder / "training.jsonl", self.folder / "validation.jsonl"
        self.plan = self.folder / "plan.json"
        self.work, self.out = self.folder / "work", self.folder / "out"

    def begin(self) -> None:
        """Make the folders; they may be there already. Raises OSError."""
        for folder in (self.folder.parent.parent, self.folder.parent, self.folder, self.work, self.out):
            folder.mkdir(mode=0o700, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        return self.work / "checkpoint.pt"

    def remove(self) -> None:
        """Leave nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Output:
    """The job's folder in S3. `client` is boto3's; `key` seals what is written, where the customer named one."""

    def __init__(self, client: Any, place: Location, ident: str) -> None:
        self._client = client
        self._place = place
        self._folder = f"{place.prefix}model-customization-job-{ident}/"

    async def begin(self) -> None:
        """Find out whether the role may write there: a table without rows, which the real one replaces."""
        await self.write(OUTPUT[artifacts.STEPS], b"step_number,epoch_number,training_loss,perplexity\n")

    async def export(self, out: Path, form: Form) -> None:
        """All that training left. May be done again at any point."""
        for name, where in OUTPUT.items():
            if (out / name).is_file():
                await self.send(where, out / name)
        for file in sorted((out / form).iterdir()) if (out / form).is_dir() else ():
            await self.send(f"{MODEL}/{form}/{file.name}", file)

    async def send(self, name: str, file: Path) -> None:
        if (await asyncio.to_thread(file.stat)).st_size <= _LARGE_BYTES:
            await self.write(name, await asyncio.to_thread(file.read_bytes))
            return
        key = self._folder + name
        await self._call(key, lambda: self._client.upload_file(str(file), self._place.bucket, key))

    async def write(self, name: str, data: bytes) -> None:
        """Raises JobRefused where the role may not write."""
        key = self._folder + name
        await self._call(key, lambda: self._client.put_object(Bucket=self._place.bucket, Key=key, Body=data))

    async def _call(self, key: str, method: Any) -> None:
        try:
            await asyncio.to_thread(method)
        except ClientError as error:
            refusal = refused(error, "PutObject", self._place.bucket, key, self._place.role_arn)
            if refusal is None:
                raise
            raise refusal from None


def swept(home: Path, known: set[str]) -> None:
    """Remove what jobs left that are gone."""
    folder = home / "scratch" / "customize"
    with suppress(OSError):
        for one in folder.iterdir():
            if one.is_dir() and one.name not in known:
                shutil.rmtree(one, ignore_errors=True)

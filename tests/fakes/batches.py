"""What a batch job meets, in memory: S3 as boto3 shows it, a journal that outlives its worker, models, a cipher.

Each of them calls `Perils.meet` before and after it does something, where a test may have the worker die.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import msgspec
from botocore.exceptions import ClientError

from craton.features.batch import job as rows
from craton.features.batch.job import BatchJob, Location
from craton.infra.cipher.port import Tampered
from craton.infra.store.port import Resource
from craton.workflows.batch import body as batch_body

T = TypeVar("T")
ARN = "arn:aws:bedrock:us-east-1:000000000000:model-invocation-job/abcdefghijkl"
ROLE = "arn:aws:iam::000000000000:role/batch"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Killed(BaseException):
    """The worker's end, in the middle of anything."""


class Perils:
    """Counts the moments in which a worker may die; it does at number `at`, and once dead does nothing more."""

    def __init__(self, at: int = 0) -> None:
        self.at = at
        self.met = 0

    def meet(self) -> None:
        self.met += 1
        if self.at and self.met >= self.at:
            raise Killed


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "Op")


class FakeS3:
    """The calls of boto3's client that a batch makes. `denied` are buckets, `sealed` what objects were sealed with."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.sealed: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.denied: set[str] = set()
        self.perils = Perils()

    def _meet(self, name: str, asked: dict[str, Any]) -> None:
        self.perils.meet()
        self.asked.append((name, asked))
        if asked["Bucket"] in self.denied:
            raise refusal("AccessDenied", 403)

    def _of(self, key: str) -> bytes:
        if key not in self.objects:
            raise refusal("404" if key.endswith("?") else "NoSuchKey", 404)
        return self.objects[key]

    def head_object(self, **asked: Any) -> dict[str, Any]:
        self._meet("head_object", asked)
        data = self._of(asked["Key"])
        return {"ETag": etag(data), "ContentLength": len(data)}

    def list_objects_v2(self, **asked: Any) -> dict[str, Any]:
        self._meet("list_objects_v2", asked)
        keys = sorted(key for key in self.objects if key.startswith(asked["Prefix"]))
        keys = [key for key in keys if key > asked.get("ContinuationToken", "")]
        page = keys[:2]
        found = [{"Key": key, "ETag": etag(self.objects[key]), "Size": len(self.objects[key])} for key in page]
        more = len(keys) > len(page)
        return {"Contents": found, "IsTruncated": more} | ({"NextContinuationToken": page[-1]} if more else {})

    def get_object(self, **asked: Any) -> dict[str, Any]:
        self._meet("get_object", asked)
        data = self._of(asked["Key"])
        if asked["IfMatch"] != etag(data):
            raise refusal("PreconditionFailed", 412)
        first, _, last = asked["Range"].removeprefix("bytes=").partition("-")
        return {"Body": io.BytesIO(data[int(first) : int(last) + 1])}

    def put_object(self, **asked: Any) -> dict[str, Any]:
        self._meet("put_object", asked)
        self.objects[asked["Key"]] = asked["Body"]
        self.sealed[asked["Key"]] = asked.get("SSEKMSKeyId", "")
        self.perils.meet()
        return {"ETag": etag(asked["Body"])}

    def create_multipart_upload(self, **asked: Any) -> dict[str, Any]:
        self._meet("create_multipart_upload", asked)
        ident = f"upload-{len(self.asked)}"
        self.uploads[ident] = {}
        self.sealed[asked["Key"]] = asked.get("SSEKMSKeyId", "")
        self.perils.meet()
        return {"UploadId": ident}

    def upload_part(self, **asked: Any) -> dict[str, Any]:
        self._meet("upload_part", asked)
        self.uploads[asked["UploadId"]][asked["PartNumber"]] = asked["Body"]
        self.perils.meet()
        return {"ETag": etag(asked["Body"])}

    def complete_multipart_upload(self, **asked: Any) -> dict[str, Any]:
        self._meet("complete_multipart_upload", asked)
        if asked["UploadId"] not in self.uploads:
            raise refusal("NoSuchUpload", 404)
        parts = self.uploads.pop(asked["UploadId"])
        named = asked["MultipartUpload"]["Parts"]
        assert [etag(parts[one["PartNumber"]]) for one in named] == [one["ETag"] for one in named]
        self.objects[asked["Key"]] = b"".join(parts[one["PartNumber"]] for one in named)
        self.perils.meet()
        return {}

    def abort_multipart_upload(self, **asked: Any) -> None:
        self._meet("abort_multipart_upload", asked)
        self.uploads.pop(asked["UploadId"], None)


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest()}"'


class FakeModels:
    """Echoes a record's `n`. `answers` says otherwise by the number of the call; `asked` counts calls by `n`."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()
        self.answered: Counter[int] = Counter()
        self.calls = self.inside = self.most_inside = 0
        self.answers: Callable[[int, int], tuple[int, Any] | None] = lambda call, n: None
        self.delay_s: Callable[[int], float] = lambda n: 0.0
        self.headers: list[Any] = []
        self.perils = Perils()

    async def invoke(self, model_id: str, body: bytes, *, headers: Any = (), timeout_s: float = 0) -> Any:
        status, answer = await self._answer(body, headers)
        counts = {b"x-amzn-bedrock-input-token-count": b"3", b"x-amzn-bedrock-output-token-count": b"5"}
        return status, counts if status == 200 else {}, json.dumps(answer).encode()

    async def converse(self, model_id: str, body: bytes, *, headers: Any = (), timeout_s: float = 0) -> Any:
        status, answer = await self._answer(body, headers)
        if status == 200:
            answer = {"output": answer, "usage": {"inputTokens": 7, "outputTokens": 11, "totalTokens": 18}}
        return status, {}, json.dumps(answer).encode()

    async def _answer(self, body: bytes, headers: Any) -> tuple[int, Any]:
        self.perils.meet()
        number = json.loads(body)["n"]
        self.headers.append(headers)
        self.calls += 1
        self.asked[number] += 1
        told = self.answers(self.calls, number)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await asyncio.sleep(self.delay_s(number))
        finally:
            self.inside -= 1
        self.perils.meet()
        if told is not None:
            return told
        self.answered[number] += 1
        return 200, {"echo": number}


class PlainCipher:
    """Seals by writing down for whom."""

    async def seal(self, account: str, purpose: str, key: str | None, plaintext: bytes, context: Any = None) -> bytes:
        return json.dumps([account, purpose, dict(context)]).encode() + b"|" + plaintext

    async def open(self, account: str, purpose: str, sealed: bytes, context: Any = None) -> bytes:
        mark = json.dumps([account, purpose, dict(context)]).encode() + b"|"
        if not sealed.startswith(mark):
            raise Tampered
        return sealed.removeprefix(mark)


class FakeClock:
    """A wall clock that a test moves; the monotonic one goes on by itself."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class World:
    """All that outlives a worker: the row, the journal, S3, the models, the disk."""

    def __init__(self, home: Path, **changes: Any) -> None:
        self.home = home
        self.s3 = FakeS3()
        self.models = FakeModels()
        self.clock = FakeClock()
        self.steps: dict[str, bytes] = {}
        self.stopping = False
        self.seen: list[str] = []
        self.limits = {"batch_min_records": 1, "batch_records_per_file": 10**7, "batch_records_per_job": 10**7,
                       "batch_file_bytes": 10**10, "batch_job_bytes": 10**10}  # fmt: skip
        self.concurrency = 8
        given: dict[str, Any] = {
            "model_id": "m.m", "called": "m.m", "role_arn": ROLE, "source": Location("s3://in/data/"),
            "target": Location("s3://out/there"), "expires_at": NOW + timedelta(hours=24), **changes,
        }  # fmt: skip
        self.row = Resource(
            account="000000000000", region="us-east-1", kind=rows.KIND, id="abcdefghijkl", arn=ARN, created_at=NOW,
            updated_at=NOW, name="job", status=rows.SUBMITTED, body=msgspec.json.encode(BatchJob(**given)),
        )  # fmt: skip

    @property
    def body(self) -> BatchJob:
        return self.row.read(BatchJob)

    def file(self, name: str, *numbers: int) -> None:
        """An input with a record for each number."""
        lines = [json.dumps({"recordId": f"R{n}", "modelInput": {"n": n}}) for n in numbers]
        self.s3.objects[name] = "\n".join(lines).encode()

    def output(self, name: str) -> list[dict[str, Any]]:
        """The records of an output."""
        return [json.loads(line) for line in self.s3.objects[f"there/abcdefghijkl/{name}"].splitlines()]

    @property
    def manifest(self) -> dict[str, int]:
        told: dict[str, int] = json.loads(self.s3.objects["there/abcdefghijkl/manifest.json.out"])
        return told

    def run(self, *, die_at: int = 0, part_bytes: int = 400) -> bool:
        """A worker takes the job; whether it came to the end of it."""
        perils = Perils(die_at)
        self.s3.perils = self.models.perils = perils
        job = FakeJob(self, perils)

        async def live() -> None:
            try:
                if self.row.status in rows.RUNNING:
                    await batch_body.perform(job, self.body, part_bytes)  # type: ignore[arg-type]
            except Killed:
                raise
            except Exception as error:
                await batch_body.fail(job, str(error))  # type: ignore[arg-type]
                raise

        loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(live())
        except Killed:
            return False
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
        return True


class FakeJob:
    """`workflows.workflow.Job` over a world."""

    def __init__(self, world: World, perils: Perils) -> None:
        self.world = world
        self.perils = perils
        self.arn, self.account, self.region = ARN, "000000000000", "us-east-1"
        limits = SimpleNamespace(**world.limits)
        settings = SimpleNamespace(
            home_path=world.home, file=SimpleNamespace(limits=limits, jobs=SimpleNamespace(batch_concurrency=world.concurrency))
        )  # fmt: skip
        self.tools = SimpleNamespace(
            settings=settings, clock=world.clock, cipher=PlainCipher(), credentials=lambda role, name: (role, name),
            on_behalf=lambda principal: principal, s3=lambda credentials: world.s3, models=lambda credentials: world.models,
        )  # fmt: skip

    @property
    def stopping(self) -> bool:
        return self.world.stopping

    async def row(self) -> Resource:
        return self.world.row

    async def amend(self, change: Callable[[Resource], Resource]) -> Resource:
        self.perils.meet()
        before, self.world.row = self.world.row, change(self.world.row)
        if before.status != self.world.row.status:
            self.world.seen.append(self.world.row.status)
        self.perils.meet()
        return self.world.row

    async def step(self, name: str, work: Callable[[], Awaitable[T]], kind: type[T], *, sealed: bool = False) -> T:
        if name not in self.world.steps:
            result = await work()
            self.perils.meet()
            self.world.steps[name] = msgspec.msgpack.encode(result)
            self.perils.meet()
        return msgspec.msgpack.decode(self.world.steps[name], type=kind)

    def done(self, name: str) -> bool:
        return name in self.world.steps

    def progress(self, done: int, total: int | None = None, unit: str = "records") -> None:
        assert total is None or 0 <= done <= total

"""Uploads that fail, servers that die: what was acknowledged stays whole, and of the rest nothing is left."""

from __future__ import annotations

import hashlib
import http.client
import random
import resource
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from tests.acceptance.s3obj import bucket_of, keys, read, refused
from tests.running import ACCESS_KEY, SECRET_KEY, Running

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose files can be counted."""
    with Running(tmp_path_factory.mktemp("home")) as running:
        yield running


def blobs(server: Running) -> list[Path]:
    """The files in which objects' bytes lie."""
    return [path for path in (server.home / "blobs").rglob("*") if path.is_file()]


def settled(server: Running, count: int) -> bool:
    """Whether so many blobs are left, after the deletions that nobody waits for."""
    for _ in range(1_200):
        if len(blobs(server)) == count:
            return True
        time.sleep(0.05)
    return False


def signed(server: Running, path: str, body: bytes, **headers: str) -> dict[str, str]:
    request = AWSRequest(method="PUT", url=server.url + path, data=body, headers=headers)
    S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1").add_auth(request)
    return dict(request.headers)


def test_an_upload_that_is_cut_leaves_the_old_object(own: Running) -> None:
    """Wherever an upload ends before its time, the key shows what it showed, and no blob is left."""
    s3, bucket = bucket_of(own)
    s3.put_object(Bucket=bucket, Key="cut", Body=b"old")
    before, body = len(blobs(own)), random.Random(1).randbytes(300_000)
    headers = signed(own, f"/{bucket}/cut", body)
    for sent in (0, 1, 65_535, 65_536, 65_537, 200_000, len(body) - 1):
        connection = http.client.HTTPConnection("127.0.0.1", own.port)
        connection.putrequest("PUT", f"/{bucket}/cut", skip_host=True, skip_accept_encoding=True)
        for name, value in {**headers, "Host": f"127.0.0.1:{own.port}", "Content-Length": str(len(body))}.items():
            connection.putheader(name, value)
        connection.endheaders(body[:sent])
        connection.close()
    assert settled(own, before)
    assert read(s3, bucket, "cut") == b"old"


def test_wrong_digests_leave_the_old_object(own: Running) -> None:
    """An upload whose digest does not hold is refused, and neither row nor blob is left of it."""
    s3, bucket = bucket_of(own)
    s3.put_object(Bucket=bucket, Key="sum", Body=b"old")
    before = len(blobs(own))
    wrong: list[tuple[str, dict[str, str]]] = [
        ("BadDigest", {"ContentMD5": "AAAAAAAAAAAAAAAAAAAAAA=="}), ("BadDigest", {"ChecksumCRC32": "AAAAAA=="}),
        ("BadDigest", {"ChecksumSHA256": "A" * 43 + "="}), ("InvalidRequest", {"ChecksumCRC32": "short"}),
    ]  # fmt: skip
    for code, given in wrong:
        with refused(code, 400):
            s3.put_object(Bucket=bucket, Key="sum", Body=b"new", **given)
    assert (read(s3, bucket, "sum"), settled(own, before)) == (b"old", True)


def test_overwritten_and_deleted_objects_leave_no_blob(own: Running) -> None:
    """A key that is written ten times and deleted takes no room; parts that were not used neither."""
    s3, bucket = bucket_of(own)
    before = len(blobs(own))
    for number in range(10):
        s3.put_object(Bucket=bucket, Key="k", Body=bytes([number]) * 9000)
    assert settled(own, before + 1)
    s3.delete_object(Bucket=bucket, Key="k")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    for body in (b"one", b"two"):
        s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=body)
    assert settled(own, before + 1)
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    assert settled(own, before)


def test_a_full_disk_is_an_error_and_no_loss(own: Running) -> None:
    """Where no room is left the request says so, the old object stays, and later writes work again."""
    s3, bucket = bucket_of(own)
    s3.put_object(Bucket=bucket, Key="full", Body=b"old")
    before = len(blobs(own))
    assert own.process is not None
    workers = psutil.Process(own.process.pid).children(recursive=True)
    limits = {worker.pid: resource.prlimit(worker.pid, resource.RLIMIT_FSIZE) for worker in workers}
    for pid in limits:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (8 * MEGABYTE, limits[pid][1]))
    try:
        with refused("InsufficientStorage", 507):
            s3.put_object(Bucket=bucket, Key="full", Body=bytes(12 * MEGABYTE))
    finally:
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)
    assert (read(s3, bucket, "full"), settled(own, before)) == (b"old", True)
    s3.put_object(Bucket=bucket, Key="full", Body=b"new")
    assert read(s3, bucket, "full") == b"new"


def test_readers_of_what_is_overwritten_see_old_or_new(own: Running) -> None:
    """While a key is written over and over, every read gives one whole body, never an error."""
    s3, bucket = bucket_of(own)
    bodies = [bytes([number]) * (70_000 + number) for number in range(8)]
    s3.put_object(Bucket=bucket, Key="hot", Body=bodies[0])

    def write(number: int) -> None:
        s3.put_object(Bucket=bucket, Key="hot", Body=bodies[number % 8])

    def look(_: int) -> bytes:
        return read(s3, bucket, "hot")

    with ThreadPoolExecutor(6) as pool:
        writing, found = pool.map(write, range(60)), list(pool.map(look, range(60)))
        list(writing)
    assert set(found) <= set(bodies)


def test_a_bucket_deleted_in_mid_upload_takes_nothing(own: Running) -> None:
    """An upload that ends after its bucket has gone is refused, and leaves nothing."""
    s3, bucket = bucket_of(own)
    before, body = len(blobs(own)), bytes(200_000)
    headers = signed(own, f"/{bucket}/late", body)
    connection = http.client.HTTPConnection("127.0.0.1", own.port)
    connection.putrequest("PUT", f"/{bucket}/late", skip_host=True, skip_accept_encoding=True)
    for name, value in {**headers, "Host": f"127.0.0.1:{own.port}", "Content-Length": str(len(body))}.items():
        connection.putheader(name, value)
    connection.endheaders(body[:100_000])
    time.sleep(0.2)
    s3.delete_bucket(Bucket=bucket)
    connection.send(body[100_000:])
    answer = connection.getresponse()
    assert (answer.status, b"NoSuchBucket" in answer.read(), settled(own, before)) == (404, True, True)
    connection.close()


LIVES = 5


class Writer:
    """Writes keys of its own, one after the other, whole and in parts, and knows what may be under each.

    `may` are the digests that a key may show ("" for none): more than one only where an answer never came.
    """

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.may: dict[str, set[str]] = {f"k{number}-{seed}": {""} for number in range(12)}
        self.acknowledged = 0

    def write(self, s3: Any, stop: threading.Event) -> None:
        """Go on until told to stop, whatever becomes of the server."""
        while not stop.is_set():
            key, size = self.chance.choice(list(self.may)), self.chance.choice((10, 1000, 20_000, 1_000_000))
            body = self.chance.randbytes(size)
            digest = hashlib.md5(body).hexdigest()
            self.may[key].add(digest)
            try:
                if size > 1000 and self.chance.random() < 0.5:
                    in_parts(s3, key, body)
                else:
                    s3.put_object(Bucket="lives", Key=key, Body=body)
            except (BotoCoreError, ClientError):
                time.sleep(0.02)
            else:
                self.may[key] = {digest}
                self.acknowledged += 1


def in_parts(s3: Any, key: str, body: bytes) -> None:
    named = {"Bucket": "lives", "Key": key}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    part = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=body)
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload={"Parts": parts})


def live(server: Running, writers: list[Writer], life: int) -> None:
    """Writes, amid which one of the processes is killed: the server or a worker of it, in turns."""
    assert server.process is not None
    victims = psutil.Process(server.process.pid).children(recursive=True) if life % 2 else []
    s3, stop = server.client("s3"), threading.Event()
    with ThreadPoolExecutor(len(writers)) as pool:
        writing = [pool.submit(writer.write, s3, stop) for writer in writers]
        time.sleep(0.4 + random.Random(life).random() / 4)
        for victim in victims:
            victim.kill()
        before = sum(writer.acknowledged for writer in writers)
        for _ in range(1000 if victims else 0):  # another worker takes its place
            if sum(writer.acknowledged for writer in writers) > before:
                break
            time.sleep(0.02)
        server.process.kill()
        stop.set()
        for one in writing:
            one.result()


def test_what_is_killed_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """After kill -9 amid writes every acknowledged object is whole, no key shows half of one, and listings agree."""
    writers, home = [Writer(seed) for seed in range(4)], tmp_path / "home"
    for life in range(LIVES):
        with Running(home) as server:
            if life == 0:
                server.client("s3").create_bucket(Bucket="lives")
            live(server, writers, life)
    with Running(home) as server:
        s3 = server.client("s3")
        listed = set(keys(s3, "lives"))
        assert all(writer.acknowledged for writer in writers)
        for writer in writers:
            for key, may in writer.may.items():
                found = hashlib.md5(read(s3, "lives", key)).hexdigest() if key in listed else ""
                assert found in may

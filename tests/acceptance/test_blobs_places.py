"""Objects of a running server and the bytes beneath them: outside or in files, sealed, checked, under their key's rule."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from craton.cli.main import cli
from tests.running import Running
from tests.third_party_s3 import KEYS, ThirdPartyS3

BUCKET = "bytes-beneath"


def test_objects_lie_in_an_outside_s3(tmp_path: Path) -> None:
    """With `[blobs] url` of S3 every byte goes there, sealed, and comes back whole and by range; files stay empty."""
    data = os.urandom(11 * 1024 * 1024)
    with ThirdPartyS3() as outside:
        outside.client().create_bucket(Bucket="beneath")
        config = f"""[blobs]
url = "s3://beneath/craton"
endpoint_url = "{outside.url}"
access_key = "env:OUTSIDE_ID"
secret_key = "env:OUTSIDE_SECRET"
"""
        env = {"OUTSIDE_ID": KEYS[0], "OUTSIDE_SECRET": KEYS[1]}
        with Running(tmp_path / "home", config, env=env) as server:
            s3 = server.client("s3")
            s3.create_bucket(Bucket=BUCKET)
            s3.put_object(Bucket=BUCKET, Key="a/large", Body=data)
            assert s3.get_object(Bucket=BUCKET, Key="a/large")["Body"].read() == data
            part = s3.get_object(Bucket=BUCKET, Key="a/large", Range="bytes=5000000-5000099")
            assert part["Body"].read() == data[5_000_000:5_000_100]
        [there] = outside.client().list_objects_v2(Bucket="beneath")["Contents"]
        assert there["Key"].startswith("craton/")
        assert data[:64] not in outside.client().get_object(Bucket="beneath", Key=there["Key"])["Body"].read()
    assert not (tmp_path / "home" / "blobs").exists()


def test_a_key_rules_in_every_worker_at_once(tmp_path: Path) -> None:
    """An object under a customer's key is read by all workers, by none once the key is disabled, and by all again."""

    def read(server: Running) -> Any:
        try:
            return server.client("s3").get_object(Bucket=BUCKET, Key="secret")["Body"].read()
        except ClientError as error:
            return error.response["Error"]["Code"]

    with Running(tmp_path / "home", "", "--workers", "2") as server, ThreadPoolExecutor(4) as threads:
        s3, kms = server.client("s3"), server.client("kms")
        s3.create_bucket(Bucket=BUCKET)
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        s3.put_object(Bucket=BUCKET, Key="secret", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
        found = []
        for change in (lambda: None, lambda: kms.disable_key(KeyId=key), lambda: kms.enable_key(KeyId=key)):
            change()
            found.append(set(threads.map(read, [server] * 8)))
    assert found == [{b"x"}, {"KMS.DisabledException"}, {b"x"}]


def test_a_damaged_object_is_an_error_and_the_scrub_finds_it(tmp_path: Path) -> None:
    """A flipped bit on the disk is no wrong answer: reading fails, and `craton blobs scrub` names the blob."""
    home = tmp_path / "home"
    with Running(home) as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key="object", Body=b"content" * 2000)
        [path] = (home / "blobs").rglob("*.blob")
        whole = path.read_bytes()
        path.write_bytes(whole[:100] + bytes((whole[100] ^ 1,)) + whole[101:])
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket=BUCKET, Key="object")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
        told = CliRunner().invoke(cli, ["blobs", "scrub", "--home", str(home)])
    assert (told.exit_code, f"DAMAGED  {path.stem}" in told.stdout) == (1, True)

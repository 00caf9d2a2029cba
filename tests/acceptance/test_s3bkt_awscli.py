"""The AWS CLI against S3, unmodified: `aws s3` as people type it, with the environment that `craton env` gives."""

from __future__ import annotations

import os
import urllib.request
from pathlib import Path

import pytest

from tests.acceptance.test_judge_awscli import aws
from tests.running import Running

LARGE = 20 * 1024 * 1024  # above the CLI's own threshold for uploads in parts


def s3(server: Running, *words: str) -> str:
    done = aws(server, "s3", *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def bucket(server: Running) -> str:
    """A bucket made by `mb`."""
    assert "make_bucket: by-hand" in s3(server, "mb", "s3://by-hand")
    return "by-hand"


def test_cp_and_ls(server: Running, bucket: str, tmp_path: Path) -> None:
    """Files go up, within, and down through a pipe; they are listed with their sizes."""
    (tmp_path / "one two.txt").write_text("hello")
    s3(server, "cp", str(tmp_path / "one two.txt"), f"s3://{bucket}/a/one two.txt")
    s3(server, "cp", f"s3://{bucket}/a/one two.txt", f"s3://{bucket}/a/copy")
    assert s3(server, "cp", f"s3://{bucket}/a/copy", "-") == "hello"
    listed = s3(server, "ls", f"s3://{bucket}/a/")
    assert [line.split(maxsplit=2)[2] for line in listed.splitlines()] == ["5 copy", "5 one two.txt"]


def test_a_large_file(server: Running, bucket: str, tmp_path: Path) -> None:
    """In parts up, in ranges down."""
    data = bytes(range(256)) * (LARGE // 256)
    (tmp_path / "large").write_bytes(data)
    s3(server, "cp", str(tmp_path / "large"), f"s3://{bucket}/large", "--no-progress")
    head = server.client("s3").head_object(Bucket=bucket, Key="large")
    assert head["ContentLength"] == LARGE
    assert head["ETag"].endswith('-3"')
    s3(server, "cp", f"s3://{bucket}/large", str(tmp_path / "again"), "--no-progress")
    assert (tmp_path / "again").read_bytes() == data


def test_sync(server: Running, bucket: str, tmp_path: Path) -> None:
    """A folder up; what changed and what went, and nothing else; and all of it down."""
    here = tmp_path / "here"
    for name in ("a", "sub/b", "sub/deep/c"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(name)
        os.utime(here / name, (1_700_000_000, 1_700_000_000))  # a bucket's times are whole seconds, as AWS's are
    assert s3(server, "sync", str(here), f"s3://{bucket}/tree").count("upload:") == 3
    (here / "a").write_text("changed")
    (here / "sub" / "b").unlink()
    told = s3(server, "sync", str(here), f"s3://{bucket}/tree", "--delete")
    assert (told.count("upload:"), told.count("delete:")) == (1, 1)
    s3(server, "sync", f"s3://{bucket}/tree", str(tmp_path / "there"))
    assert (tmp_path / "there" / "a").read_text() == "changed"
    assert sorted(one.name for one in (tmp_path / "there").rglob("*") if one.is_file()) == ["a", "c"]


def test_presign(server: Running, bucket: str) -> None:
    """A URL that opens the object for whoever has it."""
    server.client("s3").put_object(Bucket=bucket, Key="signed", Body=b"signed")
    url = s3(server, "presign", f"s3://{bucket}/signed", "--expires-in", "60").strip()
    with urllib.request.urlopen(url) as reply:
        assert reply.read() == b"signed"


def test_rm_and_rb(server: Running) -> None:
    """A bucket that holds something stays, until it is emptied."""
    boto = server.client("s3")
    boto.create_bucket(Bucket="short-lived")
    for name in ("x/1", "x/2", "y"):
        boto.put_object(Bucket="short-lived", Key=name, Body=b"1")
    refused = aws(server, "s3", "rb", "s3://short-lived")
    assert refused.returncode != 0
    assert "(BucketNotEmpty)" in refused.stderr
    assert s3(server, "rm", "s3://short-lived/x/", "--recursive").count("delete:") == 2
    s3(server, "rb", "s3://short-lived", "--force")
    assert "short-lived" not in [one["Name"] for one in boto.list_buckets()["Buckets"]]

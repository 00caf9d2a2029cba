"""An S3 server that is not ours: moto's, from the environment of the storage clients (tests/acceptance/clients)."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3

MOTO = Path(__file__).resolve().parents[1] / ".tools" / "storage" / "bin" / "moto_server"
KEYS = ("outside-id", "outside-secret")
START_TIMEOUT_S = 60.0


class ThirdPartyS3:
    """`with ThirdPartyS3() as outside:`; it keeps everything in memory and checks no signature."""

    def __enter__(self) -> Self:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen([MOTO, "-H", "127.0.0.1", "-p", str(port)], stdout=quiet, stderr=quiet)
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"{self.url}/moto-api/", timeout=1).close()
                return self
            except urllib.error.HTTPError:
                return self
            except OSError:
                assert self.process.poll() is None, "the third-party S3 server ended"
                time.sleep(0.05)
        raise AssertionError("the third-party S3 server did not start")

    def client(self) -> Any:
        """A boto3 client that points there."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=KEYS[0],
            aws_secret_access_key=KEYS[1],
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()

"""A Craton server as a person starts it: `craton serve` as a child process on a free port with a home of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
START_TIMEOUT_S = 60.0


class Running:
    """`with Running(tmp_path, config="…") as server:`; the process group is gone afterwards."""

    program: tuple[str, ...] = ("-m", "craton.cli.main", "serve")

    def __init__(self, home: Path, config: str = "", *options: str, env: dict[str, str] | None = None) -> None:
        self.home = home
        self.config = config
        self.options = options
        self.env = env or {}
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, *self.program, "--port", "0", *self.options]
        if "--ephemeral" not in self.options:
            command += ["--home", str(self.home)]
        if self.config:
            path = self.home / "test.toml"
            path.write_text(self.config)
            command += ["--config", str(path)]
        environment = {
            **os.environ,
            "CRATON_ROOT_ACCESS_KEY_ID": ACCESS_KEY,
            "CRATON_ROOT_SECRET_ACCESS_KEY": SECRET_KEY,
            "OMP_WAIT_POLICY": "PASSIVE",
            **self.env,
        }
        self.log = (self.home / "server.log").open("w+b")
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=environment)
        self.url = self._wait()
        return self

    def _wait(self) -> str:
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end:
            text = self.output()
            for line in text.splitlines():
                for word in line.split():
                    if (
                        word.startswith(("http://127.0.0.1:", "https://127.0.0.1:"))
                        and word.rstrip(".,").rsplit(":", 1)[1].isdigit()
                    ):
                        return word.rstrip(".,")
            if self.process is not None and self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{text}")
            time.sleep(0.02)
        raise AssertionError(f"the server did not start:\n{self.output()}")

    def output(self) -> str:
        """All that the server wrote."""
        return (self.home / "server.log").read_text(errors="replace")

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def client(self, service: str, **options: Any) -> Any:
        """An ordinary boto3 client that points here."""
        given = {
            "endpoint_url": self.url,
            "region_name": "us-east-1",
            "aws_access_key_id": ACCESS_KEY,
            "aws_secret_access_key": SECRET_KEY,
            "config": Config(retries={"max_attempts": 0, "mode": "standard"}, read_timeout=60),
            **options,
        }
        return boto3.client(service, **given)

    def environment(self) -> dict[str, str]:
        """What `eval "$(craton env)"` would set."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def stop(self, signum: int = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signum)
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self.log.close()


def model_config(model_id: str, provider: str, base_url: str, *, model: str = "upstream", extra: str = "") -> str:
    """A `[[model]]` with one target, as TOML."""
    return (
        f"[[model]]\nid = {json.dumps(model_id)}\n[[model.target]]\nprovider = {json.dumps(provider)}\n"
        f"base_url = {json.dumps(base_url)}\nmodel = {json.dumps(model)}\n{extra}\n"
    )

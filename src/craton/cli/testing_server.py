"""An ephemeral server for a test session, and a line to the paths by which tests steer it.

Owns the child's life: it ends with the session, and with the session's process however that ends. Imports nothing
heavy, since the pytest plugin stands in every session of an environment. Must not know pytest.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

_START_TIMEOUT_S = 60.0
_END_TIMEOUT_S = 20.0
_CALL_TIMEOUT_S = 30.0
_LOOK_EVERY_S = 0.02
_SERVES = re.compile(r"at (http://\S+:(\d+))\s")
REGION = "us-east-1"


class ServerEnded(Exception):
    """The server did not start, or is not there any more; the message has its last words."""


class Refusal(Exception):
    """The server did not take what a test told it; the message says why."""


class CratonServer:
    """`craton serve --ephemeral` on a free port, with one worker.

    Attributes:
        url: where it serves, such as `http://127.0.0.1:41234`.
        access_key_id, secret_access_key: the root key, made for this server.
        environment: what points AWS's SDKs at it; None is a variable to be taken away.
    """

    def __init__(self, cassettes: Path, config: str = "") -> None:
        """`cassettes` is the folder below which cassettes may lie; `config` a configuration file's path."""
        self.url = ""
        self.port = 0
        self.access_key_id = "AKIA" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))
        self.secret_access_key = secrets.token_urlsafe(30)
        self._cassettes = cassettes
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None
        self._line: http.client.HTTPConnection | None = None
        self._log = Path()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def environment(self) -> dict[str, str | None]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            # What would win over these, or lead a request for this machine elsewhere.
            "AWS_SESSION_TOKEN": None,
            "AWS_PROFILE": None,
            "AWS_BEARER_TOKEN_BEDROCK": None,
            "AWS_ENDPOINT_URL_BEDROCK": None,
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": None,
            "AWS_ENDPOINT_URL_BEDROCK_AGENT": None,
            "AWS_ENDPOINT_URL_BEDROCK_AGENT_RUNTIME": None,
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": None,
            "NO_PROXY": ",".join(filter(None, (os.environ.get("NO_PROXY"), "127.0.0.1,localhost"))),
        }

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="craton-session-")
        self._log = Path(self._folder.name) / "server.log"
        try:
            self._process = self._start()
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "craton.cli.main", "serve", "--ephemeral", "--port", "0"]
        command += ["--host", "127.0.0.1", "--workers", "1"]
        if self._config:
            command += ["--config", self._config]
        environment = {name: value for name, value in os.environ.items() if name != "CRATON_HOME"} | {
            "CRATON_ROOT_ACCESS_KEY_ID": self.access_key_id,
            "CRATON_ROOT_SECRET_ACCESS_KEY": self.secret_access_key,
            "CRATON_TESTING_CASSETTES": str(self._cassettes),
            "OMP_WAIT_POLICY": "PASSIVE",
        }
        with self._log.open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # a Ctrl-C is pytest's to hear
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - one call into libc, loaded before the fork
            )

    def _wait(self) -> None:
        until = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < until:
            found = _SERVES.search(self.output())
            if found is not None:
                self.url, self.port = found[1], int(found[2])
                return
            if self._process is not None and self._process.poll() is not None:
                raise ServerEnded(f"the server ended at its start: {self.output().strip()}")
            time.sleep(_LOOK_EVERY_S)
        raise ServerEnded(f"the server did not start within {_START_TIMEOUT_S:.0f} s: {self.output().strip()}")

    def output(self) -> str:
        """All that the server wrote; neither prompts nor keys."""
        with contextlib.suppress(OSError):
            return self._log.read_text(encoding="utf-8", errors="replace")
        return ""

    def stop(self) -> None:
        """End the server; it may be ended already."""
        if self._line is not None:
            self._line.close()
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(_END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._folder is not None:
            self._folder.cleanup()

    def reset(self) -> None:
        """Everything as after a first start: rules, calls, cassettes, keys, whatever was made."""
        self.call("POST", "/craton/reset")

    def client(self, service: str = "bedrock-runtime", **options: Any) -> Any:
        """A boto3 client of this server, whatever the environment says. Options are boto3's own."""
        import boto3

        given = {
            "endpoint_url": self.url,
            "region_name": REGION,
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
            **options,
        }
        return boto3.client(service, **given)

    def call(self, method: str, path: str, value: object = None, **query: str) -> Any:
        """One of the paths by which tests steer the server. Raises Refusal, ServerEnded."""
        words = "&".join(f"{name}={quote(text, safe='')}" for name, text in query.items())
        body = json.dumps(value) if value is not None else None
        status, data = self._exchange(method, f"{path}?{words}" if words else path, body)
        answer = json.loads(data) if data else None
        if status != 200:
            raise Refusal(answer.get("message") or f"status {status}" if isinstance(answer, dict) else str(status))
        return answer

    def _exchange(self, method: str, path: str, body: str | None) -> tuple[int, bytes]:
        """Over one connection, made anew once if it was let go meanwhile."""
        headers = {"content-type": "application/json"} if body is not None else {}
        for attempt in (1, 2):
            line = self._line = self._line or http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=_CALL_TIMEOUT_S
            )
            try:
                line.request(method, path, body, headers)
                answer = line.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                line.close()
                self._line = None
                if attempt == 2:
                    raise ServerEnded(f"the server does not answer: {self.output().strip()[-2000:]}") from error
        raise AssertionError  # pragma: no cover - the second attempt returns or raises


def _end_with_parent() -> None:
    if _bind is not None:
        _bind(signal.SIGTERM)


def _binding() -> Any:
    from craton.infra.compute.process import set_parent_death_signal

    return set_parent_death_signal


_bind = _binding() if sys.platform == "linux" else None

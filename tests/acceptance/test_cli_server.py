"""The command line against a whole server: what a person types, from start to end."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

CRATON = [sys.executable, "-m", "craton.cli.main"]
LIMIT_S = 60


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without anything that would speak to another AWS or another home."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CRATON_")) and k != "KEEP"}
    return {**kept, **more}


def craton(*words: str, check: bool = True, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    given = {"env": clean_environment(), "timeout": LIMIT_S, "stdin": subprocess.DEVNULL, **options}
    return subprocess.run([*CRATON, *words], check=check, capture_output=True, text=True, **given)  # type: ignore[call-overload,no-any-return]


@dataclass
class Served:
    """A running `craton serve`."""

    process: subprocess.Popen[str]
    home: Path
    url: str

    def end(self, signum: int = signal.SIGTERM) -> int:
        self.process.send_signal(signum)
        return self.process.wait(LIMIT_S)


@contextmanager
def serve(*words: str) -> Iterator[Served]:
    """Start a server on a free port and wait for its first words."""
    process = subprocess.Popen(
        [*CRATON, "serve", "--port", "0", *words],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = "".join(process.stdout.readline() for _ in range(4))  # type: ignore[union-attr]
        url, home = re.search(r"http://\S+", said), re.search(r"Home: (\S+)", said)
        assert url, process.stderr.read()  # type: ignore[union-attr]
        assert home
        yield Served(process, Path(home[1]), url[0])
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT_S)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for the tests that leave it as it was."""
    with serve("--home", str(tmp_path_factory.mktemp("cli") / "home")) as served:
        yield served


def test_env_points_an_unmodified_program_here(server: Served) -> None:
    """What `craton env` prints, evaluated by a shell, is all that boto3 needs."""
    code = "import boto3; print(len(boto3.client('bedrock').list_foundation_models()['modelSummaries']))"
    script = f'eval "$({" ".join(CRATON)} env --home {server.home})"; exec {sys.executable} -c "$1"'
    told = subprocess.run(
        ["sh", "-c", script, "sh", code], env=clean_environment(), check=True, capture_output=True, text=True
    )
    assert int(told.stdout) > 100
    assert told.stderr == ""


def test_env_without_a_server_says_so(tmp_path: Path) -> None:
    """The default address is printed for a shell; the warning goes where no shell reads it."""
    told = craton("env", "--home", str(tmp_path))
    assert "AWS_ENDPOINT_URL=http://127.0.0.1:8765" in told.stdout
    assert "no server runs" in told.stderr


def test_env_does_not_give_a_key_that_the_server_does_not_know(server: Served) -> None:
    """Where the environment fixes another root key than the server's, that is an error, not a key."""
    fixed = clean_environment(CRATON_ROOT_ACCESS_KEY_ID="AKIAOTHER", CRATON_ROOT_SECRET_ACCESS_KEY="x" * 40)
    told = craton("env", "--home", str(server.home), check=False, env=fixed)
    assert told.returncode == 1
    assert told.stdout == ""


def test_operations_count_all_of_bedrock(server: Served) -> None:
    """The running server tells the status of all 240 operations, and so does the code without one."""
    rows = json.loads(craton("operations", "--json", "--home", str(server.home)).stdout)
    assert len([row for row in rows if row["service"].startswith("bedrock")]) == 240
    assert {"service": "bedrock-runtime", "operation": "Converse", "status": "real"} in rows
    assert json.loads(craton("operations", "--json", "--home", str(server.home / "none")).stdout) == rows
    table = craton("operations", "--home", str(server.home), "--service", "bedrock-runtime", "--status", "real").stdout
    assert re.search(r"^bedrock-runtime  Converse +real$", table, re.MULTILINE)
    assert re.search(r"^\d+ operations: \d+ real, 0 partial, 0 refused$", table, re.MULTILINE)


def status_with(url: str, key: str) -> int:
    """The status of ListFoundationModels with nothing but a bearer key."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=LIMIT_S)
    connection.request("GET", "/foundation-models", headers={"authorization": f"Bearer {key}"})
    return connection.getresponse().status


def test_a_bearer_key_lives_as_long_as_it_is_let(server: Served) -> None:
    """A key works as soon as `create` returns, not while it is inactive, and never after `delete`."""
    home = ("--home", str(server.home))
    made = craton("keys", "create", *home)
    key = made.stdout.strip().removeprefix("export AWS_BEARER_TOKEN_BEDROCK=")
    key_id = re.search(r"ACCA\w+", made.stderr)[0]  # type: ignore[index]
    assert status_with(server.url, key) == 200
    listed = craton("keys", "list", *home).stdout
    assert key_id in listed
    assert key not in listed
    craton("keys", "deactivate", key_id, *home)
    assert status_with(server.url, key) == 403
    craton("keys", "activate", key_id, *home)
    assert status_with(server.url, key) == 200
    craton("keys", "delete", key_id, *home)
    assert status_with(server.url, key) == 403
    assert craton("keys", "delete", key_id, *home, check=False).returncode == 1


def test_doctor_finds_a_healthy_server(server: Served) -> None:
    """Everything is looked at; a shell that points elsewhere is a warning, not a problem."""
    told = craton("doctor", "--home", str(server.home), check=False)
    assert f"healthy at {server.url}" in told.stdout
    assert "AWS_ENDPOINT_URL: not set" in told.stdout
    assert "problem  " not in told.stdout, told.stdout
    assert told.returncode == 0


def test_doctor_fails_on_a_problem(tmp_path: Path) -> None:
    """A problem is told with its cure, and the exit code says so."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    told = craton("doctor", "--home", str(home), check=False)
    assert told.returncode == 1
    assert f"chmod 700 '{home}'" in told.stdout


def test_a_second_server_on_a_home_is_refused(server: Served) -> None:
    """One line names the process that has the home, and the first server's record stays."""
    told = craton("serve", "--port", "0", "--home", str(server.home), check=False)
    assert told.returncode == 1
    assert str(server.process.pid) in told.stderr
    assert told.stderr.count("\n") == 1
    assert f"healthy at {server.url}" in craton("doctor", "--home", str(server.home), check=False).stdout


def test_a_taken_port_is_one_line(server: Served, tmp_path: Path) -> None:
    """A port that is in use ends the start with a sentence."""
    port = server.url.rpartition(":")[2]
    told = craton("serve", "--port", port, "--home", str(tmp_path), check=False)
    assert told.returncode == 1
    assert port in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_an_ephemeral_home_goes_with_its_server(signum: int) -> None:
    """However the server is ended, its temporary home is private while it runs and gone afterwards."""
    with serve("--ephemeral") as served:
        assert stat.S_IMODE(served.home.stat().st_mode) == 0o700
        assert stat.S_IMODE((served.home / "credentials").stat().st_mode) == 0o600
        assert served.end(signum) == 0
        assert not served.home.exists()


def test_stop_ends_the_server_of_a_home(tmp_path: Path) -> None:
    """`craton stop` returns when the server has gone; a second one says that none runs."""
    with serve("--home", str(tmp_path / "home")) as served:
        craton("stop", "--home", str(served.home))
        assert served.process.wait(5) == 0
        assert not (served.home / "run" / "server.json").exists()
        assert craton("stop", "--home", str(served.home), check=False).returncode == 1

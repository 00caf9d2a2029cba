"""The command line and real models: added, talked to, stopped, removed; and the tour."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from craton.models.catalog.local import boxed_models

CRATON = [sys.executable, "-m", "craton.cli.main"]
LIMIT_S = 180


def environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CRATON_")) and k != "KEEP"}
    return {**kept, **more}


def craton(*words: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CRATON, *words],
        check=check,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=LIMIT_S,
        input=stdin if stdin is not None else "",
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a running server."""
    place = tmp_path_factory.mktemp("cli-models") / "home"
    command = [*CRATON, "serve", "--port", "0", "--home", str(place)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline()  # type: ignore[union-attr]
        yield place
        process.terminate()


def test_a_model_from_a_directory(home: Path) -> None:
    """Added while the server runs, a model answers at once, shows its process, stops, and goes with its files."""
    at = ("--home", str(home))
    sample = boxed_models()[0]
    craton("models", "add", sample.directory, "--id", "my-copy:1", *at)
    assert (home / "models" / "my-copy+1" / "genai_config.json").is_file()
    assert craton("chat", "--model", "my-copy:1", "Hello", *at).stdout.strip()
    row = next(line for line in craton("models", *at).stdout.splitlines() if line.startswith("my-copy:1"))
    assert re.search(r"registered\s+ready\s+1/1\s+\d+\s+\S+\s+\d+ MiB", row)
    assert "state=ready" in craton("models", "log", "my-copy:1", *at).stdout
    assert "is stopped" in craton("models", "stop", "my-copy:1", *at).stdout
    assert "is ready" in craton("models", "start", "my-copy:1", *at).stdout
    again = craton("models", "add", sample.directory, "--id", "my-copy:1", *at, check=False)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    craton("models", "remove", "my-copy:1", *at)
    assert not (home / "models" / "my-copy+1").exists()
    gone = craton("chat", "--model", "my-copy:1", "Hello", *at, check=False)
    assert gone.returncode == 1
    assert "ValidationException" in gone.stderr


def test_models_in_the_box_stay(home: Path) -> None:
    """What came with Craton can be neither removed nor replaced."""
    sample = boxed_models()[0]
    assert "came with Craton" in craton("models", "remove", sample.id, "--home", str(home), check=False).stderr
    taken = craton("models", "add", sample.directory, "--id", sample.id, "--home", str(home), check=False)
    assert taken.returncode == 1


def test_chat_in_a_pipe_is_plain(home: Path) -> None:
    """A prompt on standard input gives the answer on standard output and nothing else."""
    told = craton("chat", "--home", str(home), stdin="What is the capital of France?\n")
    assert told.stdout.strip()
    assert "\x1b" not in told.stdout
    assert "tokens" not in told.stdout
    assert told.stderr == ""


def test_chat_without_a_server_starts_nothing(tmp_path: Path) -> None:
    """It says how to start one."""
    told = craton("chat", "hi", "--home", str(tmp_path), check=False)
    assert told.returncode == 1
    assert "craton serve" in told.stderr


def left_behind() -> set[Path]:
    """Temporary homes of this user."""
    return {path for path in Path(tempfile.gettempdir()).glob("craton-*") if path.is_dir()}


def test_the_tour_shows_everything_and_leaves_nothing(tmp_path: Path) -> None:
    """Six steps, a stream in pieces, a tool call, three last lines; no process and no file stays."""
    told = subprocess.run(
        [*CRATON, "quickstart"],
        check=False,
        capture_output=True,
        text=True,
        env=environment(TMPDIR=str(tmp_path)),
        timeout=LIMIT_S,
    )
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert [line[0] for line in lines if re.match(r"\d  ", line)] == ["1", "2", "3", "4", "5", "6"]
    assert re.search(r"→ \S+.*│", told.stdout)
    assert '"completion"' in told.stdout
    assert '"completions"' in told.stdout
    assert "get_weather(" in told.stdout
    assert ["env" in lines[-2], "serve" in lines[-3], "your_bedrock_program.py" in lines[-1]] == [True] * 3
    assert list(tmp_path.glob("craton-*")) == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_tour_that_is_stopped_leaves_nothing(tmp_path: Path, signum: int) -> None:
    """Ctrl-C or SIGTERM in its midst: the server and its home are gone."""
    process = subprocess.Popen(
        [*CRATON, "quickstart"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(TMPDIR=str(tmp_path)),
        # What runs in the background of a shell ignores Ctrl-C, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads run here
    )
    until = time.monotonic() + LIMIT_S
    while not list(tmp_path.glob("craton-*/run/server.json")):
        assert time.monotonic() < until
        assert process.poll() is None
        time.sleep(0.02)
    (lock,) = tmp_path.glob("craton-*/run/lock")
    server = int(lock.read_text())
    process.send_signal(signum)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode != 0
    assert list(tmp_path.glob("craton-*")) == []
    assert not Path(f"/proc/{server}").exists()


def test_a_kept_tour_leaves_its_server(tmp_path: Path) -> None:
    """KEEP=1: the server stays, in the default home, and `craton stop` ends it."""
    (tmp_path / "config.toml").write_text("[server]\nport = 0\n")
    kept = environment(KEEP="1", CRATON_HOME=str(tmp_path))

    def run(command: str) -> subprocess.CompletedProcess[str]:
        words = [*CRATON, command]
        return subprocess.run(words, check=False, capture_output=True, text=True, env=kept, timeout=LIMIT_S)

    told = run("quickstart")
    try:
        assert told.returncode == 0, told.stderr
        assert told.stdout.splitlines()[-1].strip().startswith(("craton stop", ".venv", "/"))
        assert (tmp_path / "run" / "server.json").exists()
    finally:
        stopped = run("stop")
    assert stopped.returncode == 0

"""The table of commands, and how failures end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from craton.cli.main import COMMANDS, cli


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_loads_and_has_help(name: str) -> None:
    """Each entry of the table leads to a command that explains itself."""
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_start_imports_nothing_heavy() -> None:
    """`craton serve` must answer within 0.7 s, so neither its table nor its command loads what it does not need."""
    heavy = ("rich", "boto3", "botocore", "sqlalchemy", "onnxruntime_genai", "torch", "asyncio")
    code = f"import craton.cli.main, craton.cli.serve, sys; print([m for m in {heavy!r} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert told.strip() == "[]"


def test_unknown_command() -> None:
    """A misspelt command is a usage error."""
    assert CliRunner().invoke(cli, ["sreve"]).exit_code == 2


def test_a_bad_configuration_is_one_line(tmp_path: Path) -> None:
    """A wrong key in the file is named, with code 2 and no trace."""
    (tmp_path / "config.toml").write_text("[server]\nprot = 1\n")
    result = CliRunner().invoke(cli, ["serve", "--home", str(tmp_path)])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "prot" in result.stderr


def test_a_system_error_is_one_line(tmp_path: Path) -> None:
    """A home that cannot be made is told with its path."""
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(cli, ["env", "--home", str(tmp_path / "file" / "home")])
    assert result.exit_code == 1
    assert str(tmp_path) in result.stderr
    assert "Traceback" not in result.output


def test_home_and_ephemeral_exclude_each_other(tmp_path: Path) -> None:
    """An ephemeral server makes its own home."""
    result = CliRunner().invoke(cli, ["serve", "--ephemeral", "--home", str(tmp_path)])
    assert result.exit_code == 2
    assert "--home" in result.stderr


def test_a_host_for_all_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Who listens for other machines is told what that means; on loopback nothing is said."""
    from craton.cli.serve import warn_of_exposure

    warn_of_exposure("127.0.0.1")
    assert capsys.readouterr().err == ""
    warn_of_exposure("0.0.0.0")
    assert "plain HTTP" in capsys.readouterr().err


def test_our_own_mistakes_show_their_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody expected is not dressed up as one."""

    @click.command()
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(COMMANDS, "stop", f"{__name__}:broken")
    monkeypatch.setitem(sys.modules, __name__, type("Module", (), {"broken": broken}))
    assert isinstance(CliRunner().invoke(cli, ["stop"]).exception, ZeroDivisionError)

"""The page about access, run: a company's roles and accounts, and `craton explain` about them."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import ACCESS_KEY, SECRET_KEY, Running

PAGE = Path(__file__).resolve().parents[2] / "docs" / "access.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
HAIKU = "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-3-haiku-20240307-v1:0"


def blocks() -> list[tuple[str, str]]:
    """Every block of the page: its language and its text."""
    return [(found[1], found[2]) for found in BLOCK.finditer(PAGE.read_text())]


def the(language: str) -> str:
    return next(text for kind, text in blocks() if kind == language)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with the page's configuration and guard."""
    home = tmp_path_factory.mktemp("home")
    (home / "guard.json").write_text(the("json"))
    with Running(home, the("toml")) as server:
        yield server


@pytest.fixture(scope="module")
def printed(company: Running) -> list[tuple[str, str]]:
    """What each of the page's Python blocks printed, and what the page says that it prints."""
    names: dict[str, object] = {}
    found: list[tuple[str, str]] = []
    with pytest.MonkeyPatch.context() as patch:
        for name, value in company.environment().items():
            patch.setenv(name, value)
        told = blocks()
        for at, (kind, code) in enumerate(told):
            if kind == "python":
                said = io.StringIO()
                with contextlib.redirect_stdout(said):
                    exec(code, names)  # our own page
                follows = told[at + 1] if at + 1 < len(told) else ("", "")
                found.append((said.getvalue(), follows[1] if follows[0] == "text" else ""))
    return found


def test_the_page_prints_what_it_says(printed: list[tuple[str, str]]) -> None:
    """Each allowed and each refused call of the walk-through comes out as the page shows it."""
    assert [real for real, _ in printed] == [said for _, said in printed]
    assert sum(bool(said) for _, said in printed) == 3


def explain(company: Running, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "craton.cli.main", "explain", "--home", str(company.home), *options]
    keys = {"CRATON_ROOT_ACCESS_KEY_ID": ACCESS_KEY, "CRATON_ROOT_SECRET_ACCESS_KEY": SECRET_KEY}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **keys})


def test_why(company: Running, printed: list[tuple[str, str]]) -> None:
    """`craton explain` names the statement and the key that is missing; with the key it is allowed."""
    assert printed
    role = "arn:aws:iam::000000000000:role/analysts"
    asked = ("--as", role, "--action", "bedrock:InvokeModel", "--resource", HAIKU)
    done = explain(company, *asked)
    shown = next(text for kind, text in blocks() if kind == "" and text.startswith("refused: "))
    assert done.returncode == 3, done.stderr
    real, page = done.stdout.splitlines(), shown.splitlines()
    assert [real[0], *real[2:]] == [page[0], *page[2:]]
    assert real[1].startswith(page[1].rstrip("…"))
    guardrail = "arn:aws:bedrock:us-east-1:000000000000:guardrail/abcdefghijkl:1"
    done = explain(company, *asked, "--key", f"bedrock:GuardrailIdentifier={guardrail}")
    assert done.returncode == 0
    assert 'decided by Allow in statement 0 of the identity policy "claude"' in done.stdout


def test_drafts(company: Running, printed: list[tuple[str, str]]) -> None:
    """`craton explain --draft` prints the least policy for what a role called, and what it was refused."""
    assert printed
    done = explain(company, "--draft", "--as", "arn:aws:iam::000000000000:role/artists")
    assert done.returncode == 0, done.stderr
    assert '"arn:aws:bedrock:us-east-1::foundation-model/stability.sd3-5-large-v1:0"' in done.stdout
    assert f"refused, so not in it: bedrock:InvokeModel on {HAIKU}" in done.stdout


def test_another_accounts_guard(company: Running) -> None:
    """About an account of the configuration it asks with that account's root key, and names the guard."""
    root = "arn:aws:iam::222222222222:root"
    done = explain(company, "--as", root, "--action", "bedrock:InvokeModel", "--resource", HAIKU)
    assert done.returncode == 3
    assert 'Deny in statement 0 (CiUsesTheBoxOnly) of the scp policy "guard.json"' in done.stdout


def test_nobody(company: Running) -> None:
    """An ARN that nobody has, and a command that asks for nothing, end with a line and a code."""
    done = explain(company, "--as", "arn:aws:iam::000000000000:user/nobody", "--action", "a:b")
    assert (done.returncode, "No user or role" in done.stderr) == (1, True)
    assert explain(company).returncode == 2
    assert explain(company, "--action", "a:b", "--key", "x").returncode == 2

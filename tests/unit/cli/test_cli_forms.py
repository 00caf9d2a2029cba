"""How values are printed: for shells, for people."""

from __future__ import annotations

import json
import subprocess

import pytest

from craton.cli import env, operations, terminal

NASTY = {"AWS_ENDPOINT_URL": "http://127.0.0.1:8765", "AWS_SECRET_ACCESS_KEY": "a+b/c'd $(echo no) \\ \"e"}


def test_sh_form_survives_a_shell() -> None:
    """What a POSIX shell reads back is the value, whatever stands in it."""
    script = env.as_sh(NASTY) + '\nprintf %s "$AWS_SECRET_ACCESS_KEY"'
    read = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout
    assert read == NASTY["AWS_SECRET_ACCESS_KEY"]


def test_fish_form_quotes_for_fish() -> None:
    """Inside fish's single quotes only the quote and the backslash are escaped."""
    assert env.as_fish({"A": "it's \\ $x"}) == "set -gx A 'it\\'s \\\\ $x'"


def test_other_forms() -> None:
    """JSON reads back; dotenv has one pair a line."""
    assert json.loads(env.as_json(NASTY)) == NASTY
    assert env.as_dotenv({"A": "1", "B": "2"}) == "A=1\nB=2"


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "-"), (512, "512 B"), (2048, "2.0 KiB"), (64 * 1024**2, "64 MiB"), (1536 * 1024**2, "1.5 GiB")],
)
def test_sizes(amount: int, text: str) -> None:
    """Sizes have two or three digits and a binary unit."""
    assert terminal.size(amount) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "-"), (42, "42 s"), (119, "119 s"), (180, "3 min"), (90_000, "25 h")]
)
def test_durations(seconds: float, text: str) -> None:
    """Durations are told in the largest unit of which there are two."""
    assert terminal.duration(seconds) == text


def test_columns_align() -> None:
    """Each column is as wide as its widest cell, and no line ends in blanks."""
    assert terminal.columns(("ID", "STATE"), [("long-name", "x"), ("a", "ready")]).splitlines() == [
        "ID         STATE",
        "long-name  x",
        "a          ready",
    ]


def test_every_service_can_be_listed_alone() -> None:
    """`craton operations --service` knows all that the server offers."""
    assert {row["service"] for row in operations.from_code()} == set(operations.SERVICES)

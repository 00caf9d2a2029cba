"""The page about users, roles and keys: its example does what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.identities import LLAMA, NOVA, TITAN, converse, refused
from tests.running import Running

PAGE = Path(__file__).parents[2] / "docs" / "iam.md"


def test_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run as it stands, with the environment that `craton env` gives: two models answer, a third does not."""
    block = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    with Running(tmp_path) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        names: dict[str, Any] = {}
        exec(block, names)
        assert converse(server, names["session"], NOVA) > 0
        assert converse(server, names["session"], LLAMA) > 0
        with refused("AccessDeniedException", 403):
            converse(server, names["session"], TITAN)

"""The documentation's example does what the page says."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "access-evaluation.md"


def test_the_example_prints_what_the_page_says(capsys) -> None:
    """The code runs as it stands there, and its output is the sentence that follows it."""
    text = PAGE.read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    exec(code[1], {})  # our own page
    said = re.search(r"It prints `(.*?)`\.", text, re.DOTALL)
    assert said is not None
    assert capsys.readouterr().out.split() == said[1].split()

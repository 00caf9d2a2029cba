"""Draws quickstart.svg beside this file from a real run of the tour (`python docs/images/quickstart.py`).

Nothing is edited afterwards. The picture holds its text as text and asks no network for a font.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from craton.cli.quickstart import run
from craton.cli.stage import Stage

OUT = Path(__file__).with_suffix(".svg")
COLUMNS = 106
NOTE = "<!-- Made by docs/images/quickstart.py from a real run of `craton quickstart`. -->\n"


def main() -> None:
    """Run the tour on a console that records, and write what it recorded."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(file=nowhere, record=True, force_terminal=True, width=COLUMNS, highlight=False)
        run(Stage(console, spinner=False), keep=False)
    form = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    drawn = console.export_svg(title="make quickstart", code_format=form)
    OUT.write_text(NOTE + drawn, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Writes ``docs/compatibility.md`` from what the code does: the cells of ``tests/matrix``, asked now.

    python tools/compatibility.py            write the page
    python tools/compatibility.py --check    exit 1 where the page differs from what would be written

Run it after a dialect, a provider or a family's row changed. It takes some seconds and reaches no network.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "compatibility.md"


def written() -> str:
    """Return the page as the code yields it now."""
    sys.path.insert(0, str(ROOT))  # the cells are tests, and no installed package has them
    page = import_module("tests.matrix.page")
    text: str = page.page(page.run())
    return text


def main() -> int:
    """Write or compare; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="compare only")
    text = written()
    if not parser.parse_args().check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE.relative_to(ROOT)} is out of date: run python tools/compatibility.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())

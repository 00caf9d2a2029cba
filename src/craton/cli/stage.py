"""How the quickstart tour looks: titles, code, answers, and progress while something loads.

Owns form alone. In a terminal it has colours and a spinner; in a pipe or a log it is plain lines. It must not know
what is shown.
"""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

_PLAIN_COLUMNS = 120


def open_stage() -> Stage:
    """The stage on standard output."""
    console = Console(highlight=False)
    return Stage(console if console.is_terminal else Console(highlight=False, width=_PLAIN_COLUMNS))


class Stage:
    """Prints a tour on one console."""

    def __init__(self, console: Console, *, spinner: bool = True) -> None:
        """Print on `console`; without `spinner` nothing moves, even in a terminal."""
        self.console = console
        self._spinner = spinner and console.is_terminal
        self._streamed = 0

    def title(self, text: str, subtitle: str) -> None:
        """The tour's own title."""
        self.line(Text.assemble("\n", (text, "bold"), "\n", (subtitle, "dim")))

    @contextmanager
    def working(self, text: str, done: str) -> Iterator[None]:
        """Show that something is going on; when it is done, say so and how long it took."""
        began = time.monotonic()
        with self.console.status(f"{text} …") if self._spinner else nullcontext():
            if not self.console.is_terminal:
                self.line(Text(f"  {text} …"))
            yield
        took = f"{time.monotonic() - began:.1f} s"
        self.line(Text.assemble(("  ✓ ", "green"), done, ("  " + took, "dim")))

    def step(self, number: int, title: str, code: str) -> None:
        """A step's title and the lines that it runs."""
        self.line(Text.assemble("\n", (f"{number}  {title}", "bold cyan")))
        if self.console.is_terminal:
            self.console.print(Syntax(code, "python", theme="ansi_dark", background_color="default", padding=(0, 3)))
        else:
            self.line(Text(textwrap.indent(code, "   ")))

    def answer(self, text: str) -> None:
        """What came back."""
        self._beside(Text("   → ", "green"), Text(text))

    def note(self, text: str) -> None:
        """A remark in small print."""
        self._beside(Text(" " * 5), Text(text, "dim"))

    def _beside(self, lead: Text, text: Text) -> None:
        """A text behind its lead; in a terminal it wraps behind the lead, elsewhere it is one line."""
        if not self.console.is_terminal:
            self.line(lead + text)
            return
        grid = Table.grid()
        grid.add_row(lead, text)
        self.console.print(grid)

    def piece(self, text: str) -> None:
        """A piece of a stream, at once; a thin bar stands between pieces, so that they can be seen."""
        lead = ("│", "dim") if self._streamed else ("   → ", "green")
        self._streamed += 1
        self.console.print(Text.assemble(lead, text.replace("\n", " ")), end="", soft_wrap=True)
        self.console.file.flush()

    def end_pieces(self) -> int:
        """End a stream; how many pieces it had."""
        count, self._streamed = self._streamed, 0
        self.line(Text(""))
        return count

    def failed(self, text: str) -> None:
        """Say what went wrong."""
        self.line(Text.assemble("\n", ("  ✗ ", "red"), text))

    def line(self, text: Text) -> None:
        """A line that wraps where the terminal ends."""
        self.console.print(text, soft_wrap=not self.console.is_terminal)

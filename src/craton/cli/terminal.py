"""How lists, sizes and durations look in a terminal: aligned text, the same in a pipe.

Owns nothing but form. Colours are click's, which leaves them out where the output is no terminal.
"""

from __future__ import annotations

from collections.abc import Sequence

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a header, each column as wide as its widest cell; the last one is not padded."""
    table = [list(header), *(list(row) for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(header))]
    widths[-1] = 0
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)


def size(amount_bytes: float) -> str:
    """Such as `61 MiB`; `-` for nothing."""
    if amount_bytes <= 0:
        return "-"
    for unit in _UNITS:
        if amount_bytes < 1024 or unit == _UNITS[-1]:
            break
        amount_bytes /= 1024
    return f"{amount_bytes:.0f} {unit}" if amount_bytes >= 10 or unit == "B" else f"{amount_bytes:.1f} {unit}"


def duration(seconds: float) -> str:
    """Such as `42 s`, `3 min`, `5 h`, `2 d`; `-` for nothing."""
    if seconds <= 0:
        return "-"
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"

"""A model's log keeps its last lines, and stays small."""

from __future__ import annotations

from pathlib import Path

from craton.infra.compute.journal import Journal


def test_lines_are_joined_over_pieces() -> None:
    """A line that comes in two pieces is one line, and an unfinished one is shown too."""
    journal = Journal(None)
    journal.feed(b"load")
    journal.feed(b"ing\nrea")
    assert journal.lines() == ["loading", "rea"]


def test_only_the_last_lines_are_kept() -> None:
    """Memory holds a bounded number of lines."""
    journal = Journal(None)
    journal.feed(b"".join(b"%d\n" % i for i in range(1000)))
    assert len(journal.lines()) == 200
    assert journal.lines()[-1] == "999"


def test_a_line_without_end_does_not_grow() -> None:
    """A process that never ends its line costs bounded memory."""
    journal = Journal(None)
    for _ in range(100):
        journal.feed(b"x" * 1000)
    assert sum(map(len, journal.lines())) <= 200 * 2000
    assert max(map(len, journal.lines())) <= 2000


def test_the_file_is_private_and_rotates(tmp_path: Path) -> None:
    """The log file is 0600 and its size is bounded by one rotation."""
    path = tmp_path / "logs" / "m.log"
    journal = Journal(path, max_file_bytes=1000)
    for i in range(100):
        journal.feed(b"%050d\n" % i)
    journal.close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size <= 1000
    assert path.with_name("m.log.1").stat().st_size <= 1000
    assert path.read_text().splitlines()[-1].endswith("99")


def test_bytes_that_are_no_text_are_shown() -> None:
    """Rubbish in the output is replaced, not raised."""
    journal = Journal(None)
    journal.feed(b"\xff\xfe\n")
    assert journal.lines() == ["��"]

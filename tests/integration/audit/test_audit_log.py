"""The audit log in its files: appended, found whole, and found out whatever is done to it."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from craton.infra.audit import folder
from craton.infra.audit.chain import Link
from craton.infra.audit.log import Log, LogBusy, Rules
from craton.infra.audit.verify import lines, verify

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


class Days:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def own(name: str, data: dict[str, object]) -> bytes:
    return json.dumps({"eventName": name, "additionalEventData": data}).encode()


def opened(path: Path, clock: Days | None = None, **rules: int) -> Log:
    return Log(path, Rules(durable=False, **rules), clock or Days(), own)


def record(number: int) -> bytes:
    return b'{"eventName":"E%d"}' % number


def written(path: Path, count: int = 12, **rules: int) -> list[str]:
    """A closed log of so many records; its segments' names."""
    log = opened(path, **rules)
    for number in range(count):
        log.append([record(number)])
    log.close()
    return folder.segments(path)


def events(path: Path) -> list[str]:
    return [json.loads(line)["eventName"] for _, _, line in lines(path)]


def test_what_is_appended_is_whole_and_in_order(tmp_path: Path) -> None:
    """Over segments and reopenings; files are ours alone."""
    path = tmp_path / "audit"
    names = written(path, segment_bytes=400)
    log = opened(path, segment_bytes=400)
    log.append([record(12), record(13)])
    log.close()
    assert len(names) > 2
    assert events(path) == [f"E{number}" for number in range(14)]
    report = verify(path)
    assert (report.broken, report.first, report.last.sequence) == (None, 1, 14)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.iterdir()} == {0o600}


def test_a_new_day_is_a_new_segment(tmp_path: Path) -> None:
    """Midnight in UTC."""
    clock = Days()
    log = opened(tmp_path, clock)
    for hours in (0, 11, 13):
        clock.now = NOON + timedelta(hours=hours)
        log.append([record(hours)])
    log.close()
    assert [str(folder.day_of(name)) for name in folder.segments(tmp_path)] == ["2026-05-01", "2026-05-02"]


def test_only_one_writes(tmp_path: Path) -> None:
    """A second writer is refused while the first lives."""
    log = opened(tmp_path)
    with pytest.raises(LogBusy):
        opened(tmp_path)
    log.close()
    opened(tmp_path).close()


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    """Any bit of any line, the ends of lines included, and the head's."""
    written(tmp_path, 4)
    (name,) = folder.segments(tmp_path)
    for file in (tmp_path / name, tmp_path / folder.HEAD):
        data = file.read_bytes().rstrip(b" \n") + (b"\n" if file.name == name else b"")
        for at in range(len(data)):
            file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            report = verify(tmp_path)
            found = report.broken is not None or (file.name == folder.HEAD and not touches_link(data, at))
            assert found, f"byte {at} of {file.name} ({data[max(0, at - 20) : at + 20]!r})"
        file.write_bytes(data)
    assert verify(tmp_path).broken is None


def touches_link(head: bytes, at: int) -> bool:
    """Whether a byte of the head says something that `verify` must hold it to: the segment and size serve the writer."""
    return at < head.index(b'"segment"') and chr(head[at]) not in '{:,"' and head[at - 2 : at] != b'":'


def dropped(path: Path, name: str, at: int) -> None:
    """Take one line out of a segment."""
    rows = (path / name).read_bytes().splitlines(keepends=True)
    del rows[at]
    (path / name).write_bytes(b"".join(rows))


def swapped(path: Path, name: str) -> None:
    rows = (path / name).read_bytes().splitlines(keepends=True)
    rows[0], rows[1] = rows[1], rows[0]
    (path / name).write_bytes(b"".join(rows))


def rewritten(path: Path, name: str) -> None:
    (path / name).write_bytes((path / name).read_bytes().replace(b'"E5"', b'"X5"'))


TAMPERINGS: dict[str, tuple[Callable[[Path, list[str]], object], str]] = {
    "the last record is cut off": (lambda path, names: dropped(path, names[-1], -1), "records 12 to 12 are missing"),
    "the last segment is removed": (lambda path, names: (path / names[-1]).unlink(), "are missing: the head vouches"),
    "the first segment is removed": (lambda path, names: (path / names[0]).unlink(), "does not say that they were"),
    "a middle segment is removed": (lambda path, names: (path / names[1]).unlink(), "records are missing or out of"),
    "a record is taken out": (lambda path, names: dropped(path, names[1], 1), "records are missing or out of order"),
    "records change places": (lambda path, names: swapped(path, names[1]), "not the"),
    "a record is rewritten": (lambda path, names: [rewritten(path, name) for name in names], "it does not continue"),
    "a segment is renamed": (
        lambda path, names: (path / names[1]).rename(path / ("9" + names[1][1:])), "records are missing or out of"),
    "segments change places": (
        lambda path, names: (
            (path / names[0]).rename(path / "x"), (path / names[1]).rename(path / names[0]),
            (path / "x").rename(path / names[1])), "of the segment's name"),
    "the end is cut within a line": (
        lambda path, names: os.truncate(path / names[-1], (path / names[-1]).stat().st_size - 5), "it is no record"),
    "the head is removed": (lambda path, _: (path / folder.HEAD).unlink(), "it is missing"),
    "rubbish is added": (
        lambda path, names: (path / names[-1]).write_bytes((path / names[-1]).read_bytes() + b"x\n"), "it is no record"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found(tmp_path: Path, name: str) -> None:
    """The first break is named."""
    segments = written(tmp_path, segment_bytes=400)
    tamper, said = TAMPERINGS[name]
    tamper(tmp_path, segments)
    broken = verify(tmp_path).broken
    assert broken is not None
    assert said in str(broken)


def test_a_log_that_goes_on_after_tampering_stays_broken(tmp_path: Path) -> None:
    """The writer does not heal what somebody cut off, nor a head that somebody removed."""
    (name,) = written(tmp_path)
    dropped(tmp_path, name, -1)
    log = opened(tmp_path)
    log.append([record(99)])
    log.close()
    assert "records are missing" in str(verify(tmp_path).broken)
    (tmp_path / folder.HEAD).unlink()
    opened(tmp_path).close()
    assert events(tmp_path)[-1] == "RecoverAuditHead"


def test_a_link_that_was_noted_finds_a_log_written_anew(tmp_path: Path) -> None:
    """Whoever rewrites everything makes a whole log, but not one with the same end."""
    written(tmp_path)
    noted = verify(tmp_path).last
    assert verify(tmp_path, noted).broken is None
    for file in tmp_path.iterdir():
        file.unlink()
    log = opened(tmp_path)
    log.append([b'{"eventName":"F%d"}' % number for number in range(20)])
    log.close()
    assert verify(tmp_path).broken is None
    assert "was changed" in str(verify(tmp_path, noted).broken)
    assert "are missing" in str(verify(tmp_path, Link(99, "0" * 64)).broken)


def test_old_segments_are_retired_and_the_log_says_so(tmp_path: Path) -> None:
    """What is left is whole; removing one segment more is a break again."""
    clock = Days()
    log = opened(tmp_path, clock, keep_days=2)
    for day in range(6):
        clock.now = NOON + timedelta(days=day)
        log.append([record(day)])
    log.close()
    names = folder.segments(tmp_path)
    assert [str(folder.day_of(name)) for name in names] == ["2026-05-04", "2026-05-05", "2026-05-06"]
    report = verify(tmp_path)
    assert report.broken is None
    assert report.first > 1
    (tmp_path / names[0]).unlink()
    assert "does not say that they were retired" in str(verify(tmp_path).broken)


@pytest.mark.parametrize("cut", [0, 1, 7])
def test_what_a_crash_left_behind_the_head_is_taken_up(tmp_path: Path, cut: int) -> None:
    """Whole lines are kept, half a line is not; nobody was told of either."""
    written(tmp_path, 3)
    before = (tmp_path / folder.HEAD).read_bytes()
    log = opened(tmp_path)
    log.append([record(3), record(4)])
    log.close()
    (name,) = folder.segments(tmp_path)
    (tmp_path / folder.HEAD).write_bytes(before)
    if cut:
        os.truncate(tmp_path / name, (tmp_path / name).stat().st_size - cut)
    report = verify(tmp_path)
    assert (report.broken, report.unfinished) == (None, cut > 0)
    log = opened(tmp_path)
    log.append([record(5)])
    log.close()
    assert events(tmp_path) == ["E0", "E1", "E2", "E3", *([] if cut else ["E4"]), "E5"]
    assert verify(tmp_path).broken is None


def test_records_that_do_not_fit_are_not_half_kept(tmp_path: Path) -> None:
    """When the disk is full, the line that was begun is taken back, and the chain goes on later."""
    log = opened(tmp_path)
    log.append([record(0)])
    (name,) = folder.segments(tmp_path)
    size = (tmp_path / name).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, before[1]))
        with pytest.raises(OSError, match="File too large"):
            log.append([b'{"eventName":"%b"}' % (b"x" * 4000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / name).stat().st_size == size
    log.append([record(1)])
    log.close()
    assert events(tmp_path) == ["E0", "E1"]
    assert verify(tmp_path).broken is None

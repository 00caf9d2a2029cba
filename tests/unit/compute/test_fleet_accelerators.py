"""Which replica sees which accelerator, and that free memory is read where it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from craton.infra.compute.room import UNKNOWN_BYTES, Accelerators, _left, _machine_bytes

SEEN = "CUDA_VISIBLE_DEVICES"


def test_each_gets_others() -> None:
    """Whole ones are nobody else's; what is given back is free again."""
    devices = Accelerators(["0", "1", "2"])
    assert devices.take("a", 2.0) == {SEEN: "0,1"}
    assert devices.take("b", 1.0) == {SEEN: "2"}
    assert devices.free == 0
    devices.give_back("a")
    assert devices.free == 2
    assert devices.take("c", 1.0) == {SEEN: "0"}


def test_shares_fill_one_before_the_next() -> None:
    """Two halves share a device, so that the other stays whole."""
    devices = Accelerators(["0", "1"])
    first, second = devices.take("a", 0.5), devices.take("b", 0.5)
    assert first == second
    assert devices.take("c", 1.0) != first


def test_who_asks_for_none_sees_none() -> None:
    """Where there are accelerators; where there are none nothing is said."""
    assert Accelerators(["0"]).take("a", 0.0) == {SEEN: ""}
    assert Accelerators([]).take("a", 1.0) == {}


def test_they_are_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the supervisor itself may see is all that there is to give."""
    monkeypatch.setenv(SEEN, "3, 5")
    assert Accelerators().free == 2
    monkeypatch.setenv(SEEN, "-1")
    assert Accelerators().free == 0


def test_the_memory_of_a_group(tmp_path: Path) -> None:
    """The limit less what is used, caches that can be dropped not counted; without a limit it says nothing."""
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 300\n")
    assert _left(tmp_path) == 400
    (tmp_path / "memory.max").write_text("max\n")
    assert _left(tmp_path) == UNKNOWN_BYTES


def test_the_memory_of_the_machine(tmp_path: Path) -> None:
    """What the kernel calls available; a system that does not tell is not held to it."""
    file = tmp_path / "meminfo"
    assert _machine_bytes(file) == UNKNOWN_BYTES
    file.write_text("MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable: 60 kB\n")
    assert _machine_bytes(file) == 60 * 1024

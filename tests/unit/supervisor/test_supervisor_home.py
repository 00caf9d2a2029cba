"""A home has one supervisor, and its sockets lie where everyone of this user finds them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from craton.infra.control.home import HomeBusy, control_path, hold_home


def test_a_second_holder_is_refused_by_name(tmp_path: Path) -> None:
    """The error names the process that holds the home."""
    with hold_home(tmp_path), pytest.raises(HomeBusy, match=str(os.getpid())) as caught, hold_home(tmp_path):
        pass
    assert caught.value.pid == os.getpid()


def test_a_home_can_be_held_again(tmp_path: Path) -> None:
    """After the holder has gone the home is free, and what it left is removed."""
    with hold_home(tmp_path) as run:
        run.control.touch()
    with hold_home(tmp_path) as run:
        assert not run.control.exists()


def test_folders_are_private(tmp_path: Path) -> None:
    """Only this user may look into the run folder."""
    with hold_home(tmp_path / "new") as run:
        assert run.sockets.stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "new" / "run" / "lock").stat().st_mode & 0o777 == 0o600


def test_a_long_home_has_short_sockets(tmp_path: Path) -> None:
    """A home whose path is too long for a socket gets a short folder, found by the command line, removed at the end."""
    home = tmp_path / ("long" * 30)
    with hold_home(home) as run:
        assert len(os.fsencode(run.models / "0123456789ab.sock")) < 104
        assert run.control == control_path(home)
        assert run.sockets.stat().st_mode & 0o777 == 0o700
    assert not run.sockets.exists()

"""The one supervisor of a home: its lock, and where its sockets lie.

Owns: `HOME/run` and the rule for paths that are too long for a socket. Must not know: what listens there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

# sun_path holds 107 bytes and a zero; `models/` and twelve digits with `.sock` must fit behind the folder.
_MAX_DIR_BYTES = 80


class HomeBusy(Exception):
    """Another supervisor holds this home; its `pid` (0 if unknown) is in the message."""

    def __init__(self, home: Path, pid: int) -> None:
        """Name the home and who holds it."""
        holder = f"process {pid}" if pid else "another process"
        super().__init__(f"{home} is in use by {holder}; stop it, or choose another --home")
        self.pid = pid


class RunDir(msgspec.Struct, frozen=True):
    """The folders of a held home; all are 0700. `sockets` is short enough for Unix sockets."""

    home: Path
    sockets: Path
    lock_handle: int

    @property
    def control(self) -> Path:
        """The supervisor's control socket."""
        return self.sockets / "control.sock"

    @property
    def models(self) -> Path:
        """The folder of model servers' sockets and scratch."""
        return self.sockets / "models"

    @property
    def model_logs(self) -> Path:
        """The folder of model servers' logs."""
        return self.home / "logs" / "models"


@contextmanager
def hold_home(home: Path) -> Iterator[RunDir]:
    """Hold `home` for this process, which becomes its supervisor; what a dead one left behind is removed.

    Raises:
        HomeBusy: another supervisor holds it.
        OSError: the folders cannot be made.
    """
    run = home / "run"
    run.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(handle, home)
        sockets = _prepare_sockets(home)
        try:
            yield RunDir(home, sockets, handle)
        finally:
            _clear(sockets)
            if sockets != _near(home):
                shutil.rmtree(sockets, ignore_errors=True)
    finally:
        os.close(handle)


def control_path(home: Path) -> Path:
    """Where the supervisor of `home` listens, or would."""
    return _sockets_dir(home) / "control.sock"


def _lock(handle: int, home: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(handle, 32, 0).strip()
        raise HomeBusy(home, int(text) if text.isdigit() else 0) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)


def _sockets_dir(home: Path) -> Path:
    near = _near(home)
    if len(os.fsencode(near)) <= _MAX_DIR_BYTES:
        return near
    # The same for every program of this user, so that the command line finds it without asking.
    digest = hashlib.sha256(os.fsencode(near)).hexdigest()[:12]
    return Path("/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir()) / f"craton-{os.getuid()}-{digest}"  # noqa: S108


def _near(home: Path) -> Path:
    return home.resolve() / "run"


def _prepare_sockets(home: Path) -> Path:
    sockets = _sockets_dir(home)
    sockets.mkdir(exist_ok=True, mode=0o700)
    state = sockets.lstat()
    # In a folder that all may write to, somebody else may have been first.
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid():
        raise PermissionError(f"{sockets} belongs to somebody else")
    sockets.chmod(0o700)
    _clear(sockets)
    return sockets


def _clear(sockets: Path) -> None:
    (sockets / "control.sock").unlink(missing_ok=True)
    shutil.rmtree(sockets / "models", ignore_errors=True)

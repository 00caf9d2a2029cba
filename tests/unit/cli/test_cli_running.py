"""The record by which commands find a running server."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import msgspec
import pytest

from craton.cli.running import Running, find, forget, get, local_url, record
from craton.infra.control.home import control_path

SERVER = Running(
    url="http://127.0.0.1:9", port=9, pid=1, region="eu-west-1", account="000000000000", access_key_id="AKIAX"
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


def test_no_record_no_server(home: Path) -> None:
    """A home that never served has no server."""
    assert find(home) is None


def test_a_record_without_a_supervisor_is_stale(home: Path) -> None:
    """What a killed server left behind does not count."""
    record(home, SERVER)
    assert find(home) is None


def test_a_record_with_a_supervisor_counts(home: Path) -> None:
    """While somebody listens on the control socket, the record is true; its file is private."""
    record(home, SERVER)
    assert stat.S_IMODE((home / "run" / "server.json").stat().st_mode) == 0o600
    path = control_path(home)
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert find(home) == SERVER
    path.unlink()
    forget(home)
    forget(home)
    assert not (home / "run" / "server.json").exists()


def test_a_damaged_record_is_none(home: Path) -> None:
    """Rubbish in the file is no server and no failure."""
    (home / "run" / "server.json").write_text("{")
    assert find(home) is None


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:1"), ("0.0.0.0", "http://127.0.0.1:1"), ("::", "http://[::1]:1")],
)
def test_clients_of_this_machine_use_loopback(host: str, url: str) -> None:
    """An address that means all of them is no address to call."""
    assert local_url(host, 1) == url


def test_get_of_nobody_is_an_os_error() -> None:
    """A dead port raises what the command line knows how to tell."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError):
            get(msgspec.structs.replace(SERVER, url=f"http://127.0.0.1:{taken.getsockname()[1]}"), "/health")

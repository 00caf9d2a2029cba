"""What `craton doctor` finds."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from craton.cli import checks_client, checks_home, checks_install
from craton.cli.doctor import line
from craton.cli.finding import Finding
from craton.cli.running import Place
from craton.config import Settings, load


def levels(findings: object) -> list[tuple[str, str]]:
    return [(found.level, found.subject) for found in findings]  # type: ignore[attr-defined]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(load(home=str(tmp_path / "home")), None)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, [("warning", "AWS_ENDPOINT_URL")]),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:8765/"}, [("ok", "AWS_ENDPOINT_URL")]),
        ({"AWS_ENDPOINT_URL": "http://localhost:8765"}, [("ok", "AWS_ENDPOINT_URL")]),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, [("warning", "AWS_ENDPOINT_URL")]),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:8765", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://elsewhere"},
            [("ok", "AWS_ENDPOINT_URL"), ("warning", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME")],
        ),
        (
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:8765", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"},
            [("ok", "AWS_ENDPOINT_URL"), ("warning", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")],
        ),
    ],
)
def test_endpoints(place: Place, environ: dict[str, str], wanted: list[tuple[str, str]]) -> None:
    """Everything that keeps an SDK from coming here is named."""
    assert levels(checks_client.endpoint(place, environ)) == wanted


def test_keys_that_would_not_do(place: Place) -> None:
    """Another key, a session token, a bearer key and a profile are warned of; their values are not shown."""
    own = place.root_key().access_key_id
    assert levels(checks_client.keys(place, {"AWS_ACCESS_KEY_ID": own})) == [("ok", "AWS_ACCESS_KEY_ID")]
    environ = {
        "AWS_ACCESS_KEY_ID": "AKIAOTHER",
        "AWS_SESSION_TOKEN": "hush",
        "AWS_BEARER_TOKEN_BEDROCK": "hush",
        "AWS_PROFILE": "work",
    }
    found = list(checks_client.keys(place, environ))
    assert levels(found) == [("warning", name) for name in environ]
    assert "hush" not in str(found)


def test_permissions(tmp_path: Path) -> None:
    """A file that others may read is a problem with the command that closes it."""
    home = tmp_path / "home"
    assert levels(checks_home.permissions(home)) == [("ok", "home")]
    home.mkdir(mode=0o700)
    (home / "credentials").touch(mode=0o600)
    assert levels(checks_home.permissions(home)) == [("ok", "home")]
    (home / "credentials").chmod(0o644)
    (found,) = checks_home.permissions(home)
    assert (found.level, found.mend) == ("problem", f"chmod 600 '{home}/credentials'")


def test_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that is not set is a problem that names its place and its model."""
    config = tmp_path / "config.toml"
    config.write_text(
        '[[model]]\nid = "my-model"\n[[model.target]]\nprovider = "openai"\nbase_url = "http://127.0.0.1:1/v1"\n'
        'api_key = "env:CRATON_TEST_KEY"\n'
    )
    settings: Settings = load(home=str(tmp_path), config=config)
    monkeypatch.delenv("CRATON_TEST_KEY", raising=False)
    (found,) = checks_home.secrets(settings)
    assert found.level == "problem"
    assert "CRATON_TEST_KEY" in found.text
    assert "my-model" in found.text
    monkeypatch.setenv("CRATON_TEST_KEY", "hush")
    (found,) = checks_home.secrets(settings)
    assert found.level == "ok"
    assert "hush" not in str(found)


def test_a_bad_configuration_is_a_problem(tmp_path: Path) -> None:
    """The doctor goes on after a configuration that cannot be read."""
    config = tmp_path / "config.toml"
    config.write_text("[servers]\n")
    assert levels(checks_home.configuration(str(tmp_path), str(config))) == [("problem", "configuration")]


def test_a_taken_port_is_named_with_its_holder() -> None:
    """Who has the port is said, if it is one's own process."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (found,) = checks_home.port("127.0.0.1", taken.getsockname()[1])
    assert found.level == "problem"
    if Path("/proc/net/tcp").exists():
        assert f"process {os.getpid()}" in found.text
    (found,) = checks_home.port("127.0.0.1", 0)
    assert found.level == "ok"


@pytest.mark.parametrize(
    ("version", "found"), [("1.44.5", (1, 44, 5)), ("2.13.0+cpu", (2, 13)), ("0.18.0", (0, 18)), ("1.0rc1", (1,))]
)
def test_versions(version: str, found: tuple[int, ...]) -> None:
    """Numbers count, zeros at the end and what follows the numbers do not."""
    assert checks_install.numbers(version) == found


def test_packages() -> None:
    """What is there within its bounds is right; what is missing or outside is named."""
    assert checks_install.fault_of("click", ">=1,<99") == ""
    assert "is not <1" in checks_install.fault_of("click", "<1")
    assert checks_install.fault_of("no-such-package", "") == "no-such-package is missing"
    assert levels(checks_install.packages())[0] == ("ok", "packages")


def test_an_old_python_is_a_problem() -> None:
    """Before 3.11 nothing is promised."""
    assert levels(checks_install.python((3, 10, 4))) == [("problem", "Python")]
    assert levels(checks_install.python()) == [("ok", "Python")]


def test_a_damaged_model_is_found(tmp_path: Path) -> None:
    """A file that is not what craton.json records is named."""
    (tmp_path / "craton.json").write_text(json.dumps({"id": "m", "sha256": {"a": "0" * 64, "b": "0" * 64}}))
    (tmp_path / "a").write_text("changed")
    assert checks_install.damaged(tmp_path) == ["a differs", "b is missing"]


def test_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that would swallow requests for this machine is warned of."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert levels(checks_install.proxies()) == [("ok", "proxies")]
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    assert levels(checks_install.proxies()) == [("warning", "proxies")]
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    assert levels(checks_install.proxies()) == [("ok", "proxies")]


def test_a_line_says_how_to_mend() -> None:
    """The mark leads, the cure stands beneath."""
    text = line(Finding("problem", "home", "others may read it", "chmod 700 it"))
    assert text.splitlines()[1].strip() == "→ chmod 700 it"

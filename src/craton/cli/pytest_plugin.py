"""The pytest plugin: a Bedrock for people's own tests, scripted or played from cassettes.

Fixtures: `craton_server` (one ephemeral server per session), `bedrock` (boto3 clients), `craton_script` (answers by
rule, and the calls that came), `craton_cassette` (what the marker's cassette did). Marker:
`@pytest.mark.craton_cassette("name.jsonl", mode="once")`. A test that uses any of them finds the server in its
environment (`AWS_ENDPOINT_URL` and the rest) and everything on it as after a first start. Each process of pytest-xdist
has a server of its own. Imports nothing heavy: it is loaded in every session of the environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from craton.cli.testing_script import CratonScript
    from craton.cli.testing_server import CratonServer

MARKER = "craton_cassette"
_FIXTURES = frozenset({"craton_server", "bedrock", "craton_script", "craton_cassette"})
_MODES = ("once", "new_episodes", "none", "all")
_PATH = "/craton/cassette"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("craton", "Craton: Amazon Bedrock in tests")
    group.addoption(
        "--craton-record",
        choices=_MODES,
        help="Use every cassette in this mode, whatever its marker says: `none` in CI, `all` to record anew.",
    )
    parser.addini("craton_config", "Craton's configuration for tests, seen from the root directory.", default="")
    parser.addini("craton_cassettes", "Where cassettes lie, seen from a test's own folder.", default="cassettes")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f'{MARKER}(name="<test>.jsonl", mode="once", match_on=None, speed=0, repeats=True, all_played=False): '
        "answer from this cassette, and record what it lacks as the mode says",
    )


@pytest.fixture(scope="session")
def craton_server(request: pytest.FixtureRequest) -> Iterator[CratonServer]:
    """A server of the session: `.url`, `.environment`, `.client(service)`, `.reset()`."""
    from craton.cli.testing_server import CratonServer

    config = request.config
    named = config.getini("craton_config")
    with CratonServer(config.rootpath, str(config.rootpath / named) if named else "") as server:
        yield server


@pytest.fixture(autouse=True)
def _craton_environment(request: pytest.FixtureRequest) -> Iterator[None]:
    """The server in the environment of each test that uses it, as after a first start."""
    marker = request.node.get_closest_marker(MARKER)
    if marker is None and not _FIXTURES & set(request.fixturenames):
        yield
        return
    server: CratonServer = request.getfixturevalue("craton_server")
    server.reset()
    patch = pytest.MonkeyPatch()
    for name, value in server.environment.items():
        if value is None:
            patch.delenv(name, raising=False)
        else:
            patch.setenv(name, value)
    try:
        if marker is not None:
            request.getfixturevalue("craton_cassette")
        yield
    finally:
        patch.undo()


@pytest.fixture
def bedrock(craton_server: CratonServer) -> Callable[..., Any]:
    """`bedrock()` is a boto3 client of bedrock-runtime, `bedrock("bedrock")` of another service."""
    return craton_server.client


@pytest.fixture
def craton_script(craton_server: CratonServer) -> CratonScript:
    """Answers by rule: `craton_script.on("weather").tool("get_weather", city="Paris")`, then `craton_script.calls`."""
    from craton.cli.testing_script import CratonScript

    script = CratonScript(craton_server)
    script.refuse()
    return script


@dataclass
class CratonCassette:
    """The cassette of a test, as it stands now or, after the test, as it was left.

    `unplayed` are the lines at which recordings begin that the test did not ask for.
    """

    path: Path
    mode: str
    _ask: Callable[[], dict[str, Any]] = field(repr=False)

    @property
    def played(self) -> int:
        """Answers that came from the cassette."""
        return int(self._ask()["played"])

    @property
    def recorded(self) -> int:
        """Answers that were added to it."""
        return int(self._ask()["kept"])

    @property
    def unplayed(self) -> list[int]:
        return list(self._ask()["unplayed"])


@pytest.fixture
def craton_cassette(request: pytest.FixtureRequest, craton_server: CratonServer) -> Iterator[CratonCassette]:
    """The cassette that the test's marker names; without a marker one with the test's own name."""
    marker = request.node.get_closest_marker(MARKER)
    given = _terms(request, marker)
    all_played = bool(given.pop("all_played", False))
    craton_server.call("PUT", _PATH, given)
    yield CratonCassette(Path(given["path"]), given["mode"], lambda: dict(craton_server.call("GET", _PATH)))
    told = craton_server.call("DELETE", _PATH)
    if all_played and told["unplayed"]:
        lines = ", ".join(map(str, told["unplayed"]))
        pytest.fail(f"recordings that were not asked for: {given['path']}, lines {lines}", pytrace=False)


def _terms(request: pytest.FixtureRequest, marker: pytest.Mark | None) -> dict[str, Any]:
    """What the server is told: the marker's words, the command line's mode before the marker's."""
    given: dict[str, Any] = dict(marker.kwargs) if marker is not None else {}
    name = marker.args[0] if marker is not None and marker.args else given.pop("name", "")
    folder = request.path.parent / request.config.getini("craton_cassettes")
    safe = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in request.node.name)
    given["path"] = str((folder / (name or f"{safe}.jsonl")).resolve())
    given["mode"] = request.config.getoption("--craton-record") or given.get("mode", "once")
    if given.get("match_on") is None:
        given.pop("match_on", None)
    return given

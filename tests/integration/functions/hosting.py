"""A pool of real environments for tests: code in folders of the test, a role without a store, a gateway that is a list."""

from __future__ import annotations

import json
import textwrap
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import uvloop

from craton.aws.wire.sign import Keys
from craton.features.functions.function import Code, Configuration, LayerUse, Plan
from craton.features.functions.host.gateway import Gateway
from craton.features.functions.host.instance import Task
from craton.features.functions.host.launching import Launcher
from craton.features.functions.host.making import Maker, Terms
from craton.features.functions.host.pool import Pool, Rules
from craton.features.functions.host.runtimes import available
from craton.features.functions.line import Ask, Invoked
from craton.models.providers.transport import ConnectError

T = TypeVar("T")
PYTHON = next(name for name in available() if name.startswith("python"))
REGION, ACCOUNT = "us-east-1", "000000000000"


def run(work: Coroutine[Any, Any, T]) -> T:
    found: T = uvloop.run(work)
    return found


class Role:
    """Credentials that hold for an hour."""

    region = REGION

    def __init__(self, life: timedelta = timedelta(hours=1)) -> None:
        self.life = life

    async def fresh(self) -> Keys:
        return Keys("ASIATEST", "secret", "token")

    async def until(self) -> datetime:
        return datetime.now(UTC) + self.life


class FolderGround:
    """`making.Ground` over folders of a test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.variables: dict[str, str] = {}
        self.role = Role()

    async def folder(self, account: str, code: Code) -> Path:
        return self.root / code.sha256

    async def environment(self, plan: Plan) -> dict[str, str]:
        return self.variables

    def credentials(self, plan: Plan) -> Role:
        return self.role


class LogsGateway(Gateway, frozen=True):
    """A gateway whose CloudWatch Logs keep what comes in `said`; nothing else is there."""

    said: list[tuple[str, dict[str, Any]]] = []
    refusing: list[str] = []

    async def logs(self, credentials: Any, action: str, body: bytes) -> tuple[int, bytes]:
        if action in self.refusing:
            return 400, b'{"__type": "AccessDeniedException"}'
        self.said.append((action, json.loads(body)))
        return 200, b"{}"

    @property
    def lines(self) -> list[str]:
        return [
            event["message"] for action, body in self.said if action == "PutLogEvents" for event in body["logEvents"]
        ]


class Host:
    """A pool, and functions by name."""

    def __init__(self, root: Path, pool: Pool, gateway: LogsGateway, ground: FolderGround) -> None:
        self.root = root
        self.pool = pool
        self.gateway = gateway
        self.ground = ground

    def plan(
        self, source: str | Mapping[str, str], name: str = "f", *, runtime: str = PYTHON, timeout_s: int = 10,
        layers: Mapping[str, Mapping[str, str]] | None = None, reserved: int | None = None, **more: Any,
    ) -> Plan:  # fmt: skip
        """A function of one file `main.py`, or of these files."""
        files = {"main.py": source} if isinstance(source, str) else source
        code = self._laid(name, files)
        uses = tuple(
            LayerUse(f"arn:layer:{layer}", self._laid(layer, files)) for layer, files in (layers or {}).items()
        )
        provisioned = more.pop("provisioned", 0)
        configuration = Configuration(
            role="arn:aws:iam::000000000000:role/r", code=code, modified_at=datetime.now(UTC), revision=f"r-{name}",
            runtime=runtime, handler=more.pop("handler", "main.handler"), timeout_s=timeout_s, layers=uses, **more,
        )  # fmt: skip
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        return Plan(arn=arn, invoked=arn, configuration=configuration, reserved=reserved, provisioned=provisioned)

    def _laid(self, name: str, files: Mapping[str, str]) -> Code:
        folder = self.root / name
        for path, text in files.items():
            place = folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(textwrap.dedent(text))
            place.chmod(0o755)
        return Code(name, 1, 1, "blob")

    async def invoke(self, plan: Plan, event: object = None, **more: Any) -> Invoked:
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        ask = Ask(
            plan=plan,
            request_id=more.pop("request_id", "00000000-0000-4000-8000-000000000001"),
            payload=payload,
            **more,
        )
        return await self.pool.invoke(Task(ask))


class _Nowhere:
    async def fetch(self, *arguments: Any, **more: Any) -> Any:
        raise ConnectError

    request = fetch

    async def close(self) -> None: ...


@asynccontextmanager
async def host(
    tmp_path: Path, *, url: str = "http://127.0.0.1:9", mode: Any = "auto", **rules: Any
) -> AsyncGenerator[Host]:
    """A host whose environments all are gone afterwards."""
    root = tmp_path / "code"
    ground = FolderGround(root)
    gateway = LogsGateway(url, _Nowhere(), lambda: datetime.now(UTC), None, [], [])
    launcher = Launcher()
    given = {name: rules.pop(name) for name in ("network", "node_client") if name in rules}
    maker = Maker(ground, gateway, launcher, Terms(mode=mode, root=tmp_path / "home", **given))
    terms = Rules(
        concurrency=rules.pop("concurrency", 100),
        environments=rules.pop("environments", 100),
        idle_s=rules.pop("idle_s", 60.0),
    )
    pool = Pool(maker, terms, lambda: datetime.now(UTC))
    pool.start()
    try:
        yield Host(root, pool, gateway, ground)
    finally:
        await pool.close()
        launcher.close()


def told(done: Invoked) -> Any:
    """The function's answer."""
    return msgspec.json.decode(done.payload)

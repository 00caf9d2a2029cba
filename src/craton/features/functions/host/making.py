"""How an environment comes to be: its folders, its credentials, its variables, its walls, its servers, its journal.

Owns the order of it, and that nothing is left behind when a step fails. What it is made from is given as `Ground`. It must not
know when environments are wanted (`pool`).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec

from craton.features.functions.function import Code, Plan, log_group
from craton.features.functions.host import runtimes
from craton.features.functions.host.gateway import Credentials, Gateway, Relay, RoleRefused
from craton.features.functions.host.http import Connection
from craton.features.functions.host.instance import MOST_ANSWER_BYTES, Instance, pipe
from craton.features.functions.host.journal import Journal
from craton.features.functions.host.launching import Launcher, LaunchFailed, Limits, Order
from craton.features.functions.host.layering import merged
from craton.features.functions.host.logs import LogStream
from craton.features.functions.host.runtime_api import RuntimeApi
from craton.features.functions.host.runtimes import Runtime
from craton.features.functions.host.variables import Given, variables
from craton.features.functions.host.walls import Room, walled
from craton.features.functions.line import Refusal
from craton.infra.compute.sandbox import Mode, Refused

T = TypeVar("T")
API_PORT: Final = 9001
MOST_PROCESSES: Final = 1024
"""Processes and threads, as on AWS."""
_DATA_BEYOND_BYTES: Final = 1 << 30
_MIB: Final = 1024 * 1024


class Unable(Exception):
    """The environment cannot be made; `refusal` is what the caller is told."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Ground(Protocol):
    """What environments are made from."""

    async def folder(self, account: str, code: Code) -> Path:
        """The unpacked code. Raises Unable."""
        ...

    async def environment(self, plan: Plan) -> dict[str, str]:
        """The function's own variables. Raises Unable."""
        ...

    def credentials(self, plan: Plan) -> Credentials:
        """Those of its role."""
        ...


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for all environments. `root` has folders of ours: merged layers, scratch. `network`: an open one."""

    mode: Mode
    root: Path
    network: bool = False
    node_client: str = ""


class Maker:
    """Makes environments."""

    def __init__(self, ground: Ground, gateway: Gateway, launcher: Launcher, terms: Terms) -> None:
        self._ground = ground
        self._gateway = gateway
        self._launcher = launcher
        self._terms = terms

    async def make(self, plan: Plan, changed: Callable[[Instance], None], *, provisioned: bool = False) -> Instance:
        """An environment whose runtime is starting. Raises Unable."""
        room = await self._room(plan)
        credentials = self._ground.credentials(plan)
        own = await self._ground.environment(plan)
        keys = await _asked(credentials.fresh())
        until = await _asked(credentials.until())
        stream = LogStream(self._gateway.logs, credentials, log_group(plan), stream_name(plan, self._gateway.now()))
        output, output_in = pipe()
        frames, frames_in = pipe()
        journal = Journal(output, frames, stream.put)
        instance = Instance(plan, journal, until, changed)
        instance.settled = stream.flush
        instance.on_gone.append(journal.close)
        instance.on_gone.append(lambda: shutil.rmtree(room.scratch, ignore_errors=True))
        endpoint = self._gateway.address
        inner = endpoint.port if endpoint.port >= 1024 and endpoint.port != API_PORT else API_PORT + 1
        given = Given(
            keys=keys, region=credentials.region, api=f"127.0.0.1:{API_PORT}", endpoint=f"http://127.0.0.1:{inner}",
            log_stream=stream.name, provisioned=provisioned,
        )  # fmt: skip
        try:
            env = variables(plan, room.runtime, given, own)
            await self._start(instance, room, env, (API_PORT, inner), (output_in, frames_in))
        except BaseException:
            instance.close()
            raise
        finally:
            os.close(output_in)
            os.close(frames_in)
        arn = f"arn:aws:lambda:{credentials.region}::runtime:{room.runtime.name}"
        configuration = plan.configuration
        journal.say(instance.lines.init_start(room.runtime.version, arn, plan.name, configuration.version))
        return instance

    async def _room(self, plan: Plan) -> Room:
        account, configuration = plan.arn.split(":")[4], plan.configuration
        code = await self._ground.folder(account, configuration.code)
        layers = [await self._ground.folder(account, use.code) for use in configuration.layers]
        opt = ""
        if layers:
            folder = layers[0]
            if len(layers) > 1:
                folder = await asyncio.to_thread(merged, layers, self._terms.root / "layers")
            opt = str(folder)
        runtime: Runtime | None = runtimes.find(configuration.runtime, (str(code), opt), self._terms.node_client)
        if runtime is None:
            raise Unable(
                Refusal(name="InvalidRuntimeException", message=runtimes.refusal(configuration.runtime), status=502)
            )
        scratch = self._terms.root / "scratch" / secrets.token_hex(8)
        return Room(
            code=str(code), layers=opt, runtime=runtime, storage_mb=configuration.ephemeral_mb,
            memory_mb=configuration.memory_mb, scratch=str(scratch), network=self._terms.network,
        )  # fmt: skip

    async def _start(
        self, instance: Instance, room: Room, env: dict[str, str], ports: tuple[int, int], handles: tuple[int, int]
    ) -> None:
        terms = self._terms
        try:
            way = walled(room, terms.mode)
        except Refused as refused:
            raise _internal(str(refused.strerror)) from refused
        closed = bool(way.filter) and not terms.network
        if not way.filter:
            await asyncio.to_thread(Path(room.scratch).mkdir, parents=True, mode=0o700)
        if not closed:  # ports of this machine's own
            ports = (_free_port(), _free_port())
            env = env | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{ports[0]}", "AWS_ENDPOINT_URL": self._gateway.url}
        limits = Limits(
            data=instance.memory_bytes + _DATA_BEYOND_BYTES,
            processes=MOST_PROCESSES,
            file_bytes=room.storage_mb * _MIB,
        )
        order = Order(
            words=way.words, env=env | way.env, ports=ports, network=closed, at=way.at, limits=limits,
            output=handles[0], handles=handles[1:], filter=way.filter,
        )  # fmt: skip
        try:
            started = await self._launcher.start(order, instance.ended)
        except LaunchFailed as failed:
            raise _internal(f"the environment could not be started: {failed.strerror}") from failed
        if not instance.gone:  # else its end came together with its beginning
            instance.pid = started.pid
        await self._serve(instance, started.sockets)

    async def _serve(self, instance: Instance, sockets: list[socket.socket]) -> None:
        """Answer on the ports of its network: the Runtime API, and the way to the gateway."""
        api, relay = RuntimeApi(instance), Relay(self._gateway)
        serving = await asyncio.get_running_loop().create_server(
            lambda: Connection(api.serve, MOST_ANSWER_BYTES, api.opened), sock=sockets[0]
        )
        instance.on_gone.append(serving.close)
        await relay.start(sockets[1])
        instance.on_gone.append(relay.close)


def stream_name(plan: Plan, now: datetime) -> str:
    """What AWS calls the log stream of an environment."""
    return f"{now:%Y/%m/%d}/[{plan.configuration.version}]{secrets.token_hex(16)}"


async def _asked(question: Awaitable[T]) -> T:
    try:
        return await question
    except RoleRefused as refused:
        message = "The role defined for the function cannot be assumed by Lambda."
        raise Unable(Refusal(name="AccessDeniedException", message=message, status=403)) from refused


def _internal(text: str) -> Unable:
    return Unable(Refusal(name="ServiceException", message=text[:1].upper() + text[1:]))


def _free_port() -> int:
    """A port of the loopback device that nobody has now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.bind(("127.0.0.1", 0))
        port: int = tried.getsockname()[1]
        return port

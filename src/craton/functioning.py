"""The functions' host of one home, composed: the store, the cipher, the blobs, roles, the gateway, and its end.

With `app`, `working`, `labor` and `supervision`, a place that picks implementations. A supervisor makes such a process when an
invocation comes (`main`, with an assignment in an inherited file).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import uvloop

from craton.aws.wire.sign import Keys
from craton.config import Settings
from craton.context import SystemClock
from craton.features.functions import code, environment
from craton.features.functions.function import SERVICE, Code, Plan
from craton.features.functions.host.door import Door
from craton.features.functions.host.gateway import Gateway, RoleRefused
from craton.features.functions.host.keeper import Assignment
from craton.features.functions.host.launching import Launcher
from craton.features.functions.host.making import Maker, Terms, Unable
from craton.features.functions.host.meter import Meter
from craton.features.functions.host.pool import Pool, Rules
from craton.features.functions.line import Refusal
from craton.front.worker import leave
from craton.infra.blobs.opening import open_blobs
from craton.infra.blobs.port import BlobError, Blobs
from craton.infra.cipher.port import Cipher, CipherError, KeyUnusable, NoSuchKey
from craton.infra.cipher.stored import StoredCipher
from craton.infra.compute.process import die_with_parent, raise_file_limit
from craton.infra.identities.vault import Vault
from craton.infra.store.opening import open_store
from craton.infra.store.port import Store
from craton.infra.store.threaded import ThreadedStore
from craton.services.passing import trusts
from craton.storing import shared_secret, store_url
from craton.supervision import open_keyring
from craton.workflows.credentials import RenewedSessions, as_role
from craton.workflows.toolbox import gateway_of, open_gateway, tls_of
from craton.workflows.workflow import JobFailed

if TYPE_CHECKING:
    from craton.infra.series.metrics_index import Sample

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
_END_WITHIN_S: Final = 6.0


def main() -> None:
    """Run as `python -m craton.functioning HANDLE`: the assignment lies in the inherited file HANDLE."""
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        file.seek(0)
        assignment = msgspec.msgpack.decode(file.read(), type=Assignment)
    die_with_parent(assignment.parent_pid)
    settings = msgspec.msgpack.decode(assignment.settings, type=Settings)
    code = 1
    try:
        raise_file_limit()
        uvloop.run(serve(settings, assignment.url, socket.socket(fileno=assignment.listener)))
        code = 0
    finally:
        leave(code)


async def serve(settings: Settings, url: str, listening: socket.socket) -> None:
    """Serve until SIGTERM, or until there was nothing to do for a while. Raises ConfigError, StoreError."""
    ended = asyncio.Event()
    for signum in _ENDING:
        asyncio.get_running_loop().add_signal_handler(signum, ended.set)
    root = settings.home_path / "functions"
    await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)  # what an earlier host left unpacked
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = await asyncio.to_thread(open_store, store_url(settings), durable=not settings.ephemeral)
    storage = ThreadedStore(lambda: store, _nothing, lambda: shared_secret(settings, "page tokens"))
    clock, table = SystemClock(), settings.file.lambda_
    cipher = StoredCipher(storage, open_keyring(settings), clock.now, settings.region, settings.file.kms.default_key)
    blobs = open_blobs(settings.file.blobs, settings.home_path, ephemeral=settings.ephemeral)
    endpoint = gateway_of(settings, url)
    gateway = Gateway(endpoint.url, open_gateway(endpoint), clock.now, tls_of(endpoint))
    vault = Vault(lambda purpose: shared_secret(settings, purpose), settings.file.oidc)
    ground = StoredGround(store, cipher, blobs, vault, clock, root / "code")
    launcher = Launcher()
    terms = Terms(
        mode=settings.file.compute.sandbox, root=root, network=table.network == "open", node_client=table.node_client
    )
    rules = Rules(concurrency=table.concurrency, environments=table.environments, idle_s=table.idle_timeout_s)
    meter = Meter(keeping(storage), clock.now)
    pool = Pool(Maker(ground, gateway, launcher, terms), rules, clock.now, meter)
    writing = asyncio.create_task(meter.run(), name="metrics")
    door = Door(pool)
    pool.start()
    await door.start(listening)
    waits = [asyncio.create_task(ended.wait()), asyncio.create_task(door.idle(table.idle_timeout_s))]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    try:
        async with asyncio.timeout(_END_WITHIN_S):
            await door.close()
            await pool.close()
    except TimeoutError:
        print("craton: functions: what was under way was cut off", file=sys.stderr, flush=True)
    launcher.close()
    writing.cancel()
    await meter.write()
    await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)
    storage.close()


def keeping(storage: ThreadedStore) -> Callable[[list[Sample]], Awaitable[None]]:
    """How samples of metrics are kept."""

    async def keep(samples: list[Sample]) -> None:
        from craton.infra.series import metrics_index

        await storage.keep(
            lambda transaction: transaction.run(
                lambda connection: metrics_index.add(connection, samples, bounded=False)
            )
        )

    return keep


async def _nothing() -> None:
    """The host writes nothing that others hold in memory."""


class StoredGround:
    """`making.Ground`, by the store of this home. `root`: where code is unpacked."""

    def __init__(
        self, store: Store, cipher: Cipher, blobs: Blobs, vault: Vault, clock: SystemClock, root: Path
    ) -> None:
        self._store = store
        self._cipher = cipher
        self._blobs = blobs
        self._vault = vault
        self._clock = clock
        self._root = root
        self._sessions: dict[tuple[str, str], RoleSessions] = {}
        self._turn = asyncio.Lock()

    async def folder(self, account: str, code_of: Code) -> Path:
        try:
            async with self._turn:  # two environments of one function come up at once
                return await code.unpacked(self._blobs, self._cipher, account, code_of, self._root)
        except (BlobError, OSError) as error:
            print(f"craton: functions: code cannot be read: {error}", file=sys.stderr, flush=True)
            raise _unable("ServiceException", "The function's code cannot be read.") from error
        except CipherError as error:
            raise _sealed(error) from error

    async def environment(self, plan: Plan) -> dict[str, str]:
        try:
            return await environment.opened(self._cipher, plan.arn, plan.configuration.environment)
        except CipherError as error:
            raise _sealed(error) from error

    def credentials(self, plan: Plan) -> RoleSessions:
        key = (plan.arn, plan.configuration.role)
        found = self._sessions.get(key)
        if found is None:
            stand = as_role(self._store, trusts, plan.configuration.role, plan.name, SERVICE, plan.arn)
            region = plan.arn.split(":")[3]
            found = RoleSessions(RenewedSessions(stand, self._vault.sessions, self._clock.now, region))
            self._sessions[key] = found
        return found


class RoleSessions:
    """`gateway.Credentials`."""

    def __init__(self, sessions: RenewedSessions) -> None:
        self._sessions = sessions

    @property
    def region(self) -> str:
        return self._sessions.region

    async def fresh(self) -> Keys:
        try:
            return await self._sessions.fresh()
        except JobFailed as failed:
            raise RoleRefused(str(failed)) from failed

    async def until(self) -> datetime:
        try:
            return await asyncio.to_thread(lambda: self._sessions.expires_at)
        except JobFailed as failed:
            raise RoleRefused(str(failed)) from failed


# Lambda's own errors for keys; the message names the key.
_KEYS: Final = (
    (NoSuchKey, "KMSNotFoundException"), (KeyUnusable, "KMSDisabledException"), (CipherError, "KMSInvalidStateException"),
)  # fmt: skip


def _sealed(error: CipherError) -> Unable:
    name = next(name for kind, name in _KEYS if isinstance(error, kind))
    return _unable(name, f"Lambda was unable to decrypt what belongs to the function: {error}", 502)


def _unable(name: str, message: str, status: int = 500) -> Unable:
    return Unable(Refusal(name=name, message=message, status=status))


if __name__ == "__main__":
    main()

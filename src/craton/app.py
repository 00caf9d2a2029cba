"""The composition root: settings become a running server. With `supervision` and `working`, the only place that picks
implementations.

Two processes are composed: the supervisor (`serve`, here) and each HTTP worker (`working.open_worker`). What changes
while they run travels from the first to the second as a `Snapshot`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

import msgspec

from craton.aws.wire.faults import unavailable
from craton.config import ConfigError, Settings
from craton.features.functions.host.keeper import host_functions
from craton.features.inference.replicas.seats import Seats
from craton.features.inference.routing.compile import Compiler
from craton.front import server, tls
from craton.front.connections import Limits
from craton.infra.blobs.opening import check_blobs
from craton.infra.control.home import hold_home
from craton.infra.jobs.employ import KINDS, Assignment, employ
from craton.infra.keys.root import RootKey, load_root_key, root_credentials
from craton.infra.vectors.opening import check_vectors
from craton.models.catalog.hosted import Placement
from craton.models.catalog.rows import load as load_catalog
from craton.models.dialects.all import dialect_named
from craton.models.providers.provider import Provider, Upstream
from craton.supervision import Supervision, check_root
from craton.workflows.timetable import appointments
from craton.working import make_provider, open_organization, open_stage


def serve(settings: Settings, on_ready: Callable[[server.Bound], None], kinds: str = KINDS) -> int:
    """Serve until SIGTERM; the exit code. Raises ConfigError, BadRootKey, HomeBusy, ListenFailed, OSError.

    `kinds` (`module:tuple`) are the kinds of jobs that this server's workers do.
    """
    home = settings.home_path
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with hold_home(home) as run:
        settle_secrets(settings)
        roots = root_credentials(root_keys(settings))
        check_root(settings)
        # A mistake in the configuration must end the start, not the first request.
        Compiler(settings, load_catalog(), checked_provider, dialect_named, open_stage(settings)).routes(())
        open_organization(settings)
        check_blobs(settings.file.blobs)
        check_vectors(settings.file.vectors)
        table = settings.file.server
        plan = server.Plan(
            target="craton.working:open_worker",
            settings=msgspec.msgpack.encode(settings),
            workers=table.workers,
            limits=Limits(body_s=table.body_timeout_s, write_stall_s=table.write_stall_s),
            drain_s=table.drain_timeout_s,
            tls=tls_files(settings),
        )
        listen = server.Listen(host=table.host, port=table.port)
        supervision = Supervision(settings, run, roots)

        def ready(bound: server.Bound) -> None:
            supervision.serve_jobs(partial(employed, plan.settings, reached(bound), kinds), appointments())
            supervision.serve_functions(partial(host_functions, plan.settings, reached(bound)))
            on_ready(bound)

        return server.serve(listen, plan, run, supervision, ready)


def settle_secrets(settings: Settings) -> None:
    """Finish a rotation of secrets that was cut off, if there was one (`rotating`). Raises StoreError, OSError."""
    if any(settings.home_path.glob("*.next")):
        from craton.rotating import finish

        finish(settings)


def employed(settings: bytes, url: str, kinds: str, name: str) -> int:
    """A new worker process for jobs; its id."""
    return employ(Assignment(name=name, parent_pid=os.getpid(), settings=settings, url=url, kinds=kinds))


def reached(bound: server.Bound) -> str:
    """The URL by which processes of this machine reach the server."""
    return bound.url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def tls_files(settings: Settings) -> tls.Files | None:
    """The files of `[tls]`, tried. Raises ConfigError."""
    table = settings.file.tls
    if not table.certificate:
        return None
    files = tls.Files(certificate=table.certificate, key=table.key, client_ca=table.client_ca)
    try:
        tls.context(files)
    except tls.Unusable as error:
        raise ConfigError(f"[tls] {error}") from None
    return files


def root_keys(settings: Settings) -> list[RootKey]:
    """The root key of the default account and of each `[[account]]`."""
    first = load_root_key(settings.home_path, os.environ, settings.account)
    return [first, *(RootKey(table.id, table.access_key, table.secret_key) for table in settings.file.account)]


def checked_provider(upstream: Upstream) -> Provider:
    """Any provider the configuration may name, bound to no supervisor."""

    async def nowhere(deployment: str) -> Placement:
        raise unavailable()

    return make_provider(upstream, Seats(nowhere))

"""The tools of jobs as a worker process has them.

Owns what all jobs of a process share: the store, the cipher, the pool to the gateway, the making of clients. It must not
know any kind of job.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from craton.config import ConfigError, Settings, secret
from craton.infra.identities.vault import Vault
from craton.models.providers.dial import open_transport
from craton.models.providers.transport import Transport
from craton.workflows.calling import GatewayFunctions, GatewayModels, GatewayObjects
from craton.workflows.clients import Clients, Endpoint
from craton.workflows.credentials import RenewedSessions, Standing, Trusts, as_caller, as_role, as_service
from craton.workflows.tools import FunctionCaller, JobCredentials, ModelCaller, ObjectReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from craton.aws.access.credentials import Principal
    from craton.context import Clock, Storage
    from craton.infra.blobs.port import Blobs
    from craton.infra.cipher.port import Cipher
    from craton.infra.jobs.runs import Run
    from craton.infra.objects.keeper import Keeper
    from craton.infra.store.port import Store
    from craton.infra.vectors.port import Vectors

_BEDROCK = "bedrock.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What a process has for all of its jobs. `store` may be used from any thread, `storage` from the loop."""

    settings: Settings
    store: Store
    storage: Storage
    clock: Clock
    cipher: Cipher
    vault: Vault
    blobs: Blobs
    objects: Keeper
    trusts: Trusts
    vectors: Vectors
    gateway: Endpoint
    transport: Transport
    clients: Clients = field(default_factory=Clients)


class Toolbox:
    """`tools.Tools` of one run."""

    def __init__(self, shop: Shop, run: Run) -> None:
        self._shop = shop
        self._run = run

    @property
    def settings(self) -> Settings:
        return self._shop.settings

    @property
    def storage(self) -> Storage:
        return self._shop.storage

    @property
    def clock(self) -> Clock:
        return self._shop.clock

    @property
    def cipher(self) -> Cipher:
        return self._shop.cipher

    @property
    def vectors(self) -> Vectors:
        return self._shop.vectors

    def credentials(
        self, role_arn: str, session_name: str, source_arn: str = "", service: str = _BEDROCK
    ) -> JobCredentials:
        shop, about = self._shop, source_arn or self._run.arn
        return self._sessions(as_role(shop.store, shop.trusts, role_arn, session_name, service, about))

    def service(self, principal: str = _BEDROCK, source_arn: str = "", account: str = "") -> JobCredentials:
        return self._sessions(as_service(principal, source_arn or self._run.arn, account))

    def on_behalf(self, principal: Principal) -> JobCredentials:
        return self._sessions(as_caller(principal, self._run.arn))

    def s3(self, credentials: JobCredentials) -> Any:
        table = self.settings.file.s3
        if not table.endpoint_url:
            return self.aws("s3", credentials)
        keys = (secret(table.access_key), secret(table.secret_key), secret(table.session_token))
        region = table.region or credentials.region
        return self._shop.clients.fixed("s3", Endpoint(table.endpoint_url), region, keys)

    def objects(self, credentials: JobCredentials) -> ObjectReader | None:
        shop = self._shop
        if self.settings.file.s3.endpoint_url:
            return None
        return GatewayObjects(shop.transport, shop.gateway.url, credentials, self.clock.now)

    def aws(self, service: str, credentials: JobCredentials) -> Any:
        assert isinstance(credentials, RenewedSessions)  # noqa: S101 - there are no others
        return self._shop.clients.renewed(service, self._shop.gateway, credentials)

    def outside(self, service: str, url: str, region: str, keys: tuple[str, str, str]) -> Any:
        return self._shop.clients.fixed(service, Endpoint(url), region, keys)

    def models(self, credentials: JobCredentials) -> ModelCaller:
        shop = self._shop
        return GatewayModels(shop.transport, shop.gateway.url, credentials, self.clock.now)

    def functions(self, credentials: JobCredentials) -> FunctionCaller:
        shop = self._shop
        return GatewayFunctions(shop.transport, shop.gateway.url, credentials, self.clock.now)

    def _sessions(self, stand: Callable[[], Standing]) -> RenewedSessions:
        return RenewedSessions(stand, self._shop.vault.sessions, self.clock.now, self._run.region)


def gateway_of(settings: Settings, own_url: str) -> Endpoint:
    """Where jobs find the gateway: as configured, else the server that started them. Raises ConfigError."""
    table = settings.file.jobs
    url = table.endpoint_url or own_url
    if not url.startswith(("http://", "https://")):
        raise ConfigError("[jobs] endpoint_url is missing: jobs need an http:// or https:// address of the gateway")
    return Endpoint(url, table.ca or _authority(settings), table.certificate, table.key)


def _authority(settings: Settings) -> str:
    """The authority beside the configured certificate where `craton tls` left one; "" for the system's."""
    certificate = settings.file.tls.certificate
    beside = Path(certificate or "none").with_name("ca.pem")
    return str(beside) if certificate and beside.is_file() else ""


def open_gateway(endpoint: Endpoint) -> Transport:
    """The pool to the gateway. Raises ConfigError for files that cannot be used."""
    return open_transport(endpoint.url, tls=tls_of(endpoint))


def tls_of(endpoint: Endpoint) -> ssl.SSLContext | None:
    """How the gateway is trusted, None for plain HTTP. Raises ConfigError for files that cannot be used."""
    if not endpoint.url.startswith("https:"):
        return None
    try:
        context = ssl.create_default_context(cafile=endpoint.ca or None)
        context.set_alpn_protocols(["http/1.1"])
        if endpoint.certificate:
            context.load_cert_chain(endpoint.certificate, endpoint.key or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"[jobs] the files of the gateway's TLS cannot be used: {error}") from None
    return context

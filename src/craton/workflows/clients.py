"""boto3 clients for jobs: of Craton's services, and of the S3 that `s3://` means.

Owns how a client is made so that nothing in the machine's environment leads it astray. It must not know what it is used
for. boto3 costs a third of a second and 30 MiB, so it is imported by the first client.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from craton.workflows.credentials import RenewedSessions

_CONNECTIONS = 64
_ATTEMPTS = 6
_READ_TIMEOUT_S, _CONNECT_TIMEOUT_S = 120, 10
_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")


class Endpoint(msgspec.Struct, frozen=True):
    """Where a service is: its URL ("": AWS's), the authority's file to trust ("": the system's), and what to show there."""

    url: str
    ca: str = ""
    certificate: str = ""
    key: str = ""


class Clients:
    """Makes clients, one at a time: botocore's sessions are not made for more."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._loader: Any = None

    def renewed(self, service: str, endpoint: Endpoint, credentials: RenewedSessions) -> Any:
        """A client of Craton's own whose credentials renew themselves."""

        def metadata() -> dict[str, str]:
            keys = credentials.keys()
            return {
                "access_key": keys.access_key_id,
                "secret_key": keys.secret_access_key,
                "token": keys.session_token,
                "expiry_time": credentials.expires_at.isoformat(),
            }

        def provide() -> Any:
            from botocore.credentials import RefreshableCredentials

            return RefreshableCredentials.create_from_metadata(metadata(), metadata, "craton-job")

        return self._client(service, endpoint, credentials.region, provide)

    def fixed(self, service: str, endpoint: Endpoint, region: str, keys: tuple[str, str, str]) -> Any:
        """A client with keys that are given: id, secret, session token or ""."""

        def provide() -> Any:
            from botocore.credentials import Credentials

            return Credentials(keys[0], keys[1], keys[2] or None)

        return self._client(service, endpoint, region, provide)

    def _client(self, service: str, endpoint: Endpoint, region: str, provide: Callable[[], Any]) -> Any:
        from botocore.config import Config
        from botocore.session import Session

        config = Config(
            region_name=region,
            # Named, so that no bearer key of the environment takes its place.
            signature_version="s3v4" if service == "s3" else "v4",
            proxies={},
            use_fips_endpoint=False,
            use_dualstack_endpoint=False,
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            max_pool_connections=_CONNECTIONS,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            s3={"addressing_style": "path"},
            client_cert=(endpoint.certificate, endpoint.key) if endpoint.certificate else None,
            user_agent_extra="craton-jobs",
        )
        with self._turn:
            session = Session()
            if self._loader is None:
                self._loader = session.get_component("data_loader")  # it remembers what it has read
            session.register_component("data_loader", self._loader)
            session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=when)
            session._credentials = provide()  # noqa: SLF001 - what its own set_credentials does, for such as renew
            return session.create_client(
                service,
                region_name=region,
                endpoint_url=endpoint.url or None,
                verify=endpoint.ca or True,
                config=config,
            )


def when(value: Any) -> datetime:
    """A time in a reply. A listing has a thousand in ISO 8601, for which botocore's way takes fifty times as long."""
    from botocore.utils import parse_timestamp

    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            pass
        else:
            if found.tzinfo is not None:
                return found
    other: datetime = parse_timestamp(value)
    return other


def leave_profiles() -> None:
    """Forget this machine's AWS profiles: even one that is not used, and is not there, stops a client from being made.

    Keys in the environment stay, since `[blobs]` may go by them; a job's client never looks at them.
    """
    for name in _PROFILES:
        os.environ.pop(name, None)
    for name in _FILES:
        os.environ[name] = os.devnull

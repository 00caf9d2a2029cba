"""The tools of a job: what a body may reach, and as whom.

Owns the Protocols alone; `toolbox.py` has what stands behind them. A body never sees the server's own rights: it reads
and writes as the job's role, as Bedrock's service principal, or as the caller who started it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from craton.aws.access.credentials import Principal
    from craton.aws.wire.sign import Keys
    from craton.config import Settings
    from craton.context import Clock, Storage
    from craton.infra.cipher.port import Cipher

Answer = tuple[int, dict[bytes, bytes], bytes]
"""Status, headers with names in lower case, body."""


class JobCredentials(Protocol):
    """Temporary credentials that renew themselves. Each renewal asks again whether they may be had."""

    @property
    def region(self) -> str: ...

    def keys(self) -> Keys:
        """The keys of now. May read the store, so call it in a thread. Raises JobFailed, StoreError."""
        ...

    async def fresh(self) -> Keys:
        """The same from the loop, which is free meanwhile."""
        ...


class ModelCaller(Protocol):
    """Asks models through the gateway. Raises TransportError; errors of AWS's are statuses.

    `timeout_s` bounds the whole exchange.
    """

    async def invoke(
        self, model_id: str, body: bytes, *, headers: Sequence[tuple[bytes, bytes]] = (), timeout_s: float = 3600.0
    ) -> Answer:
        """InvokeModel."""
        ...

    async def converse(
        self, model_id: str, body: bytes, *, headers: Sequence[tuple[bytes, bytes]] = (), timeout_s: float = 3600.0
    ) -> Answer:
        """Converse; the body is the JSON of the request without its model id."""
        ...


class Tools(Protocol):
    """What a job is done with."""

    @property
    def settings(self) -> Settings: ...

    @property
    def storage(self) -> Storage: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def cipher(self) -> Cipher: ...

    def credentials(self, role_arn: str, session_name: str) -> JobCredentials:
        """Sessions of a role of the job's account, which must trust Bedrock for this job each time one is made."""
        ...

    def service(self, principal: str = "bedrock.amazonaws.com") -> JobCredentials:
        """Sessions of a service principal on behalf of the job's account: what policies of resources allow it."""
        ...

    def on_behalf(self, principal: Principal) -> JobCredentials:
        """Sessions with the rights of whoever started the job, as they are at each moment."""
        ...

    def s3(self, credentials: JobCredentials) -> Any:
        """A boto3 client of the S3 that `s3://` means here. Blocking: use it in threads."""
        ...

    def aws(self, service: str, credentials: JobCredentials) -> Any:
        """A boto3 client of one of Craton's services. Blocking: use it in threads."""
        ...

    def outside(self, service: str, url: str, region: str, keys: tuple[str, str, str]) -> Any:
        """A boto3 client of a service elsewhere: its URL ("": AWS's own), and id, secret and session token or ""."""
        ...

    def models(self, credentials: JobCredentials) -> ModelCaller:
        """The gateway's models."""
        ...

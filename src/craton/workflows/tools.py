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
    from craton.infra.vectors.port import Vectors

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


class FunctionCaller(Protocol):
    """Invokes functions through the gateway. Raises TransportError; errors of AWS's are statuses."""

    async def invoke(
        self, function: str, payload: bytes, *, headers: Sequence[tuple[bytes, bytes]] = (), timeout_s: float = 960.0
    ) -> Answer:
        """Invoke a function by ARN, at once unless a header says otherwise. Another header may tell the chain of causes."""
        ...


class ObjectReader(Protocol):
    """Reads objects of the gateway's own S3. Raises TransportError, for an object of more than `limit` bytes as well."""

    async def get(
        self,
        bucket: str,
        key: str,
        *,
        headers: Sequence[tuple[bytes, bytes]] = (),
        limit: int,
        timeout_s: float = 120.0,
    ) -> Answer:
        """GetObject; errors are statuses."""
        ...

    async def small(
        self, bucket: str, owner: str, wanted: Sequence[tuple[str, str]], *, timeout_s: float = 120.0
    ) -> list[tuple[str, bytes] | None]:
        """ETags and bytes of small objects in one answer, each in the state of the ETag that was asked for; "" for any.

        None for what cannot be had so: GetObject tells why. At most 64; `owner` "" is whoever it is.
        """
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

    @property
    def vectors(self) -> Vectors:
        """The vector store; it is loaded when something is done with it."""
        ...

    def credentials(
        self, role_arn: str, session_name: str, source_arn: str = "", service: str = "bedrock.amazonaws.com"
    ) -> JobCredentials:
        """Sessions of a role of the job's account, which must trust the service each time one is made: for this job, or
        for what has the ARN `source_arn`.
        """
        ...

    def service(
        self, principal: str = "bedrock.amazonaws.com", source_arn: str = "", account: str = ""
    ) -> JobCredentials:
        """Sessions of a service principal on behalf of the job's account: what policies of resources allow it.

        It acts for the job, or for what has the ARN `source_arn`, in its own account, or in this one.
        """
        ...

    def on_behalf(self, principal: Principal) -> JobCredentials:
        """Sessions with the rights of whoever started the job, as they are at each moment."""
        ...

    def s3(self, credentials: JobCredentials) -> Any:
        """A boto3 client of the S3 that `s3://` means here. Blocking: use it in threads."""
        ...

    def objects(self, credentials: JobCredentials) -> ObjectReader | None:
        """What reads many small objects quickly; None where `s3://` means an S3 elsewhere."""
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

    def functions(self, credentials: JobCredentials) -> FunctionCaller:
        """The gateway's functions."""
        ...

"""Credentials of jobs: short sessions that are made again before they end, each time only if they still may be had.

Owns the renewal and the three kinds of whom a job acts as. A session is a sealed token like those that STS gives, so
the gateway judges a job as it judges anybody. It must not know HTTP or any kind of job.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from craton.aws.access.credentials import Principal, Session
from craton.aws.wire.sign import Keys
from craton.infra.identities import records
from craton.infra.identities.records import Role
from craton.infra.identities.sessions import Sessions
from craton.infra.store.port import Resource, Store
from craton.workflows.workflow import JobFailed

LIFE_S = 3600
_RENEW_BEFORE = timedelta(minutes=16)
"""botocore asks for newer ones 15 minutes before the end."""
Trusts = Callable[[Resource, str, str], bool]
"""Whether a role trusts a service's principal for the thing with an ARN (role, service, ARN)."""


class Standing(msgspec.Struct, frozen=True):
    """Who acts, the unique id that the session ends with, and for how long at most."""

    principal: Principal
    issuer: str
    life_s: int = LIFE_S


class RenewedSessions:
    """`tools.JobCredentials`.

    Args:
        stand: looks up who acts, and raises JobFailed where that is no longer allowed; may block.
    """

    def __init__(
        self, stand: Callable[[], Standing], sessions: Sessions, now: Callable[[], datetime], region: str
    ) -> None:
        self._stand = stand
        self._sessions = sessions
        self._now = now
        self._region = region
        self._turn = threading.Lock()
        self._made: tuple[Session, Keys] | None = None

    @property
    def region(self) -> str:
        return self._region

    @property
    def expires_at(self) -> datetime:
        """When the session of now ends. Blocking, as `keys`."""
        return self._current()[0].expires_at

    def keys(self) -> Keys:
        return self._current()[1]

    async def fresh(self) -> Keys:
        made = self._made
        if made is not None and made[0].expires_at - self._now() > _RENEW_BEFORE:
            return made[1]
        return await asyncio.to_thread(self.keys)

    def _current(self) -> tuple[Session, Keys]:
        with self._turn:
            now = self._now().replace(microsecond=0)
            if self._made is None or self._made[0].expires_at - now <= _RENEW_BEFORE:
                standing = self._stand()
                # A session that stands for an older one keeps its age, by which policies revoke sessions.
                age = standing.principal.issued_at or now
                principal = msgspec.structs.replace(standing.principal, issued_at=age, auth="sigv4")
                ends = now + timedelta(seconds=standing.life_s)
                session, token = self._sessions.issue(principal, standing.issuer, ends)
                self._made = (session, Keys(session.access_key_id, session.secret, token))
            return self._made


def as_role(
    store: Store, trusts: Trusts, role_arn: str, name: str, service: str, job_arn: str
) -> Callable[[], Standing]:
    """Act as a role, which must be there and trust the service for this job."""
    account = job_arn.split(":")[4]

    def stand() -> Standing:
        row = store.get(role_arn)
        if row is None or row.kind != records.ROLE or row.account != account or not trusts(row, service, job_arn):
            raise JobFailed(
                f"The role {role_arn} could not be assumed. Check that it exists and that its trust policy allows "
                f"{service} to perform sts:AssumeRole."
            )
        role = row.read(Role)
        principal = Principal(
            account=row.account,
            arn=f"arn:aws:sts::{row.account}:assumed-role/{role.name}/{name}",
            kind="assumed-role",
            user_id=f"{row.id}:{name}",
            role_arn=row.arn,
        )
        return Standing(principal, row.id, min(LIFE_S, role.max_session_s))

    return stand


def as_service(service: str, source_arn: str, account: str = "") -> Callable[[], Standing]:
    """Act as a service of AWS's for what has the ARN, and for its account: resources' own policies must allow it.

    `account` is needed where the ARN names none, as a bucket's.
    """
    account = account or source_arn.split(":")[4]
    principal = Principal(
        account=account, arn=service, kind="service", user_id=service, name=service, source_arn=source_arn
    )
    return lambda: Standing(principal, service)


def as_caller(principal: Principal, job_arn: str) -> Callable[[], Standing]:
    """Act with the rights of whoever started the job, the limits of their session included.

    The session ends with the user or role that it stands for, as any other of theirs.
    """
    issuer = principal.user_id.partition(":")[0] if principal.kind == "assumed-role" else principal.user_id
    forwarded = msgspec.structs.replace(principal, source_arn=job_arn)
    return lambda: Standing(forwarded, issuer)

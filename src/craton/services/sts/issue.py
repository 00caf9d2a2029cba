"""Temporary credentials as STS gives them: how long they live, what limits them, which tags go along.

Owns the checks that AssumeRole and AssumeRoleWithWebIdentity share, and the form of the answer. It must not know who may
have a session.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from craton.aws.access.credentials import Principal, Session
from craton.aws.access.policy import parse
from craton.aws.wire.faults import Fault
from craton.context import Call
from craton.infra.identities import records
from craton.infra.identities.managed import aws_policies
from craton.infra.identities.records import ManagedPolicy, Role
from craton.infra.store.port import Reader, Resource
from craton.services.iam import given

if TYPE_CHECKING:
    from craton.aws.shapes import sts

CHAINED_S: Final = 3600
DEFAULT_S: Final = 3600
MAX_TAGS: Final = 50
MAX_POLICY_LETTERS: Final = 2048
MAX_PACKED_LETTERS: Final = 16 * 1024
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z0-9-]{0,24}:iam::(\d{12}):role/(?:.*/)?([\w+=,.@-]{1,64})", re.ASCII)


def validation(message: str) -> Fault:
    return Fault("ValidationError", message, status=400)


async def role_row(call: Call, arn: str) -> Resource | None:
    """The role with this ARN, in whichever account. Raises ValidationError for what is no role's ARN."""
    if not _ROLE_ARN.fullmatch(arn):
        raise validation(f"{arn[:200]} is invalid")
    row = await call.app.storage.read(lambda store: store.get(arn))
    return row if row is not None and row.kind == records.ROLE else None


def life_s(asked: int | None, role: Role, *, chained: bool) -> int:
    """How long the session lives, in seconds. Raises ValidationError for more than the role, or chaining, allows."""
    if asked is None:
        return min(DEFAULT_S, role.max_session_s)
    if asked > role.max_session_s:
        raise validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    if chained and asked > CHAINED_S:
        raise validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    return asked


async def session_policies(call: Call, account: str, policy: str | None, arns: Iterable[Any] | None) -> tuple[str, ...]:
    """The documents that limit the session: the one in the request, and the text in force of each managed one."""
    documents = []
    if policy is not None:
        parse(policy, "session")
        documents.append(policy)
    wanted = [one.arn for one in arns or ()]

    def work(store: Reader) -> list[str]:
        return [_document(store, account, arn) for arn in wanted]

    return tuple(documents + (await call.app.storage.read(work) if wanted else []))


def session_tags(pairs: Iterable[Any] | None, inherited: dict[str, str]) -> dict[str, str]:
    """The session's tags: those of the request, and those that came along. Raises InvalidParameterValue."""
    found = given.tags(pairs)
    clash = {key.lower() for key in inherited} & {key.lower() for key in found}
    if clash:
        text = "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key "
        raise Fault("InvalidParameterValue", f"{text}from the calling session.", status=400)
    together = {**inherited, **found}
    if len(together) > MAX_TAGS:
        raise validation(f"A session has at most {MAX_TAGS} tags.")
    return together


def assumed(row: Resource, name: str, call: Call, **more: Any) -> Principal:
    """Who acts in a session of a role; `more` are further members of the principal."""
    role = row.read(Role)
    return Principal(
        account=row.account,
        arn=f"arn:aws:sts::{row.account}:assumed-role/{role.name}/{name}",
        kind="assumed-role",
        user_id=f"{row.id}:{name}",
        role_arn=row.arn,
        issued_at=call.app.clock.now(),
        **more,
    )


def issued(call: Call, principal: Principal, issuer: str, seconds: int) -> tuple[Session, sts.Credentials]:
    """New temporary credentials. Raises PackedPolicyTooLarge."""
    now = call.app.clock.now().replace(microsecond=0)
    try:
        session, token = call.app.vault.sessions.issue(principal, issuer, now + timedelta(seconds=seconds))
    except ValueError:
        token = ""
    if not token or len(token) > MAX_PACKED_LETTERS:
        raise Fault("PackedPolicyTooLarge", "Packed size of session tags and policies is too large.", status=400)
    return session, {
        "AccessKeyId": session.access_key_id,
        "SecretAccessKey": session.secret,
        "SessionToken": token,
        "Expiration": session.expires_at,
    }


def packed_percent(token: str) -> int:
    """How much of the room for policies and tags the session took."""
    return max(1, min(100, len(token) * 100 // MAX_PACKED_LETTERS))


def carried(caller: Principal) -> dict[str, str]:
    """The tags that follow the caller into the next role."""
    return {key: value for key, value in caller.session_tags.items() if key in caller.transitive_tags}


def _document(store: Reader, account: str, arn: str) -> str:
    ours = aws_policies().get(arn)
    if ours is not None:
        return ours.document
    row = store.get(arn)
    if row is None or row.kind != records.POLICY or row.account != account:
        raise Fault("InvalidParameterValue", f"Policy {arn} does not exist.", status=400)
    return row.read(ManagedPolicy).document

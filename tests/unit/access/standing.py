"""An authority over a few identities, and the circumstances of a request, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from craton.aws.access.authority import NO_GUARDS, Authority
from craton.aws.access.credentials import Principal, root_principal
from craton.aws.access.identities import Identities, Identity, PolicyText
from craton.aws.access.organization import Organization
from craton.aws.access.variables import Keys
from craton.aws.wire.faults import AuthFault
from tests.unit.access.scenes import ACCOUNT, CLAUDE, ROLE_ARN

BOB = f"arn:aws:iam::{ACCOUNT}:user/bob"
INVOKE = "bedrock:InvokeModel"
NOW = datetime(2026, 11, 22, 18, 0, 0, tzinfo=UTC)
USER = Principal(account=ACCOUNT, arn=BOB, kind="user", user_id="AIDA", name="bob", access_key_id="AKIABOB")
ROOT = root_principal(ACCOUNT, "AKIAROOT")


def session(name: str = "monday", **more: Any) -> Principal:
    """A session of the role artists."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/artists/{name}"
    key = more.pop("access_key_id", f"ASIA{name}")
    return Principal(
        account=ACCOUNT, arn=arn, kind="assumed-role", user_id=f"AROA:{name}", access_key_id=key, role_arn=ROLE_ARN,
        issued_at=NOW, **more,
    )  # fmt: skip


@dataclass
class About:
    """A request's circumstances; `asked` counts how often the clock was read."""

    caller: Principal
    region: str = "us-east-1"
    source_ip: str | None = "10.1.2.3"
    secure: bool = False
    headers: dict[bytes, str] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: int = 0

    def now(self) -> datetime:
        self.asked += 1
        return NOW

    def header(self, name: bytes) -> str | None:
        return self.headers.get(name)

    def resource_tags(self, resource: str) -> Mapping[str, str]:
        return self.tags.get(resource, {})


def text(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def identities(
    *statements: Mapping[str, Any], boundary: Mapping[str, Any] | None = None, tags: dict[str, str] | None = None
) -> Identities:
    """Bob and the role artists, both with these statements and this boundary."""
    texts = [PolicyText("own", "own", text(*statements))] if statements else []
    texts += [PolicyText("bound", "bound", text(boundary))] if boundary else []
    ids = ("own",) if statements else ()
    bound = "bound" if boundary else None
    people = [(BOB, "user"), (ROLE_ARN, "role")]
    return Identities.of(
        tuple(texts),
        tuple(Identity(arn, ACCOUNT, kind, ids, bound, tags or {}) for arn, kind in people),  # type: ignore[arg-type]
    )


def authority(*statements: Mapping[str, Any], guards: Organization = NO_GUARDS, **more: Any) -> Authority:
    return Authority(identities(*statements, **more), guards)


def refusal(
    judge: Authority, about: About, action: str = INVOKE, resource: str = CLAUDE, given: Keys | None = None
) -> str:
    """The message of the refusal; "" where the caller may."""
    try:
        judge.judge(about, action, [(resource, {})], given or {})
    except AuthFault as fault:
        return fault.message
    return ""


def may(judge: Authority, caller: Principal = USER, action: str = INVOKE, resource: str = CLAUDE, **about: Any) -> bool:
    given = about.pop("given", None)
    return not refusal(judge, About(caller, **about), action, resource, given)

"""What is asked: who wants to do what to which resource, and what else is known of the request.

Owns the values that a decision is made from. It must not know policies. Pure.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from craton.aws.access.credentials import Principal
from craton.aws.access.variables import Keys, Value

SubjectKind = Literal["root", "user", "assumed-role", "federated-user", "service", "web-identity", "anonymous"]

# What aws:PrincipalType says of each kind; services and web identities have none.
_TYPES: Final[dict[SubjectKind, str]] = {
    "root": "Account",
    "user": "User",
    "assumed-role": "AssumedRole",
    "federated-user": "FederatedUser",
    "anonymous": "Anonymous",
}


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The caller as policies see it.

    `arn` is what messages name: for a role the session's. `role_arn` (with its path) is the role behind a session.
    `user_id` is aws:userid. `name` is a user's name. `service` is a service's DNS name, `provider` the issuer of a web
    identity that no account has vouched for yet. `account` is empty for anonymous callers, services and web identities.
    """

    kind: SubjectKind
    arn: str
    account: str = ""
    user_id: str = ""
    name: str | None = None
    role_arn: str | None = None
    service: str | None = None
    provider: str | None = None

    @classmethod
    def of(cls, principal: Principal, role_arn: str | None = None) -> Subject:
        """The caller whose credentials were checked; a role session needs its role's ARN, which has the path."""
        service = principal.name if principal.kind == "service" else None
        return cls(
            kind=principal.kind,
            arn=principal.arn,
            account="" if service else principal.account,
            user_id=principal.user_id,
            name=principal.name,
            role_arn=role_arn,
            service=service,
        )


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One action on one resource.

    `keys` has its names in lower case; see `keys.RequestKeys`. `resource_account` owns the resource; None where it has
    no owner beside the caller (``*``, foundation models).
    """

    subject: Subject
    action: str
    resource: str
    keys: Keys = {}
    resource_account: str | None = None

    @property
    def crosses_accounts(self) -> bool:
        """Whether the resource belongs to another account than the caller."""
        return self.resource_account is not None and self.resource_account != self.subject.account


def principal_keys(
    subject: Subject, tags: dict[str, str] | None = None, organization_id: str | None = None
) -> dict[str, Value]:
    """The context that belongs to the caller, whatever it asks: made once per session."""
    keys: dict[str, Value] = {
        "aws:principalarn": subject.role_arn or subject.arn,
        "aws:userid": subject.user_id,
        "aws:principalisawsservice": _word(subject.kind == "service"),
    }
    if subject.account:
        keys["aws:principalaccount"] = subject.account
    if subject.kind in _TYPES:
        keys["aws:principaltype"] = _TYPES[subject.kind]
    if subject.kind == "user" and subject.name is not None:
        keys["aws:username"] = subject.name
    if subject.service is not None:
        keys["aws:principalservicename"] = subject.service
    if organization_id is not None:
        keys["aws:principalorgid"] = organization_id
    keys.update({f"aws:principaltag/{name.lower()}": value for name, value in (tags or {}).items()})
    return keys


def service_keys(subject: Subject, source_arn: str, account: str = "") -> dict[str, Value]:
    """What tells that a service of AWS's calls: for which resource where it acts by itself, else that it does so for
    the caller. `account` owns the resource where its ARN does not say, as a bucket's.
    """
    if subject.service is None:
        return {"aws:viaawsservice": "true"}
    return {"aws:sourcearn": source_arn, "aws:sourceaccount": source_arn.split(":", 5)[4] or account}


def tag_keys(
    *, request_tags: dict[str, str] | None = None, resource_tags: dict[str, str] | None = None
) -> dict[str, Value]:
    """aws:RequestTag/…, aws:TagKeys and aws:ResourceTag/…. No tags in the request: no aws:TagKeys either."""
    keys: dict[str, Value] = {f"aws:resourcetag/{name.lower()}": value for name, value in (resource_tags or {}).items()}
    for name, value in (request_tags or {}).items():
        keys[f"aws:requesttag/{name.lower()}"] = value
    if request_tags:
        keys["aws:tagkeys"] = tuple(request_tags)
    return keys


def _word(truth: bool) -> str:  # noqa: FBT001
    return "true" if truth else "false"

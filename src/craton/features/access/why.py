"""Why a principal may or may not do something: the statement that decides, the keys that were looked at, and what the
least policy for its real calls would be.

Owns the answer of `POST /craton/explain` and of `craton explain`, and who a principal is that does not call itself. It
must not know HTTP. Everything is read from the authority that judges requests, so an explanation is what would happen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from craton.aws import arn as names
from craton.aws.access import explain
from craton.aws.access.authority import Authority
from craton.aws.access.credentials import Principal, root_principal
from craton.aws.access.keys import Circumstances, Watched
from craton.aws.access.variables import Keys, Value
from craton.aws.wire.faults import not_found, validation

ACTION = "craton:Explain"
NOT_KNOWN = "No user or role of this account has the ARN {arn}."
SESSION_NAME = "explained"
_OTHER = "other action"


class Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"who": "as"}):
    """What may be asked: about whom (oneself by default), an action on a resource, a draft from recorded calls.

    `keys` are condition keys of the request that is imagined; what is not given is as in the request that asks.
    """

    action: str = ""
    resource: str = "*"
    who: str = ""
    keys: dict[str, str | list[str]] = {}
    draft: bool = False


class Imagined:
    """The circumstances of a request that somebody else might make: theirs is the caller, all else is the asker's."""

    __slots__ = ("_asker", "caller")

    def __init__(self, asker: Circumstances, caller: Principal) -> None:
        self._asker = asker
        self.caller = caller

    @property
    def region(self) -> str:
        return self._asker.region

    @property
    def source_ip(self) -> str | None:
        return self._asker.source_ip

    @property
    def secure(self) -> bool:
        return self._asker.secure

    def now(self) -> Any:
        return self._asker.now()

    def header(self, name: bytes) -> str | None:
        return self._asker.header(name)

    def resource_tags(self, resource: str) -> Mapping[str, str]:
        return self._asker.resource_tags(resource)


def is_oneself(caller: Principal, arn: str) -> bool:
    """Whether an ARN names the caller: its own, or the role's behind its session."""
    return arn in ("", caller.arn, caller.role_arn)


def principal(authority: Authority, arn: str) -> Principal:
    """The principal that an ARN names: a root user, a user, a role (as a session of it), or a role's session.

    Raises ValidationException for what is no such ARN, ResourceNotFoundException for one that nobody has.
    """
    parts = names.parse(arn)
    if parts is None or parts.service not in ("iam", "sts"):
        raise validation(f"{arn[:200]} is not the ARN of a user, a role or a session.")
    if parts.service == "iam" and parts.resource == "root":
        return root_principal(parts.account)
    name, session = parts.id.rpartition("/")[2], SESSION_NAME
    if parts.service == "sts":
        name, _, session = parts.id.partition("/")
        found = authority.role(parts.account, name) if parts.type == "assumed-role" else None
    else:
        found = authority.identity(arn)
    if found is None:
        raise not_found(NOT_KNOWN.format(arn=arn[:200]))
    if found.kind == "user":
        return Principal(account=found.account, arn=found.arn, kind="user", user_id="", name=name)
    shown = f"arn:{parts.partition}:sts::{found.account}:assumed-role/{name}/{session}"
    return Principal(account=found.account, arn=shown, kind="assumed-role", user_id=f":{session}", role_arn=found.arn)


def whom_of(authority: Authority, asker: Circumstances, asked: Asked) -> Principal:
    """About whom is asked. Raises as `principal` does."""
    return asker.caller if is_oneself(asker.caller, asked.who) else principal(authority, asked.who)


def recorded_as(whom: Principal) -> str:
    """The ARN under which a principal's calls are recorded."""
    return whom.role_arn or whom.arn


def answer(authority: Authority, asker: Circumstances, asked: Asked, whom: Principal) -> dict[str, Any]:
    """The explanation as JSON."""
    told: dict[str, Any] = {"principal": whom.arn}
    if asked.action:
        told |= decided(authority, Imagined(asker, whom), asked.action, asked.resource, lowered(asked.keys))
    if asked.draft:
        told |= drafted(authority, whom)
    return told


def decided(authority: Authority, about: Circumstances, action: str, resource: str, given: Keys) -> dict[str, Any]:
    """The decision, with the statements that speak of the action and the keys that conditions asked for."""
    standing = authority.standing(about.caller)
    request = authority.request(standing, about, action, resource, given)
    watched = Watched(request.keys)
    found = explain.explain(msgspec.structs.replace(request, keys=watched), standing.policies)
    return {
        "action": action,
        "resource": resource,
        "allowed": found.allowed,
        "reason": found.reason,
        "policyType": found.kind,
        "message": found.message,
        "deciding": None if found.deciding is None else found.deciding,
        "statements": [one for one in found.findings if one.outcome != _OTHER],
        "keys": dict(sorted(watched.asked.items())),
    }


def drafted(authority: Authority, whom: Principal) -> dict[str, Any]:
    """The least policy for what a principal called and was allowed, and what it was refused."""
    calls = authority.record.known(recorded_as(whom))
    allowed = calls.allowed if calls is not None else set()
    return {
        "policy": explain.draft(allowed),
        "refused": [list(pair) for pair in sorted(calls.refused)] if calls is not None else [],
        "complete": calls is None or not calls.full,
    }


def lowered(keys: Mapping[str, str | list[str]]) -> dict[str, Value]:
    """Condition keys as the evaluator has them."""
    return {name.lower(): tuple(value) if isinstance(value, list) else value for name, value in keys.items()}

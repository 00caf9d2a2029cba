"""The statements of a resource policy, added and taken away one by one.

Owns how AddPermission's members become a statement, for functions and layers alike. It must not know whose policy it is.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from craton.aws.access.policy import parse
from craton.aws.wire.faults import Fault
from craton.features.functions.function import Policy
from craton.services.lambda_.asked import new_revision
from craton.services.lambda_.faults import conflict, invalid, missing, wrong_revision

_MOST_BYTES: Final = 20_480
_ACCOUNT: Final = re.compile(r"\d{12}")
_SERVICE: Final = re.compile(r"[a-z0-9.-]+\.amazonaws\.com")
_ID: Final = "default"


def principal(text: str) -> Any:
    """Who is meant: everybody, an account, an identity's ARN or a service. Raises InvalidParameterValueException."""
    if text == "*":
        return "*"
    if _ACCOUNT.fullmatch(text):
        return {"AWS": f"arn:aws:iam::{text}:root"}
    if text.startswith("arn:"):
        return {"AWS": text}
    if _SERVICE.fullmatch(text):
        return {"Service": text}
    raise invalid("The provided principal was invalid. Please check the principal and try again.")


def added(policy: Policy | None, statement: dict[str, Any], revision: str | None) -> Policy:
    """The policy with one statement more. Raises ResourceConflictException, PreconditionFailedException and others."""
    check_revision(policy, revision)
    before = statements(policy)
    if any(one["Sid"] == statement["Sid"] for one in before):
        raise conflict(
            f"The statement id ({statement['Sid']}) provided already exists. Please provide a new statement id, or remove the existing statement."
        )
    document = document_of([*before, statement])
    if len(document) > _MOST_BYTES:
        raise Fault(
            "PolicyLengthExceededException",
            f"The final policy size ({len(document)}) is bigger than the limit ({_MOST_BYTES}).",
            fields={"Type": "User"},
        )
    try:
        parse(document, "resource", "function policy")
    except Fault as fault:
        raise invalid(fault.message) from None
    return Policy(document, new_revision())


def removed(policy: Policy | None, sid: str, revision: str | None) -> Policy | None:
    """The policy with one statement less; None when it was the last. Raises ResourceNotFoundException."""
    before = statements(policy)
    left = [one for one in before if one["Sid"] != sid]
    if len(left) == len(before):
        none = "No policy is associated with the given resource."
        raise missing(f"Statement {sid} is not found in resource policy." if before else none)
    check_revision(policy, revision)
    return Policy(document_of(left), new_revision()) if left else None


def check_revision(policy: Policy | None, wanted: str | None) -> None:
    if wanted is not None and (policy is None or policy.revision != wanted):
        raise wrong_revision()


def statements(policy: Policy | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [] if policy is None else msgspec.json.decode(policy.document)["Statement"]
    return found


def document_of(statements: list[dict[str, Any]]) -> str:
    return msgspec.json.encode({"Version": "2012-10-17", "Id": _ID, "Statement": statements}).decode()


def text_of(statement: dict[str, Any]) -> str:
    return msgspec.json.encode(statement).decode()

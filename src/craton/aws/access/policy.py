"""Policy documents: what they may say, and their reading into values.

Owns the grammar of policies (versions 2008-10-17 and 2012-10-17), what each kind of policy must and must not hold, its
size limit. A document is refused for what AWS refuses and also for
a condition value that its operator can never read ("abc" for a number): a Deny that never applies is worse than an
error. It must not know what a request is, nor decide. Pure.
Sources: IAM user guide, "Grammar of the IAM JSON policy language" and "IAM and AWS STS quotas"; the texts are AWS's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Literal, NamedTuple

import msgspec

from craton.aws.access import match
from craton.aws.access.conditions import operators
from craton.aws.access.document import (
    SYNTAX,
    Number,
    load,
    object_of,
    readable,
    refuse,
    string_of,
    strings_of,
    values_of,
)
from craton.aws.wire.faults import Fault

Effect = Literal["Allow", "Deny"]
Kind = Literal["identity", "boundary", "session", "resource", "trust", "scp", "rcp"]
PrincipalType = Literal["*", "AWS", "Service", "Federated", "CanonicalUser"]

VERSIONS: Final = ("2012-10-17", "2008-10-17")
_OLD: Final = "2008-10-17"
_MAX_STATEMENTS: Final = 1000


class Rules(NamedTuple):
    """What a kind of policy must hold. `limit` in characters; `spaces` says whether white space counts."""

    principal: Literal["must", "never"]
    resource: Literal["must", "may", "never"]
    limit: int
    spaces: bool = True


RULES: Final[dict[Kind, Rules]] = {
    "identity": Rules("never", "must", 6144, spaces=False),
    "boundary": Rules("never", "must", 6144, spaces=False),
    "session": Rules("never", "must", 2048),
    "resource": Rules("must", "may", 32768),
    "trust": Rules("must", "never", 4096, spaces=False),
    "scp": Rules("never", "must", 10240),
    "rcp": Rules("must", "must", 10240),
}


class Named(NamedTuple):
    """Whom a Principal element names."""

    type: PrincipalType
    value: str


class Condition(NamedTuple):
    """One operator, key and values, as written."""

    operator: str
    key: str
    values: tuple[str, ...]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement; `index` counts from 0. Exactly one of `actions` and `not_actions` is filled, and so on by kind."""

    index: int
    effect: Effect
    sid: str = ""
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    principals: tuple[Named, ...] = ()
    not_principals: tuple[Named, ...] = ()
    conditions: tuple[Condition, ...] = ()


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A document that was read. `name` is its ARN, or the name of an inline policy; messages and explanations show it."""

    kind: Kind
    name: str
    version: str
    statements: tuple[Statement, ...]
    id: str = ""

    @property
    def variables(self) -> bool:
        """Whether ``${…}`` is a variable in it, not plain text."""
        return self.version != _OLD


def parse(text: str, kind: Kind = "identity", name: str = "") -> Policy:
    """Read a policy document.

    Raises MalformedPolicyDocument, naming the place, and Fault LimitExceeded for one that is too long.
    """
    check_size(text, kind)
    document = object_of(load(text), "", _TOP)
    version = document.get("Version", _OLD)
    if version not in VERSIONS:
        refuse("Policy document must be version 2012-10-17 or greater.", "Version")
    written = document.get("Statement")
    listed = written if isinstance(written, list) else [written]
    if written is None or not listed or len(listed) > _MAX_STATEMENTS:
        refuse(SYNTAX, "Statement")
    reader = _Reader(kind, version != _OLD)
    statements = tuple(
        reader.statement(one, at, f"Statement[{at}]" if isinstance(written, list) else "Statement")
        for at, one in enumerate(listed)
    )
    _unique_sids(statements)
    return Policy(kind=kind, name=name, version=version, statements=statements, id=string_of(document, "Id", ""))


def check_size(text: str, kind: Kind) -> None:
    """Raise Fault LimitExceeded for a document over its kind's limit."""
    rules = RULES[kind]
    # Bytes are never fewer than characters, and white space is what a bound on the raw text must allow for.
    if len(text) > rules.limit and (rules.spaces or len(text) > 20 * rules.limit or _size(text) > rules.limit):
        raise Fault("LimitExceeded", f"Cannot exceed quota for PolicySize: {rules.limit}", status=409)


_TOP: Final = frozenset({"Version", "Id", "Statement"})
_ELEMENTS: Final = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_PRINCIPAL_TYPES: Final[dict[str, PrincipalType]] = {
    "AWS": "AWS", "Service": "Service", "Federated": "Federated", "CanonicalUser": "CanonicalUser",
}  # fmt: skip
_SID: Final = re.compile(r"[0-9A-Za-z]*", re.ASCII)
_FREE_SID: Final = re.compile(r"[^\x00-\x1f]*")
_VENDOR: Final = re.compile(r"[a-zA-Z0-9.-]+", re.ASCII)
_VERB: Final = re.compile(r"[a-zA-Z0-9_*?.-]+", re.ASCII)
_PARTITION: Final = re.compile(r"aws[a-z0-9-]{0,24}|\*", re.ASCII)
_SERVICE: Final = re.compile(r"[a-z0-9-]+|\*", re.ASCII)
_KEY: Final = re.compile(r"[A-Za-z0-9._/-]+:[^\x00-\x1f]+", re.ASCII)
_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII)
_UNIQUE_ID: Final = re.compile(r"A[A-Z0-9]{15,127}", re.ASCII)
_PRINCIPAL_ARN: Final = re.compile(
    r"arn:aws[a-z0-9-]{0,24}:(?:iam::\d{12}:(?:root|(?:user|role)/[^*?\s]+)"
    r"|sts::\d{12}:(?:assumed-role/[^*?/\s]+/[^*?/\s]+|federated-user/[^*?\s]+))",
    re.ASCII,
)
_SERVICE_PRINCIPAL: Final = re.compile(r"[a-z0-9.-]+\.(?:amazonaws\.com(?:\.cn)?|internal|amazon\.com)", re.ASCII)


class _Reader:
    """Reads the statements of one document."""

    def __init__(self, kind: Kind, variables: bool) -> None:  # noqa: FBT001
        self._rules = RULES[kind]
        self._kind = kind
        self._variables = variables

    def statement(self, written: object, index: int, place: str) -> Statement:
        element = object_of(written, place, _ELEMENTS)
        effect = element.get("Effect")
        if effect not in ("Allow", "Deny"):
            refuse(SYNTAX, f"{place}.Effect")
        self._presence(element, place)
        return Statement(
            index=index,
            effect=effect,
            sid=self._sid(element, place),
            actions=strings_of(element, "Action", place, _check_action),
            not_actions=strings_of(element, "NotAction", place, _check_action),
            resources=strings_of(element, "Resource", place, self._check_resource),
            not_resources=strings_of(element, "NotResource", place, self._check_resource),
            principals=_principals(element, "Principal", place),
            not_principals=_principals(element, "NotPrincipal", place),
            conditions=self._conditions(element.get("Condition", {}), f"{place}.Condition"),
        )

    def _presence(self, element: Mapping[str, Any], place: str) -> None:
        """Which elements must be there, and which may not, by kind and by each other."""
        for name in ("Action", "Resource", "Principal"):
            if name in element and f"Not{name}" in element:
                refuse(SYNTAX, f"{place}.Not{name}")
        if not (element.get("Action") or element.get("NotAction")):
            refuse("Policy statement must contain actions.", place)
        has_resource = bool(element.get("Resource") or element.get("NotResource"))
        given = "Resource" in element or "NotResource" in element
        # An empty list must not come to mean "every resource" where a policy may leave the element out.
        if (self._rules.resource == "must" or given) and self._rules.resource != "never" and not has_resource:
            refuse("Policy statement must contain resources.", place)
        for name in ("Resource", "NotResource"):
            if self._rules.resource == "never" and name in element:
                refuse(f"Has prohibited field {name}", f"{place}.{name}")
        for name in ("Principal", "NotPrincipal"):
            if self._rules.principal == "never" and name in element:
                refuse("Policy document should not specify a principal.", f"{place}.{name}")
        if self._rules.principal == "must" and "Principal" not in element and "NotPrincipal" not in element:
            refuse("Missing required field Principal", place)
        if self._kind == "rcp" and element.get("Principal") != "*":
            refuse("A resource control policy applies to every principal (*).", f"{place}.Principal")

    def _sid(self, element: Mapping[str, Any], place: str) -> str:
        sid = string_of(element, "Sid", place)
        if not (_SID if self._rules.principal == "never" else _FREE_SID).fullmatch(sid):
            refuse(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
                "[0-9A-Za-z]*",
                f"{place}.Sid",
            )
        return sid

    def _check_resource(self, text: str, place: str) -> None:
        if text != "*":
            fields = text.split(":", match.ARN_FIELDS - 1)
            if fields[0] != "arn" or len(fields) < 2:
                refuse(f'Resource {text} must be in ARN format or "*".', place)
            if not _PARTITION.fullmatch(fields[1]):
                full = ":".join(fields + ["*"] * (match.ARN_FIELDS - len(fields)))
                refuse(f'Partition "{fields[1]}" is not valid for resource "{full}".', place)
            if len(fields) < 3 or not _SERVICE.fullmatch(fields[2]):
                refuse("Resource vendor must be fully qualified and cannot contain regexes.", place)
        readable(partial(match.resource, text, variables=self._variables), place)

    def _conditions(self, written: object, place: str) -> tuple[Condition, ...]:
        found = []
        for operator, keys in object_of(written, place, None).items():
            readable(partial(operators.read, operator), f"{place}.{operator[:100]}")
            for key, values in object_of(keys, f"{place}.{operator}", None).items():
                at = f"{place}.{operator}.{key[:200]}"
                if not _KEY.fullmatch(key):
                    refuse("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", at)
                one = Condition(operator, key, values_of(values, at))
                readable(partial(operators.build, *one, variables=self._variables), at)
                found.append(one)
        return tuple(found)


def _check_action(text: str, place: str) -> None:
    if text == "*":
        return
    vendor, colon, verb = text.partition(":")
    if not colon:
        refuse("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", place)
    if ":" in verb:
        refuse("Actions/Condition can contain only one colon.", place)
    if not _VENDOR.fullmatch(vendor):
        refuse(f"Vendor {vendor} is not valid", place)
    if not _VERB.fullmatch(verb):
        refuse(SYNTAX, place)


def _principals(element: Mapping[str, Any], name: str, place: str) -> tuple[Named, ...]:
    written = element.get(name)
    if name not in element:
        return ()
    place = f"{place}.{name}"
    if written == "*":
        return (Named("*", "*"),)
    found = []
    for label, values in object_of(written, place, frozenset(_PRINCIPAL_TYPES)).items():
        kind = _PRINCIPAL_TYPES[label]
        listed = values if isinstance(values, list) else [values]
        for value in listed:
            if not isinstance(value, str) or isinstance(value, Number) or not _names_someone(kind, value):
                shown = value if isinstance(value, str) else "…"
                refuse(f'Invalid principal in policy: "{label}":"{shown[:200]}"', f"{place}.{label}")
            found.append(Named("*", "*") if kind == "AWS" and value == "*" else Named(kind, str(value)))
    if not found:
        refuse(SYNTAX, place)
    return tuple(found)


def _names_someone(kind: PrincipalType, value: str) -> bool:
    if kind == "AWS":
        return value == "*" or any(shape.fullmatch(value) for shape in (_ACCOUNT, _UNIQUE_ID, _PRINCIPAL_ARN))
    if kind == "Service":
        return value == "*" or _SERVICE_PRINCIPAL.fullmatch(value) is not None
    return bool(value) and not value.isspace()


def _unique_sids(statements: tuple[Statement, ...]) -> None:
    seen: set[str] = set()
    for statement in statements:
        if statement.sid and statement.sid in seen:
            refuse("Statement IDs (SID) in a single policy must be unique.", f"Statement[{statement.index}].Sid")
        seen.add(statement.sid)


def _size(text: str) -> int:
    return len(text) - sum(map(str.isspace, text))

"""Policy documents: what they may say, and their reading into values.

Owns the grammar of policies (versions 2008-10-17 and 2012-10-17), what each kind of policy must and must not hold, its
size limit, and MalformedPolicyDocument, which names the place. A document is refused for what AWS refuses and also for
a condition value that its operator can never read ("abc" for a number): a Deny that never applies is worse than an
error. It must not know what a request is, nor decide. Pure.
Sources: IAM user guide, "Grammar of the IAM JSON policy language" and "IAM and AWS STS quotas"; the texts are AWS's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Literal, NamedTuple, NoReturn

import msgspec

from craton.aws.access import match
from craton.aws.access.conditions import operators
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


class MalformedPolicyDocument(Fault):
    """A policy that says nothing, with the place: ``Statement[1].Action[0]``. Status 400."""

    __slots__ = ("place",)

    def __init__(self, text: str, place: str = "") -> None:
        super().__init__("MalformedPolicyDocument", f"{text} (at {place})" if place else text, status=400)
        self.place = place


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
    document = _object(_load(text), "", _TOP)
    version = document.get("Version", _OLD)
    if version not in VERSIONS:
        _refuse("Policy document must be version 2012-10-17 or greater.", "Version")
    written = document.get("Statement")
    listed = written if isinstance(written, list) else [written]
    if written is None or not listed or len(listed) > _MAX_STATEMENTS:
        _refuse(SYNTAX, "Statement")
    reader = _Reader(kind, version != _OLD)
    statements = tuple(
        reader.statement(one, at, f"Statement[{at}]" if isinstance(written, list) else "Statement")
        for at, one in enumerate(listed)
    )
    _unique_sids(statements)
    return Policy(kind=kind, name=name, version=version, statements=statements, id=_string(document, "Id", ""))


def check_size(text: str, kind: Kind) -> None:
    """Raise Fault LimitExceeded for a document over its kind's limit."""
    rules = RULES[kind]
    # Bytes are never fewer than characters, and white space is what a bound on the raw text must allow for.
    if len(text) > rules.limit and (rules.spaces or len(text) > 20 * rules.limit or _size(text) > rules.limit):
        raise Fault("LimitExceeded", f"Cannot exceed quota for PolicySize: {rules.limit}", status=409)


SYNTAX: Final = "Syntax errors in policy."
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
_KEY: Final = re.compile(r"[A-Za-z0-9._-]+:[^\x00-\x1f]+", re.ASCII)
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
        element = _object(written, place, _ELEMENTS)
        effect = element.get("Effect")
        if effect not in ("Allow", "Deny"):
            _refuse(SYNTAX, f"{place}.Effect")
        self._presence(element, place)
        return Statement(
            index=index,
            effect=effect,
            sid=self._sid(element, place),
            actions=_strings(element, "Action", place, _check_action),
            not_actions=_strings(element, "NotAction", place, _check_action),
            resources=_strings(element, "Resource", place, self._check_resource),
            not_resources=_strings(element, "NotResource", place, self._check_resource),
            principals=_principals(element, "Principal", place),
            not_principals=_principals(element, "NotPrincipal", place),
            conditions=self._conditions(element.get("Condition"), f"{place}.Condition"),
        )

    def _presence(self, element: Mapping[str, Any], place: str) -> None:
        """Which elements must be there, and which may not, by kind and by each other."""
        for name in ("Action", "Resource", "Principal"):
            if name in element and f"Not{name}" in element:
                _refuse(SYNTAX, f"{place}.Not{name}")
        if not (element.get("Action") or element.get("NotAction")):
            _refuse("Policy statement must contain actions.", place)
        has_resource = bool(element.get("Resource") or element.get("NotResource"))
        if self._rules.resource == "must" and not has_resource:
            _refuse("Policy statement must contain resources.", place)
        for name in ("Resource", "NotResource"):
            if self._rules.resource == "never" and name in element:
                _refuse(f"Has prohibited field {name}", f"{place}.{name}")
        for name in ("Principal", "NotPrincipal"):
            if self._rules.principal == "never" and name in element:
                _refuse("Policy document should not specify a principal.", f"{place}.{name}")
        if self._rules.principal == "must" and "Principal" not in element and "NotPrincipal" not in element:
            _refuse("Missing required field Principal", place)
        if self._kind == "rcp" and element.get("Principal") != "*":
            _refuse("A resource control policy applies to every principal (*).", f"{place}.Principal")

    def _sid(self, element: Mapping[str, Any], place: str) -> str:
        sid = _string(element, "Sid", place)
        if not (_SID if self._rules.principal == "never" else _FREE_SID).fullmatch(sid):
            _refuse(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
                "[0-9A-Za-z]*",
                f"{place}.Sid",
            )
        return sid

    def _check_resource(self, text: str, place: str) -> None:
        if text != "*":
            fields = text.split(":", match.ARN_FIELDS - 1)
            if fields[0] != "arn" or len(fields) < 2:
                _refuse(f'Resource {text} must be in ARN format or "*".', place)
            if not _PARTITION.fullmatch(fields[1]):
                full = ":".join(fields + ["*"] * (match.ARN_FIELDS - len(fields)))
                _refuse(f'Partition "{fields[1]}" is not valid for resource "{full}".', place)
            if len(fields) < 3 or not _SERVICE.fullmatch(fields[2]):
                _refuse("Resource vendor must be fully qualified and cannot contain regexes.", place)
        _readable(partial(match.resource, text, variables=self._variables), place)

    def _conditions(self, written: object, place: str) -> tuple[Condition, ...]:
        if written is None:
            return ()
        found = []
        for operator, keys in _object(written, place, None).items():
            _readable(partial(operators.read, operator), f"{place}.{operator[:100]}")
            for key, values in _object(keys, f"{place}.{operator}", None).items():
                at = f"{place}.{operator}.{key[:200]}"
                if not _KEY.fullmatch(key):
                    _refuse("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", at)
                one = Condition(operator, key, _values(values, at))
                _readable(partial(operators.build, *one, variables=self._variables), at)
                found.append(one)
        return tuple(found)


def _refuse(text: str, place: str) -> NoReturn:
    raise MalformedPolicyDocument(text, place)


def _readable(read: Callable[[], object], place: str) -> None:
    """Turn a value's own complaint into one that says where."""
    try:
        read()
    except ValueError as error:
        raise MalformedPolicyDocument(f"{SYNTAX[:-1]}: {error}.", place) from None


class _Number(str):
    """A number or a boolean of the document, kept as it is written."""

    __slots__ = ()


def _load(text: str) -> Any:
    """The JSON value; refuses a name given twice, which readers of policies would judge differently."""

    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(members)
        if len(found) != len(members):
            names = [name for name, _ in members]
            twice = next(name for name in names if names.count(name) > 1)
            _refuse(SYNTAX, f"{twice[:100]}, which is given twice")
        return found

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_int=_Number, parse_float=_Number, parse_constant=_Bad)
    except json.JSONDecodeError as error:
        raise MalformedPolicyDocument(SYNTAX, f"line {error.lineno}, column {error.colno}") from None
    except (ValueError, RecursionError):
        raise MalformedPolicyDocument(SYNTAX) from None


def _Bad(name: str) -> NoReturn:  # noqa: N802
    raise ValueError(name)


def _object(value: object, place: str, allowed: frozenset[str] | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(SYNTAX, place)
    for name in value:
        if allowed is not None and name not in allowed:
            _refuse(SYNTAX, f"{place}.{name[:100]}" if place else name[:100])
    return value


def _string(element: Mapping[str, Any], name: str, place: str) -> str:
    value = element.get(name, "")
    if not isinstance(value, str) or isinstance(value, _Number):
        _refuse(SYNTAX, f"{place}.{name}" if place else name)
    return value


def _strings(element: Mapping[str, Any], name: str, place: str, check: Callable[[str, str], None]) -> tuple[str, ...]:
    value = element.get(name)
    if value is None:
        return ()
    several = isinstance(value, list)
    for at, one in enumerate(value if several else [value]):
        here = f"{place}.{name}[{at}]" if several else f"{place}.{name}"
        if not isinstance(one, str) or isinstance(one, _Number):
            _refuse(SYNTAX, here)
        check(one, here)
    return tuple(value) if several else (value,)


def _values(value: object, place: str) -> tuple[str, ...]:
    """A condition's values as strings; numbers and booleans may stand without quotes."""
    several = value if isinstance(value, list) else [value]
    for one in several:
        if not isinstance(one, str | bool):
            _refuse(SYNTAX, place)
    return tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in several)


def _check_action(text: str, place: str) -> None:
    if text == "*":
        return
    vendor, colon, verb = text.partition(":")
    if not colon:
        _refuse("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", place)
    if ":" in verb:
        _refuse("Actions/Condition can contain only one colon.", place)
    if not _VENDOR.fullmatch(vendor):
        _refuse(f"Vendor {vendor} is not valid", place)
    if not _VERB.fullmatch(verb):
        _refuse(SYNTAX, place)


def _principals(element: Mapping[str, Any], name: str, place: str) -> tuple[Named, ...]:
    written = element.get(name)
    if name not in element:
        return ()
    place = f"{place}.{name}"
    if written == "*":
        return (Named("*", "*"),)
    found = []
    for label, values in _object(written, place, frozenset(_PRINCIPAL_TYPES)).items():
        kind = _PRINCIPAL_TYPES[label]
        listed = values if isinstance(values, list) else [values]
        for value in listed:
            if not isinstance(value, str) or isinstance(value, _Number) or not _names_someone(kind, value):
                shown = value if isinstance(value, str) else "…"
                _refuse(f'Invalid principal in policy: "{label}":"{shown[:200]}"', f"{place}.{label}")
            found.append(Named("*", "*") if kind == "AWS" and value == "*" else Named(kind, str(value)))
    if not found:
        _refuse(SYNTAX, place)
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
            _refuse("Statement IDs (SID) in a single policy must be unique.", f"Statement[{statement.index}].Sid")
        seen.add(statement.sid)


def _size(text: str) -> int:
    return len(text) - sum(map(str.isspace, text))

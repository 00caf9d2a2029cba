"""What a request needs, read from the action table, its path and its body, for operations without a handler.

Owns how members of requests name resources: which label or member holds the id of which kind, and which members hold a
role, tags or a guardrail. Operations that are built know their resources better and ask for themselves; this is so that
nobody who may not ask an operation learns whether it is built. It must not know verdicts. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from string import Formatter
from typing import Any, Final

from craton.aws.access import s3_actions
from craton.aws.access.actions import RESOURCES, SERVICES, TAGGABLE, ActionTable, Need, arn_of
from craton.aws.access.keys import NOTHING
from craton.aws.access.request import tag_keys
from craton.aws.access.variables import Keys

Needed = tuple[str, str, Keys]
"""An action, the resource it is done on, and the condition keys that the request brings."""

ANYTHING: Final = "*"
# Where an id of each kind may stand: placeholder of `RESOURCES` → names of labels and members, compared in lower case.
_AGENT: Final = ("agentid",)
_FLOW: Final = ("flowidentifier",)
_JOB: Final = {"id": ("jobidentifier", "jobarn")}
_POLICY: Final = {"id": ("policyarn",)}
_MEMBERS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "advanced-prompt-optimization-job": _JOB,
    "agent": {"id": _AGENT},
    "agent-alias": {"id": _AGENT, "alias": ("agentaliasid",)},
    "application-inference-profile": {"id": ("inferenceprofileidentifier",)},
    "async-invoke": {"id": ("invocationarn",)},
    "automated-reasoning-policy": _POLICY,
    "custom-model": {"id": ("modelidentifier", "modelarn", "sourcemodelarn", "resourcearn")},
    "custom-model-deployment": {"id": ("custommodeldeploymentidentifier",)},
    "evaluation-job": _JOB,
    "flow": {"id": _FLOW},
    "flow-alias": {"id": _FLOW, "alias": ("aliasidentifier", "flowaliasidentifier")},
    "flow-execution": {"id": _FLOW, "alias": ("flowaliasidentifier",), "execution": ("executionidentifier",)},
    "foundation-model": {"id": ("modelidentifier", "modelid", "basemodelidentifier", "basemodelarn")},
    "guardrail": {"id": ("guardrailidentifier", "guardrailid", "resourcearn")},
    "imported-model": {"id": ("modelidentifier",)},
    "inference-profile": {"id": ("inferenceprofileidentifier",)},
    "knowledge-base": {"id": ("knowledgebaseid", "knowledgebaseidentifier", "resourcearn")},
    "model-copy-job": _JOB,
    "model-customization-job": _JOB,
    "model-import-job": _JOB,
    "model-invocation-job": _JOB,
    "prompt": {"id": ("promptidentifier",)},
    "prompt-router": {"id": ("promptrouterarn",)},
    "provisioned-model": {"id": ("provisionedmodelid",)},
    "retrieval-instruction": {"id": ("retrievalinstructionid",)},
    "session": {"id": ("sessionidentifier",)},
}
_PASSED_TO: Final[Keys] = {"iam:passedtoservice": "bedrock.amazonaws.com"}
_DEEPEST: Final = 8
Found = dict[str, list[Any]]


def needs_of(
    table: ActionTable,
    service: str,
    operation: str,
    labels: Mapping[str, str],
    body: object,
    region: str,
    account: str,
) -> list[Needed]:
    """Everything that a caller must be allowed, the operation's own action first.

    `body` is the decoded JSON, or None. A resource that cannot be told from the request is ``*``, which only those
    may use whose policy names no resource.
    """
    if service == "s3":
        return [(s3_actions.action_of(operation), s3_actions.resource_of(operation, labels), NOTHING)]
    if service not in SERVICES:
        return [(f"{service}:{operation}", ANYTHING, NOTHING)]
    members = dict(found_in(labels))
    for name, values in found_in(body).items():
        members.setdefault(name, []).extend(values)
    tags = tags_in(members)
    own, *besides = table.needs(service, operation)
    needed: list[Needed] = [
        (own.action, resource, tag_keys(request_tags=tags)) for resource in resources_of(own, members, region, account)
    ]
    for need in besides:
        read = _WHEN.get(need.when)
        if read is not None:
            needed += read(need, members, region, account)
    return needed


def resources_of(need: Need, members: Found, region: str, account: str) -> list[str]:
    """The resources of the first kind whose every id the request names; ``*`` where there is none."""
    if need.resources == (TAGGABLE,):
        return [str(arn) for arn in members.get("resourcearn", ())] or [ANYTHING]
    # What needs more ids says more: an alias before its agent.
    for kind in sorted(need.resources, key=lambda kind: -len(_MEMBERS.get(kind, ()))):
        named = _named(kind, members, region, account)
        if named is not None:
            return [named]
    return [ANYTHING]


def _named(kind: str, members: Found, region: str, account: str) -> str | None:
    if kind in RESOURCES and not any(field for _, field, _, _ in Formatter().parse(RESOURCES[kind])):
        return arn_of(kind, region, account)
    ids: dict[str, str] = {}
    for placeholder, names in _MEMBERS.get(kind, {}).items():
        given = next((members[name][0] for name in names if members.get(name)), None)
        if not isinstance(given, str):
            return None
        if given.startswith("arn:"):
            return given
        ids[placeholder] = given
    return arn_of(kind, region, account, **ids) if ids else None


def found_in(value: object, depth: int = 0) -> Found:
    """Every value by its member's name in lower case, wherever it stands, outer ones first."""
    found: Found = {}
    for name, one in _members(value):
        found.setdefault(name.lower(), []).append(one)
    if depth < _DEEPEST:
        inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        for one in inner:
            for name, values in found_in(one, depth + 1).items():
                found.setdefault(name, []).extend(values)
    return found


def _members(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, one in value.items():
            if isinstance(name, str):
                yield name, one


def tags_in(members: Found) -> dict[str, str]:
    """The tags that a request gives to what it makes: a map, or a list of pairs, under any name that ends in tags."""
    tags: dict[str, str] = {}
    for name, values in members.items():
        if not name.endswith("tags"):
            continue
        for given in values:
            if isinstance(given, Mapping):
                tags.update({str(key): str(value) for key, value in given.items()})
            elif isinstance(given, list):
                pairs = [one for one in given if isinstance(one, Mapping)]
                tags.update({str(one.get("key")): str(one.get("value")) for one in pairs})
    return tags


# --- what is needed besides, by the case in which it is ---


def _roles(need: Need, members: Found, region: str, account: str) -> list[Needed]:
    del region, account
    named = {str(one) for name, values in members.items() if name.endswith("rolearn") for one in values}
    return [(need.action, role, _PASSED_TO) for role in sorted(named)]


def _tags(need: Need, members: Found, region: str, account: str) -> list[Needed]:
    del region, account
    tags = tags_in(members)
    return [(need.action, ANYTHING, tag_keys(request_tags=tags))] if tags else []


def _guardrails(need: Need, members: Found, region: str, account: str) -> list[Needed]:
    named = _named("guardrail", {**members, "resourcearn": []}, region, account)
    return [] if named is None else [(need.action, named, NOTHING)]


def _knowledge(need: Need, members: Found, region: str, account: str) -> list[Needed]:
    named = _named("knowledge-base", members, region, account)
    return [] if named is None else [(need.action, named, NOTHING)]


def _models(need: Need, members: Found, region: str, account: str) -> list[Needed]:
    named = _named("foundation-model", {**members, "modelid": members.get("modelarn", [])}, region, account)
    return [] if named is None else [(need.action, named, NOTHING)]


_WHEN: Final[Mapping[str, Callable[[Need, Found, str, str], list[Needed]]]] = {
    "role": _roles,
    "tags": _tags,
    "guardrail": _guardrails,
    "knowledge base": _knowledge,
    "model": _models,
}

"""What requests bring along: tags and policy documents, checked by IAM's rules.

Owns the limits that no model states: how many tags, whose keys differ by more than case, how long a document of which
kind may be. It must not know any operation or the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from craton.aws.access.policy import Kind, parse
from craton.aws.access.request import tag_keys
from craton.aws.access.variables import Value
from craton.services.iam.nouns import invalid, limit

MAX_TAGS: Final = 50
TWICE: Final = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
RESERVED: Final = "System tags cannot be added/updated/deleted by a requester."

Tags = dict[str, str]


def tags(pairs: Iterable[Any] | None) -> Tags:
    """The tags of a request (members Key and Value). Raises InvalidInput."""
    found: Tags = {}
    for pair in pairs or ():
        if pair.Key.lower() in {key.lower() for key in found}:
            raise invalid(TWICE)
        if pair.Key.lower().startswith("aws:"):
            raise invalid(RESERVED)
        found[pair.Key] = pair.Value
    return found


def merged(kept: Tags, given: Tags, quota: str) -> Tags:
    """Old tags and new: a key that differs in case only is the same one, spelt anew. Raises LimitExceeded."""
    spelt = {key.lower() for key in given}
    together = {**{key: value for key, value in kept.items() if key.lower() not in spelt}, **given}
    if len(together) > MAX_TAGS:
        raise limit(quota, MAX_TAGS)
    return together


def request_keys(given: Tags, boundary: str | None = None) -> dict[str, Value]:
    """The condition keys that a request's tags and boundary make."""
    keys = tag_keys(request_tags=given)
    if boundary is not None:
        keys["iam:permissionsboundary"] = boundary
    return keys


def policy(document: str, kind: Kind = "identity") -> str:
    """The document itself, when it can be read. Raises MalformedPolicyDocument, naming the place, LimitExceeded."""
    parse(document, kind)
    return document


def size(document: str) -> int:
    """A document's characters as quotas count them: white space does not."""
    return len(document) - sum(map(str.isspace, document))

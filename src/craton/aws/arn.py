"""Amazon resource names: ``arn:partition:service:region:account:resource``. Parse and format, nothing else.

This file knows no service: which resource types exist, and whether their region or account is empty, is for others.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_SHAPE = re.compile(
    r"arn:(aws[a-z0-9-]{0,24}):([a-z0-9-]{1,64}):([a-z0-9-]{0,32}):([0-9]{12}|aws)?:(\S.{0,2047})", re.ASCII
)


class Arn(NamedTuple):
    """One name in its parts. ``region`` and ``account`` are empty where the resource has none.

    ``resource`` is everything after the account, e.g. ``foundation-model/anthropic.claude-v2``.
    """

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"

    @property
    def type(self) -> str:
        """The resource's type: what stands before the first slash or colon, or the whole where there is neither."""
        return _split(self.resource)[0]

    @property
    def id(self) -> str:
        """The resource's id: what follows its type; empty where the resource has no type."""
        return _split(self.resource)[1]


def parse(text: str) -> Arn | None:
    """Return the parts of ``text``, None for what is no ARN (so that an id can be told from one in a line)."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return None
    partition, service, region, account, resource = match.groups(default="")
    return Arn(partition, service, region, account, resource)


def make(service: str, region: str, account: str, resource: str, partition: str = "aws") -> str:
    """Return an ARN; raises ValueError for parts that would make none."""
    text = f"arn:{partition}:{service}:{region}:{account}:{resource}"
    if parse(text) is None:
        raise ValueError(f"not an ARN: {text!r}")
    return text


def _split(resource: str) -> tuple[str, str]:
    slash, colon = resource.find("/"), resource.find(":")
    at = min(position for position in (slash, colon, len(resource)) if position >= 0)
    return resource[:at], resource[at + 1 :]

"""The managed policies that are there from the beginning, under the ARNs that AWS's have.

Owns their reading from `managed.json`, whose texts are Craton's own: AWS's are longer, and speak of services that are not
here. They belong to no account and never change while a server runs. Pure but for reading its own package data.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

PREFIX = "arn:aws:iam::aws:policy/"
MADE_AT = datetime(2023, 12, 6, tzinfo=UTC)
VERSION = "v1"


class AwsPolicy(msgspec.Struct, frozen=True):
    """One such policy."""

    name: str
    id: str
    description: str
    document: str

    @property
    def arn(self) -> str:
        return PREFIX + self.name


class _Written(msgspec.Struct):
    name: str
    id: str
    description: str
    document: dict[str, Any]


@cache
def aws_policies() -> Mapping[str, AwsPolicy]:
    """All of them by ARN, in the order of their names."""
    written = msgspec.json.decode(Path(__file__).with_name("managed.json").read_bytes(), type=list[_Written])
    made = [AwsPolicy(one.name, one.id, one.description, _text(one.document)) for one in written]
    return MappingProxyType({one.arn: one for one in sorted(made, key=lambda policy: policy.name)})


def _text(document: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()

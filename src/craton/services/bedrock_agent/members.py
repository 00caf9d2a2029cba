"""Configurations that have a type and one member for it: the rule that every such structure of the API shares.

Pure; it must not know any configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from craton.aws.wire.faults import validation


def check_members(config: Mapping[str, Any], needed: str | None, where: str, type_member: str = "type") -> None:
    """Raise ValidationException unless a configuration has the member of its type, and none of another type."""
    kind = config[type_member]
    if needed is not None and needed not in config:
        raise validation(f"{where}: the type {kind} needs the member {needed}.")
    for member in config:
        if member not in (type_member, needed):
            raise validation(f"{where}: the member {member} does not belong to the type {kind}.")

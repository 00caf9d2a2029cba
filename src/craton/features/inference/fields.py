"""`additionalModelResponseFieldPaths`: JSON Pointers (RFC 6901) into the native reply of the model's family.

The result is an object keyed by each pointer's last field (reference: converse.md); a path that leads nowhere is
left out, a malformed one is a ValidationException.
"""

from __future__ import annotations

from typing import Any

from craton.aws.wire.faults import validation
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.dialect import Shown

_MISSING = object()


def check_paths(paths: list[str] | None) -> None:
    """Raise ValidationException for a path that is no JSON Pointer."""
    for position, path in enumerate(paths or ()):
        if not path.startswith("/") or "~" in path.replace("~0", "").replace("~1", ""):
            raise validation(
                f"The value at additionalModelResponseFieldPaths.{position} is not a valid JSON Pointer. "
                "Provide a JSON Pointer that starts with / and try again."
            )


def tokens(path: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in path[1:].split("/")]


def pick(document: Any, paths: list[str]) -> dict[str, Any] | None:
    """What the pointers find, or None if they find nothing."""
    found: dict[str, Any] = {}
    for path in paths:
        names = tokens(path)
        value = document
        for name in names:
            value = step(value, name)
        if value is not _MISSING and value is not None:
            found[names[-1]] = value
    return found or None


def step(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name, _MISSING)
    if isinstance(value, list) and name.isdigit() and int(name) < len(value):
        return value[int(name)]
    return _MISSING


def shown(request_id: str, request: ConverseRequest) -> Shown:
    return Shown(model=request.model_id, request=request, request_id=request_id)

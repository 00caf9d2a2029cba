"""What a target gets of an event: the event itself, a constant, a part of it, or a text made of parts.

Owns paths into events and templates. Pure. Source: EventBridge user guide, "Amazon EventBridge input transformation".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

_PATH: Final = re.compile(r"\$(?:\.[^.\[\]'\"\s]+|\['[^']+'\]|\[\d{1,6}\])*")
_STEP: Final = re.compile(r"\.([^.\[\]'\"\s]+)|\['([^']+)'\]|\[(\d{1,6})\]")
_PLACE: Final = re.compile(r"<([A-Za-z0-9_.\-]+)>")
RESERVED: Final = (
    "aws.events.rule-arn", "aws.events.rule-name", "aws.events.event.ingestion-time", "aws.events.event",
    "aws.events.event.json",
)  # fmt: skip


class Transformer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A template, and the paths of what stands in it as `<name>`."""

    template: str
    paths: dict[str, str] = {}


class BadTransform(Exception):
    """A path or template that AWS does not take; the message says why."""


def check_path(path: str) -> None:
    """Raise BadTransform for what is no path."""
    if _PATH.fullmatch(path) is None:
        raise BadTransform(f"Invalid input path {path}")


def check(transformer: Transformer) -> None:
    """Raise BadTransform for a template with a place that nothing stands for, or a path that is none."""
    for name, path in transformer.paths.items():
        if name.lower().startswith("aws."):
            raise BadTransform(f"InputPathsMap key {name} is reserved")
        check_path(path)
    for name in _PLACE.findall(transformer.template):
        if name not in transformer.paths and name not in RESERVED:
            raise BadTransform(f"InputTemplate for target contains placeholder {name} which is not in InputPathsMap")


_NOTHING: Final = object()


def at(path: str, event: Any) -> Any:
    """What stands at a path; `_NOTHING` where it leads nowhere."""
    value = event
    for name, quoted, index in _STEP.findall(path):
        if index:
            value = value[int(index)] if isinstance(value, list) and int(index) < len(value) else _NOTHING
        else:
            value = value.get(name or quoted, _NOTHING) if isinstance(value, dict) else _NOTHING
    return value


def part(path: str, event: Mapping[str, Any]) -> bytes:
    """InputPath: what stands there as JSON; null where nothing does."""
    found = at(path, event)
    return msgspec.json.encode(None if found is _NOTHING else found)


def rendered(transformer: Transformer, event: Mapping[str, Any], rule_arn: str, ingested: str) -> bytes:
    """InputTransformer: the template filled in, as JSON. A text that is not JSON is told as a JSON string.

    A value within quotes is written as its text; outside of them as JSON, null where its path leads nowhere.
    """
    values = {name: at(path, event) for name, path in transformer.paths.items()}
    without_detail = {name: value for name, value in event.items() if name != "detail"}
    values |= dict(zip(RESERVED, (rule_arn, rule_arn.rpartition("/")[2], ingested, without_detail, event), strict=True))
    template, out, end, quoted = transformer.template, [], 0, False
    for found in _PLACE.finditer(template):
        before = template[end : found.start()]
        out.append(before)
        quoted ^= _quotes(before) % 2 == 1
        out.append(_within(values[found[1]]) if quoted else _outside(values[found[1]]))
        end = found.end()
    text = "".join((*out, template[end:]))
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode(text)
    return text.encode()


def _quotes(text: str) -> int:
    """How many quotation marks open or close a string here."""
    return len(re.findall(r'(?<!\\)(?:\\\\)*"', text))


def _within(value: Any) -> str:
    """A value inside a string of the template."""
    if value is _NOTHING:
        return ""
    if isinstance(value, str):
        return msgspec.json.encode(value)[1:-1].decode()
    return msgspec.json.encode(msgspec.json.encode(value).decode())[1:-1].decode()


def _outside(value: Any) -> str:
    return msgspec.json.encode(None if value is _NOTHING else value).decode()

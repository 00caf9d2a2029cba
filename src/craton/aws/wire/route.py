"""Finds the operation that a method, a raw path and a query name, and the labels that the path carries.

This file owns path templates of models (``/model/{modelId}/invoke``, ``/{Key+}``, ``/x?list-type=2``) and percent
decoding of path segments. It must not know what a service does, how a body looks, or who is calling.

Templates are grouped by method and number of segments; within a group, those whose literals stand at the same
places share one dictionary keyed by the literals. A match is therefore one or a few dictionary look-ups, whatever
the number of operations. The raw path is the truth: an ARN with ``%2F`` is one segment, and a trailing slash is a
segment of its own (empty), so ``POST /agents/{id}/`` and ``POST /agents/{id}`` never meet.
"""

from __future__ import annotations

import re
import sys
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

import msgspec

from craton.aws.wire import faults, pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from craton.aws.wire.model import Operation, Service

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


class Match(NamedTuple):
    """What a request names. ``labels`` are keyed by the template's names and percent-decoded once."""

    operation: Operation
    labels: dict[str, str]


class _Route(msgspec.Struct, frozen=True, eq=False):
    """One template. ``slots`` are (segment index, label name); ``greedy`` the index where ``{Key+}`` begins."""

    operation: Operation
    segments: tuple[str, ...]
    slots: tuple[tuple[int, str], ...]
    query: frozenset[tuple[str, str]]
    greedy: int | None
    accepts: Callable[[dict[str, str]], bool]


class _Mask(msgspec.Struct, frozen=True, eq=False):
    """All templates of one method and length whose literals stand at the same indexes."""

    pick: Callable[[list[str]], object]
    routes: dict[object, list[_Route]]


class Router:
    """Routes over the operations of the given services; built once, read by every request."""

    def __init__(self, services: Iterable[Service]) -> None:
        groups: dict[tuple[str, int], dict[tuple[int, ...], list[_Route]]] = {}
        self._greedy: dict[str, list[_Route]] = {}
        for service in services:
            for operation in service.operations.values():
                route = _route(operation)
                if route.greedy is not None:
                    self._greedy.setdefault(operation.method, []).append(route)
                    continue
                literals = _literals(route)
                group = groups.setdefault((operation.method, len(route.segments)), {})
                group.setdefault(literals, []).append(route)
        for routes in self._greedy.values():
            routes.sort(key=lambda route: (-len(route.segments), -len(route.query)))
        self._groups = {key: _masks(group) for key, group in groups.items()}

    def match(self, method: str, raw_path: bytes | str, query: bytes | str = b"") -> Match:
        """Return the operation for a request line.

        Args:
            method: the HTTP method in capitals.
            raw_path: the path as it was sent, still percent-encoded, without the query.
            query: the raw query string; read only where templates differ by a fixed query.

        Raises:
            Fault: UnknownOperationException (404) where nothing matches, ValidationException (400) where a segment is
                not valid percent-encoded UTF-8.
        """
        path = raw_path if isinstance(raw_path, str) else _text(raw_path)
        segments = path.split("/")
        for mask in self._groups.get((method, len(segments)), ()):
            routes = mask.routes.get(mask.pick(segments))
            if routes is not None:
                found = _choose(routes, segments, query)
                if found is not None:
                    return found
        for route in self._greedy.get(method, ()):
            found = _match_greedy(route, segments, query)
            if found is not None:
                return found
        raise faults.unknown_operation()


def decode_segment(segment: str) -> str:
    """Percent-decode one path segment once; raises a Fault for broken escapes and for bytes that are not UTF-8."""
    if "%" not in segment:
        return segment
    # What SDKs escape in model ids and ARNs; neither ":" nor "/" can make a new escape, so the rest decodes once too.
    segment = segment.replace("%3A", ":").replace("%2F", "/")
    if "%" not in segment:
        return segment
    raw = segment.encode()
    if _BAD_ESCAPE.search(raw):
        raise faults.validation("The request path holds an invalid percent-encoded sequence.")
    return _text(_ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), raw))


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise faults.validation("The request path is not valid UTF-8.") from None


def _choose(routes: list[_Route], segments: list[str], query: bytes | str) -> Match | None:
    """Pick among templates that differ at most by a fixed query or by the resources that their labels accept.

    Two services may publish the same template (``/tags/{resourceArn}``). The model itself tells them apart: the
    label's own pattern. Where no pattern accepts the value, the first service answers, and it answers with the
    validation error that a bad ARN deserves.
    """
    if routes[0].query:
        given = set(parse_qsl(_text(query) if isinstance(query, bytes) else query, keep_blank_values=True))
        fitting = [route for route in routes if route.query <= given]
        routes = [route for route in fitting if len(route.query) == len(fitting[0].query)]
    first: Match | None = None
    for route in routes:
        labels = {name: decode_segment(segments[index]) for index, name in route.slots}
        if "" in labels.values():
            continue
        if len(routes) == 1 or route.accepts(labels):
            return Match(route.operation, labels)
        first = first or Match(route.operation, labels)
    return first


def _match_greedy(route: _Route, segments: list[str], query: bytes | str) -> Match | None:
    surplus = len(segments) - len(route.segments)
    at = route.greedy
    if at is None or surplus < 0:
        return None
    folded = [*segments[:at], "/".join(segments[at : at + surplus + 1]), *segments[at + surplus + 1 :]]
    if any(want != have for want, have in zip(route.segments, folded, strict=True) if want):
        return None
    return _choose([route], folded, query)


def _route(operation: Operation) -> _Route:
    path, _, fixed = operation.uri.partition("?")
    segments: list[str] = []
    slots: list[tuple[int, str]] = []
    greedy: int | None = None
    for index, segment in enumerate(path.split("/")):
        if not segment.startswith("{"):
            segments.append(segment)
            continue
        name = segment[1:-1]
        if name.endswith("+"):
            name, greedy = name[:-1], index
        segments.append("")
        slots.append((index, name))
    return _Route(
        operation=operation,
        segments=tuple(segments),
        slots=tuple(slots),
        query=frozenset(parse_qsl(fixed, keep_blank_values=True)),
        greedy=greedy,
        accepts=_label_test(operation),
    )


def _label_test(operation: Operation) -> Callable[[dict[str, str]], bool]:
    """Return a test of labels against the model's own patterns; compiled on the first ambiguous request."""

    def accepts(labels: dict[str, str]) -> bool:
        shape = operation.input_shape()
        for member in shape.members.values() if shape else ():
            wanted = operation.model.shapes[member.shape].pattern
            label = labels.get(member.wire) if member.location == "uri" else None
            if label and wanted and not pattern.compiled(wanted).search(label):
                return False
        return True

    return accepts


def _literals(route: _Route) -> tuple[int, ...]:
    """Return the indexes of literal segments; index 0 (before the first slash) and a trailing slash count as such."""
    labelled = {index for index, _ in route.slots}
    return tuple(index for index in range(len(route.segments)) if index not in labelled)


def _masks(group: dict[tuple[int, ...], list[_Route]]) -> list[_Mask]:
    """Order masks so that a literal further left beats a label, and a fixed query beats none."""
    masks: list[_Mask] = []
    for literals in sorted(group, key=lambda indexes: (*indexes, sys.maxsize)):
        routes: dict[object, list[_Route]] = {}
        pick = itemgetter(*literals)
        for route in group[literals]:
            routes.setdefault(pick(route.segments), []).append(route)
        for same in routes.values():
            same.sort(key=lambda route: -len(route.query))
        masks.append(_Mask(pick=pick, routes=routes))
    return masks

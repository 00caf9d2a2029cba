"""Finds the operation of S3 that a method, an address, a query and headers name.

S3's operations share a handful of paths and differ by subresources in the query (`?uploads`, `?acl`), by parameters
that they need (`uploadId`) and once by a header. All of it follows from the service model, as does what a subresource
is; a request for a subresource never falls back on the operation without one. This file must not know how an address
is written (path or host) nor what an operation does. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import msgspec

from craton.aws.wire import s3_faults

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from craton.aws.wire.model import Operation, Service

_PLACES: Final = {"/": "service", "/{Bucket}": "bucket", "/{Bucket}/{Key+}": "object"}
# Of two operations with one address: a directory bucket's is asked at another endpoint.
_NEVER: Final = frozenset({"ListDirectoryBuckets"})
# Parameters that, without being subresources, make a request another one than it would be without them.
_TELLING: Final = frozenset({"uploadId", "partNumber"})


class _Route(msgspec.Struct, frozen=True, eq=False):
    """`fixed`: subresources and their values; `needed` and `headers`: what must be there; `takes`: all parameters."""

    operation: Operation
    fixed: Mapping[str, str]
    needed: frozenset[str]
    headers: frozenset[bytes]
    takes: frozenset[str]


class S3Router:
    """Routes over the operations of S3; built once."""

    def __init__(self, service: Service) -> None:
        self._routes: dict[tuple[str, str], list[_Route]] = {}
        for operation in service.operations.values():
            path = operation.uri.partition("?")[0]
            if path in _PLACES and not operation.deprecated and operation.name not in _NEVER:
                self._routes.setdefault((operation.method, _PLACES[path]), []).append(_route(operation))
        for routes in self._routes.values():
            routes.sort(key=lambda route: -(10 * len(route.fixed) + len(route.needed) + len(route.headers)))
        every = [route for routes in self._routes.values() for route in routes]
        found = {name for route in every for name, value in route.fixed.items() if not value}
        self._subresources = frozenset(found | _TELLING)

    def match(self, method: str, place: str, query: Mapping[str, str], headers: Collection[bytes]) -> Operation:
        """The operation.

        Args:
            method: in capitals.
            place: `service`, `bucket` or `object`.
            query: the parameters by name, the first of each.
            headers: the names of headers in lower case.

        Raises:
            Fault: MethodNotAllowed where nothing fits.
        """
        asked = self._subresources & query.keys() if query else frozenset[str]()
        for route in self._routes.get((method, place), ()):
            if (
                all(query.get(name) == value for name, value in route.fixed.items())
                and route.needed <= query.keys()
                and all(name in headers for name in route.headers)
            ):
                if asked <= route.takes:
                    return route.operation
                break
        raise s3_faults.fault(
            "MethodNotAllowed", "The specified method is not allowed against this resource.", Method=method,
            ResourceType=place.upper(),
        )  # fmt: skip


def _route(operation: Operation) -> _Route:
    fixed = dict(parse_qsl(operation.uri.partition("?")[2], keep_blank_values=True))
    shape = operation.input_shape()
    members = list(shape.members.values()) if shape is not None else []
    queries = {member.wire for member in members if member.location == "querystring"}
    needed = {member.wire for member in members if member.location == "querystring" and member.required}
    headers = {member.wire.lower().encode() for member in members if member.location == "header" and member.required}
    return _Route(
        operation, fixed, frozenset(needed), frozenset(() if fixed else headers), frozenset(queries | fixed.keys())
    )

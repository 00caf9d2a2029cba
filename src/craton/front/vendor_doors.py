"""Which paths are the vendors' doors, whose shape each speaks, and what serves it.

`/openai/v1/…` is OpenAI's, `/anthropic/v1/…` Anthropic's; under the bare `/v1/…` stand both, told apart by the path,
and where both have it (`/v1/models`) by the header `anthropic-version`, which every client of Anthropic's sends.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from craton.aws.wire.model import Operation, Service
from craton.context import App
from craton.front import anthropic_door, door_models, openai_door
from craton.front import body as http
from craton.front.door_faults import ANTHROPIC, OPENAI, DoorFault, Shape
from craton.front.door_request import DoorRequest, Exchange, Found
from craton.front.doors import VENDORS
from craton.front.pipeline import new_request_id

Table = Mapping[str, Mapping[str, tuple[Exchange, str]]]

_MODEL = "models/"
_ONE_MODEL = "models/{id}"
# Path below /v1 → method → what serves it, and the AWS operation that it is a form of.
_OPENAI: Table = {
    "chat/completions": {"POST": (openai_door.chat_completions, "Converse")},
    "models": {"GET": (door_models.openai_list, "ListFoundationModels")},
    _ONE_MODEL: {"GET": (door_models.openai_one, "GetFoundationModel")},
}
_ANTHROPIC: Table = {
    "messages": {"POST": (anthropic_door.messages, "Converse")},
    "messages/count_tokens": {"POST": (anthropic_door.count_tokens, "CountTokens")},
    "models": {"GET": (door_models.anthropic_list, "ListFoundationModels")},
    _ONE_MODEL: {"GET": (door_models.anthropic_one, "GetFoundationModel")},
}
_BATCHES = "messages/batches"


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor's door. `not_built`: the first steps of paths that the vendor has and this server does not."""

    prefix: str
    shape: Shape
    table: Table
    not_built: frozenset[str]


_VENDORS = {
    "openai": Vendor("/openai/v1/", OPENAI, _OPENAI, openai_door.NOT_BUILT),
    "anthropic": Vendor("/anthropic/v1/", ANTHROPIC, _ANTHROPIC, anthropic_door.NOT_BUILT),
}
_BARE = "/v1/"


class VendorDoors:
    """The doors of one worker."""

    def __init__(self, app: App, services: list[Service], report: Callable[[BaseException], None]) -> None:
        """`services` hold the AWS operations that a door's exchanges are forms of; `report` takes unexpected errors."""
        self.app = app
        self.report = report
        self.operations: dict[str, Operation] = {
            name: operation
            for service in reversed(services)  # where two have a name, the first given holds
            for name, operation in service.operations.items()
        }

    def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> Coroutine[Any, Any, None]:
        """Serve a request whose path is a door's (`at_door`)."""
        vendor, rest = at(scope["path"], scope["headers"])
        return DoorRequest(
            app=self.app,
            report=self.report,
            shape=vendor.shape,
            find=partial(self.find, vendor, scope["method"], rest),
            scope=scope,
            receive=receive,
            send=send,
            request_id=new_request_id(),
            started_at=self.app.clock.monotonic(),
        ).serve()

    def find(self, vendor: Vendor, method: str, rest: str) -> Found:
        """The exchange for a path below /v1. Raises DoorFault."""
        key, last = rest, ""
        if rest.startswith(_MODEL) and len(rest) > len(_MODEL):
            key, last = _ONE_MODEL, rest[len(_MODEL) :]
        row = vendor.table.get(key)
        where = f"{method} /v1/{rest[:128]}"
        if row is None:
            if rest.partition("/")[0] in vendor.not_built or rest.startswith(_BATCHES):
                raise DoorFault("not_built", f"{where} is not built in this server yet.")
            raise DoorFault("unknown_url", f"Unknown request URL: {where}.")
        if method not in row:
            raise DoorFault("method", f"Not allowed: {where}. Use {', '.join(row)}.")
        exchange, operation = row[method]
        return Found(exchange, self.operations[operation], last)


def at_door(path: str) -> bool:
    """Whether a path is one of the vendors' doors, whatever lies behind it."""
    return path.startswith(VENDORS)


def at(path: str, headers: list[tuple[bytes, bytes]]) -> tuple[Vendor, str]:
    """Whose door a path is, and what comes after /v1/."""
    for vendor in _VENDORS.values():
        if path.startswith(vendor.prefix):
            return vendor, path[len(vendor.prefix) :]
    rest = path[len(_BARE) :]
    first = rest.partition("/")[0]
    shared = first not in ("chat", "messages")
    is_anthropic = first == "messages" or (shared and b"anthropic-version" in dict(headers))
    return _VENDORS["anthropic" if is_anthropic else "openai"], rest

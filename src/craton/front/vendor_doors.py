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
from craton.front import (
    anthropic_door,
    door_embeddings,
    door_images,
    door_kept,
    door_models,
    door_responses,
    openai_door,
)
from craton.front import body as http
from craton.front.door_faults import ANTHROPIC, OPENAI, RESPONSES, DoorFault, Shape
from craton.front.door_request import DoorRequest, Exchange, Found
from craton.front.doors import VENDORS
from craton.front.pipeline import new_request_id

Table = Mapping[str, Mapping[str, tuple[Exchange, str]]]

_ID = "{id}"
_ONE_MODEL = "models/{id}"
_RESPONSES = "responses"
# Path below /v1 → method → what serves it, and the AWS operation that it is a form of.
_OPENAI: Table = {
    "chat/completions": {"POST": (openai_door.chat_completions, "Converse")},
    _RESPONSES: {"POST": (door_responses.create, "Converse")},
    "responses/input_tokens": {"POST": (door_responses.count, "CountTokens")},
    "responses/{id}": {"GET": (door_kept.retrieve, "Converse"), "DELETE": (door_kept.delete, "Converse")},
    "responses/{id}/input_items": {"GET": (door_kept.input_items, "Converse")},
    "responses/{id}/cancel": {"POST": (door_kept.cancel, "Converse")},
    "embeddings": {"POST": (door_embeddings.create, "InvokeModel")},
    "images/generations": {"POST": (door_images.generate, "InvokeModel")},
    "images/edits": {"POST": (door_images.edit, "InvokeModel")},
    "images/variations": {"POST": (door_images.vary, "InvokeModel")},
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
        self.request: Callable[..., DoorRequest] = DoorRequest
        self.operations: dict[str, Operation] = {
            name: operation
            for service in reversed(services)  # where two have a name, the first given holds
            for name, operation in service.operations.items()
        }

    def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> Coroutine[Any, Any, None]:
        """Serve a request whose path is a door's (`at_door`)."""
        vendor, rest = at(scope["path"], scope["headers"])
        return self.request(
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
        key, last = (rest, "") if rest in vendor.table else templated(vendor.table, rest)
        row = vendor.table.get(key)
        where = f"{method} /v1/{rest[:128]}"
        if row is None:
            if rest.partition("/")[0] in vendor.not_built or rest.startswith(_BATCHES):
                raise DoorFault("not_built", f"{where} is not built in this server yet.")
            raise DoorFault("unknown_url", f"Unknown request URL: {where}.")
        if method not in row:
            raise DoorFault("method", f"Not allowed: {where}. Use {', '.join(row)}.")
        exchange, operation = row[method]
        shape = RESPONSES if key.startswith(_RESPONSES) else None
        return Found(exchange, self.operations[operation], last, shape)


def templated(table: Table, rest: str) -> tuple[str, str]:
    """The key of the table with an id in it that a path fits, and the id; a model's may hold slashes."""
    for key in table:
        before, template, after = key.partition(_ID)
        if template and rest.startswith(before) and rest.endswith(after):
            ident = rest[len(before) : len(rest) - len(after)]
            if ident and (key == _ONE_MODEL or "/" not in ident):
                return key, ident
    return rest, ""


def at_door(path: str) -> bool:
    """Whether a path is one of the vendors' doors, whatever lies behind it."""
    return path.startswith(VENDORS)


def at(path: str, headers: Mapping[bytes, bytes]) -> tuple[Vendor, str]:
    """Whose door a path is, and what comes after /v1/."""
    for vendor in _VENDORS.values():
        if path.startswith(vendor.prefix):
            return vendor, path[len(vendor.prefix) :]
    rest = path[len(_BARE) :]
    first = rest.partition("/")[0]
    shared = first not in ("chat", "messages")
    is_anthropic = first == "messages" or (shared and b"anthropic-version" in headers)
    return _VENDORS["anthropic" if is_anthropic else "openai"], rest

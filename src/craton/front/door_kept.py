"""Responses that were kept: got, deleted, and their input listed, as OpenAI's clients ask for them.

Owns the form in which an answer is kept, with the whole conversation that led to it. Each is its account's alone, and
whoever reads one must be allowed to call its model. The supervisor keeps the bytes, in memory and sealed under the
account's key.
"""

from __future__ import annotations

from typing import Any, Self
from urllib.parse import parse_qs

import msgspec
from msgspec import Raw

from craton.context import Call
from craton.features.inference import run
from craton.front.door_chat import resolve
from craton.front.door_faults import RESPONSES, DoorFault
from craton.front.door_request import Asked, Whole
from craton.infra.cipher.faults import unreadable

SEALED_AS = "responses"
NOT_FOUND = "Response with id '{id}' not found.{why}"
NO_PREVIOUS = "Previous response with id '{id}' not found.{why}"
NOTHING_KEPT = " This server keeps no responses ([retention] responses = false); send the whole conversation as input."
NOT_A_STREAM = "A stored response cannot be streamed."
NOT_IN_BACKGROUND = "Only responses with background set to true can be cancelled."
_PAGE, _LONGEST_PAGE = 20, 100


class _Shown(msgspec.Struct):
    model: str


class Kept(msgspec.Struct):
    """One answer. `input`: all items that led to it, those of earlier turns first; `output`: its own."""

    input: list[Any]
    output: list[Raw]
    response: Raw

    @classmethod
    def of(cls, ident: str, given: str | list[Raw], output: list[Raw], response: Raw) -> Self:
        """From what a request's `input` held; its items get ids, so that they can be listed in pages."""
        items: list[Any] = [{"role": "user", "content": given}] if isinstance(given, str) else given
        token = ident.removeprefix("resp_")
        return cls([_listed(item, f"{token}i{place:04d}") for place, item in enumerate(items)], output, response)

    @property
    def model(self) -> str:
        return msgspec.json.decode(self.response, type=_Shown).model


_KEPT = msgspec.json.Decoder(Kept)


def _listed(item: Any, token: str) -> dict[str, Any]:
    """An item as it is listed: with a type, an id, and its content in parts."""
    value: dict[str, Any] = dict(item) if isinstance(item, dict) else msgspec.json.decode(item)
    value.setdefault("type", "message")
    if value["type"] == "message":
        value.setdefault("status", "completed")
        text = value.get("content")
        if isinstance(text, str):
            kind = "output_text" if value.get("role") == "assistant" else "input_text"
            part: dict[str, Any] = {"type": kind, "text": text}
            value["content"] = [{**part, "annotations": []} if kind == "output_text" else part]
    value.setdefault("id", f"{_PREFIXES.get(value['type'], 'item')}_{token}")
    return value


_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}


async def find(call: Call, ident: str, *, as_previous: bool = False) -> Kept:
    """What is kept under an id. Raises DoorFault where there is nothing, Fault where the caller may not use it."""
    call.authorize_some(run.INVOKE)
    keeps = call.app.settings.file.retention.responses
    body = await call.app.supervisor.kept_response(call.account, ident) if keeps else None
    if body is None:
        why = "" if keeps else NOTHING_KEPT
        if as_previous:
            text = NO_PREVIOUS.format(id=ident[:128], why=why)
            raise DoorFault("invalid", text, param="previous_response_id", code="previous_response_not_found")
        raise DoorFault("unknown_url", NOT_FOUND.format(id=ident[:128], why=why), param="response_id", code="not_found")
    with unreadable("stored response"):
        kept = _KEPT.decode(await call.app.cipher.open(call.account, SEALED_AS, body, {"id": ident}))
    resolve(call, kept.model, run.INVOKE, RESPONSES)
    return kept


async def retrieve(asked: Asked) -> Whole:
    """GET /responses/{id}."""
    if _query(asked).get("stream") == "true":
        raise DoorFault("invalid", NOT_A_STREAM, param="stream", code="unsupported_value")
    return Whole(bytes((await find(asked.call, asked.rest)).response))


async def delete(asked: Asked) -> Whole:
    """DELETE /responses/{id}."""
    await find(asked.call, asked.rest)
    await asked.call.app.supervisor.forget_response(asked.call.account, asked.rest)
    return Whole(msgspec.json.encode({"id": asked.rest, "object": "response", "deleted": True}))


async def cancel(asked: Asked) -> Whole:
    """POST /responses/{id}/cancel: nothing runs in the background here."""
    await find(asked.call, asked.rest)
    raise DoorFault("invalid", NOT_IN_BACKGROUND)


async def input_items(asked: Asked) -> Whole:
    """GET /responses/{id}/input_items, in pages by `limit`, `order` and `after`; the newest first unless asked."""
    given = _query(asked)
    items = (await find(asked.call, asked.rest)).input
    if given.get("order", "desc") != "asc":
        items = items[::-1]
    limit = page_size(given.get("limit"))
    start = _after(items, given.get("after"))
    page = items[start : start + limit]
    listed = {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + limit < len(items),
    }
    return Whole(msgspec.json.encode(listed))


def _query(asked: Asked) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(asked.query.decode("latin-1")).items()}


def page_size(given: str | None) -> int:
    if given is None:
        return _PAGE
    if len(given) > 3 or not given.isdecimal() or not 1 <= int(given) <= _LONGEST_PAGE:
        raise DoorFault("invalid", f"limit must be a number from 1 to {_LONGEST_PAGE}.", param="limit")
    return int(given)


def _after(items: list[Any], ident: str | None) -> int:
    if ident is None:
        return 0
    for place, item in enumerate(items, 1):
        if item["id"] == ident:
            return place
    raise DoorFault("invalid", f"No item with id '{ident[:128]}' in the list.", param="after")

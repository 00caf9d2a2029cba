"""The doors by which adapters come and go, in vLLM's words, so that whoever manages replicas speaks to both alike.

Owns the bodies, statuses and texts of `/v1/load_lora_adapter` and `/v1/unload_lora_adapter`, and what `/v1/models`
lists. Knows no files and no runtime.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec

from craton.engine import openai_reply
from craton.engine.application import Handler
from craton.engine.backend import AdapterRefused, AdapterUnknown, AdapterUnsupported, Backend
from craton.engine.http import Reply, Request
from craton.engine.openai_request import decode


class LoadRequest(msgspec.Struct, frozen=True):
    """POST /v1/load_lora_adapter; `load_inplace` takes the place of one of that name."""

    lora_name: str = ""
    lora_path: str = ""
    load_inplace: bool = False


class UnloadRequest(msgspec.Struct, frozen=True):
    """POST /v1/unload_lora_adapter."""

    lora_name: str = ""


class AdapterDoors:
    """The three paths of one model."""

    def __init__(self, backend: Backend, model_id: str, context_tokens: int) -> None:
        self._backend = backend
        self._model_id = model_id
        self._context_tokens = context_tokens
        self._created = int(time.time())
        self.routes: dict[str, tuple[str, Handler]] = {
            "/v1/load_lora_adapter": ("POST", self._load),
            "/v1/unload_lora_adapter": ("POST", self._unload),
            "/v1/models": ("GET", self._models),
        }

    async def _load(self, request: Request, reply: Reply, _: str) -> None:
        asked = decode(LoadRequest, request.body)
        if not asked.lora_name or not asked.lora_path:
            await _refuse(reply, 400, "Both 'lora_name' and 'lora_path' must be provided.")
            return
        try:
            path = Path(asked.lora_path)
            await self._backend.load_adapter(asked.lora_name, path, replace=asked.load_inplace)
        except FileNotFoundError:
            text = f"Loading lora {asked.lora_name} failed: No adapter found for {asked.lora_path}"
            await _refuse(reply, 404, text)
        except (AdapterRefused, AdapterUnsupported) as fault:
            await _refuse(reply, 400, str(fault))
        else:
            text = f"Success: LoRA adapter '{asked.lora_name}' added successfully."
            await reply.send(200, text.encode(), "text/plain; charset=utf-8")

    async def _unload(self, request: Request, reply: Reply, _: str) -> None:
        asked = decode(UnloadRequest, request.body)
        if not asked.lora_name:
            await _refuse(reply, 400, "'lora_name' needs to be provided to unload a LoRA adapter.")
            return
        try:
            await self._backend.unload_adapter(asked.lora_name)
        except AdapterUnknown as fault:
            await _refuse(reply, 404, str(fault))
        except AdapterUnsupported as fault:
            await _refuse(reply, 400, str(fault))
        else:
            text = f"Success: LoRA adapter '{asked.lora_name}' removed successfully."
            await reply.send(200, text.encode(), "text/plain; charset=utf-8")

    async def _models(self, _: Request, reply: Reply, name: str) -> None:
        base = {"max_model_len": self._context_tokens, "root": self._model_id, "parent": None}
        adapters = [
            self._row(each, {"root": str(path), "parent": name}) for each, path in self._backend.adapters().items()
        ]
        listed = {"object": "list", "data": [self._row(name, base), *adapters]}
        await reply.send(200, openai_reply.ENCODE(listed))

    def _row(self, name: str, more: dict[str, Any]) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._created, "owned_by": "craton", **more}


async def _refuse(reply: Reply, status: int, text: str) -> None:
    """An error as vLLM shapes it: its `code` is the status."""
    kind = "NotFoundError" if status == HTTPStatus.NOT_FOUND else "InvalidUserInput"
    error = {"message": text, "type": kind, "param": None, "code": status}
    await reply.send(status, openai_reply.ENCODE({"error": error}))

"""The control methods about responses that callers asked to have kept: `responses.keep`, `.kept`, `.forget`.

Owns: the memory in which they lie, bounded per account by number and bytes, the oldest going first. It is the
supervisor's, so that every worker sees the same; nothing is written anywhere, and an end or a reset forgets all. Must
not know: what a response is; it is bytes under an id.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from craton.infra.control.server import Call, Methods
from craton.infra.control.wire import ControlFault

MOST_PER_ACCOUNT = 1000
MOST_BYTES_PER_ACCOUNT = 64 * 1024 * 1024


class KeptResponses:
    """What is kept, by account and id."""

    def __init__(self, most: int = MOST_PER_ACCOUNT, most_bytes: int = MOST_BYTES_PER_ACCOUNT) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._accounts: dict[str, OrderedDict[str, bytes]] = {}
        self._sizes: dict[str, int] = {}

    @property
    def methods(self) -> Methods:
        return {"responses.keep": self._keep, "responses.kept": self._kept, "responses.forget": self._forget}

    def clear(self) -> None:
        self._accounts.clear()
        self._sizes.clear()

    def keep(self, account: str, ident: str, body: bytes) -> bool:
        """Whether it is kept: one that is larger than all that an account may have is not."""
        self.forget(account, ident)
        if len(body) > self._most_bytes:
            return False
        own = self._accounts.setdefault(account, OrderedDict())
        own[ident] = body
        self._sizes[account] = self._sizes.get(account, 0) + len(body)
        while len(own) > self._most or self._sizes[account] > self._most_bytes:
            self._sizes[account] -= len(own.popitem(last=False)[1])
        return True

    def kept(self, account: str, ident: str) -> bytes | None:
        own = self._accounts.get(account)
        return own.get(ident) if own is not None else None

    def forget(self, account: str, ident: str) -> bool:
        """Whether it was there."""
        own = self._accounts.get(account)
        body = own.pop(ident, None) if own is not None else None
        if body is not None:
            self._sizes[account] -= len(body)
        return body is not None

    async def _keep(self, call: Call) -> bool:
        """`{account, id, body}` → whether it is kept."""
        body: Any = call.params.get("body")
        if not isinstance(body, bytes):
            raise ControlFault("bad_params", "'body' must be bytes")
        return self.keep(call.text("account"), call.text("id"), body)

    async def _kept(self, call: Call) -> bytes | None:
        """`{account, id}` → what is kept."""
        return self.kept(call.text("account"), call.text("id"))

    async def _forget(self, call: Call) -> bool:
        """`{account, id}` → whether it was there."""
        return self.forget(call.text("account"), call.text("id"))

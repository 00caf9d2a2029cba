"""Adapters by name: which are known, which of them are in memory, and who has to go when there are too many.

Owns the names and the order of use. What an adapter is, and how it is read, is a runtime's business; requests that
compute with one hold it themselves, so that forgetting it disturbs nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from craton.engine.backend import AdapterRefused, AdapterUnknown

Read = Callable[[str, Path], object]
"""Reads an adapter's directory; blocking. Raises AdapterRefused, FileNotFoundError."""


@dataclass(slots=True)
class Known:
    """One adapter; `loaded` is None while its weights are not in memory."""

    path: Path
    loaded: object | None = None


class Adapters:
    """Called on the event loop; reading happens in a thread. `most` are kept in memory, those used last."""

    def __init__(self, read: Read, most: int) -> None:
        self._read = read
        self._most = max(1, most)
        self._known: dict[str, Known] = {}
        # Names in memory, the one used longest ago first.
        self._recent: dict[str, None] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    def __len__(self) -> int:
        return len(self._known)

    @property
    def paths(self) -> dict[str, Path]:
        """Every known adapter's directory, oldest first."""
        return {name: known.path for name, known in self._known.items()}

    async def load(self, name: str, path: Path, *, replace: bool) -> None:
        """Read an adapter and make it known. Raises AdapterRefused, also for a name that is taken; FileNotFoundError."""
        async with self._turn(name):
            if name in self._known and not replace:
                raise AdapterRefused(f"The lora adapter '{name}' has already been loaded")
            loaded = await asyncio.to_thread(self._read, name, path)
            self._known[name] = Known(path, loaded)
            self._used(name)

    async def unload(self, name: str) -> None:
        """Forget an adapter. Raises AdapterUnknown."""
        async with self._turn(name):
            if self._known.pop(name, None) is None:
                raise AdapterUnknown(f"The lora adapter '{name}' cannot be found.")
            self._recent.pop(name, None)
            self._turns.pop(name, None)

    async def get(self, name: str) -> object:
        """An adapter as the runtime wears it, read again if it had to go. Raises AdapterUnknown, AdapterRefused."""
        known = self._known.get(name)
        if known is None:
            raise AdapterUnknown(f"The model `{name}` does not exist.")
        if known.loaded is None:
            async with self._turn(name):
                if known.loaded is None:
                    try:
                        known.loaded = await asyncio.to_thread(self._read, name, known.path)
                    except FileNotFoundError:
                        raise AdapterRefused(f"the files of the adapter '{name}' are gone") from None
        loaded = known.loaded
        if self._known.get(name) is known:
            self._used(name)
        return loaded

    def _used(self, name: str) -> None:
        self._recent.pop(name, None)
        self._recent[name] = None
        while len(self._recent) > self._most:
            oldest = next(iter(self._recent))
            del self._recent[oldest]
            self._known[oldest].loaded = None

    def _turn(self, name: str) -> asyncio.Lock:
        return self._turns.setdefault(name, asyncio.Lock())

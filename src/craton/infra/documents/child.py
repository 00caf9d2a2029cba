"""Files to text through child processes: `port.Documents` on this machine.

Owns: how many run at once, how long one may take, and a small memory of what was read, since a conversation sends its
documents again with every turn. Must not know any format.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
from collections import OrderedDict

from craton.infra.documents.port import FileFormat, UnreadableError, UnsupportedError
from craton.infra.documents.program import DONE, UNREADABLE, UNSUPPORTED

_PROGRAM = "craton.infra.documents.program"
# A process that ends without a word was ended by a limit, or by its own parser.
_ENDED = "takes too long or too much memory to be read"


class ChildDocuments:
    """Args:
    timeout_s: wall-clock seconds for one file; its CPU seconds have the same limit.
    memory_bytes: address space of one child.
    kept_characters: text that is remembered, by the hash of its file; the longest unused goes first.
    at_once: children of this process at any time; further files wait.
    """

    def __init__(
        self,
        *,
        timeout_s: float = 30.0,
        memory_bytes: int = 1 << 30,
        kept_characters: int = 8_000_000,
        at_once: int = 2,
    ) -> None:
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._most = self._room = kept_characters
        self._seats = asyncio.Semaphore(at_once)
        self._kept: OrderedDict[bytes, str] = OrderedDict()

    async def text(self, data: bytes, file_format: FileFormat) -> str:
        """The file's text. Raises UnreadableError or UnsupportedError."""
        key = hashlib.sha256(data).digest() + file_format.encode()
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept
        async with self._seats:
            text = await self._read(data, file_format)
        self._keep(key, text)
        return text

    async def _read(self, data: bytes, file_format: FileFormat) -> str:
        child = await asyncio.create_subprocess_exec(
            # -I: nothing of the environment or of the working directory.
            sys.executable, "-I", "-m", _PROGRAM,
            file_format, str(max(1, int(self._timeout_s))), str(self._memory_bytes),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._timeout_s):
                said, _ = await child.communicate(data)
        except TimeoutError:
            raise UnreadableError(_ENDED) from None
        finally:
            if child.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        if child.returncode == DONE:
            return said.decode()
        if child.returncode == UNSUPPORTED:
            raise UnsupportedError(file_format)
        raise UnreadableError(said.decode() if child.returncode == UNREADABLE else _ENDED)

    def _keep(self, key: bytes, text: str) -> None:
        if key in self._kept or len(text) > self._most:
            return
        self._kept[key] = text
        self._room -= len(text)
        while self._room < 0:
            _, old = self._kept.popitem(last=False)
            self._room += len(old)

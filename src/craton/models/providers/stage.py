"""What stands in front of every model for a while: a script, a cassette, or both. Off, calls go straight through.

An ephemeral server has a stage, so that a test can put rules or a cassette before all models while the server runs;
`craton record` has one with a cassette from the start. A script comes before a cassette, and a cassette before the
target. Servers without either purpose have no stage and pay nothing.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from craton.config import ConfigError
from craton.models.canon.events import StreamEvent
from craton.models.canon.reply import ConverseReply
from craton.models.canon.request import ConverseRequest
from craton.models.dialects.all import dialect_named
from craton.models.dialects.dialect import Dialect
from craton.models.providers.cassettes.cassette import Cassette
from craton.models.providers.cassettes.taping import Taping
from craton.models.providers.provider import Attempt, Provider
from craton.models.providers.recorder import OTHER_KINDS, recorder
from craton.models.providers.script import Scripted
from craton.models.providers.scripts.script import Script


class Target(Protocol):
    """A target of a route, as far as the stage must know it."""

    @property
    def provider(self) -> Provider: ...


T = TypeVar("T", bound=Target)


class Stage:
    """The script and the cassette that stand in front of models now.

    Args:
        folder: the only folder whose cassettes a test may put here; "" for none.
        models: the ids that a cassette is put before; none for all.
    """

    def __init__(self, folder: str = "", models: tuple[str, ...] = ()) -> None:
        self.script = Script()
        self.secrets: set[str] = set()
        self.cassette: Cassette | None = None
        self._folder = folder
        self._models = frozenset(models)
        self._always: Cassette | None = None

    def reset(self) -> None:
        """As at the start."""
        self.script.reset()
        self.cassette = self._always
        if self.cassette is not None:
            self.cassette.rewind()

    def insert(self, taping: Taping, *, always: bool = False) -> Cassette:
        """Put a cassette before the models; `always`: a reset leaves it there. Raises ConfigError."""
        if not always:
            self._check_place(taping.path)
        self.cassette = Cassette(taping, self.secrets)
        if always:
            self._always = self.cassette
        return self.cassette

    def eject(self) -> None:
        """Put back what stood there at the start."""
        self.cassette = self._always

    def _check_place(self, path: str) -> None:
        if not self._folder:
            raise ConfigError("this server was started without a folder for cassettes ([testing] cassettes)")
        folder, place = Path(self._folder).resolve(), Path(path).resolve()
        if not place.is_relative_to(folder) or place.suffix != ".jsonl":
            raise ConfigError(f"a cassette is a file *.jsonl in {folder}")

    def before(self, inner: Provider, model: str) -> Provider:
        """A provider that is `inner` with whatever stands on the stage when a call comes."""
        kind = _kind(tuple(name for name in OTHER_KINDS if hasattr(inner, name)))
        return kind(self, inner, model)

    def taped(self, inner: Provider, model: str) -> Provider:
        """The provider behind the cassette, if there is one for this model."""
        if self.cassette is None or (self._models and model not in self._models):
            return inner
        return recorder(inner, model, self.cassette)

    def front(self, inner: Provider, model: str) -> Provider:
        """Who answers now."""
        inner = self.taped(inner, model)
        if self.script.active:
            return Scripted(self.script, dialect_named(inner.dialect.name) or inner.dialect, model, inner)
        return inner


class Staged:
    """A provider behind the stage."""

    def __init__(self, stage: Stage, inner: Provider, model: str) -> None:
        self.inner = inner
        self.taped: Callable[[], Provider] = lambda: stage.taped(inner, model)
        self._front: Callable[[], Provider] = lambda: stage.front(inner, model)

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def dialect(self) -> Dialect:
        return self.inner.dialect

    async def converse(self, request: ConverseRequest, attempt: Attempt) -> ConverseReply:
        return await self._front().converse(request, attempt)

    def converse_stream(self, request: ConverseRequest, attempt: Attempt) -> AsyncGenerator[list[StreamEvent]]:
        return self._front().converse_stream(request, attempt)

    async def invoke(self, body: bytes, attempt: Attempt) -> bytes:
        return await self._front().invoke(body, attempt)

    def invoke_stream(self, body: bytes, attempt: Attempt) -> AsyncGenerator[list[bytes]]:
        return self._front().invoke_stream(body, attempt)

    async def count_tokens(self, request: ConverseRequest, attempt: Attempt) -> int:
        return await self._front().count_tokens(request, attempt)

    async def close(self) -> None:
        await self.inner.close()


@cache
def _kind(names: tuple[str, ...]) -> type[Staged]:
    """Staged with the methods of other kinds that the provider behind it has: these no script answers."""

    def passing(name: str) -> Callable[..., Any]:
        return lambda self, request, attempt: getattr(self.taped(), name)(request, attempt)

    return type("Staged", (Staged,), {name: passing(name) for name in names}) if names else Staged

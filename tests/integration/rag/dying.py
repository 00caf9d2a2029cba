"""Ingestion whose worker dies where a test says: the kinds of jobs of a server that is started with `served`.

The file `deaths` in the home has a line for each death to come, such as `put:2` for the second writing of chunks of an
attempt, or `put:2:sleep` for one that stands still there until a test lets it go on (SIGCONT). A death is taken off the
list before it happens, so the next attempt comes further.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from craton.workflows.all import WORKFLOWS as ALL
from craton.workflows.workflow import Job, Workflow

COUNTED = ("take", "read", "answered", "draft", "put", "finish", "finished", "publish", "published")


class Fate:
    """Counts what happens in one attempt, and ends the process where the list says so."""

    def __init__(self, home: Path) -> None:
        self._list = home / "deaths"
        self._seen: Counter[str] = Counter()

    def at(self, what: str) -> None:
        self._seen[what] += 1
        lines = self._list.read_text().split() if self._list.exists() else []
        here = f"{what}:{self._seen[what]}"
        if lines and lines[0] in (here, f"{here}:sleep"):
            self._list.write_text("\n".join(lines[1:]))
            os.kill(os.getpid(), signal.SIGKILL if lines[0] == here else signal.SIGSTOP)


class Around:
    """Something whose methods tell fate before and after they are called: names → what is told."""

    def __init__(self, inner: Any, fate: Fate, before: dict[str, str], after: dict[str, str]) -> None:
        self._inner, self._fate, self._before, self._after = inner, fate, before, after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in self._before and name not in self._after:
            return found

        async def told(*args: Any, **named: Any) -> Any:
            if name in self._before:
                self._fate.at(self._before[name])
            result = await found(*args, **named)
            if name in self._after:
                self._fate.at(self._after[name])
            return result

        return told


class Stores(Around):
    """The vector store, whose drafts tell fate as well."""

    async def draft(self, *args: Any) -> Any:
        self._fate.at("draft")
        made = await self._inner.draft(*args)
        return Around(made, self._fate, {"put": "put", "finish": "finish"}, {"finish": "finished"})


class Tools:
    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner, self._fate = inner, fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name == "vectors":
            return Stores(found, self._fate, {}, {})
        if name == "models":
            return lambda role: Around(found(role), self._fate, {}, {"invoke": "answered"})
        if name == "objects":
            return lambda role: Around(found(role), self._fate, {"get": "read", "small": "read"}, {})
        return found


def mortal(body: Callable[[Job], Awaitable[None]]) -> Callable[[Job], Awaitable[None]]:
    async def run(job: Job) -> None:
        fate = Fate(job.tools.settings.home_path)
        hold = Around(job._hold, fate, {"write": "write"}, {"write": "written"})
        await body(Job(hold, Tools(job.tools, fate)))  # type: ignore[arg-type]

    return run


WORKFLOWS = tuple(Workflow(one.kind, one.format, mortal(one.run), one.failed) for one in ALL)

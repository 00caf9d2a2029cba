"""A cassette in use: which recording answers a request, what is recorded, and what a request without one is told.

Recordings of equal requests are played in the order in which they were recorded, the last one again and again (or not
at all, with `repeats = false`). Modes are those of VCR:

| mode | a recording is there | none is there |
|---|---|---|
| `once` | played | recorded if the cassette was empty when it was opened, else refused |
| `new_episodes` | played | recorded |
| `none` | played | refused |
| `all` | recorded anew; the first one takes the place of the old cassette | recorded |

Positions are this process's own. Owns the index; the file is `tape`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import get_args

from craton.aws.wire.faults import Fault, not_found
from craton.config import ConfigError
from craton.models.providers.cassettes import difference
from craton.models.providers.cassettes.episode import COUNT, Episode
from craton.models.providers.cassettes.request import PARTS, Asked, key, loose_key
from craton.models.providers.cassettes.tape import NOWHERE, BadCassette, Stamp, Tape
from craton.models.providers.cassettes.taping import Mode, Taping


class Cassette:
    """One cassette of one process; `secrets` are never written. Raises ConfigError for what cannot be used."""

    def __init__(self, taping: Taping, secrets: Collection[str] = ()) -> None:
        _check(taping)
        self.taping = taping
        self.played = 0
        self.kept = 0
        self._tape = Tape(taping.path, secrets)
        self._lock = asyncio.Lock()
        self._episodes: list[Episode] = []
        self._exact: dict[bytes, list[Episode]] = {}
        self._loose: dict[bytes, list[Episode]] = {}
        self._position: dict[bytes, int] = {}
        self._seen: set[int] = set()
        self._stamp: Stamp = NOWHERE
        try:
            self._load()
        except (BadCassette, OSError) as error:
            raise ConfigError(str(error)) from None
        if taping.mode == "none" and self._stamp == NOWHERE:
            raise ConfigError(f"{taping.path}: there is no such cassette")
        self._is_new = not self._episodes
        self._is_replaced = False

    @property
    def records(self) -> bool:
        """Whether a request without a recording goes to the target and is kept."""
        mode = self.taping.mode
        return mode in ("all", "new_episodes") or (mode == "once" and self._is_new)

    @property
    def episodes(self) -> int:
        return len(self._episodes)

    @property
    def unplayed(self) -> list[int]:
        """The lines at which recordings begin that nothing has asked for since the cassette was opened or rewound."""
        return [episode.line for episode in self._episodes if id(episode) not in self._seen]

    def rewind(self) -> None:
        """Play from the beginning again."""
        self._position.clear()
        self._seen.clear()
        self.played = 0

    def find(self, asked: Asked) -> Episode | None:
        """The next recording of this request. Raises Fault if the file was spoilt meanwhile."""
        if self.taping.mode == "all" or (self.taping.mode == "once" and self._is_new):
            return None
        self._reload()
        match_on = self.taping.match_on
        for index, made in ((self._exact, key), (self._loose, loose_key)):
            name = made(asked, match_on)
            same = self._answering(asked.call, index.get(name, []))
            if same:
                return self._next(name + asked.call.encode(), same)
        return None

    def _answering(self, call: str, same: list[Episode]) -> list[Episode]:
        """The recordings that answer this operation: its own, else, where nothing is recorded, those of another."""
        own = [each for each in same if each.head.call == call]
        # A stream made of a whole answer has none of its pieces: better to record the real one.
        return own if own or self.records else [each for each in same if each.head.call != COUNT]

    def _next(self, name: bytes, same: list[Episode]) -> Episode | None:
        """The next of these; `name` is what the place among them is remembered by."""
        place = self._position.get(name, 0)
        if place >= len(same):
            if not self.taping.repeats:
                return None
            place = len(same) - 1
        self._position[name] = place + 1
        self._seen.add(id(same[place]))
        self.played += 1
        return same[place]

    def miss(self, asked: Asked) -> Fault:
        """What a request without a recording is told."""
        path = self.taping.path
        match_on = self.taping.match_on
        if self._exact.get(key(asked, match_on)) or self._loose.get(loose_key(asked, match_on)):
            return not_found(f"Every recording of this request in the cassette {path} has been played.")
        near = difference.nearest(asked, [episode.asked for episode in self._episodes], match_on)
        if near is None:
            return not_found(f"The cassette {path} holds no recording.")
        place, found = near
        where = f"line {self._episodes[place].line}"
        return not_found(
            f"The cassette {path} holds no recording of this request. The nearest of {len(self._episodes)} begins at "
            f"{where}; the differences: {difference.told(found)}."
        )

    async def keep(self, episode: Episode) -> None:
        """Record; the episode is on the disk when this returns. Raises Fault if it cannot be."""
        async with self._lock:
            replaces = self.taping.mode == "all" and not self._is_replaced
            write = self._tape.start_anew if replaces else self._tape.append
            try:
                await asyncio.to_thread(write, episode)
            except (BadCassette, OSError) as error:
                raise unusable(self.taping.path, error) from None
            if replaces:
                self._forget()
                self._is_replaced = True
            self.kept += 1

    def _reload(self) -> None:
        if self._tape.stamp() != self._stamp:
            try:
                self._load()
            except (BadCassette, OSError) as error:
                raise unusable(self.taping.path, error) from None

    def _load(self) -> None:
        stamp = self._tape.stamp()
        episodes = self._tape.read()
        seen = {episode.line for episode in self._episodes if id(episode) in self._seen}
        self._forget()
        self._stamp = stamp
        for episode in episodes:
            self._episodes.append(episode)
            self._exact.setdefault(key(episode.asked, self.taping.match_on), []).append(episode)
            self._loose.setdefault(loose_key(episode.asked, self.taping.match_on), []).append(episode)
        self._seen = {id(episode) for episode in episodes if episode.line in seen}

    def _forget(self) -> None:
        self._episodes = []
        self._exact, self._loose = {}, {}
        self._seen = set()


def unusable(path: str, error: Exception) -> Fault:
    """The fault of a cassette that cannot be read or written: nothing that the same request could mend."""
    told = str(error) if isinstance(error, BadCassette) else f"{path}: {getattr(error, 'strerror', '') or 'failed'}"
    return Fault("ResourceNotFoundException", f"The cassette cannot be used: {told}")


def _check(taping: Taping) -> None:
    if taping.mode not in get_args(Mode):
        raise ConfigError(f"{taping.path}: the mode must be one of {', '.join(get_args(Mode))}")
    unknown = [name for name in taping.match_on if name not in PARTS]
    if unknown or not taping.match_on:
        raise ConfigError(f"{taping.path}: match_on takes {', '.join(PARTS)}, not {', '.join(unknown) or 'nothing'}")
    if taping.speed < 0:
        raise ConfigError(f"{taping.path}: speed must not be negative")

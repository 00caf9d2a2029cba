"""Replicas without a supervisor: the provider `local` over seats at addresses that a test names."""

from __future__ import annotations

from typing import Any

import msgspec

from craton.features.inference.replicas.seats import Seats
from craton.models.catalog.hosted import Placement, Seat
from craton.models.providers.local import LocalProvider
from craton.models.providers.provider import Upstream


class Places:
    """What a supervisor would answer, one after the other and the last for ever: an address, several, or an error.

    `slots` is how many requests each replica computes together. `asked` are the deployments that were asked for.
    """

    def __init__(self, *places: str | list[str] | Exception, slots: int = 0, queue: int = 64) -> None:
        self.places = list(places)
        self.slots = slots
        self.queue = queue
        self.asked: list[str] = []

    async def __call__(self, deployment: str) -> Any:
        self.asked.append(deployment)
        place = self.places.pop(0) if len(self.places) > 1 else self.places[0]
        if isinstance(place, Exception):
            raise place
        return msgspec.to_builtins(self.placement(deployment, [place] if isinstance(place, str) else place))

    def placement(self, deployment: str, addresses: list[str]) -> Placement:
        """Replicas that are named by their addresses."""
        seats = [Seat(address, address, self.slots) for address in addresses]
        return Placement(deployment=deployment, standing="ready", seats=seats, queue=self.queue)


class SeatedLocal(LocalProvider):
    """The provider with seats of its own, which close with it."""

    def __init__(self, upstream: Upstream, seats: Seats) -> None:
        super().__init__(upstream, seats)
        self.seats = seats

    async def close(self) -> None:
        await self.seats.close()


def local_at(*places: str | list[str] | Exception, ask: Places | None = None, **more: Any) -> SeatedLocal:
    """The provider `local` whose replicas are there."""
    return SeatedLocal(Upstream("local", "", "m", **more), Seats(ask or Places(*places)))

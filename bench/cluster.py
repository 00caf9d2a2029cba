"""A place at scale, and what its callers notice of deaths: two gateways, PostgreSQL and two Ray nodes on one machine.

    python bench/cluster.py [--seconds 8] [--clients 4]

Clients are boto3's in their default settings, behind a TCP balancer; the model has two replicas that cost nothing, so what
is measured is noticing and replacing, not loading. For each death: how many requests a second went through, how many
failed, the slowest one, and how long until two replicas served again, or the gateway that was restarted. Requests are unary.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.acceptance.clusters import Balancer, Load, client, gateway, hosted, who
from tests.integration.compute.ray_cluster import add_node, ray_cluster
from tests.postgres import PostgreSQL
from tests.running import Running

REPLICAS = 2
GIVE_UP_S = 60.0


class Place:
    """All of it, for one run."""

    def __init__(self, stack: ExitStack) -> None:
        self.cluster = stack.enter_context(ray_cluster(2))
        postgresql = stack.enter_context(PostgreSQL(durable=False))
        self.balancer = stack.enter_context(Balancer())
        name = postgresql.database().rpartition("/")[2]
        extra = f'[compute]\nbackend = "ray"\naddress = "{self.cluster.address}"\nsandbox = "off"\n{hosted(REPLICAS)}'
        homes = [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="craton-"))) for _ in range(2)]
        self.gateways = [stack.enter_context(gateway(postgresql, name, home, extra)) for home in homes]
        stack.callback(lambda: [one.stop() for one in self.gateways])  # those that were restarted, too
        self.balance()

    def balance(self) -> None:
        self.balancer.ports = [one.port for one in self.gateways]

    def replicas(self) -> set[int]:
        runtime = client(self.balancer.url, self.gateways[0])
        return {who(runtime) for _ in range(8 * REPLICAS)}


def nothing(place: Place) -> set[int]:
    """No death at all."""
    del place
    return set()


def kill_replica(place: Place) -> set[int]:
    """kill -9 of a replica's process."""
    victim = min(place.replicas())
    os.kill(victim, signal.SIGKILL)
    return {victim}


def remove_node(place: Place) -> set[int]:
    """A Ray node gone without a word; another one has room."""
    before = place.replicas()
    place.cluster.remove_node(place.cluster.list_all_nodes()[-1], allow_graceful=False)
    while not (gone := {pid for pid in before if not Path(f"/proc/{pid}").exists()}):
        time.sleep(0.02)
    return gone


def restart_gateway(place: Place) -> set[int]:
    """SIGTERM to the gateway that leads, and a start of it anew."""
    old = place.gateways[0]
    old.stop()
    again = Running(old.home, old.config, *old.options, env=old.env)
    again.__enter__()
    place.gateways[0] = again
    place.balance()
    return set()


def kill_leader(place: Place) -> set[int]:
    """kill -9 of the gateway that leads; a caller whose connection it takes along asks again, as SDKs do."""
    place.gateways[1].stop(signal.SIGKILL)
    return set()


SCENES: dict[str, Callable[[Place], set[int]]] = {
    "nothing": nothing,
    "kill -9 of a replica": kill_replica,
    "a Ray node vanishes": remove_node,
    "the leading gateway is restarted": restart_gateway,
    "kill -9 of the leading gateway": kill_leader,
}


def measured(place: Place, scene: Callable[[Place], set[int]], seconds: float, clients: int) -> list[Any]:
    """Requests per second, how many failed, the slowest, and seconds until all was there again."""
    with Load(place.balancer.url, place.gateways[0], clients) as load:
        time.sleep(1.0)
        began, at = time.monotonic(), len(load.answered)
        gone = scene(place)
        whole_s = None if gone else time.monotonic() - began
        while time.monotonic() - began < seconds or (whole_s is None and time.monotonic() - began < GIVE_UP_S):
            if whole_s is None and len(set(load.answered[-40:]) - gone) >= REPLICAS:
                whole_s = time.monotonic() - began
            time.sleep(0.02)
        took_s, answered = time.monotonic() - began, len(load.answered) - at
    return [answered / took_s, len(load.errors), max(load.took_s[at:], default=0.0), whole_s]


def main() -> None:
    """Run all scenes and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--clients", type=int, default=4)
    given = parser.parse_args()
    print("| what happens | requests/s | failed | slowest request | whole again after |")
    print("|---|---|---|---|---|")
    with ExitStack() as stack:
        place = Place(stack)
        while len(place.replicas()) < REPLICAS:
            time.sleep(0.2)
        for name, scene in SCENES.items():
            rate, failed, slowest_s, whole_s = measured(place, scene, given.seconds, given.clients)
            back = "–" if whole_s is None or whole_s < 0.1 else f"{whole_s:.1f} s"
            print(f"| {name} | {rate:.0f} | {failed} | {slowest_s:.2f} s | {back} |", flush=True)
            if scene is remove_node:
                add_node(place.cluster)


if __name__ == "__main__":
    main()

"""Two gateways, one store, one Ray cluster: whatever is killed or restarted, callers with default retries see nothing."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest

from tests.acceptance.clusters import Balancer, Load, client, gateway, hosted, who
from tests.integration.compute.ray_cluster import ray_cluster
from tests.postgres import PostgreSQL
from tests.running import Running


@dataclass
class Place:
    """All of it."""

    gateways: list[Running]
    balancer: Balancer
    cluster: Any

    def balance(self) -> None:
        self.balancer.ports = [each.port for each in self.gateways]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSQL) -> Iterator[Place]:
    with ray_cluster(3, cpus=1) as cluster, Balancer() as balancer:
        name = postgresql.database().rpartition("/")[2]
        extra = f'[compute]\nbackend = "ray"\naddress = "{cluster.address}"\nsandbox = "off"\n{hosted(2)}'
        homes = [tmp_path_factory.mktemp(f"gateway{number}") for number in range(2)]
        with gateway(postgresql, name, homes[0], extra) as one, gateway(postgresql, name, homes[1], extra) as two:
            made = Place([one, two], balancer, cluster)
            made.balance()
            yield made
            for each in made.gateways:  # those that were restarted, too
                each.stop()


def until(holds: Callable[[], Any], within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.1)


def replicas(place: Place, number: int = 0) -> set[int]:
    """The processes that answer at a gateway."""
    runtime = client(place.gateways[number].url, place.gateways[number])
    return {who(runtime) for _ in range(12)}


def both(place: Place, number: int = 0) -> set[int]:
    """The same, once there are two: a gateway may hold one of them for busy for a moment."""
    found: set[int] = set()
    until(lambda: found.update(replicas(place, number)) or len(found) > 1)
    return found


def holder(place: Place, pids: set[int]) -> Any:
    """The node of the cluster, not its head, that has a replica; a node has room for one."""
    for node in place.cluster.list_all_nodes()[1:]:
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        if pids & {each.pid for each in raylet.children(recursive=True)}:
            return node
    raise AssertionError("the head has all replicas")


def restarted(running: Running) -> Running:
    """The same server anew, in its home."""
    again = Running(running.home, running.config, *running.options, env=running.env)
    again.__enter__()
    return again


def test_both_gateways_use_the_same_replicas(place: Place) -> None:
    """Two processes, each reached through either gateway, without Ray in between."""
    assert both(place, 0) == both(place, 1)


def test_a_gateway_restarted_under_load_is_not_noticed(place: Place) -> None:
    """SIGTERM to the one that leads: it drains, the other leads and serves on with the same replicas."""
    before = both(place)
    with Load(place.balancer.url, place.gateways[0], 4) as load:
        until(lambda: len(load.answered) > 20)
        assert place.gateways[0].stop() == 0
        place.gateways[0] = restarted(place.gateways[0])
        place.balance()
        seen = len(load.answered)
        until(lambda: len(load.answered) > seen + 40)
    assert load.errors == []
    assert set(load.answered) <= before
    assert both(place, 0) == both(place, 1) == before


def test_a_killed_replica_costs_no_request(place: Place) -> None:
    """kill -9 under load: what it had under way is asked elsewhere, and it comes back."""
    (victim, *_) = replicas(place)
    with Load(place.balancer.url, place.gateways[0], 4) as load:
        until(lambda: len(load.answered) > 20)
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(set(load.answered) - {victim}) == 2)
    assert load.errors == []


def test_a_node_that_vanishes_costs_no_request(place: Place) -> None:
    """Its replica is made anew on another node, and both gateways learn where."""
    with Load(place.balancer.url, place.gateways[0], 4) as load:
        until(lambda: len(load.answered) > 20)
        before = both(place)
        place.cluster.remove_node(holder(place, before), allow_graceful=False)
        until(lambda: set(load.answered) - before)
    assert load.errors == []
    until(lambda: len(replicas(place, 1)) == 2)


def test_a_killed_leader_is_replaced(place: Place) -> None:
    """kill -9 of the supervisor that leads: the other serves on, and replaces what dies from then on."""
    leader, other = place.gateways[1], 0  # since the first was restarted
    leader.stop(signal.SIGKILL)
    (victim, *_) = replicas(place, other)
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(replicas(place, other) - {victim}) == 2)
    place.gateways[1] = restarted(leader)
    place.balance()
    until(lambda: len(replicas(place, 1)) == 2)

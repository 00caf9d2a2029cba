"""A Ray cluster of a few nodes on this machine, made for a module's tests and gone after them.

It notices the death of a node as quickly as docs/cluster.md advises.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

HEALTH = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
    "prestart_worker_first_driver": False,  # processes that no test would use
}
_STORE_BYTES = 80 << 20


@contextlib.contextmanager
def ray_cluster(nodes: int, cpus: int = 2) -> Iterator[Any]:
    """A cluster of so many nodes, the first of them its head (`ray.cluster_utils.Cluster`)."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    head = {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": _STORE_BYTES, "_system_config": HEALTH}
    cluster: Any = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(nodes - 1):
            add_node(cluster, cpus)
        yield cluster
    finally:
        cluster.shutdown()


def add_node(cluster: Any, cpus: int = 2) -> Any:
    """One more node."""
    return cluster.add_node(num_cpus=cpus, object_store_memory=_STORE_BYTES)

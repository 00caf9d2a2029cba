"""Workers of jobs on the nodes of a Ray cluster: as many as were asked for, spread over the nodes, for as long as this process lives.

Each is an actor that keeps one `craton worker` as its child, from the configuration file of its node: no secret travels
through Ray. Ray places the actors and starts one anew whose node, process or child is gone; what a lost worker did is
taken over by others, as with any worker. Jobs, the store and the gateway are reached by the workers themselves, never
through Ray. Must not know: kinds of jobs, settings.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

from craton.infra.compute.cluster.agent import reach

_GRACE_S = 30.0
"""How long a worker may take to put down its jobs in order."""
_PLACED_WITHIN_S, _ANSWERS_WITHIN_S = 20.0, 3.0


class WorkerActor:
    """One `craton worker` with the given words, as long as the actor lives. Loaded in Ray's worker processes alone."""

    def __init__(self, words: Sequence[str]) -> None:
        command = [sys.executable, "-P", "-m", "craton.cli.main", "worker", *words]
        # The signal of a parent's death is that of the thread which made the child; this one lasts as long as its actor.
        self._child = subprocess.Popen([*command, "--parent", f"{os.getpid()}"], stdin=subprocess.DEVNULL)
        self._ending = False
        threading.Thread(target=self._mind, name="worker", daemon=True).start()

    def where(self) -> str:
        """The node, as Ray names it."""
        import ray

        services: Any = ray.util
        return f"{services.get_node_ip_address()}/{ray.get_runtime_context().get_node_id()[:8]}"

    def end(self) -> None:
        """Have the worker put down its jobs and end."""
        self._ending = True
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(signal.SIGTERM)
        try:
            self._child.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._child.kill()

    def _mind(self) -> None:
        self._child.wait()
        if not self._ending:
            os._exit(1)  # Ray makes a new one


class RayWorkers:
    """Joins the cluster at `address` (as `ray.init` takes it; "" finds this machine's own) and employs workers there.

    Raises OSError, with what is wrong in words, where there is no cluster or Ray is not installed.
    """

    def __init__(self, address: str) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is told to anybody outside
        os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
        reach(address)
        try:
            import ray

            ray.init(address=address or "auto", log_to_driver=False, configure_logging=False)
        except (ImportError, ConnectionError, RuntimeError, ValueError) as error:
            raise OSError(str(error).strip().partition("\n")[0] or type(error).__name__) from None
        self._ray: Any = ray
        self._actors: list[Any] = []

    def employ(self, count: int, words: Sequence[str]) -> None:
        """Have `count` workers with these words of `craton worker`; each takes one CPU of its node."""
        options = {"num_cpus": 1, "max_restarts": -1, "max_concurrency": 2, "scheduling_strategy": "SPREAD"}
        made = self._ray.remote(WorkerActor).options(**options)
        self._actors += [made.remote(list(words)) for _ in range(count)]

    def nodes(self) -> list[str]:
        """Where they were placed so far; fewer than there are workers while the cluster has no room for all."""
        return list(self._placed(_PLACED_WITHIN_S).values())

    def end(self) -> None:
        """End all of them in order."""
        asked = [actor.end.remote() for actor in self._placed(_ANSWERS_WITHIN_S)]
        if asked:
            self._ray.wait(asked, num_returns=len(asked), timeout=2 * _GRACE_S)
        for actor in self._actors:
            self._ray.kill(actor, no_restart=True)
        self._ray.shutdown()

    def _placed(self, within_s: float) -> dict[Any, str]:
        """The actors that live, and the node of each."""
        asked = {actor.where.remote(): actor for actor in self._actors}
        answered, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=within_s)
        found: dict[Any, str] = {}
        for answer in answered:
            with contextlib.suppress(self._ray.exceptions.RayError):  # it died meanwhile
                found[asked[answer]] = str(self._ray.get(answer))
        return found

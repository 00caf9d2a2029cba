"""The actor of one replica: what Ray places on a node, starts anew when the node or it dies, and hands on news from.

It keeps the keeper's process and says what that says; it never stands in the path of a request. Loaded in Ray's worker
processes alone. Its end is the keeper's, and the keeper's is its own. An actor that no gateway has asked after for a
while ends for good, so that nothing is left of a place that was given up.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
import time
from typing import Any

import msgspec

from craton.infra.compute.cluster.messages import Assignment, Seating, line

FORGOTTEN_AFTER_S = 300.0
_LOOK_EVERY_S = 5.0
_ENDS_WITHIN_S = 10.0


class ReplicaActor:
    """Made by Ray with `Assignment` as JSON, on whichever node; its methods are called by agents, in several threads."""

    def __init__(self, assignment: bytes) -> None:
        import ray

        self._assignment = msgspec.json.decode(assignment, type=Assignment)
        self._incarnation = secrets.token_hex(8)
        self._news = b""
        self._number = 0
        self._asked_at = time.monotonic()
        self._changed = threading.Condition()
        services: Any = ray.util
        host = str(services.get_node_ip_address())
        node = f"{host}/{ray.get_runtime_context().get_node_id()[:8]}"
        self._keeper = subprocess.Popen(
            [sys.executable, "-P", "-m", "craton.infra.compute.cluster.keeper"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        )  # fmt: skip
        self._say(line(Seating(assignment=self._assignment, host=host, node=node)))
        threading.Thread(target=self._listen, name="keeper", daemon=True).start()
        threading.Thread(target=self._mind, name="forgotten", daemon=True).start()

    def about(self) -> bytes:
        """The assignment, as it was given."""
        return msgspec.json.encode(self._assignment)

    def news(self, incarnation: str, seen: int, wait_s: float) -> tuple[str, int, bytes]:
        """Wait for news later than those seen of this incarnation; its name, their number, `News` as JSON."""
        with self._changed:
            self._asked_at = time.monotonic()
            known = seen if incarnation == self._incarnation else 0
            self._changed.wait_for(lambda: self._number > known, wait_s)
            return self._incarnation, self._number, self._news

    def stop(self, grace_s: float) -> None:
        """End the replica, in order if it can."""
        self._say(b"stop %f\n" % grace_s)
        try:
            self._keeper.wait(grace_s + _ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._keeper.kill()

    def _say(self, order: bytes) -> None:
        if self._keeper.stdin is not None:
            self._keeper.stdin.write(order)

    def _listen(self) -> None:
        stream = self._keeper.stdout
        pending = b""
        while stream is not None and (data := stream.read(1 << 16)):
            *whole, pending = (pending + data).split(b"\n")
            if whole:
                with self._changed:
                    self._news, self._number = whole[-1], self._number + 1
                    self._changed.notify_all()
        self._keeper.wait()
        time.sleep(_LOOK_EVERY_S / 10)  # an answer to `stop` may be on its way
        os._exit(1)  # Ray makes a new one, unless it was told not to

    def _mind(self) -> None:
        import ray

        while time.monotonic() - self._asked_at < FORGOTTEN_AFTER_S:
            time.sleep(_LOOK_EVERY_S)
        ray.kill(ray.get_runtime_context().current_actor, no_restart=True)

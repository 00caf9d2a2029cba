"""`GET /metrics`: how the server stands, for Prometheus.

Open to the machine itself; else it takes a signature whose caller may do `craton:GetMetrics`, as root may. Owns HTTP and
where each number is asked for; the text is `prometheus`'s.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from craton import __version__
from craton.aws.wire.faults import Fault, internal, unavailable
from craton.aws.wire.model import Operation, Service
from craton.aws.wire.sigv4 import SignedRequest
from craton.context import App, Call
from craton.features.inference.targets import report
from craton.features.inference.targets.report import TargetRow
from craton.front import body as http
from craton.front.admit import authorize_key
from craton.front.authenticate import authenticate
from craton.front.pipeline import body_digest, new_request_id
from craton.front.prometheus import CONTENT_TYPE, Standing, flat, text
from craton.front.prometheus_models import Models

ACTION = "craton:GetMetrics"
PATH = "/metrics"
_TEXT = (b"content-type", CONTENT_TYPE)
_JSON = (b"content-type", b"application/json")
_SERVICE = Service("craton", "rest-json", "bedrock", "", {}, {})
_OPERATION = Operation(
    "craton", "GetMetrics", "GET", PATH, 200, None, None, {}, {}, None, None, None, None, _SERVICE
)  # fmt: skip

Read = Callable[[], Awaitable[Mapping[str, Any]]]
"""What the supervisor knows: totals, jobs, workers."""


class MetricsDoor:
    """Serves the path.

    Args:
        read: asks the supervisor; raises what `trouble` names where it cannot be asked.
        is_open: whether a peer need not sign.
        spool: the folder of invocation logs that wait.
    """

    def __init__(
        self, app: App, read: Read, trouble: tuple[type[Exception], ...], is_open: Callable[[dict[str, Any]], bool],
        spool: Path, report: Callable[[BaseException], None],
    ) -> None:  # fmt: skip
        self.app = app
        self.read = read
        self.trouble = trouble
        self.is_open = is_open
        self.spool = spool
        self.report = report
        self.models = Models()

    async def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        try:
            if not self.is_open(scope):
                self.authorize(scope)
            await http.answer(send, 200, [_TEXT], text(await self.standing()))
        except Fault as fault:
            await self.refuse(send, fault)
        except Exception as error:
            self.report(error)
            await self.refuse(send, internal())

    def authorize(self, scope: dict[str, Any]) -> None:
        """Raises AuthFault, AccessDeniedException."""
        app, headers = self.app, scope["headers"]
        signed = SignedRequest(
            scope["method"], scope["raw_path"], scope["query_string"], headers, body_sha256=body_digest(b"")
        )
        who = authenticate(signed, app.live.credentials, app.clock.now(), app.settings.region)
        started_at = app.clock.monotonic()
        call = Call(app, _OPERATION, who.caller, who.region, new_request_id(), headers, started_at, self.report, scope)
        if who.caller.auth != "sigv4":
            authorize_key(call)
        call.authorize(ACTION, "*")

    async def standing(self) -> Standing:
        """Raises ServiceUnavailableException."""
        mine = report.rows(self.app.live.routes, self.app.clock.monotonic())
        try:
            known, rows, deployments = await asyncio.gather(
                self.read(),
                self.app.supervisor.targets(msgspec.to_builtins(mine)),
                self.app.supervisor.deployments(),
            )
        except self.trouble as error:
            raise unavailable() from error
        workers = known["workers"]
        pids = {"supervisor": os.getppid(), **{f"worker-{index}": pid for index, pid in workers.items()}}
        targets = [(row.pop("worker"), msgspec.convert(row, TargetRow)) for row in map(dict, rows)]
        return Standing(
            models=self.models.families(known["totals"]),
            lost=known["lost"],
            exported=known["exported"],
            budgets=known["budgets"],
            jobs=known["jobs"],
            workers=workers,
            targets=targets,
            memory={name: size for name, pid in pids.items() if (size := resident(pid))},
            deployments=deployments,
            delivery=await asyncio.to_thread(self.delivery),
            version=__version__,
        )

    def delivery(self) -> dict[str, float]:
        """How the delivery of invocation logs stands; nothing where no log was ever kept."""
        from craton.features.invocations.status import status  # most servers are never asked

        return flat(msgspec.to_builtins(status(self.spool))) if self.spool.exists() else {}

    async def refuse(self, send: http.Send, fault: Fault) -> None:
        body = msgspec.json.encode({fault.message_key: fault.message})
        await http.answer(send, fault.http_status(), [_JSON, (b"x-amzn-errortype", fault.name.encode())], body)


def resident(pid: int) -> int:
    """Bytes of a process in memory; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")

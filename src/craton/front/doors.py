"""Craton's own paths beside the AWS operations: `/health`, `/craton/operations` and the like, the vendors' doors.

`/health`, and a HEAD for the root of a door, are open to everybody; `/craton/operations` and `/craton/targets` to the
machine itself, else it needs a signature, as does `/metrics`; `/craton/explain` and `/craton/objects` always need one,
`/craton/documents` a link that GetDocumentContent gave; `/craton/reset` exists only on an
ephemeral server and only for the machine itself (DESIGN, part 7).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from craton.context import App
from craton.features.inference.targets import report
from craton.front import body as http
from craton.front.pipeline import Pipeline
from craton.front.s3_way import S3Way

Door = Callable[[dict[str, Any], http.Receive, http.Send], Coroutine[Any, Any, None]]
JSON = (b"content-type", b"application/json")
# Where the vendors' doors are (`vendor_doors`).
VENDORS = ("/v1/", "/openai/v1/", "/anthropic/v1/")
# Where operations by RPC v2 CBOR are (`cloudwatch_request`).
RPC = "/service/"
# Lambda's operations, whose paths begin with a date; its functions' URLs, by path and by host, and the zips of their code.
DATED = "/20"
FUNCTIONS = ("/lambda-url/", "/craton/lambda-code/")
FUNCTION_HOST = b".lambda-url."
_APART = (*VENDORS, RPC, DATED, *FUNCTIONS)


def from_loopback(scope: dict[str, Any]) -> bool:
    """Whether the peer is this machine."""
    client = scope.get("client")
    host = client[0] if client else ""
    return host == "::1" or host.startswith(("127.", "::ffff:127."))


class Doors:
    """Tells Craton's own paths from the AWS operations.

    Args:
        vendors: gives the vendors' doors; asked when the first request comes to one.
        more: further paths of the machine itself, by method and path (`stage_doors`).
        rooted: the services whose operations all stand at `/`.
        s3: tells S3's requests, whose paths are its users', from all others, and answers them.
    """

    def __init__(
        self,
        app: App,
        pipeline: Pipeline,
        vendors: Callable[[], Door],
        more: Mapping[tuple[str, str], Door] | None = None,
        rooted: Door | None = None,
        s3: S3Way | None = None,
    ) -> None:
        self.app = app
        self.pipeline = pipeline
        self.vendors = vendors
        self.open: dict[tuple[str, str], Door] = {
            ("GET", "/health"): self.health,
            ("HEAD", "/health"): self.health,
            **{("HEAD", path): self.look for path in ("/", "/anthropic", "/anthropic/", "/openai/v1")},
        }
        self.own: dict[tuple[str, str], Door] = {
            ("GET", "/craton/operations"): self.operations,
            ("GET", "/craton/targets"): self.targets,
        }
        # Open to every address, since these ask for a signature themselves.
        self.open["POST", "/craton/explain"] = self.explain
        self.open["POST", "/craton/objects"] = self.show_objects
        self.open["GET", "/craton/documents"] = self.document
        self.metrics: Callable[[], Door] | None = None
        self.functions: Callable[[], Door] | None = None
        self.objects: Callable[[], Door] | None = None
        self.open["GET", "/metrics"] = self.show_metrics
        self.rooted = rooted
        if rooted is not None:
            self.open.update({("GET", "/"): rooted, ("POST", "/"): rooted})
        if app.settings.ephemeral:
            self.own["POST", "/craton/reset"] = self.reset
        self.own.update(more or {})
        self.paths = frozenset(path for _, path in (*self.open, *self.own))
        self.s3 = s3

    def __call__(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> Coroutine[Any, Any, None]:
        path = scope["path"]
        host: bytes = scope["headers"].get(b"host", b"")
        if host.find(FUNCTION_HOST) >= 0 and self.functions is not None:  # `in` would be slow (`s3_way`)
            return self.functions()(scope, receive, send)
        if self.s3 is not None and self.s3.takes(scope, self.paths):
            return self.s3.door()(scope, receive, send)
        if path.startswith(_APART):
            return self._apart(path)(scope, receive, send)
        if path in self.paths:  # few are: most requests are AWS's
            key = (scope["method"], path)
            door = self.own.get(key) if from_loopback(scope) else None
            return (self.open.get(key) or door or self.pipeline)(scope, receive, send)
        return self.pipeline(scope, receive, send)

    def _apart(self, path: str) -> Door:
        if path.startswith(VENDORS):
            return self.vendors()
        if path.startswith(FUNCTIONS) and self.functions is not None:
            return self.functions()
        return self.rooted or self.pipeline

    async def health(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        await http.answer(send, 200, [JSON], b'{"status":"ok"}')

    async def look(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        """A vendor's client looks whether somebody is there; what is signed asks for a bucket of that name."""
        is_signed = scope["headers"].get(b"authorization", b"").startswith(b"AWS4")
        await (self.pipeline if is_signed else self.health)(scope, receive, send)

    async def operations(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        await http.answer(send, 200, [JSON], msgspec.json.encode({"operations": self.app.operations()}))

    async def targets(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        mine = report.rows(self.app.live.routes, self.app.clock.monotonic())
        everybodys = await self.app.supervisor.targets(msgspec.to_builtins(mine))
        await http.answer(send, 200, [JSON], msgspec.json.encode({"targets": everybodys}))

    async def explain(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        from craton.front.explain_door import EXPLAIN, explain  # most servers are never asked
        from craton.front.own_door import OwnDoor

        await OwnDoor(self.app, EXPLAIN, explain, self.pipeline.report)(scope, receive, send)

    async def show_objects(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        """Always signed, which its door sees to."""
        await (self.pipeline if self.objects is None else self.objects())(scope, receive, send)

    async def document(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        """Open to whoever has a link of GetDocumentContent's."""
        from craton.front.document_door import DocumentDoor  # most servers are never asked

        await DocumentDoor(self.app, self.pipeline.report)(scope, receive, send)

    async def show_metrics(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        """Open to the machine itself, else signed, which its door sees to."""
        await (self.pipeline if self.metrics is None else self.metrics())(scope, receive, send)

    async def reset(self, scope: dict[str, Any], receive: http.Receive, send: http.Send) -> None:
        await self.app.supervisor.reset()
        await http.answer(send, 200, [JSON], b'{"status":"reset"}')

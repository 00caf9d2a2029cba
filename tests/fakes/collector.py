"""A fake collector of OpenTelemetry's: takes OTLP over HTTP and keeps what it read, or answers as it is told to.

with Collector() as collector:
    ... [telemetry] endpoint = collector.url
    collector.answers += [(503, {"Retry-After": "1"}, b"")]
    collector.spans
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """Listens on a free port. `answers` are given in turn, then 200; only what was answered so is kept."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.requests: list[ExportTraceServiceRequest] = []
        self.reports: list[ExportMetricsServiceRequest] = []
        self.logged: list[ExportLogsServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.asked = 0
        fake = self
        kept: dict[str, Callable[[bytes], None]] = {
            "/v1/traces": lambda body: self.requests.append(ExportTraceServiceRequest.FromString(body)),
            "/v1/metrics": lambda body: self.reports.append(ExportMetricsServiceRequest.FromString(body)),
            "/v1/logs": lambda body: self.logged.append(ExportLogsServiceRequest.FromString(body)),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                fake.asked += 1
                status, headers, answer = fake.answers.pop(0) if fake.answers else (200, {}, b"")
                if status == 200 and self.path in kept:
                    fake.headers.append({name.lower(): value for name, value in self.headers.items()})
                    fake.bodies.append(body)
                    kept[self.path](body)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def spans(self) -> list[Any]:
        """Every span that was taken."""
        return [
            span
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def records(self) -> list[Any]:
        """Every record of a log that was taken."""
        return [
            record
            for request in self.logged
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    @property
    def metrics(self) -> dict[str, Any]:
        """The metrics of the last report, by name."""
        return {
            metric.name: metric
            for request in self.reports[-1:]
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


def attributes(of: Any) -> dict[str, Any]:
    """The attributes of a span or a resource."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in of.attributes}

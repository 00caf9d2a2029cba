"""What the platform itself writes into a function's log: INIT_START, START, END, REPORT, and its complaints.

Owns their words, as text or as JSON, and the payloads of errors that the platform answers in a function's place. Pure.
Sources: AWS Lambda developer guide, "Lambda execution environment lifecycle", "Working with Lambda function logs";
"Telemetry API Event schema" for the JSON.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil
from typing import Any, Final

import msgspec

JSON: Final = "JSON"
INIT, INVOKE = "init", "invoke"
_SUCCESS, _ERROR, _TIMEOUT = "success", "error", "timeout"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one invocation took. `init_ms` is None for a warm one, `status` "" (well), "error" or "timeout"."""

    request_id: str
    duration_ms: float
    memory_mb: int
    used_mb: int
    init_ms: float | None = None
    status: str = ""
    error: str = ""
    trace: str = ""

    @property
    def billed_ms(self) -> int:
        return max(1, ceil(self.duration_ms + (self.init_ms or 0.0)))


class Lines:
    """The platform's lines in one format.

    Args:
        form: "JSON", or anything else for text.
    """

    def __init__(self, form: str) -> None:
        self._json = form == JSON

    def init_start(self, version: str, runtime_arn: str, function: str, qualifier: str) -> str:
        if self._json:
            record = {"initializationType": "on-demand", "phase": INIT, "runtimeVersion": version,
                      "runtimeVersionArn": runtime_arn, "functionName": function, "functionVersion": qualifier}  # fmt: skip
            return self._event("platform.initStart", record)
        return f"INIT_START Runtime Version: {version}\tRuntime Version ARN: {runtime_arn}\n"

    def init_report(self, took_ms: float, status: str, error: str, phase: str = INIT) -> str:
        """The end of an initialisation that failed; of a good one the first REPORT tells."""
        if self._json:
            record = {"initializationType": "on-demand", "phase": phase, "status": status, "errorType": error,
                      "metrics": {"durationMs": round(took_ms, 3)}}  # fmt: skip
            return self._event("platform.initReport", record)
        kind = f"\tError Type: {error}" if error else ""
        return f"INIT_REPORT Init Duration: {took_ms:.2f} ms\tPhase: {phase}\tStatus: {status}{kind}\n"

    def start(self, request_id: str, version: str) -> str:
        if self._json:
            return self._event("platform.start", {"requestId": request_id, "version": version})
        return f"START RequestId: {request_id} Version: {version}\n"

    def end(self, request_id: str) -> str:
        """The END line; in JSON the report says it as well."""
        return "" if self._json else f"END RequestId: {request_id}\n"

    def report(self, told: Report) -> str:
        if self._json:
            metrics: dict[str, Any] = {
                "durationMs": round(told.duration_ms, 3), "billedDurationMs": told.billed_ms,
                "memorySizeMB": told.memory_mb, "maxMemoryUsedMB": told.used_mb,
            }  # fmt: skip
            if told.init_ms is not None:
                metrics["initDurationMs"] = round(told.init_ms, 3)
            record = {"requestId": told.request_id, "metrics": metrics, "status": told.status or _SUCCESS}
            return self._event("platform.report", record | ({"errorType": told.error} if told.error else {}))
        parts = [
            f"REPORT RequestId: {told.request_id}",
            f"Duration: {told.duration_ms:.2f} ms",
            f"Billed Duration: {told.billed_ms} ms",
            f"Memory Size: {told.memory_mb} MB",
            f"Max Memory Used: {told.used_mb} MB",
        ]
        parts += [f"Init Duration: {told.init_ms:.2f} ms"] if told.init_ms is not None else []
        parts += [f"XRAY TraceId: {told.trace}"] if told.trace else []
        parts += [f"Status: {told.status}"] if told.status else []
        parts += [f"Error Type: {told.error}"] if told.error else []
        return "\t".join(parts) + "\t\n"

    def complaint(self, text: str) -> str:
        """Something went wrong with the environment."""
        return "" if self._json else f"{stamp()} {text}\n"

    def _event(self, kind: str, record: dict[str, Any]) -> str:
        return msgspec.json.encode({"time": stamp(), "type": kind, "record": record}).decode() + "\n"


def stamp() -> str:
    """The moment, as logs have it: milliseconds and a Z."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def timed_out(timeout_s: float) -> str:
    return f"Task timed out after {timeout_s:.2f} seconds"


def ended(status: int) -> str:
    """Why a runtime is gone, by its exit status (the code, or minus the signal)."""
    if status == 0:
        return "Runtime exited without providing a reason"
    how = f"signal: {_SIGNALS.get(-status, f'signal {-status}')}" if status < 0 else _code(status)
    return f"Runtime exited with error: {how}"


def _code(status: int) -> str:
    """Bubblewrap hands a signal on as a shell does."""
    signal = _SIGNALS.get(status - 128)
    return f"exit status {status}" if signal is None else f"signal: {signal}"


_SIGNALS: Final = {6: "aborted", 7: "bus error", 8: "floating point exception", 9: "killed", 11: "segmentation fault",
                   15: "terminated", 31: "bad system call"}  # fmt: skip


def error(kind: str, message: str, request_id: str = "") -> bytes:
    """The payload that stands for a function's answer."""
    said = f"RequestId: {request_id} Error: {message}" if request_id else message
    return msgspec.json.encode({"errorType": kind, "errorMessage": said})

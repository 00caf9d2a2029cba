"""Traces of invocations: noted by workers, sent by the supervisor to a collector of OpenTelemetry's."""

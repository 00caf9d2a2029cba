"""The environment variables of a function: what the platform sets, and the function's own.

Owns the names and which win. It must not know where values come from. Source: AWS Lambda developer guide, "Defined runtime
environment variables".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from craton.aws.wire.sign import Keys
from craton.features.functions.function import Plan, log_group
from craton.features.functions.host.lines import JSON
from craton.features.functions.host.runtimes import LANGUAGE, RUNTIME, TASK, Runtime

_PATHS: Final = (f"{LANGUAGE}/bin", "/usr/local/bin", "/usr/bin", "/bin", "/opt/bin")
_LIBRARIES: Final = (
    "/lib64", "/usr/lib64", RUNTIME, f"{RUNTIME}/lib", TASK, f"{TASK}/lib", "/opt/lib",
)  # fmt: skip
FRAMES: Final = 3
"""The descriptor on which AWS's runtime client writes log frames."""


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided for one environment: `api` is where the Runtime API listens, `endpoint` where this server does."""

    keys: Keys
    region: str
    api: str
    endpoint: str
    log_stream: str
    provisioned: bool = False


def variables(plan: Plan, runtime: Runtime, given: Given, own: Mapping[str, str]) -> dict[str, str]:
    """All of them. The function's own may replace those that are no reserved ones, as on AWS."""
    configuration = plan.configuration
    set_by_us = {
        "PATH": ":".join(_PATHS),
        "LD_LIBRARY_PATH": ":".join([*runtime.libraries, *_LIBRARIES]),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_ENDPOINT_URL": given.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",  # there is none, and SDKs would wait for it
    }
    if runtime.name.startswith("python"):
        set_by_us["PYTHONPATH"] = RUNTIME
    elif runtime.modules:
        set_by_us["NODE_PATH"] = ":".join(runtime.modules)
    reserved = {
        "_HANDLER": configuration.handler,
        "AWS_REGION": given.region,
        "AWS_DEFAULT_REGION": given.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{configuration.runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": plan.name,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(configuration.memory_mb),
        "AWS_LAMBDA_FUNCTION_VERSION": configuration.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "provisioned-concurrency" if given.provisioned else "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": log_group(plan),
        "AWS_LAMBDA_LOG_STREAM_NAME": given.log_stream,
        "AWS_LAMBDA_LOG_FORMAT": "JSON" if configuration.logging.get("LogFormat") == JSON else "Text",
        "AWS_ACCESS_KEY_ID": given.keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": given.keys.secret_access_key,
        "AWS_SESSION_TOKEN": given.keys.session_token,
        "AWS_LAMBDA_RUNTIME_API": given.api,
        "LAMBDA_TASK_ROOT": TASK,
        "LAMBDA_RUNTIME_DIR": RUNTIME,
    }
    level = configuration.logging.get("ApplicationLogLevel")
    if level and configuration.logging.get("LogFormat") == JSON:
        reserved["AWS_LAMBDA_LOG_LEVEL"] = level
    if not runtime.name.startswith("provided"):  # AWS's clients write their log so
        reserved["_LAMBDA_TELEMETRY_LOG_FD"] = str(FRAMES)
    return set_by_us | dict(own) | reserved

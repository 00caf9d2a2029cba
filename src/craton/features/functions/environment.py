"""A function's environment variables: their rules, and their sealing.

Owns what may be a variable, and to what the sealed ones are bound. It must not know who may read them.
Source: AWS Lambda developer guide, "Working with Lambda environment variables".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from craton.infra.cipher.port import Cipher

PURPOSE: Final = "lambda-environment"
MOST_BYTES: Final = 4096
_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]+")
RESERVED: Final = frozenset(
    {"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
     "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
     "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
     "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT",
     "LAMBDA_RUNTIME_DIR"}
)  # fmt: skip


def fault(variables: Mapping[str, str]) -> str | None:
    """What is wrong with variables, in AWS's words; None for nothing."""
    taken = [name for name in variables if name in RESERVED]
    if taken:
        return (
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided contains reserved keys that are currently not supported for modification. Reserved keys used in "
            f"this request: {', '.join(sorted(taken))}"
        )
    for name, value in variables.items():
        if not _NAME.fullmatch(name) or "\x00" in value:
            return f"Lambda was unable to configure your environment variables: {name[:100]} is not a valid variable"
    if len(msgspec.json.encode(variables)) > MOST_BYTES:
        return (
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided exceeded the 4KB limit. String measured: (withheld)"
        )
    return None


async def sealed(cipher: Cipher, arn: str, key: str | None, variables: Mapping[str, str]) -> bytes:
    """The variables of the function `arn`, under `key` or the account's own. Raises CipherError."""
    _, _, _, region, account, _ = arn.split(":", 5)
    return await cipher.seal(account, PURPOSE, key, msgspec.json.encode(variables), {"function": arn}, region=region)


async def opened(cipher: Cipher, arn: str, environment: bytes | None) -> dict[str, str]:
    """The variables; none where there are none. Raises CipherError."""
    if environment is None:
        return {}
    plain = await cipher.open(arn.split(":", 5)[4], PURPOSE, environment, {"function": arn})
    return msgspec.json.decode(plain, type=dict[str, str])

"""A boto3 client of a Craton server that nothing in the person's environment can lead astray.

Owns the arguments that make it so: no profile, no bearer key, no proxy, no other endpoint. It must not know what the
client is used for. boto3 takes a third of a second to load, so this is imported late.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from craton.cli.running import Running
    from craton.infra.keys.root import RootKey

_READ_TIMEOUT_S = 180


def client(service: str, server: Running, key: RootKey) -> Any:
    """A client for any service. Changes this process's environment."""
    clear_environment()
    return boto3.client(
        service,
        endpoint_url=server.url,
        region_name=server.region,
        verify=server.authority or None,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
        config=Config(
            signature_version="v4",
            proxies={},
            read_timeout=_READ_TIMEOUT_S,
            retries={"total_max_attempts": 3, "mode": "standard"},
        ),
    )


def clear_environment() -> None:
    """Take AWS's variables from this process: even an unused profile that does not exist stops boto3."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"

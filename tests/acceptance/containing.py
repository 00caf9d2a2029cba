"""What the tests of containers share: configurations of containers that are this interpreter with the test server."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tests.integration.containers.running_containers import SERVER

HELLO = [{"role": "user", "content": [{"text": "Hello"}]}]
HUB = "arn:aws:sagemaker:us-east-1:aws:hub-content/SageMakerPublicHub/Model/"


def contained(table: str, mode: str = "ok", **more: Any) -> str:
    """The keys of a container's table, as TOML."""
    given = {
        "command": [sys.executable, "-I", "-S", str(SERVER)],
        "reads": [str(SERVER.parent)],
        "memory_bytes": 200_000_000,
        "scratch_bytes": 1 << 20,
        "start_timeout_s": 20,
        **more,
    }
    keys = "\n".join(f"{key} = {json.dumps(value)}" for key, value in given.items())
    return f'[{table}.container]\n{keys}\nenv = {{ MODE = "{mode}" }}\n'


def model(model_id: str, mode: str = "ok", head: str = "", **more: Any) -> str:
    """A `[[model]]` with a container."""
    return f'[[model]]\nid = "{model_id}"\n{head}\n{contained("model", mode, **more)}'


def known(source: str, mode: str = "ok", head: str = "", **more: Any) -> str:
    """A `[[marketplace.model]]`."""
    return f'[[marketplace.model]]\nsource = "{source}"\n{head}\n{contained("marketplace.model", mode, **more)}'


def refused(act: Callable[..., Any], **given: Any) -> tuple[str, int, str]:
    """The error that an operation answers: its code, status and message."""
    try:
        act(**given)
    except ClientError as error:
        told = error.response
        return told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"], told["Error"]["Message"]
    raise AssertionError("it was done")


def until(look: Callable[[], Any], good: Callable[[Any], bool], within_s: float = 90.0) -> Any:
    """What `look` gives, once it is good."""
    end = time.monotonic() + within_s
    while not good(found := look()):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found

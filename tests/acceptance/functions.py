"""What the tests of Lambda share: zips, an execution role, a function made of a few lines."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from tests.acceptance.identities import document, trust
from tests.running import Running

ECHO = "def handler(event, context):\n    return event\n"


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100755 << 16 if name == "bootstrap" else 0o100644 << 16
            archive.writestr(info, content)
    return target.getvalue()


def code(source: str = ECHO) -> dict[str, bytes]:
    return {"ZipFile": zipped({"app.py": source})}


def make_role(server: Running, name: str, *statements: dict[str, Any]) -> str:
    """A role that Lambda may assume, with these rights; its ARN."""
    iam = server.client("iam")
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust({"Service": "lambda.amazonaws.com"}))
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document(*statements))
    arn: str = made["Role"]["Arn"]
    return arn


def make(client: Any, name: str, role: str, source: str = ECHO, **more: Any) -> dict[str, Any]:
    """A Python function of this source."""
    given = {"Runtime": "python3.11", "Handler": "app.handler", "Code": code(source), "Role": role, **more}
    made: dict[str, Any] = client.create_function(FunctionName=name, **given)
    return made


def until(found: Callable[[], Any], *, within_s: float = 120.0) -> Any:
    """What `found` gives as soon as it is true."""
    end = time.monotonic() + within_s
    while True:
        value = found()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.05)


def called(client: Any, name: str, event: Any = None, **more: Any) -> Any:
    """What a function answers."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **more)
    return json.loads(answer["Payload"].read() or b"null")

"""Bedrock API keys for the vendors' clients: made by the caller alone, or by `craton keys create`."""

from __future__ import annotations

import base64
import re
import subprocess
import sys

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.running import ACCESS_KEY, SECRET_KEY, Running


def short_term(region: str = "us-east-1", secret: str = SECRET_KEY) -> str:
    """A presigned request, as `aws-bedrock-token-generator` makes it."""
    request = AWSRequest(
        "POST",
        "https://bedrock.amazonaws.com/",
        headers={"host": "bedrock.amazonaws.com"},
        params={"Action": "CallWithBearerToken"},
    )
    SigV4QueryAuth(Credentials(ACCESS_KEY, secret), "bedrock", region, expires=43_200).add_auth(request)
    url = str(request.url).removeprefix("https://") + "&Version=1"
    return "bedrock-api-key-" + base64.b64encode(url.encode()).decode()


def long_term(server: Running) -> str:
    """A key of the store."""
    command = [sys.executable, "-m", "craton.cli.main", "keys", "create", "--home", str(server.home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    found = re.search(r"AWS_BEARER_TOKEN_BEDROCK=(\S+)", done.stdout + done.stderr)
    assert found
    return found[1]

"""The AWS SDK for JavaScript v3 against S3, unmodified: path-style, and with the bucket in the host."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.running import Running

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).parent / "clients" / "s3.mjs"
KEY = "a b/ü+&.txt"
NAMES = ("bucket", "object", "range", "stream", "list", "presigned", "missing", "empty")
# Names under localhost resolve in browsers and on most systems; here the resolver is told to.
RESOLVE = """
import dns from "node:dns";
const lookup = dns.lookup;
dns.lookup = (host, ...rest) => lookup(host.endsWith(".localhost") ? "127.0.0.1" : host, ...rest);
"""


def run(server: Running, tmp_path: Path, **scenario: Any) -> dict[str, Any]:
    """The results of all scenarios, in their order."""
    hook = tmp_path / "resolve.mjs"
    hook.write_text(RESOLVE)
    environment = {
        "PATH": os.environ["PATH"],
        **server.environment(),
        "CLIENTS_ROOT": str(ROOT / ".tools" / "js"),
        "SCENARIO": json.dumps(scenario),
        "NODE_NO_WARNINGS": "1",
        "NODE_OPTIONS": f"--import={hook}",
    }
    words = ["node", str(SCRIPT), *NAMES]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=90, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == len(NAMES), done.stderr
    return {row["name"]: row.get("result", row.get("error")) for row in rows}


@pytest.mark.parametrize("style", ["path", "host"])
def test_the_sdk_for_javascript(server: Running, tmp_path: Path, style: str) -> None:
    """A bucket's whole life: objects, ranges, an upload in parts from a stream, pages, a presigned URL, errors."""
    endpoint = server.url if style == "path" else f"http://localhost:{server.port}"
    told = run(server, tmp_path, bucket=f"javascript-{style}", pathStyle=style == "path", endpoint=endpoint)
    assert told["bucket"] == 200
    assert told["object"]["text"] == "hello"
    assert told["object"]["metadata"] == {"colour": "red"}
    assert told["object"]["crc"] == "NhCmhg=="
    assert told["range"] == {"text": "ell", "range": "bytes 1-3/5"}
    assert told["stream"] == {"length": 6 * 1024 * 1024, "parts": True, "last": 5}
    assert told["list"] == [KEY, "parts"]
    assert told["presigned"] == "hello"
    assert told["missing"] == {"name": "NoSuchKey", "status": 404, "message": "The specified key does not exist."}
    assert told["empty"] == 2

"""`craton secret rotate` between two runs of a server: what users hold goes on, what the old secret vouched for ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.identities import allow, document, refused, user_key, with_key
from tests.acceptance.kms import made
from tests.running import Running


def rotate(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "craton.cli.main", "secret", "rotate", "--home", str(home), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_rotation_ends_sessions_and_nothing_else(tmp_path: Path) -> None:
    """A user's key, a ciphertext and a sealed object go on under both new secrets; a session of before is unknown."""
    home = tmp_path / "home"
    with Running(home) as server:
        key = user_key(server, "u", document(allow("*")))
        kms, s3 = server.client("kms"), server.client("s3")
        blob = kms.encrypt(KeyId=made(kms), Plaintext=b"kept")["CiphertextBlob"]
        s3.create_bucket(Bucket="kept")
        s3.put_object(Bucket="kept", Key="a", Body=b"content")
        session: dict[str, Any] = with_key(server, key, "sts").get_session_token()["Credentials"]
        busy = rotate(home)
        assert (busy.returncode, "is in use by process" in busy.stderr) == (1, True)
    old = [(home / name).read_bytes() for name in ("secret", "root.key")]
    secret, root = rotate(home), rotate(home, "--root-key")
    assert secret.stdout == "The secret is a new one: 1 access keys and 0 KMS keys were sealed anew.\n"
    assert root.stdout == "The root key is a new one: 0 access keys and 2 KMS keys were sealed anew.\n"
    assert [(home / name).read_bytes() == before for name, before in zip(("secret", "root.key"), old, strict=True)] == [
        False,
        False,
    ]
    with Running(home) as server:
        assert with_key(server, key, "sts").get_caller_identity()["Arn"].endswith(":user/u")
        assert server.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
        assert server.client("s3").get_object(Bucket="kept", Key="a")["Body"].read() == b"content"
        with refused("InvalidClientTokenId", 403):
            with_key(server, session, "sts").get_caller_identity()

"""The root key elsewhere: in the environment, and in an outside KMS, for which a second server stands here."""

from __future__ import annotations

import base64
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.acceptance.kms import made, refused
from tests.running import ACCESS_KEY, SECRET_KEY, Running

ENVIRONMENT = {"OUTSIDE_ID": ACCESS_KEY, "OUTSIDE_SECRET": SECRET_KEY}


def outside(url: str, key: str) -> str:
    return (
        f'[kms]\nendpoint_url = "{url}"\nkey_id = "{key}"\naccess_key_id = "env:OUTSIDE_ID"\n'
        'secret_access_key = "env:OUTSIDE_SECRET"\n'
    )


def start(home: Path, config: str, **env: str) -> str:
    """What a start that is refused says."""
    home.mkdir(exist_ok=True)
    (home / "c.toml").write_text(config)
    command = [sys.executable, "-m", "craton.cli.main", "serve", "--port", "0", "--home", str(home)]
    done = subprocess.run(
        [*command, "--config", str(home / "c.toml")], capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "/usr/bin:/bin", **env},
    )  # fmt: skip
    assert done.returncode != 0
    return done.stdout + done.stderr


def sealed(kms: Any) -> bytes:
    blob: bytes = kms.encrypt(KeyId=made(kms), Plaintext=b"kept")["CiphertextBlob"]
    return blob


def test_an_outside_kms_keeps_the_root_key(tmp_path: Path) -> None:
    """Only its sealed form lies in the home; without the outside key the server does not start."""
    with Running(tmp_path / "outside") as keeper:
        key = made(keeper.client("kms"))
        config = outside(keeper.url, key)
        home = tmp_path / "home"
        with Running(home, config, env=ENVIRONMENT) as server:
            blob = sealed(server.client("kms"))
        assert (home / "root.key.sealed").exists()
        assert not (home / "root.key").exists()
        with Running(home, config, env=ENVIRONMENT) as server:
            assert server.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
        keeper.client("kms").disable_key(KeyId=key)
        told = start(home, config, **ENVIRONMENT)
        assert "the outside KMS refuses Decrypt: 400 DisabledException" in told
        assert "Traceback" not in told
        assert SECRET_KEY not in told


def test_the_environment_holds_the_root_key(tmp_path: Path) -> None:
    """The same variable opens what was sealed, another one says that it is another; nothing is written to the home."""
    config = '[kms]\nroot_key = "env:ROOT"\n'
    one, two = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
    with Running(tmp_path, config, env={"ROOT": one}) as server:
        blob = sealed(server.client("kms"))
        assert not (tmp_path / "root.key").exists()
    with Running(tmp_path, config, env={"ROOT": two}) as server:
        refused("InvalidCiphertextException", "", server.client("kms").decrypt, CiphertextBlob=blob)
        keys = server.client("kms").list_keys()["Keys"]
        refused("KMSInternalException", "", server.client("kms").encrypt, KeyId=keys[0]["KeyId"], Plaintext=b"x")
        assert "RootUnavailable" in server.output()
        assert one not in server.output()
    told = start(tmp_path, config)
    assert "the environment variable ROOT is not set" in told
    assert "Traceback" not in told

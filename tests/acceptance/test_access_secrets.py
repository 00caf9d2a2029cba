"""Key material of a server: in no file of its home in the clear, in no log, in no error."""

from __future__ import annotations

import base64
import contextlib
import json
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from tests.acceptance.identities import HOME_TRUST, MAY_INVOKE, by_bearer, user_key, with_key
from tests.acceptance.kms import made
from tests.running import Running


def handed_out(server: Running) -> list[str]:
    """Every sort of secret that the server gives to somebody."""
    key = user_key(server, "ann", MAY_INVOKE)
    iam, sts, kms = server.client("iam"), server.client("sts"), server.client("kms")
    api = iam.create_service_specific_credential(UserName="ann", ServiceName="bedrock.amazonaws.com")
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=HOME_TRUST)["Role"]["Arn"]
    session = sts.assume_role(RoleArn=role, RoleSessionName="monday")["Credentials"]
    mine = with_key(server, key, "sts").get_session_token()["Credentials"]
    data_key = kms.generate_data_key(KeyId=made(kms), KeySpec="AES_256")
    misuse(server, key, session, api["ServiceSpecificCredential"]["ServiceCredentialSecret"])
    return [
        key["SecretAccessKey"],
        api["ServiceSpecificCredential"]["ServiceCredentialSecret"],
        *(one[name] for one in (session, mine) for name in ("SecretAccessKey", "SessionToken")),
        base64.b64encode(data_key["Plaintext"]).decode(),
    ]


def misuse(server: Running, key: dict[str, Any], session: dict[str, Any], api: str) -> None:
    """Errors with a secret in the request, where secrets belong: who takes one for a name gets it kept as a name."""
    wrong = {**session, "SecretAccessKey": key["SecretAccessKey"]}
    calls = [
        lambda: with_key(server, wrong, "sts").get_caller_identity(),
        lambda: with_key(server, {**key, "SessionToken": session["SessionToken"]}, "bedrock").list_foundation_models(),
        lambda: server.client("kms").decrypt(CiphertextBlob=api.encode()),
    ]
    for call in calls:
        with contextlib.suppress(ClientError):
            call()
    assert by_bearer(server, api[:-4] + "AAAA") == 403


def found(home: Path, secrets: list[str], output: str) -> list[str]:
    """Where one of the secrets stands in the clear, or as the bytes that it is base64 of."""
    places = {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}
    places["output"] = output.encode()
    return [
        place
        for place, content in places.items()
        for secret in secrets
        if secret.encode() in content or base64.b64decode(secret.rpartition(":")[2] + "==")[:24] in content
    ]


def test_what_was_handed_out_is_nowhere(tmp_path: Path) -> None:
    """Access keys lie sealed, API keys as a hash, sessions and data keys not at all; while it runs and after it."""
    config = "[audit]\ndata_events = true\n"
    with Running(tmp_path, config) as server:
        secrets = handed_out(server)
        assert len(set(secrets)) == 7
        assert found(tmp_path, secrets, server.output()) == []
    assert found(tmp_path, secrets, server.output()) == []
    audited = [path for path in (tmp_path / "audit").rglob("*") if path.is_file()]
    assert any(json.loads(line)["eventName"] == "CreateAccessKey" for line in lines(audited))


def lines(paths: list[Path]) -> list[str]:
    return [line for path in paths for line in path.read_text().splitlines() if '"eventName"' in line]

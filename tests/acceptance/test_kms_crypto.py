"""Encrypting with KMS keys: what comes back, what is refused, and that a crash loses nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.acceptance import rawhttp
from tests.acceptance.kms import made, refused, serving_keys
from tests.running import Running

CONTEXT = {"tenant": "a", "Ünïcode": "ß"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving_keys(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def kms(server: Running) -> Any:
    return server.client("kms")


@pytest.fixture(scope="module")
def arn(kms: Any) -> str:
    return made(kms)


@pytest.mark.parametrize("plaintext", [b"x", bytes(range(256)), b"y" * 4096], ids=["byte", "binary", "longest"])
def test_what_is_encrypted_decrypts(kms: Any, arn: str, plaintext: bytes) -> None:
    """Without naming the key, under the same context."""
    blob = kms.encrypt(KeyId=arn, Plaintext=plaintext, EncryptionContext=CONTEXT)["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob, EncryptionContext=dict(reversed(CONTEXT.items())))
    assert (opened["Plaintext"], opened["KeyId"]) == (plaintext, arn)
    assert opened["EncryptionAlgorithm"] == "SYMMETRIC_DEFAULT"


def test_limits_of_size(kms: Any, arn: str) -> None:
    """4,096 bytes at most, one at least."""
    for plaintext in (b"y" * 4097, b""):
        refused("ValidationException", "'plaintext'", kms.encrypt, KeyId=arn, Plaintext=plaintext)


def test_the_context_must_match_byte_for_byte(kms: Any, arn: str) -> None:
    """Another one, none, and one more pair are all the same: invalid ciphertext."""
    blob = kms.encrypt(KeyId=arn, Plaintext=b"x", EncryptionContext=CONTEXT)["CiphertextBlob"]
    for wrong in ({}, {**CONTEXT, "tenant": "b"}, {**CONTEXT, "more": "1"}, {"Tenant": "a"}):
        refused("InvalidCiphertextException", "", kms.decrypt, CiphertextBlob=blob, EncryptionContext=wrong)


def test_a_ciphertext_must_be_whole_and_of_the_key_that_is_named(kms: Any, arn: str) -> None:
    """Damaged bytes are invalid; another key's name is the wrong key."""
    blob = kms.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    for damaged in (blob[:-1], b"rubbish", blob[:20] + b"?" + blob[21:]):
        refused("InvalidCiphertextException", "", kms.decrypt, CiphertextBlob=damaged)
    refused("IncorrectKeyException", "does not identify", kms.decrypt, CiphertextBlob=blob, KeyId=made(kms))
    assert kms.decrypt(CiphertextBlob=blob, KeyId=arn)["Plaintext"] == b"x"


def test_data_keys(kms: Any, arn: str) -> None:
    """Clear and encrypted, by spec or by length; the form without plaintext holds none."""
    key = kms.generate_data_key(KeyId=arn, KeySpec="AES_256", EncryptionContext=CONTEXT)
    assert len(key["Plaintext"]) == 32
    opened = kms.decrypt(CiphertextBlob=key["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == key["Plaintext"]
    assert len(kms.generate_data_key(KeyId=arn, NumberOfBytes=77)["Plaintext"]) == 77
    alone = kms.generate_data_key_without_plaintext(KeyId=arn, KeySpec="AES_128")
    assert "Plaintext" not in alone
    assert len(kms.decrypt(CiphertextBlob=alone["CiphertextBlob"])["Plaintext"]) == 16
    for given in ({}, {"KeySpec": "AES_256", "NumberOfBytes": 32}):
        refused("ValidationException", "number of bytes or key spec", kms.generate_data_key, KeyId=arn, **given)


def test_random_bytes(kms: Any) -> None:
    """As many as were asked for, never the same."""
    one, two = (kms.generate_random(NumberOfBytes=64)["Plaintext"] for _ in range(2))
    assert len(one) == 64
    assert one != two


def test_re_encryption(kms: Any, arn: str) -> None:
    """Under another key and context, without the plaintext leaving."""
    other = made(kms)
    blob = kms.encrypt(KeyId=arn, Plaintext=b"moved", EncryptionContext={"a": "1"})["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob, SourceEncryptionContext={"a": "1"}, DestinationKeyId=other,
        DestinationEncryptionContext={"b": "2"},
    )  # fmt: skip
    assert (moved["SourceKeyId"], moved["KeyId"]) == (arn, other)
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"b": "2"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"moved", other)
    refused("InvalidCiphertextException", "", kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=other)


def test_a_disabled_key_does_nothing(kms: Any) -> None:
    """Neither direction, until it is enabled again."""
    key = made(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    refused("DisabledException", f"{key} is disabled.", kms.encrypt, KeyId=key, Plaintext=b"x")
    refused("DisabledException", f"{key} is disabled.", kms.decrypt, CiphertextBlob=blob)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_dry_run_only_tells(kms: Any, arn: str) -> None:
    """Would it succeed? Then a DryRunOperationException says so."""
    refused("DryRunOperationException", "would have succeeded", kms.encrypt, KeyId=arn, Plaintext=b"x", DryRun=True)


@pytest.mark.parametrize(
    ("body", "headers", "name"),
    [
        (b"{}", {}, "UnknownOperationException"),
        (b"{}", {"x-amz-target": "TrentService.Nope"}, "UnknownOperationException"),
        (b"[", {"x-amz-target": "TrentService.Encrypt"}, "SerializationException"),
        (b"\xff\xfe", {"x-amz-target": "TrentService.Encrypt"}, "SerializationException"),
        (b"[" * 100_000, {"x-amz-target": "TrentService.Encrypt"}, "SerializationException"),
        (b"{}", {"x-amz-target": "TrentService.Encrypt"}, "ValidationException"),
        (b"x" * 2_000_000, {"x-amz-target": "TrentService.Encrypt"}, "RequestEntityTooLargeException"),
    ],
    ids=["no target", "unknown", "cut", "no text", "deep", "empty", "huge"],
)
def test_requests_that_are_none(server: Running, body: bytes, headers: dict[str, str], name: str) -> None:
    """Status 400, with the error's name where the JSON protocol has it."""
    answer = rawhttp.call(server, "POST", "/", body, headers, service="kms")
    assert (answer.status, answer.json["__type"]) == (400, name), answer
    assert answer.headers["content-type"] == "application/x-amz-json-1.1"


def test_who_asks_must_be_known(server: Running) -> None:
    """An unknown key, and another service's signature: errors in the JSON protocol, with status 400."""
    headers = {"x-amz-target": "TrentService.ListKeys"}
    unknown = rawhttp.call(server, "POST", "/", b"{}", headers, service="kms", key="AKIANOBODYNOBODYNOBO")
    assert (unknown.status, unknown.json["__type"]) == (400, "UnrecognizedClientException")
    wrong = rawhttp.call(server, "POST", "/", b"{}", headers, service="kms", secret="x" * 40)
    assert (wrong.status, wrong.json["__type"]) == (400, "InvalidSignatureException")


def test_a_key_outlives_a_crash(tmp_path: Path) -> None:
    """Whatever CreateKey answered is there after kill -9 of everything, and opens what it encrypted."""
    with serving_keys(tmp_path) as server:
        kms = server.client("kms")
        arn = made(kms)
        blob = kms.encrypt(KeyId=arn, Plaintext=b"kept")["CiphertextBlob"]
        assert server.process is not None
        family = [*psutil.Process(server.process.pid).children(recursive=True), psutil.Process(server.process.pid)]
        last = made(kms)
        for process in family:
            process.send_signal(signal.SIGKILL)
        psutil.wait_procs(family, timeout=60)
    with serving_keys(tmp_path) as server:
        kms = server.client("kms")
        assert kms.describe_key(KeyId=last)["KeyMetadata"]["Enabled"]
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"


def test_no_key_material_lies_open(server: Running, kms: Any, arn: str) -> None:
    """Neither data keys nor plaintexts are in any file of the home."""
    key = kms.generate_data_key(KeyId=arn, KeySpec="AES_256")["Plaintext"]
    kms.encrypt(KeyId=arn, Plaintext=b"a word that nobody else says")
    for path in server.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert key not in content, path
            assert b"nobody else says" not in content, path

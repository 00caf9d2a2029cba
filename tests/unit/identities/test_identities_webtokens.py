"""Web identities: which tokens prove something."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from craton.infra.identities.webtokens import BadWebToken, ExpiredWebToken, Issuer, KeysUnavailable

URL = "https://issuer.example/realm"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
OTHER = rsa.generate_private_key(65537, 2048)


def jwk(key: Any, kid: str) -> dict[str, Any]:
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    public: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
    return {**public, "kid": kid, "use": "sig", "alg": "RS256" if algorithm is RSAAlgorithm else "ES256"}


def write(path: Path, **keys: Any) -> None:
    path.write_text(json.dumps({"keys": [jwk(key, kid) for kid, key in keys.items()]}))
    moment = path.stat().st_mtime_ns + len(keys) * 10**9
    os.utime(path, ns=(moment, moment))


def token(key: Any = RSA, kid: str | None = "r", algorithm: str = "RS256", **claims: Any) -> str:
    now = int(NOW.timestamp())
    given = {"iss": URL, "sub": "job", "aud": "craton", "iat": now - 10, "exp": now + 600, **claims}
    given = {name: value for name, value in given.items() if value is not None}
    return jwt.encode(given, key, algorithm=algorithm, headers={"kid": kid} if kid else {})


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    write(tmp_path / "jwks.json", r=RSA, e=EC)
    return Issuer(URL, str(tmp_path / "jwks.json"))


def test_tokens_of_the_issuer(issuer: Issuer) -> None:
    """RS256 and ES256, by the key that they name."""
    assert issuer.claims(token(), NOW)["sub"] == "job"
    assert issuer.claims(token(EC, "e", "ES256"), NOW)["aud"] == "craton"
    assert issuer.name == "issuer.example/realm"


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (token(OTHER), "not valid"),
        (token(kid="nobody"), "verification key"),
        (token(kid=None), "verification key"),
        (token(iss="https://evil.example"), "issuer"),
        (token(nbf=int(NOW.timestamp()) + 300), "not come yet"),
        (token(iat=int(NOW.timestamp()) + 300), "not come yet"),
        (token(exp=None), "not valid"),
        (token(sub=None), "not valid"),
        (token(exp="soon"), "no numbers|not valid"),
        (jwt.encode({"iss": URL, "sub": "x"}, None, algorithm="none"), "verification key"),
        (jwt.encode({"iss": URL}, "x" * 32, algorithm="HS256", headers={"kid": "r"}), "not valid"),
        ("", "not valid"),
        ("a.b.c", "not valid"),
        ("x" * 30_000, "too long"),
    ],
)
def test_tokens_that_prove_nothing(issuer: Issuer, bad: str, words: str) -> None:
    """Another's key, another's issuer, the wrong time, the wrong algorithm, no token at all."""
    with pytest.raises(BadWebToken, match=words):
        issuer.claims(bad, NOW)


def test_an_expired_token_is_told_apart(issuer: Issuer) -> None:
    """To the second: no grace after the end."""
    with pytest.raises(ExpiredWebToken):
        issuer.claims(token(exp=int(NOW.timestamp())), NOW)


def test_an_rsa_key_is_no_secret_of_an_hmac(issuer: Issuer) -> None:
    """The public key used as an HMAC's secret, which careless checkers fall for."""
    import base64
    import hashlib
    import hmac

    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    public = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = jwt.decode(token(), options={"verify_signature": False})
    head = part(b'{"alg":"HS256","kid":"r"}') + b"." + part(json.dumps(claims).encode())
    forged = head + b"." + part(hmac.digest(public, head, hashlib.sha256))
    with pytest.raises(BadWebToken):
        issuer.claims(forged.decode(), NOW)


def test_keys_rotate(tmp_path: Path) -> None:
    """A key that was added counts at once, one that was taken away no longer."""
    path = tmp_path / "jwks.json"
    write(path, r=RSA)
    issuer = Issuer(URL, str(path))
    issuer.claims(token(), NOW)
    write(path, new=OTHER, more=EC)
    assert issuer.claims(token(OTHER, "new"), NOW)["sub"] == "job"
    with pytest.raises(BadWebToken):
        issuer.claims(token(), NOW)


def test_keys_that_cannot_be_read(tmp_path: Path) -> None:
    """Without any keys nothing can be said; keys that were there hold on when the file breaks."""
    path = tmp_path / "jwks.json"
    with pytest.raises(KeysUnavailable):
        Issuer(URL, str(path)).claims(token(), NOW)
    write(path, r=RSA)
    issuer = Issuer(URL, str(path))
    issuer.claims(token(), NOW)
    path.write_text("broken")
    assert issuer.claims(token(), NOW)["sub"] == "job"

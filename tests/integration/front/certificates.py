"""Certificates for tests, made as `craton tls create` makes them."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from craton.cli import tls
from craton.front.tls import Files


def put(folder: Path, authority: tls.Pair | None = None) -> tls.Pair:
    """Write ca.pem, certificate.pem and key.pem for 127.0.0.1; their authority."""
    folder.mkdir(exist_ok=True)
    found = authority or tls.new_authority()
    certificate, key = tls.issue(found, ("127.0.0.1", "localhost"), 2)
    tls.write(folder / tls.KEY, tls.key_pem(key))
    tls.write(folder / tls.CERTIFICATE, tls.pem(certificate) + tls.pem(found[0]))
    tls.write(folder / tls.AUTHORITY, tls.pem(found[0]))
    return found


def client(folder: Path, authority: tls.Pair) -> None:
    """Write client.pem and client.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = tls.begun(tls.named("client"), authority[0].subject, key, 2)
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    certificate = tls.signed(builder.add_extension(purposes, critical=False), key, authority[1])
    tls.write(folder / "client.key", tls.key_pem(key))
    tls.write(folder / "client.pem", tls.pem(certificate))


def files(folder: Path, *, client_ca: str = "") -> Files:
    return Files(certificate=str(folder / tls.CERTIFICATE), key=str(folder / tls.KEY), client_ca=client_ca)


def config(folder: Path) -> str:
    """The `[tls]` table for them."""
    return f'[tls]\ncertificate = "{folder / tls.CERTIFICATE}"\nkey = "{folder / tls.KEY}"\n'

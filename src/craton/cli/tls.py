"""`craton tls create`: a certificate for this server, signed by an authority of the home's own.

Owns the folder HOME/tls and what a certificate holds. The authority outlives the certificates that it signs, so clients
that trust it need no news when one is renewed; its key is as worth keeping as the root key (mode 0600). It must not
know how certificates are used: `craton.front.tls` does.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from craton.cli.options import home_option

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    Pair = tuple[x509.Certificate, EllipticCurvePrivateKey]

AUTHORITY, AUTHORITY_KEY = "ca.pem", "ca.key"
CERTIFICATE, KEY = "certificate.pem", "key.pem"
_AUTHORITY_DAYS = 3650
_ALWAYS = ("localhost", "127.0.0.1", "::1")
_SLACK = timedelta(minutes=5)  # of clients' clocks


@click.group()
def tls() -> None:
    """TLS: make a certificate for this server."""


@tls.command()
@home_option
@click.option(
    "--name", "names", multiple=True, help="A further host name or address that clients use; may be given again."
)
@click.option("--days", type=click.IntRange(1, 825), default=397, show_default=True, help="How long it holds.")
def create(home: str | None, names: tuple[str, ...], days: int) -> None:
    """Make a certificate, and its authority if there is none; a running server takes up a new one by itself."""
    from craton.config import home_path

    folder = home_path(home) / "tls"
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    authority = kept_authority(folder)
    wanted = tuple(dict.fromkeys([*_ALWAYS, socket.gethostname(), *names]))
    certificate, key = issue(authority, wanted, days)
    # The key first: a server that looks in between finds a pair that does not fit, and waits for the next look.
    write(folder / KEY, key_pem(key))
    write(folder / CERTIFICATE, pem(certificate) + pem(authority[0]))
    until = certificate.not_valid_after_utc
    click.echo(f"Made a certificate for {', '.join(wanted)}, valid until {until:%Y-%m-%d}.", err=True)
    click.echo("Put this into the configuration; `craton env` then names the authority to AWS's SDKs:", err=True)
    click.echo(f'[tls]\ncertificate = "{folder / CERTIFICATE}"\nkey = "{folder / KEY}"')


def kept_authority(folder: Path) -> Pair:
    """The home's authority, made now if there is none or if it ends within the longest life of a certificate."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if (folder / AUTHORITY).is_file() and (folder / AUTHORITY_KEY).is_file():
        found = x509.load_pem_x509_certificate((folder / AUTHORITY).read_bytes())
        key = load_pem_private_key((folder / AUTHORITY_KEY).read_bytes(), None)
        if isinstance(key, EllipticCurvePrivateKey) and found.not_valid_after_utc > now() + timedelta(days=825):
            return found, key
    made = new_authority()
    write(folder / AUTHORITY_KEY, key_pem(made[1]))
    write(folder / AUTHORITY, pem(made[0]))
    return made


def new_authority() -> Pair:
    """A self-signed certificate that may sign others, but no further authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = named(f"Craton of {socket.gethostname()}")
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    builder = begun(name, name, key, _AUTHORITY_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return signed(builder.add_extension(usage, critical=True), key, key), key


def issue(authority: Pair, names: tuple[str, ...], days: int) -> Pair:
    """A server's certificate with these names and addresses."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    certificate, signer = authority
    key = ec.generate_private_key(ec.SECP256R1())
    builder = begun(named("Craton"), certificate.subject, key, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([general(name) for name in names]), critical=False)
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    builder = builder.add_extension(purposes, critical=False)
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    return signed(builder.add_extension(issuer_key, critical=False), key, signer), key


def begun(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
    from cryptography import x509

    began = now() - _SLACK
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(began)
        .not_valid_after(began + timedelta(days=days))
    )


def signed(
    builder: x509.CertificateBuilder, key: EllipticCurvePrivateKey, signer: EllipticCurvePrivateKey
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return builder.add_extension(identifier, critical=False).sign(signer, SHA256())


def named(text: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def general(name: str) -> x509.GeneralName:
    """An address, or else a DNS name. Raises ClickException for what is neither."""
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name.encode("idna").decode("ascii"))
    except UnicodeError:
        raise click.BadParameter(f"{name} is neither a host name nor an address") from None


def pem(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def write(path: Path, data: bytes) -> None:
    """The file, mode 0600, whole or as it was."""
    draft = path.with_name(path.name + ".part")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.write(data)
    draft.replace(path)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)

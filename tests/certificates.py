"""An authority and the certificates that it gives to servers and their clients, made for one test or lab."""

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wgfleet.files import write_whole

GOOD_FOR = dt.timedelta(days=1)
"""Longer than any test or lab lasts, on either side of now."""


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes
    private: ec.EllipticCurvePrivateKey

    def encrypted_key(self) -> bytes:
        """The key as `openssl genpkey -aes256` would leave it."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """As `name.pem` and `name.key`; both files."""
        certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
        write_whole(certificate_file, self.certificate)
        write_whole(key_file, self.key)
        return certificate_file, key_file


class Authority:
    """One that signs; its key is never written down."""

    def __init__(self, name: str = "Authority") -> None:
        """Make it."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        made = (
            self._begun(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNING, critical=True)
        )
        self.certificate = made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def issue(self, *names: str, subject: str = "a machine") -> Identity:
        """A certificate for these DNS names, addresses, e-mail addresses and URIs, as a server and as a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = (
            self._begun(_named(subject), key.public_key())
            .add_extension(x509.ExtendedKeyUsage(both), critical=False)
            .add_extension(issuer, critical=False)
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName(map(_name, names)), critical=False)
        return Identity(
            made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM),
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            key,
        )

    def trusting(self, folder: Path | None = None, reader: Identity | None = None) -> ssl.SSLContext:
        """A client's context that trusts this authority alone, and shows the reader's certificate, written to the folder."""
        context = ssl.create_default_context(cadata=self.certificate.decode())
        if folder and reader:
            context.load_cert_chain(*reader.write(folder, "reader"))
        return context

    def _begun(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(tz=dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - GOOD_FOR)
            .not_valid_after(now + GOOD_FOR)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


_SIGNING = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _name(text: str) -> x509.GeneralName:
    if "://" in text:
        return x509.UniformResourceIdentifier(text)
    if "@" in text:
        return x509.RFC822Name(text)
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)

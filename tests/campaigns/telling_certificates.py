"""Certificates of gateways on loopback: one that a sender can verify, and one that it must not accept."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from techtrack.core import clock


class Certificates:
    """An authority of one campaign; ``authority`` is the file that a sender trusts (SSL_CERT_FILE)."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = folder / "authority.pem"
        self._good, self._bad = folder / "good.pem", folder / "bad.pem"
        key, stranger = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.authority.write_bytes(_signed("authority", key, key, authority=True).public_bytes(_PEM))
        for file, signer in ((self._good, key), (self._bad, stranger)):
            own = ec.generate_private_key(ec.SECP256R1())
            certificate = _signed("gateway", own, signer, authority=False)
            file.write_bytes(certificate.public_bytes(_PEM) + own.private_bytes(_PEM, _PKCS8, _OPEN))

    def context(self, *, good: bool) -> ssl.SSLContext:
        """How a gateway encrypts: with a certificate of the authority, or of nobody whom a sender knows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._good if good else self._bad)
        return context


_PEM = serialization.Encoding.PEM
_PKCS8 = serialization.PrivateFormat.PKCS8
_OPEN = serialization.NoEncryption()
_Key = ec.EllipticCurvePrivateKey


def _signed(name: str, key: _Key, signer: _Key, *, authority: bool) -> x509.Certificate:
    now = clock.now()
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )

"""The TLS that a web config asks for, as Python's ssl has it. What ssl cannot do is refused."""

import ipaddress
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from exporter.fields import WebConfigError
from exporter.web import ClientAuth, Tls

VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

VERIFY = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.REQUEST: ssl.CERT_NONE,
    ClientAuth.VERIFY_IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRE: ssl.CERT_REQUIRED,
}

CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
"""Go's names, which the format uses, of all that Go does not call insecure; and OpenSSL's."""

TLS13_CIPHERS = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""May stand in the list; TLS 1.3 always offers all three, in Go as here."""

CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}


def context(tls: Tls) -> ssl.SSLContext:
    """A server's context.

    Raises:
        WebConfigError: key and certificate do not fit, or ssl cannot do what is asked.

    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version, made.maximum_version = VERSIONS[tls.minimum], VERSIONS[tls.maximum]
    made.options |= ssl.OP_NO_RENEGOTIATION  # It costs the server more than the reader.
    made.set_alpn_protocols(["http/1.1"])
    _identify(made, tls)
    _verify_readers(made, tls)
    _choose_ciphers(made, tls)
    _choose_curve(made, tls)
    return made


def names_in(certificate: Mapping[str, object]) -> frozenset[str]:
    """The subject's alternate names in what `getpeercert` gives; addresses as they are usually written."""
    found = certificate.get("subjectAltName", ())
    pairs = found if isinstance(found, tuple) else ()
    return frozenset(_usual(value) if kind == "IP Address" else value for kind, value in pairs)


def _usual(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:  # What OpenSSL could not make sense of.
        return address


def _identify(made: ssl.SSLContext, tls: Tls) -> None:
    try:
        with _in_memory(tls.certificate) as certificate, _in_memory(tls.key) as key:
            made.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise _wrong(
                "key", "is not the certificate's own: the key that was made with it was expected"
            ) from None
        raise _wrong(
            "cert", "and key are not both PEM: a certificate and its private key were expected"
        ) from None


def _no_password() -> str:
    # Without this OpenSSL would ask at the terminal, and the exporter would hang there.
    raise _wrong("key", "is encrypted: one without a passphrase was expected")


def _verify_readers(made: ssl.SSLContext, tls: Tls) -> None:
    made.verify_mode = VERIFY[tls.client_auth]
    if made.verify_mode == ssl.CERT_NONE:
        return
    if tls.client_ca is None:
        made.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        return
    # As in Go, whatever stands in the file is trusted, a reader's own certificate too.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        with _in_memory(tls.client_ca) as authorities:
            made.load_verify_locations(authorities)
    except ssl.SSLError:
        raise _wrong("client_ca", "holds no certificate: PEM was expected") from None


def _choose_ciphers(made: ssl.SSLContext, tls: Tls) -> None:
    if not tls.prefer_own_ciphers:
        made.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if not tls.cipher_suites:
        return
    for suite in tls.cipher_suites:
        if suite not in CIPHERS and suite not in TLS13_CIPHERS:
            known = ", ".join([*CIPHERS, *TLS13_CIPHERS])
            raise _wrong("cipher_suites", f"has {suite!r}: expected some of {known}")
    if old := [CIPHERS[suite] for suite in tls.cipher_suites if suite in CIPHERS]:
        made.set_ciphers(":".join(old))
    elif tls.maximum == "TLS12":
        raise _wrong(
            "cipher_suites", f"has none for max_version TLS12: expected some of {', '.join(CIPHERS)}"
        )
    else:
        made.minimum_version = ssl.TLSVersion.TLSv1_3  # TLS 1.2 has nothing left to speak with.


def _choose_curve(made: ssl.SSLContext, tls: Tls) -> None:
    for curve in tls.curves:
        if curve not in CURVES:
            raise _wrong("curve_preferences", f"has {curve!r}: expected one of {', '.join(CURVES)}")
    if len(tls.curves) > 1:
        raise _wrong(
            "curve_preferences",
            f"has {len(tls.curves)}: Python's ssl can be held to one or left to OpenSSL's own order; "
            "one or none was expected",
        )
    for curve in tls.curves:
        try:
            made.set_ecdh_curve(CURVES[curve])
        except (ssl.SSLError, ValueError):  # X25519, by some versions of Python.
            raise _wrong(
                "curve_preferences", f"has {curve}, to which this machine's Python cannot be held"
            ) from None


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """A path by which OpenSSL can read it. A key never touches a disk, and is the one that was looked at."""
    descriptor = os.memfd_create("pem")
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _wrong(field: str, said: str) -> WebConfigError:
    return WebConfigError(f"tls_server_config.{field}: {said}")

"""Tests of exporter/tls.py: handshakes in memory."""

import re
import ssl
from pathlib import Path

import pytest

from exporter.fields import WebConfigError
from exporter.tls import CIPHERS, CURVES, TLS13_CIPHERS, context, names_in
from exporter.web import ClientAuth, Tls
from tests.certificates import Authority, Identity

OURS = Authority()
SERVER = OURS.issue("exporter.example")
READER = OURS.issue("prometheus.example")
STRANGER = Authority("Stranger").issue("prometheus.example")

PLAIN = Tls(SERVER.certificate, SERVER.key)
FORWARDS = ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384")


def asking(auth: ClientAuth, client_ca: bytes = OURS.certificate) -> Tls:
    """A server that asks for certificates of our authority, whose file has a comment."""
    said = "# Müller\n".encode() + client_ca
    return Tls(SERVER.certificate, SERVER.key, client_auth=auth, client_ca=said)


def shake(tls: Tls, reader: ssl.SSLContext) -> ssl.SSLObject:
    """The server's end after the handshake and a first word each way. Raises SSLError as either end does."""
    to_server, to_reader = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context(tls).wrap_bio(to_server, to_reader, server_side=True)
    client = reader.wrap_bio(to_reader, to_server, server_hostname="exporter.example")
    for _ in range(4):
        for end in (client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    client.write(b"hello")
    assert server.read() == b"hello"  # Where the server has refused the certificate, this says so.
    return server


def refused(tls: Tls, reader: ssl.SSLContext) -> bool:
    """Whether they do not come together."""
    try:
        shake(tls, reader)
    except ssl.SSLError:
        return True
    return False


def said(tls: Tls) -> str:
    """What is said of settings that cannot be."""
    with pytest.raises(WebConfigError) as caught:
        context(tls)
    return str(caught.value)


def test_a_reader_who_trusts_the_authority_is_served(tmp_path: Path) -> None:
    """In HTTP/1.1, by the newest TLS."""
    reader = OURS.trusting(tmp_path)
    reader.set_alpn_protocols(["h2", "http/1.1"])

    server = shake(PLAIN, reader)

    assert (server.version(), server.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")


def test_no_reader_may_shake_hands_again_and_again() -> None:
    """Within one connection of TLS 1.2, where it costs the server more than the reader."""
    assert context(PLAIN).options & ssl.OP_NO_RENEGOTIATION


SERVED = [  # Without a certificate, with ours, with a stranger's.
    (ClientAuth.NONE, (True, True, True)),
    (ClientAuth.REQUEST, (True, True, True)),
    (ClientAuth.VERIFY_IF_GIVEN, (True, True, False)),
    (ClientAuth.REQUIRE, (False, True, False)),
]


@pytest.mark.parametrize(("auth", "expected"), SERVED)
@pytest.mark.parametrize("version", ["TLS12", "TLS13"])
def test_readers_are_served_as_their_certificates_are_asked_for(
    tmp_path: Path, auth: ClientAuth, expected: tuple[bool, ...], version: str
) -> None:
    """Without one, with one of our authority, and with a stranger's; in both versions of TLS."""
    asked = Tls(SERVER.certificate, SERVER.key, client_auth=auth, client_ca=OURS.certificate, maximum=version)
    readers: list[Identity | None] = [None, READER, STRANGER]

    assert tuple(not refused(asked, OURS.trusting(tmp_path, reader)) for reader in readers) == expected


def test_without_authorities_those_of_the_machine_count(tmp_path: Path) -> None:
    """Which do not know ours: it is no way to let in everybody."""
    tls = Tls(SERVER.certificate, SERVER.key, client_auth=ClientAuth.REQUIRE)

    assert refused(tls, OURS.trusting(tmp_path, READER))


def test_a_readers_own_certificate_may_stand_for_an_authority(tmp_path: Path) -> None:
    """As in Go: this one is let in, and others of the same authority are not."""
    tls = Tls(SERVER.certificate, SERVER.key, client_auth=ClientAuth.REQUIRE, client_ca=READER.certificate)

    assert not refused(tls, OURS.trusting(tmp_path, READER))
    assert refused(tls, OURS.trusting(tmp_path, OURS.issue("other.example")))


def test_every_name_in_a_certificate_is_found(tmp_path: Path) -> None:
    """DNS, addresses as they are usually written, e-mail and URIs."""
    names = ("a.example", "10.90.0.2", "fd00::2", "a@example.org", "spiffe://fleet/a")
    server = shake(asking(ClientAuth.REQUIRE), OURS.trusting(tmp_path, OURS.issue(*names)))

    assert names_in(server.getpeercert() or {}) == frozenset(names)
    assert names_in({}) == frozenset()


@pytest.mark.parametrize(("minimum", "maximum", "expected"), [("TLS12", "TLS12", "TLSv1.2"), ("TLS13", "TLS13", "TLSv1.3")])  # fmt: skip
def test_versions_are_kept(tmp_path: Path, minimum: str, maximum: str, expected: str) -> None:
    """And no other is spoken."""
    tls = Tls(SERVER.certificate, SERVER.key, minimum=minimum, maximum=maximum)
    other = OURS.trusting(tmp_path)
    if minimum == "TLS13":
        other.maximum_version = ssl.TLSVersion.TLSv1_2
    else:
        other.minimum_version = ssl.TLSVersion.TLSv1_3

    assert shake(tls, OURS.trusting(tmp_path)).version() == expected
    assert refused(tls, other)


@pytest.mark.parametrize("suite", CIPHERS)
def test_openssl_has_every_cipher_of_go(suite: str) -> None:
    """Under its own name."""
    made = context(Tls(SERVER.certificate, SERVER.key, cipher_suites=(suite,)))

    assert CIPHERS[suite] in {cipher["name"] for cipher in made.get_ciphers()}


@pytest.mark.parametrize(
    ("prefer", "suites", "expected"),
    [
        (True, FORWARDS, "ECDHE-ECDSA-AES128-GCM-SHA256"),
        (True, FORWARDS[::-1], "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (False, FORWARDS, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ],
)
def test_the_order_of_ciphers_is_kept_where_the_server_chooses(
    tmp_path: Path, prefer: bool, suites: tuple[str, ...], expected: str
) -> None:
    """The reader prefers the longer key."""
    tls = Tls(
        SERVER.certificate, SERVER.key, maximum="TLS12", cipher_suites=suites, prefer_own_ciphers=prefer
    )
    reader = OURS.trusting(tmp_path)
    reader.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256")

    cipher = shake(tls, reader).cipher()

    assert cipher is not None
    assert cipher[0] == expected


def test_ciphers_of_tls_1_3_alone_leave_nothing_for_1_2(tmp_path: Path) -> None:
    """As in Go; the newer one is spoken."""
    tls = Tls(SERVER.certificate, SERVER.key, cipher_suites=TLS13_CIPHERS)
    old = OURS.trusting(tmp_path)
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    assert not refused(tls, OURS.trusting(tmp_path))
    assert refused(tls, old)


@pytest.mark.parametrize("curve", [curve for curve in CURVES if curve != "X25519"])
def test_a_curve_is_kept(tmp_path: Path, curve: str) -> None:
    """A reader who has only another one is refused."""
    tls = Tls(SERVER.certificate, SERVER.key, curves=(curve,))
    same, other = OURS.trusting(tmp_path), OURS.trusting(tmp_path)
    same.set_ecdh_curve(CURVES[curve])
    other.set_ecdh_curve(CURVES["CurveP384" if curve != "CurveP384" else "CurveP256"])

    assert not refused(tls, same)
    assert refused(tls, other)


def test_x25519_is_kept_or_refused(tmp_path: Path) -> None:
    """Some versions of Python cannot be held to it; nobody is left to believe that they were."""
    tls = Tls(SERVER.certificate, SERVER.key, curves=("X25519",))
    other = OURS.trusting(tmp_path)
    other.set_ecdh_curve(CURVES["CurveP256"])
    try:
        context(tls)
    except WebConfigError as error:
        expected = (
            "tls_server_config.curve_preferences: has X25519, to which this machine's Python cannot be held"
        )
        assert str(error) == expected  # noqa: PT017 - or it is kept, below.
    else:
        assert refused(tls, other)


REFUSED = [
    (
        Tls(SERVER.certificate, READER.key),
        "key: is not the certificate's own: the key that was made with it was expected",
    ),
    (
        Tls(b"nonsense", SERVER.key),
        "cert: and key are not both PEM: a certificate and its private key were expected",
    ),
    (
        Tls(SERVER.certificate, b"nonsense"),
        "cert: and key are not both PEM: a certificate and its private key were expected",
    ),
    (
        Tls(SERVER.certificate, SERVER.encrypted_key()),
        "key: is encrypted: one without a passphrase was expected",
    ),
    (
        asking(ClientAuth.REQUIRE, client_ca=b"# nobody\n"),
        "client_ca: holds no certificate: PEM was expected",
    ),
    (
        Tls(SERVER.certificate, SERVER.key, maximum="TLS12", cipher_suites=TLS13_CIPHERS),
        f"cipher_suites: has none for max_version TLS12: expected some of {', '.join(CIPHERS)}",
    ),
    (
        Tls(SERVER.certificate, SERVER.key, cipher_suites=("TLS_A",)),
        f"cipher_suites: has 'TLS_A': expected some of {', '.join([*CIPHERS, *TLS13_CIPHERS])}",
    ),
    (
        Tls(SERVER.certificate, SERVER.key, curves=("CurveP257",)),
        "curve_preferences: has 'CurveP257': expected one of CurveP256, CurveP384, CurveP521, X25519",
    ),
    (
        Tls(SERVER.certificate, SERVER.key, curves=("X25519", "CurveP256")),
        (
            "curve_preferences: has 2: Python's ssl can be held to one or left to OpenSSL's own order; "
            "one or none was expected"
        ),
    ),
]


@pytest.mark.parametrize(("tls", "expected"), REFUSED)
def test_what_cannot_be_is_refused(tls: Tls, expected: str) -> None:
    """With the field and what would be right."""
    assert said(tls) == f"tls_server_config.{expected}"


def test_no_refusal_shows_a_key() -> None:
    """Not even a line of it."""
    wrong = Tls(SERVER.certificate, SERVER.key.replace(b"-----END", b"----END"))
    lines = re.findall(r"[A-Za-z0-9+/=]{20,}", SERVER.key.decode())

    assert lines
    assert not any(line in said(wrong) for line in lines)

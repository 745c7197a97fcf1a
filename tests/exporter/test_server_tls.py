"""Tests of exporter/server.py with TLS, on loopback."""

import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from exporter.access import CERTIFICATE_NAMES
from exporter.server import serving
from exporter.tls import context
from exporter.web import ClientAuth, Tls
from tests.certificates import Authority
from tests.exporter.test_server import PAGE, get, port_of, the_page

OURS = Authority()
SERVER = OURS.issue("127.0.0.1")
READER = OURS.issue("prometheus.example", "10.90.0.2")
TLS = context(Tls(SERVER.certificate, SERVER.key))


def get_over_tls(port: int, trusting: ssl.SSLContext, path: str = "/metrics") -> bytes:
    """All that is answered, to its proper end."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        trusting.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as channel,
    ):
        channel.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        return b"".join(iter(lambda: channel.recv(65536), b""))


def test_over_tls_the_page_is_the_same(tmp_path: Path) -> None:
    """It ends as TLS should, so that nobody can have cut it short."""
    with serving(the_page, "127.0.0.1", 0, tls=lambda: TLS) as url:
        answer = get_over_tls(port_of(url), OURS.trusting(tmp_path))

    assert url.startswith("https://127.0.0.1:")
    assert answer.endswith(b"\r\n\r\n" + PAGE)


def test_each_handshake_asks_for_the_certificate(tmp_path: Path) -> None:
    """A new one is used from the next connection on."""
    now = [TLS]
    other = Authority("Other")
    renewed = other.issue("127.0.0.1")
    with serving(the_page, "127.0.0.1", 0, tls=lambda: now[0]) as url:
        get_over_tls(port_of(url), OURS.trusting(tmp_path))
        now[0] = context(Tls(renewed.certificate, renewed.key))

        assert get_over_tls(port_of(url), other.trusting(tmp_path)).endswith(PAGE)


def test_whoever_shakes_no_hands_hinders_nobody(tmp_path: Path) -> None:
    """Handshakes are made in the readers' own threads."""
    with serving(the_page, "127.0.0.1", 0, tls=lambda: TLS) as url, socket.socket() as idle:
        idle.connect(("127.0.0.1", port_of(url)))

        assert get_over_tls(port_of(url), OURS.trusting(tmp_path)).endswith(PAGE)


def test_whoever_shakes_no_hands_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """And the log does not hear of it."""
    monkeypatch.setattr("exporter.server._Request.timeout", 0.1)
    with (
        serving(the_page, "127.0.0.1", 0, tls=lambda: TLS) as url,
        socket.create_connection(("127.0.0.1", port_of(url)), timeout=5) as idle,
    ):
        assert idle.recv(1) == b""

    assert capfd.readouterr().err == ""


def test_plain_http_to_a_tls_port_is_told_so(capfd: pytest.CaptureFixture[str]) -> None:
    """In the words that other exporters use."""
    with serving(the_page, "127.0.0.1", 0, tls=lambda: TLS) as url:
        answer = get(port_of(url), "/metrics")

    expected = b"Client sent an HTTP request to an HTTPS server.\n"
    assert answer == (400, "text/plain; charset=utf-8", expected)
    assert capfd.readouterr().err == ""


def test_a_reader_without_the_certificate_hears_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """TLS's own alert reaches it, though it has sent its request already; the log is silent."""
    asking = context(
        Tls(SERVER.certificate, SERVER.key, client_auth=ClientAuth.REQUIRE, client_ca=OURS.certificate)
    )
    with serving(the_page, "127.0.0.1", 0, tls=lambda: asking) as url:
        for _ in range(20):  # It is a race where it is wrong.
            with pytest.raises(ssl.SSLError, match="certificate required"):
                get_over_tls(port_of(url), OURS.trusting(tmp_path))

    assert capfd.readouterr().err == ""


def test_the_application_hears_the_names_in_the_certificate(tmp_path: Path) -> None:
    """Of a verified one; without any it hears none."""
    heard: list[object] = []

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        heard.append(environ.get(CERTIFICATE_NAMES))
        start_response("200 OK", [])
        return [b""]

    asking = context(
        Tls(
            SERVER.certificate, SERVER.key, client_auth=ClientAuth.VERIFY_IF_GIVEN, client_ca=OURS.certificate
        )
    )
    with serving(app, "127.0.0.1", 0, tls=lambda: asking) as url:
        get_over_tls(port_of(url), OURS.trusting(tmp_path, READER))
        get_over_tls(port_of(url), OURS.trusting(tmp_path))

    assert heard == [frozenset({"prometheus.example", "10.90.0.2"}), frozenset()]

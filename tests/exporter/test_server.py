"""Tests of exporter/server.py, on loopback."""

import gzip
import http.client
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import CollectorRegistry, Gauge

from exporter.server import ListenError, _Server, application, serving

REGISTRY = CollectorRegistry()
Gauge("answer", "Of everything.", registry=REGISTRY).set(42)
PAGE = b"# HELP answer Of everything.\n# TYPE answer gauge\nanswer 42.0\n"
APP = application(REGISTRY)


def port_of(url: str) -> int:
    """The port in `http://127.0.0.1:9586/`."""
    return int(url.rstrip("/").rpartition(":")[2])


def get(port: int, path: str, host: str = "127.0.0.1", **headers: str) -> tuple[int, str | None, bytes]:
    """Status, type and body of what is served there."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type"), response.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where a server is that may be asked."""
    with serving(APP, "127.0.0.1", 0) as url:
        yield port_of(url)


def test_the_metrics_are_at_metrics(port: int) -> None:
    """In the format that everything reads."""
    answer = get(port, "/metrics?from=here")

    assert answer == (200, "text/plain; version=0.0.4; charset=utf-8", PAGE)


def test_the_metrics_can_be_had_compressed(port: int) -> None:
    """Prometheus asks for that."""
    _, _, body = get(port, "/metrics", **{"Accept-Encoding": "gzip"})

    assert gzip.decompress(body) == PAGE


def test_a_person_is_led_to_the_metrics(port: int) -> None:
    """The root is a page with a link."""
    status, kind, body = get(port, "/")

    assert (status, kind) == (200, "text/html; charset=utf-8")
    assert b'<a href="/metrics">' in body


@pytest.mark.parametrize("path", ["/metrics/", "/metric", "/favicon.ico", "/../metrics"])
def test_nothing_else_is_served(port: int, path: str) -> None:
    """What is not found says where to look."""
    expected = (404, "text/plain; charset=utf-8", b"Not here: the metrics are at /metrics\n")

    assert get(port, path) == expected


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0x7f.1"])
def test_addresses_of_both_families_and_names_are_listened_on(host: str) -> None:
    """The URL can be typed into a browser."""
    with serving(APP, host, 0) as url:
        port = port_of(url)
        assert url == (f"http://[::1]:{port}/" if host == "::1" else f"http://{host}:{port}/")
        assert get(port, "/metrics", host)[0] == 200


def test_a_port_is_free_again_when_serving_ends() -> None:
    """Also for an exporter that is started at once after it."""
    with serving(APP, "127.0.0.1", 0) as url:
        port = port_of(url)
        get(port, "/metrics")
    with serving(APP, "127.0.0.1", port):
        assert get(port, "/metrics")[0] == 200


def test_a_taken_port_is_refused_with_a_way_to_see_who_has_it(port: int) -> None:
    """The error is ours and has no stranger's traceback beneath it."""
    with pytest.raises(ListenError) as caught, serving(APP, "127.0.0.1", port):
        pass

    expected = f"cannot listen on 127.0.0.1:{port}: Address already in use; `ss -ltnp sport = :{port}` shows who has it"
    assert str(caught.value) == expected
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("host", "written"),
    [("203.0.113.1", "203.0.113.1:9586"), ("2001:db8::1", "[2001:db8::1]:9586")],  # No machine has them.
)
def test_an_address_that_this_machine_lacks_is_refused(host: str, written: str) -> None:
    """With a way to see those that it has."""
    why = "Cannot assign requested address; `ip address` shows those of this machine"
    with pytest.raises(ListenError) as caught, serving(APP, host, 9586):
        pass

    assert str(caught.value) == f"cannot listen on {written}: {why}"


def test_any_other_refusal_is_said_as_it_is() -> None:
    """Here: an address that is not complete without its interface."""
    with pytest.raises(ListenError) as caught, serving(APP, "fe80::1", 9586):
        pass

    assert str(caught.value) == "cannot listen on [fe80::1]:9586: Invalid argument"


def test_a_name_that_does_not_resolve_is_refused() -> None:
    """DNS says why in its own words; ours name the address."""
    with pytest.raises(ListenError) as caught, serving(APP, "exporter.invalid", 9586):
        pass

    assert str(caught.value).startswith("cannot listen on exporter.invalid:9586: ")
    assert str(caught.value).endswith("; an address of this machine was expected")


def test_no_name_is_looked_up_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """http.server asks for the name of the address that it listens on, which hangs while DNS is dead."""

    def asked(_name: str = "") -> str:
        raise AssertionError("looked up")

    monkeypatch.setattr(socket, "getfqdn", asked)
    with serving(APP, "127.0.0.1", 0) as url:
        assert get(port_of(url), "/metrics")[0] == 200


def test_a_reader_who_says_nothing_hinders_nobody() -> None:
    """Others are answered meanwhile, and the end does not wait for him."""
    with socket.socket() as idle:
        with serving(APP, "127.0.0.1", 0) as url:
            idle.connect(("127.0.0.1", port_of(url)))
            assert get(port_of(url), "/metrics")[0] == 200
            began = time.monotonic()

        assert time.monotonic() - began < 5


def test_a_reader_who_says_nothing_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """His thread ends, and the log does not hear of it."""
    monkeypatch.setattr("exporter.server._Request.timeout", 0.1)  # The real one would make this test as slow.
    with serving(APP, "127.0.0.1", 0) as url, socket.create_connection(("127.0.0.1", port_of(url))) as idle:
        idle.settimeout(5)
        assert idle.recv(1) == b""

    assert capfd.readouterr().err == ""


def test_many_can_knock_at_once(port: int) -> None:
    """None is turned away for a full queue."""
    with ThreadPoolExecutor(50) as knockers:
        answers = list(knockers.map(lambda _: get(port, "/metrics")[0], range(50)))

    assert answers == [200] * 50


def test_an_error_that_nobody_foresaw_is_not_silent(capfd: pytest.CaptureFixture[str]) -> None:
    """Only readers who go away are."""
    server = _Server("127.0.0.1", 0, APP)
    for error in (ConnectionResetError("reader"), ValueError("bug")):
        try:
            raise error
        except (OSError, ValueError):
            server.handle_error(None, ("127.0.0.1", 1))
    server.server_close()

    said = capfd.readouterr().err
    assert "ValueError: bug" in said
    assert "reader" not in said

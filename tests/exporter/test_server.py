"""Tests of exporter/server.py, on loopback."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from exporter.server import ListenError, _Server, serving
from tests.lab.waiting import wait_until

PAGE = b"# HELP answer Of everything.\n# TYPE answer gauge\nanswer 42.0\n"


def the_page(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """The page at `/metrics`, and nothing else."""
    if environ["PATH_INFO"] == "/metrics":
        start_response("200 OK", [("Content-Type", "text/plain; version=0.0.4; charset=utf-8")])
        return [PAGE]
    start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"Not here\n"]


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
    with serving(the_page, "127.0.0.1", 0) as url:
        yield port_of(url)


def test_the_applications_answer_is_handed_out_as_it_is(port: int) -> None:
    """With what was asked for in the path's query, and its status."""
    assert get(port, "/metrics?from=here") == (200, "text/plain; version=0.0.4; charset=utf-8", PAGE)
    assert get(port, "/nothing") == (404, "text/plain; charset=utf-8", b"Not here\n")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "0x7f.1"])
def test_addresses_of_both_families_and_names_are_listened_on(host: str) -> None:
    """The URL can be typed into a browser."""
    with serving(the_page, host, 0) as url:
        port = port_of(url)
        assert url == (f"http://[::1]:{port}/" if host == "::1" else f"http://{host}:{port}/")
        assert get(port, "/metrics", host)[0] == 200


def test_a_port_is_free_again_when_serving_ends() -> None:
    """Also for an exporter that is started at once after it."""
    with serving(the_page, "127.0.0.1", 0) as url:
        port = port_of(url)
        get(port, "/metrics")
    with serving(the_page, "127.0.0.1", port):
        assert get(port, "/metrics")[0] == 200


def test_a_taken_port_is_refused_with_a_way_to_see_who_has_it(port: int) -> None:
    """The error is ours and has no stranger's traceback beneath it."""
    with pytest.raises(ListenError) as caught, serving(the_page, "127.0.0.1", port):
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
    with pytest.raises(ListenError) as caught, serving(the_page, host, 9586):
        pass

    assert str(caught.value) == f"cannot listen on {written}: {why}"


def test_any_other_refusal_is_said_as_it_is() -> None:
    """Here: an address that is not complete without its interface."""
    with pytest.raises(ListenError) as caught, serving(the_page, "fe80::1", 9586):
        pass

    assert str(caught.value) == "cannot listen on [fe80::1]:9586: Invalid argument"


def test_a_name_that_does_not_resolve_is_refused() -> None:
    """DNS says why in its own words; ours name the address."""
    with pytest.raises(ListenError) as caught, serving(the_page, "exporter.invalid", 9586):
        pass

    assert str(caught.value).startswith("cannot listen on exporter.invalid:9586: ")
    assert str(caught.value).endswith("; an address of this machine was expected")


def test_no_name_is_looked_up_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    """http.server asks for the name of the address that it listens on, which hangs while DNS is dead."""

    def asked(_name: str = "") -> str:
        raise AssertionError("looked up")

    monkeypatch.setattr(socket, "getfqdn", asked)
    with serving(the_page, "127.0.0.1", 0) as url:
        assert get(port_of(url), "/metrics")[0] == 200


def test_a_reader_who_says_nothing_hinders_nobody() -> None:
    """Others are answered meanwhile, and the end does not wait for him."""
    with socket.socket() as idle:
        with serving(the_page, "127.0.0.1", 0) as url:
            idle.connect(("127.0.0.1", port_of(url)))
            assert get(port_of(url), "/metrics")[0] == 200
            began = time.monotonic()

        assert time.monotonic() - began < 5


def test_a_reader_who_says_nothing_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """His thread ends, and the log does not hear of it."""
    monkeypatch.setattr("exporter.server._Request.timeout", 0.1)  # The real one would make this test as slow.
    with (
        serving(the_page, "127.0.0.1", 0) as url,
        socket.create_connection(("127.0.0.1", port_of(url))) as idle,
    ):
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
    server = _Server("127.0.0.1", 0, the_page)
    for error in (ConnectionResetError("reader"), ValueError("bug")):
        try:
            raise error
        except (OSError, ValueError):
            server.handle_error(None, ("127.0.0.1", 1))
    server.server_close()

    said = capfd.readouterr().err
    assert "ValueError: bug" in said
    assert "reader" not in said


def ask(
    port: int, method: str, path: str = "/metrics", body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, body=body)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/metrics", "/nothing"])
def test_head_is_the_page_without_its_body(port: int, path: str) -> None:
    """Same status, type and length; load balancers ask that way."""
    status, headers, body = ask(port, "GET", path)
    headers.pop("Date")
    _, _, nothing = answer = ask(port, "HEAD", path)
    answer[1].pop("Date")

    assert answer == (status, headers, b"")
    assert headers["Content-Length"] == str(len(body))
    assert nothing == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_nothing_can_be_changed(port: int, method: str) -> None:
    """Whatever else is tried hears what may be; and it can send a long body, and still hear it."""
    status, headers, body = ask(port, method, body=b"x" * 300_000)

    assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert body == b"Method Not Allowed: this can only be read\n"


def test_which_python_this_is_is_said_to_nobody(port: int) -> None:
    """Neither in an answer nor in an error."""
    page, error = ask(port, "GET"), ask(port, "GET", "/" + "x" * 66_000)

    assert (page[0], error[0]) == (200, 414)
    assert page[1]["Server"].strip() == error[1]["Server"].strip() == "wgfleet-exporter"


class Held:
    """An application that answers when it is told to, and says how many wait for it."""

    def __init__(self) -> None:
        """Nobody waits."""
        self.waiting = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, _environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Wait, and answer."""
        self.waiting.release()
        assert self.go.wait(30)
        start_response("200 OK", [])
        return [b"page"]

    def wait_for(self, number: int) -> None:
        """Until so many wait."""
        for _ in range(number):
            assert self.waiting.acquire(timeout=30)


def test_no_more_than_a_limit_are_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait, and none is turned away."""
    monkeypatch.setattr("exporter.server.CONNECTIONS", 2)
    app = Held()
    with serving(app, "127.0.0.1", 0) as url, ThreadPoolExecutor(5) as readers:
        answers = [readers.submit(get, port_of(url), "/") for _ in range(5)]
        app.wait_for(2)
        more = app.waiting.acquire(timeout=0.3)
        app.go.set()

        assert not more
        assert [answer.result()[2] for answer in answers] == [b"page"] * 5


def test_the_end_does_not_wait_for_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even when all are taken and somebody waits."""
    monkeypatch.setattr("exporter.server.CONNECTIONS", 1)
    app = Held()
    with ThreadPoolExecutor(2) as readers:
        with serving(app, "127.0.0.1", 0) as url:
            for _ in range(2):
                readers.submit(get, port_of(url), "/")
            app.wait_for(1)
            began = time.monotonic()
        took = time.monotonic() - began
        app.go.set()

    assert took < 5  # It would be for ever.


def test_whoever_sends_a_byte_now_and_then_is_cut_off_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a few such would have all places; the timeout of a single byte does not see them."""
    monkeypatch.setattr("exporter.server.CONNECTION_SECONDS", 0.2)
    with (
        serving(the_page, "127.0.0.1", 0) as url,
        socket.create_connection(("127.0.0.1", port_of(url))) as slow,
    ):
        slow.settimeout(0.05)

        def cut_off() -> bool:
            try:
                slow.sendall(b"x")
                return slow.recv(1) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        wait_until(cut_off, 10, "the slow reader to be cut off")


def failing(error: Exception) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """An application that fails."""

    def app(_environ: WSGIEnvironment, _start_response: StartResponse) -> Iterable[bytes]:
        raise error

    return app


@pytest.mark.parametrize("error", [ValueError("a bug"), PermissionError("a file")])
def test_an_application_that_fails_is_not_silent(error: Exception, capfd: pytest.CaptureFixture[str]) -> None:
    """Its reader hears 500, the log hears why."""
    with serving(failing(error), "127.0.0.1", 0) as url:
        status = get(port_of(url), "/metrics")[0]

    assert status == 500
    assert str(error) in capfd.readouterr().err


def test_a_reader_who_goes_away_before_the_answer_is_not_logged(capfd: pytest.CaptureFixture[str]) -> None:
    """It happens at each timeout of a scrape."""
    app = Held()
    with serving(app, "127.0.0.1", 0) as url:
        gone = socket.create_connection(("127.0.0.1", port_of(url)))
        gone.sendall(b"GET / HTTP/1.0\r\n\r\n")
        app.wait_for(1)
        gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # Ends it with a reset.
        gone.close()
        app.go.set()
        assert get(port_of(url), "/")[0] == 200

    assert capfd.readouterr().err == ""


def test_a_reader_who_stops_reading_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """His place is free again, and the log does not hear of it."""
    monkeypatch.setattr("exporter.server._Request.timeout", 0.1)
    monkeypatch.setattr("exporter.server.LINGER_SECONDS", 0.1)
    monkeypatch.setattr("exporter.server.CONNECTIONS", 1)

    def endless(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"x" * 50_000_000] if environ["PATH_INFO"] == "/much" else [b"page"]

    with (
        serving(endless, "127.0.0.1", 0) as url,
        socket.create_connection(("127.0.0.1", port_of(url)), timeout=5) as reader,
    ):
        reader.sendall(b"GET /much HTTP/1.0\r\n\r\n")
        assert reader.recv(1) == b"H"
        assert get(port_of(url), "/")[2] == b"page"

    assert capfd.readouterr().err == ""


def test_what_must_come_before_the_threads_comes_then() -> None:
    """The port is ours already: a namespace can be entered in between."""
    seen: list[tuple[int, str]] = []

    def before() -> None:
        names = [thread.name for thread in threading.enumerate()]
        seen.append((names.count("server"), threading.current_thread().name))

    earlier = [thread.name for thread in threading.enumerate()].count("server")
    with serving(the_page, "127.0.0.1", 0, before=before) as url:
        assert get(port_of(url), "/metrics")[0] == 200

    assert seen == [(earlier, threading.current_thread().name)]


def test_a_port_is_free_again_when_what_comes_before_fails() -> None:
    """And the failure is told as it is."""

    def before() -> None:
        raise LookupError("no such namespace")

    with serving(the_page, "127.0.0.1", 0) as url:
        port = port_of(url)
    with (
        pytest.raises(LookupError, match="no such namespace"),
        serving(the_page, "127.0.0.1", port, before=before),
    ):
        pass
    with serving(the_page, "127.0.0.1", port):
        assert get(port, "/metrics")[0] == 200

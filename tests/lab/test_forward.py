"""A door on loopback into a host."""

import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection

import pytest

from tests.lab.forward import LOOPBACK, PortTakenError, listen
from tests.lab.network import Network

INSIDE = 8080


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with listen(0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"port {port} of 127.0.0.1 is taken .*'sport = :{port}'"):
            listen(port)


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    with Network(workers=0, clients=0) as network:
        (network.directory / "greeting").write_text("good morning" * 100_000)
        web = [sys.executable, "-m", "http.server", "--bind", LOOPBACK, str(INSIDE)]
        network.monitoring.spawn("web", web, ready=lambda: network.monitoring.listens(INSIDE))
        yield network


@pytest.mark.system
def test_a_page_inside_is_read_outside(net: Network) -> None:
    forward = net.monitoring.forward(INSIDE)
    for _ in range(3):
        with closing(HTTPConnection(LOOPBACK, forward.port, timeout=5)) as browser:
            browser.request("GET", "/greeting")
            assert len(browser.getresponse().read()) == 1_200_000


@pytest.mark.system
def test_the_port_can_be_chosen_and_is_free_again_afterwards(net: Network) -> None:
    with listen(0) as free:
        port = free.getsockname()[1]
    forward = net.monitoring.forward(INSIDE, local_port=port)
    assert forward.url == f"http://127.0.0.1:{port}"
    with pytest.raises(PortTakenError):
        net.monitoring.forward(INSIDE, local_port=port)
    forward.process.kill()
    listen(port).close()


@pytest.mark.system
def test_what_does_not_answer_inside_is_a_closed_connection_outside(net: Network) -> None:
    forward = net.monitoring.forward(1)
    with socket.create_connection((LOOPBACK, forward.port), timeout=5) as door:
        assert door.recv(1) == b""
    assert "does not answer" in forward.process.output()

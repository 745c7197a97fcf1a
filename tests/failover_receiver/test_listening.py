"""Tests of failover_receiver/listening.py."""

import resource
import socket
from collections.abc import Iterator

import pytest

from failover_receiver import listening
from failover_receiver.listening import ListenError, listen, most_streams, url


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """On a port that the system chose."""
    (made,) = listen("127.0.0.1", 0)
    with made:
        made.listen()
        yield made


def test_what_is_accepted_is_given_up_by_the_kernel_when_its_other_end_is_gone(
    listener: socket.socket,
) -> None:
    """Linux hands a listener's options down."""
    listener.setblocking(True)
    with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
        tcp = {
            name: accepted.getsockopt(socket.IPPROTO_TCP, getattr(socket, name))
            for name in ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
        }
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1

    assert tcp == {"TCP_USER_TIMEOUT": 30_000, "TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


def test_a_taken_port_is_named(listener: socket.socket) -> None:
    """With what to do."""
    port = listener.getsockname()[1]

    with pytest.raises(ListenError) as caught:
        listen("127.0.0.1", port)

    assert str(caught.value) == (
        f"cannot listen on 127.0.0.1:{port}: Address already in use; "
        "stop what is there, or set listen_address and listen_port"
    )


def test_an_address_that_is_not_ours_is_named() -> None:
    """Likewise; a name that nobody knows, too."""
    with pytest.raises(
        ListenError, match=r"^cannot listen on 192\.0\.2\.1:9587: Cannot assign requested address; "
    ):
        listen("192.0.2.1", 9587)
    with pytest.raises(ListenError, match=r"^cannot listen on receiver\.invalid:9587: "):
        listen("receiver.invalid", 9587)


def test_a_name_has_one_port_for_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that the system chooses."""
    both = [(socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET6, ("::1", 0, 0, 0))]
    monkeypatch.setattr(listening, "_addresses", lambda _address, _port: both)

    made = listen("localhost", 0)

    assert len({one.getsockname()[1] for one in made}) == 1
    assert [url(one, tls=True).rpartition(":")[0] for one in made] == ["https://127.0.0.1", "https://[::1]"]
    for one in made:
        one.close()


def test_as_many_files_may_be_opened_as_the_system_lets() -> None:
    """Not only as many as a login gets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        assert most_streams() == hard - 512
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

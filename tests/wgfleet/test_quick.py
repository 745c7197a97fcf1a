"""Tests of wgfleet/quick.py: whole files, and which worker."""

import pytest

from tests.client_sync.samples import peer_set, public_key, worker
from wgfleet.peerset import WorkerState
from wgfleet.quick import NoWorkerError, configuration, leaks_ipv6, plain, reached, worker_for
from wgfleet.wgconf import parse

KEY = "PrivateKey = kL8OUPJhkI2QfJjUtVnQ3kqVnE8RrTQAk0pHyvH7fXQ="
FULL = worker(
    1,
    endpoints=("192.0.2.1:51820", "[2001:db8::1]:51820"),
    allowed_ips=("0.0.0.0/0", "::/0"),
    dns=("10.99.0.53", "fd99::53"),
    mtu=1380,
)


def test_all_that_the_peer_set_says_of_the_worker_is_in_the_file() -> None:
    """With the machine's own addresses, and one endpoint: the best."""
    text = configuration(FULL, addresses=("10.99.0.7", "fd99::7"), key=KEY, comments=("phone1.", "Second."))

    assert (
        text
        == f"""\
# phone1.
# Second.
[Interface]
{KEY}
Address = 10.99.0.7/32, fd99::7/128
DNS = 10.99.0.53, fd99::53
MTU = 1380

# w1
[Peer]
PublicKey = {public_key(1)}
AllowedIPs = 0.0.0.0/0, ::/0
Endpoint = 192.0.2.1:51820
PersistentKeepalive = 25
"""
    )


def test_what_the_peer_set_does_not_say_is_not_in_the_file() -> None:
    """The defaults of whoever reads it count."""
    text = configuration(worker(1, keepalive=0), addresses=("10.99.0.7/16",), key=KEY)

    assert (
        text
        == f"""\
[Interface]
{KEY}
Address = 10.99.0.7/16

# w1
[Peer]
PublicKey = {public_key(1)}
AllowedIPs = 0.0.0.0/0
Endpoint = 192.0.2.1:51820
"""
    )


def test_without_comments_and_empty_lines_it_says_the_same() -> None:
    """For a QR code, which has room for little."""
    text = configuration(FULL, addresses=("10.99.0.7",), key=KEY, comments=("phone1.",))

    assert "#" not in plain(text)
    assert "\n\n" not in plain(text)
    assert parse(plain(text)).interface == parse(text).interface
    assert parse(plain(text)).peers[0].allowed_ips == parse(text).peers[0].allowed_ips


@pytest.mark.parametrize(
    ("allowed", "through"),
    [
        (("0.0.0.0/0",), ("0.0.0.0/0",)),
        (("10.0.0.0/8",), ("10.0.0.0/8",)),
        (("192.168.0.0/16",), ("10.99.0.1/32", "192.168.0.0/16")),
        (("::/0",), ("10.99.0.1/32", "::/0")),
        ((), ("10.99.0.1/32",)),
    ],
)
def test_the_workers_own_address_is_reached_through_it(
    allowed: tuple[str, ...], through: tuple[str, ...]
) -> None:
    """It is said where no routed network has it; of its family, that is."""
    assert reached(worker(1, allowed_ips=allowed)) == through


@pytest.mark.parametrize(
    ("allowed", "leaks"),
    [
        (("0.0.0.0/0",), True),
        (("0.0.0.0/0", "::/0"), False),
        (("0.0.0.0/0", "fd00::/8"), False),
        (("10.0.0.0/8",), False),
    ],
)
def test_a_full_tunnel_of_ipv4_alone_is_noticed(allowed: tuple[str, ...], leaks: bool) -> None:
    """Whoever wants all traffic in the tunnel should know what is not."""
    assert leaks_ipv6(worker(1, allowed_ips=allowed)) is leaks


# Which worker.

STATES = [
    WorkerState.SERVING,
    WorkerState.SUSPECT,
    WorkerState.JOINING,
    WorkerState.DRAINING,
    WorkerState.DOWN,
]


@pytest.mark.parametrize("best", range(len(STATES)))
def test_the_best_state_comes_first(best: int) -> None:
    """Whatever the names are spread to."""
    workers = [worker(number, state) for number, state in enumerate(STATES) if number >= best]

    for client in ("phone1", "phone2", "phone3"):
        assert worker_for(client, peer_set(*reversed(workers))).state is STATES[best]


def test_among_equals_devices_are_spread_by_their_names() -> None:
    """And by weight; a name has the same one each time."""
    workers = peer_set(worker(1), worker(2), worker(3, weight=0))
    found = {f"phone{number}": worker_for(f"phone{number}", workers).name for number in range(40)}

    assert set(found.values()) == {"w1", "w2"}
    assert found == {name: worker_for(name, workers).name for name in found}


def test_a_worker_that_is_named_is_taken_whatever_its_state() -> None:
    """The operator knows better."""
    workers = peer_set(worker(1), worker(2, WorkerState.DOWN))

    assert worker_for("phone1", workers, "w2").name == "w2"


@pytest.mark.parametrize(
    ("workers", "wanted", "why"),
    [
        ([worker(1), worker(2)], "w9", "there is no worker 'w9': known are w1, w2"),
        ([], "w9", "there is no worker 'w9': known are none yet"),
        ([worker(1, WorkerState.BANNED)], "w1", "worker w1 is banned, and nobody uses it: name another"),
        (
            [worker(1, WorkerState.BANNED)],
            None,
            "there is no worker that could be used: `wgfleet worker add` adds one",
        ),
    ],
)
def test_where_there_is_none_it_is_said_why(workers: list[object], wanted: str | None, why: str) -> None:
    """And a banned one is given to nobody."""
    with pytest.raises(NoWorkerError) as caught:
        worker_for("phone1", peer_set(*workers), wanted)  # type: ignore[arg-type] # Workers, as parametrized.

    assert str(caught.value) == why

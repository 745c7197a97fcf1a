"""Tests of client_sync/traffic.py: what the kernel counts, less what is ours."""

import contextlib

import pytest

from client_sync.state import Counted
from client_sync.traffic import Counters, Packets, Traffic, packets
from tests.client_sync.own_network import in_own_network, ip

TABLE = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 1111 11 0 0 0 0 0 0 1111 11 0 0 0 0 0 0
  xwg0: 2222 22 0 0 0 0 0 0 3333 33 0 0 0 0 0 0
   wg0: 4444 44 0 0 0 0 0 0 5555 55 0 0 0 0 0 0
wireguardlong0:6666 66 0 0 0 0 0 0 7777 77 0 0 0 0 0 0
"""
"""As proc(5) has it; a long name leaves no room before its numbers."""


@pytest.mark.parametrize(
    ("interfaces", "counted"),
    [
        (("wg0",), (44, 55)),
        (("xwg0",), (22, 33)),
        (("wireguardlong0",), (66, 77)),
        (("wg0", "xwg0", "wg7"), (66, 88)),
        (("g0", "wg"), None),
        ((), None),
    ],
)
def test_the_packets_of_our_interfaces_are_found(
    interfaces: tuple[str, ...], counted: Packets | None
) -> None:
    """All together, and of no other whose name ends or begins alike."""
    assert packets(TABLE, interfaces) == counted


def looks(*read: Packets | None, probes: int = 0, answers: int = 0) -> list[Counted | None]:
    """What each look says; probes go out, and answers come in, between the first and the second."""
    readings = iter(read)
    traffic = Traffic(lambda: next(readings))
    found = [traffic.look()]
    for _ in range(probes):
        traffic.probed()
    for _ in range(answers):
        traffic.answered()
    return found + [traffic.look() for _ in read[1:]]


def test_the_first_look_says_nothing() -> None:
    """There is nothing to compare it with; nor is there after the interface was away."""
    assert looks((1, 1), (1, 2), None, (5, 5), (5, 6)) == [
        None,
        Counted(sent=True, received=False),
        None,
        None,
        Counted(sent=True, received=False),
    ]


@pytest.mark.parametrize(("received", "sent"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_both_directions_are_told(received: int, sent: int) -> None:
    """Since the look before."""
    assert looks((7, 9), (7 + received, 9 + sent))[1] == Counted(sent=bool(sent), received=bool(received))


def test_own_probes_are_no_traffic() -> None:
    """Neither those that go out, nor the answers that come in."""
    assert looks((10, 10), (12, 13), probes=3, answers=2)[1] == Counted(sent=False, received=False)
    assert looks((10, 10), (12, 14), probes=3, answers=2)[1] == Counted(sent=True, received=False)


@pytest.mark.system
def test_the_kernel_counts_for_the_own_network() -> None:
    """An interface that comes later is found, and one that is gone is not."""

    def story() -> list[Packets | None]:
        counters = Counters(lambda: ("wg0",))
        with contextlib.closing(counters):
            found = [counters()]
            ip("link add wg0 type veth peer name other")
            ip("link set wg0 up")
            ip("address add 10.99.0.1/24 dev wg0")
            found.append(counters())
            ip("link del wg0")
            return [*found, counters()]

    gone, there, gone_again = in_own_network(story)
    assert (gone, gone_again) == (None, None)
    assert there is not None

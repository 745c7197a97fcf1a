"""Tests of client_sync/echo.py: packets against known ones, then real echoes."""

import asyncio
import contextlib
import fcntl
import os
import struct
from collections.abc import Awaitable, Callable, Iterator

import pytest

from client_sync.echo import _V4, _V6, MOST_WAITING, Echo, _checksum, _packet, _reply
from tests.client_sync.own_network import in_own_network, ip

# As tcpdump showed `ping -s 0 -e 0x1234`, first packet: type 8, code 0, checksum, identifier, sequence.
REQUEST = bytes.fromhex("0800 e5ca 1234 0001")
REPLY = bytes.fromhex("0000 edca 1234 0001")
REQUEST_V6 = bytes.fromhex("8000 0000 1234 0001")
REPLY_V6 = bytes.fromhex("8100 0000 1234 0001")

IP_HEADER = bytes.fromhex("4500 001c 0000 4000 4001 0000 0a630001 0a630002")
IP_HEADER_WITH_OPTIONS = bytes.fromhex("4600 0020 0000 4000 4001 0000 0a630001 0a630002 94040000")


@pytest.mark.parametrize(
    ("packet", "checksum"),
    [
        # The example of RFC 1071, section 3: its sum is ddf2.
        ("0001 f203 f4f5 f6f7", 0xFFFF - 0xDDF2),
        ("0000 0000 0000 0000", 0xFFFF),
        ("ffff ffff ffff ffff", 0x0000),
        # Where the carry of the carry counts.
        ("ffff 0001 ffff ffff", 0xFFFE),
        ("0800 0000 1234 0001", 0xE5CA),
    ],
)
def test_the_checksum_is_that_of_the_rfc(packet: str, checksum: int) -> None:
    """Against known sums."""
    assert _checksum(bytes.fromhex(packet)) == checksum


def test_a_packet_of_four_is_as_ping_sends_it() -> None:
    """With its checksum."""
    assert _packet(_V4, 0x1234, 1) == REQUEST


def test_a_packet_of_six_leaves_the_checksum_to_the_kernel() -> None:
    """It covers addresses that we do not know yet."""
    assert _packet(_V6, 0x1234, 1) == REQUEST_V6


@pytest.mark.parametrize("header", [IP_HEADER, IP_HEADER_WITH_OPTIONS], ids=["plain", "options"])
def test_a_reply_of_four_is_read_behind_its_ip_header(header: bytes) -> None:
    """However long the header says that it is."""
    assert _reply(header + REPLY, _V4) == (0x1234, 1)


def test_a_reply_of_six_comes_without_its_ip_header() -> None:
    """The kernel keeps it."""
    assert _reply(REPLY_V6, _V6) == (0x1234, 1)


def test_a_reply_may_carry_more_than_was_sent() -> None:
    """Only the head is looked at."""
    assert _reply(IP_HEADER + REPLY + b"more", _V4) == (0x1234, 1)


@pytest.mark.parametrize(
    ("packet", "family"),
    [
        (IP_HEADER + REQUEST, _V4),
        (REQUEST_V6, _V6),
        (bytes.fromhex("8800 0000 1234 0001"), _V6),
        (IP_HEADER + bytes.fromhex("0300 0000 1234 0001"), _V4),
    ],
    ids=["request", "request of six", "neighbour advertisement", "unreachable"],
)
def test_what_is_no_reply_is_not_taken_for_one(packet: bytes, family: object) -> None:
    """Raw sockets hear all of ICMP."""
    assert family in (_V4, _V6)
    assert _reply(packet, _V4 if family is _V4 else _V6) is None


@pytest.mark.parametrize("length", range(28))
def test_a_packet_of_four_that_is_cut_short_is_no_reply(length: int) -> None:
    """Nor an error."""
    assert _reply((IP_HEADER + REPLY)[:length], _V4) is None


@pytest.mark.parametrize("length", range(8))
def test_a_packet_of_six_that_is_cut_short_is_no_reply(length: int) -> None:
    """Nor an error."""
    assert _reply(REPLY_V6[:length], _V6) is None


# Real ones.


async def answers(echo: Echo, address: str, within: float = 5.0) -> bool:
    """Whether the address answers one echo within so many seconds."""
    heard = asyncio.Event()
    if not echo.ask(address, heard.set):
        return False
    try:
        async with asyncio.timeout(within):
            await heard.wait()
    except TimeoutError:
        return False
    return True


async def probing(interface: str, *addresses: str, within: float = 5.0) -> list[bool]:
    """Whether each of the addresses answers; all are asked at once."""
    echo = Echo(interface)
    try:
        return await asyncio.gather(*(answers(echo, address, within) for address in addresses))
    finally:
        echo.close()


@pytest.mark.system
def test_this_machine_answers_over_its_loopback() -> None:
    """Several addresses of both families at once, each with its own answer."""
    assert asyncio.run(probing("lo", "127.0.0.1", "127.0.0.2", "::1", "127.0.0.1")) == [True] * 4


@pytest.mark.system
def test_an_interface_that_is_not_there_answers_nothing() -> None:
    """No error: the worker is silent, whatever the reason."""
    assert asyncio.run(probing("wg-none", "127.0.0.1", "::1")) == [False, False]


@pytest.mark.system
def test_an_address_behind_nothing_answers_nothing() -> None:
    """Nor is that an error: no route for the one, nobody there for the other."""
    assert in_own_network(lambda: asyncio.run(probing("lo", "192.0.2.1", "2001:db8::1", within=0.1))) == [
        False,
        False,
    ]


@pytest.mark.system
def test_sequence_numbers_begin_anew_after_the_last() -> None:
    """They are sixteen bits; a daemon runs for months."""

    async def story() -> list[bool]:
        echo = Echo("lo")
        echo._sequence = 65534
        try:
            return [await answers(echo, "127.0.0.1", 5.0) for _ in range(3)]
        finally:
            echo.close()

    assert asyncio.run(story()) == [True, True, True]


@pytest.mark.system
def test_nothing_is_left_waiting_for_ever() -> None:
    """A daemon runs for months: what was answered is forgotten, and what never is, in the end."""

    async def story() -> tuple[int, int, int]:
        echo = Echo("lo")
        await answers(echo, "127.0.0.1")
        answered = len(echo._waiting)
        for _ in range(MOST_WAITING + 3):
            echo.ask("127.99.0.1", lambda: None)
        unanswered = len(echo._waiting)  # The loop has not run: no answer was taken yet.
        echo.close()
        return answered, unanswered, len(echo._waiting) + len(echo._sockets)

    assert in_own_network(lambda: asyncio.run(story())) == (0, MOST_WAITING, 0)


# Over an interface whose other end the test holds.

TUNSETIFF, IFF_TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
"""From linux/if_tun.h."""


@contextlib.contextmanager
def tunnel(reply: Callable[[bytes], list[bytes]]) -> Iterator[None]:
    """An interface wg0 at 10.99.0.100/24; what is sent there is answered by the function."""
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH14x", b"wg0", IFF_TUN_WITHOUT_HEADER))
        ip("address add 10.99.0.100/24 dev wg0")
        ip("link set wg0 up")

        def answer() -> None:
            packet = os.read(end, 2048)
            for answered in reply(packet) if packet[0] >> 4 == 4 else []:
                os.write(end, answered)

        loop = asyncio.get_running_loop()
        loop.add_reader(end, answer)
        try:
            yield
        finally:
            loop.remove_reader(end)
    finally:
        os.close(end)


def worker(packet: bytes, *, identifier_change: int = 0, source: bytes | None = None) -> list[bytes]:
    """What a worker answers: the addresses exchanged, the request made a reply."""
    identifier = int.from_bytes(packet[24:26]) ^ identifier_change
    body = struct.pack("!HH", identifier, int.from_bytes(packet[26:28]))
    head = struct.pack("!BBH", 0, 0, _checksum(b"\0\0\0\0" + body))
    ip_head = packet[:8] + b"\x40\x01\0\0" + (source or packet[16:20]) + packet[12:16]
    return [ip_head[:10] + struct.pack("!H", _checksum(ip_head)) + ip_head[12:] + head + body]


def in_tunnel(
    reply: Callable[[bytes], list[bytes]], story: Callable[[Echo], Awaitable[list[bool]]]
) -> list[bool]:
    """Play the story in a network with that tunnel."""

    async def play() -> list[bool]:
        echo = Echo("wg0")
        try:
            with tunnel(reply):
                return await story(echo)
        finally:
            echo.close()

    return in_own_network(lambda: asyncio.run(play()))


def asking(*addresses: str, within: float = 5.0) -> Callable[[Echo], Awaitable[list[bool]]]:
    """A story that asks these, all at once."""

    async def ask(echo: Echo) -> list[bool]:
        return await asyncio.gather(*(answers(echo, address, within) for address in addresses))

    return ask


@pytest.mark.system
def test_a_worker_answers_through_the_tunnel() -> None:
    """The echo goes out of the interface, whole, and its answer is known."""
    assert in_tunnel(worker, asking("10.99.0.1", "10.99.0.2")) == [True, True]


@pytest.mark.system
def test_a_silent_worker_does_not_answer() -> None:
    """And its silence is not another one's."""
    dead = bytes([10, 99, 0, 2])

    def one_dead(packet: bytes) -> list[bytes]:
        return [] if packet[16:20] == dead else worker(packet)

    assert in_tunnel(one_dead, asking("10.99.0.1", "10.99.0.2", "10.99.0.3", within=0.3)) == [
        True,
        False,
        True,
    ]


@pytest.mark.system
def test_an_answer_with_another_identifier_is_none() -> None:
    """It was for another program on this machine."""
    assert in_tunnel(lambda packet: worker(packet, identifier_change=1), asking("10.99.0.1", within=0.2)) == [
        False
    ]


@pytest.mark.system
def test_an_answer_that_came_astray_is_told_and_taken_where_it_belongs() -> None:
    """It comes in by another's interface; whom it is to knows it by identifier, address and sequence number."""

    async def play() -> tuple[bool, bool]:
        one = Echo("lo")  # By an interface where nobody answers.
        other = Echo("wg0", one.take)
        heard, others = asyncio.Event(), asyncio.Event()
        one._sequence = other._sequence = 7
        try:
            with tunnel(lambda packet: worker(packet, identifier_change=other._identifier ^ one._identifier)):
                one.ask("10.99.0.1", heard.set)
                other.ask("10.99.0.1", others.set)
                async with asyncio.timeout(5.0):
                    await heard.wait()
                return heard.is_set(), others.is_set()
        finally:
            one.close()
            other.close()

    assert in_own_network(lambda: asyncio.run(play())) == (True, False)


@pytest.mark.system
def test_an_answer_from_another_address_is_none() -> None:
    """One worker cannot answer in another one's name."""
    other = bytes([10, 99, 0, 7])

    assert in_tunnel(lambda packet: worker(packet, source=other), asking("10.99.0.1", within=0.2)) == [False]


@pytest.mark.system
def test_an_answer_to_an_earlier_echo_is_that_ones() -> None:
    """A worker that hung for a while answers late; each echo wants its own answer, however late that is."""
    packets: list[bytes] = []

    def late(packet: bytes) -> list[bytes]:
        packets.append(packet)
        return worker(packets[0]) if len(packets) == 2 else []

    async def story(echo: Echo) -> list[bool]:
        first, second = asyncio.Event(), asyncio.Event()
        echo.ask("10.99.0.1", first.set)
        echo.ask("10.99.0.1", second.set)
        async with asyncio.timeout(5.0):
            await first.wait()
        return [first.is_set(), second.is_set()]

    assert in_tunnel(late, story) == [True, False]


@pytest.mark.system
def test_an_interface_that_was_made_anew_is_used_again() -> None:
    """A userspace WireGuard that was restarted has another interface of the same name."""

    async def play() -> list[bool]:
        echo, found = Echo("wg0"), []
        try:
            for _ in range(2):
                with tunnel(worker):
                    found.append(await answers(echo, "10.99.0.1", 5.0))
                found.append(await answers(echo, "10.99.0.1", 0.1))
        finally:
            echo.close()
        return found

    assert in_own_network(lambda: asyncio.run(play())) == [True, False, True, False]


@pytest.mark.system
def test_an_address_that_cannot_be_sent_to_spoils_nobody_elses_answer() -> None:
    """The kernel refuses a broadcast while another's answer is under way; the socket is still good."""
    asked = asking("10.99.0.1", "10.99.0.2", "255.255.255.255", within=0.5)

    assert in_tunnel(worker, asked) == [True, True, False]


@pytest.mark.system
def test_an_answer_that_comes_twice_is_one(caplog: pytest.LogCaptureFixture) -> None:
    """Networks may double packets; nothing goes wrong with the second one."""
    assert in_tunnel(lambda packet: worker(packet) * 2, asking("10.99.0.1", "10.99.0.2")) == [True, True]
    assert caplog.records == []

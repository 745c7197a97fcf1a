"""Tests of wgfleet/dump.py, on what `wg show wg0 dump` printed of real interfaces."""

import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfleet.device import Device, Peer
from wgfleet.dump import DumpError, parse_dump

REAL = (Path(__file__).parents[1] / "exporter" / "scrapes" / "wg0.dump").read_text()
"""An interface with a recent, a silent and a never seen peer; capture.sh beside it made it."""

PRIVATE_KEY = REAL.split("\t", 1)[0]
PRESHARED_KEY = REAL.splitlines()[1].split("\t")[1]

INTERFACE_LINE = f"{PRIVATE_KEY}\tyH2oSLVpkEo9q4qfKXqTTnFVZ6Duzm62P+GZGDyGPTo=\t51820\toff\n"


def refusal(text: str) -> DumpError:
    """The error that this text ends in."""
    with pytest.raises(DumpError) as caught:
        parse_dump("wg0", text.encode())
    return caught.value


def everything_said(error: BaseException) -> str:
    """Message, notes and traceback, as a log would have them at its most talkative."""
    return "".join(traceback.format_exception(error)) + repr(error)


def test_a_real_dump_is_read_whole() -> None:
    """Keys, port, mark, endpoints of both families, prefixes, handshakes, counters and keepalives come through."""
    expected = Device(
        interface="wg0",
        public_key="yH2oSLVpkEo9q4qfKXqTTnFVZ6Duzm62P+GZGDyGPTo=",
        listen_port=51820,
        firewall_mark=0xCA6C,
        peers=(
            Peer(
                public_key="LJtEuwyodB3AMdslRzoUXyxugf/Y9tKwGMZuIiKU8xA=",
                endpoint="[2001:db8::2]:33129",
                allowed_ips=("10.90.0.2/32", "fd90::2/128"),
                latest_handshake=1795362620,
                rx_bytes=1748,
                tx_bytes=988,
                persistent_keepalive=25,
            ),
            Peer(
                public_key="YOxfIW9cX13zy4des5DP5Jgno1DHkV4d0CplkUDmMTU=",
                endpoint="192.0.2.2:54872",
                allowed_ips=("10.90.0.3/32",),
                latest_handshake=1795362470,
                rx_bytes=420,
                tx_bytes=412,
                persistent_keepalive=None,
            ),
            Peer(
                public_key="+g/YvnHp02GIMoJJARm2ueeJQmX2nfls07pJCAyzWko=",
                endpoint=None,
                allowed_ips=(),
                latest_handshake=None,
                rx_bytes=0,
                tx_bytes=0,
                persistent_keepalive=None,
            ),
        ),
    )

    assert parse_dump("wg0", REAL.encode()) == expected


def test_an_interface_without_a_key_has_no_public_key() -> None:
    """What a userspace WireGuard says before it is configured is a device too."""
    expected = Device("wgx", public_key=None, listen_port=47184, firewall_mark=None, peers=())

    assert parse_dump("wgx", b"(none)\t(none)\t47184\toff\n") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "dump of wg0 is empty: an interface line was expected"),
        (f"{PRIVATE_KEY}\n", "dump of wg0, line 1: 1 fields, expected 4"),
        (f"wg0\t{INTERFACE_LINE}", "dump of wg0, line 1: 5 fields, expected 4"),
        (
            INTERFACE_LINE.replace("51820", PRIVATE_KEY),
            "dump of wg0, line 1: listen port or fwmark is not a number",
        ),
        (
            INTERFACE_LINE.replace("off", PRIVATE_KEY),
            "dump of wg0, line 1: listen port or fwmark is not a number",
        ),
        (f"{INTERFACE_LINE}{PRESHARED_KEY}\n", "dump of wg0, line 2: 1 fields, expected 8"),
        (f"{INTERFACE_LINE}\n", "dump of wg0, line 2: 1 fields, expected 8"),
        (REAL.replace("\t25\n", "\t25\tnew\n"), "dump of wg0, line 2: 9 fields, expected 8"),
        (REAL.replace("1748", PRESHARED_KEY), "dump of wg0, line 2: a counter is not a number"),
        (REAL.replace("\t412\t", f"\t{PRIVATE_KEY}\t"), "dump of wg0, line 3: a counter is not a number"),
    ],
)
def test_a_malformed_dump_is_refused_by_line(text: str, message: str) -> None:
    """The error says which line is wrong and in what, and quotes nothing, for a key may stand anywhere."""
    error = refusal(text)

    assert message == str(error)
    assert PRIVATE_KEY not in everything_said(error)
    assert PRESHARED_KEY not in everything_said(error)


@given(damage=st.data())
def test_no_damage_makes_it_say_a_secret(damage: st.DataObject) -> None:
    """However fields are swapped, cut and overwritten: a device without secrets, or an error without them."""
    lines = [line.split("\t") for line in REAL.splitlines()]
    secrets = [PRIVATE_KEY, PRESHARED_KEY]
    for _ in range(damage.draw(st.integers(1, 4))):
        line = damage.draw(st.sampled_from(lines))
        where = damage.draw(st.integers(0, len(line)))
        cut = damage.draw(st.integers(0, 2))
        line[where : where + cut] = damage.draw(
            st.lists(st.text(max_size=4) | st.sampled_from(secrets), max_size=2)
        )
    damaged = "\n".join("\t".join(line) for line in lines)

    said = ""
    try:
        parse_dump("wg0", damaged.encode(errors="replace"))
    except DumpError as error:
        said = everything_said(error)

    assert not any(secret in said for secret in secrets)


def field_moves() -> list[str]:
    """Dumps in which one line has a field too few and a later one too many, so that their number is right."""
    interface, *peers = REAL.splitlines()
    assert len(peers) >= 2
    moved = []
    for field in range(8):
        first, second = peers[0].split("\t"), peers[1].split("\t")
        gone = first.pop(field)
        for place in range(9):
            other = second.copy()
            other.insert(place, gone)
            moved.append("\n".join([interface, "\t".join(first), "\t".join(other), *peers[2:], ""]))
    return moved


@pytest.mark.parametrize("damaged", field_moves())
def test_a_field_that_moved_to_another_line_is_seen(damaged: str) -> None:
    """Wherever it was and is: a preshared key must never be taken for a public one."""
    with pytest.raises(DumpError, match="line 2: 7 fields, expected 8"):
        parse_dump("wg0", damaged.encode())

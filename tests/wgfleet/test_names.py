"""Tests of wgfleet/names.py."""

import base64
import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgfleet.names import (
    check_address,
    check_endpoint,
    check_name,
    check_prefix,
    check_public_key,
    split_endpoint,
)

KEY = "yH2oSLVpkEo9q4qfKXqTTnFVZ6Duzm62P+GZGDyGPTo="
LABEL = "a" * 63
INJECTION = "fe80::1%eth0\nPostUp = reboot"
"""A zone may hold any text, and what passes may be written into a configuration file."""


@pytest.mark.parametrize("name", ["a", "7", "fra1", "fra-1", "0-0", LABEL])
def test_a_dns_label_is_a_name(name: str) -> None:
    """Names become host names, label values and file names."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "Fra1", "a.b", "a_b", "a/b", "..", "a\n", " a", "ä", "१", LABEL + "a"]
)
def test_anything_else_is_no_name(name: str) -> None:
    """The refusal quotes it and says what would be right."""
    expected = f"{name!r} is not a name: lower-case letters, digits and inner hyphens, 1 to 63 of them"

    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        check_name(name)


@given(st.binary(min_size=32, max_size=32).filter(any))
def test_any_32_bytes_in_base64_are_a_public_key(raw: bytes) -> None:
    """What `wg pubkey` may print is taken."""
    key = base64.b64encode(raw).decode()

    assert check_public_key(key) == key


def test_a_key_whose_bits_are_all_zero_is_none() -> None:
    """Nobody has it: it stands where one was forgotten."""
    with pytest.raises(ValueError, match="is no key, all of its bits are zero"):
        check_public_key("A" * 43 + "=")


@pytest.mark.parametrize(
    "key",
    ["", KEY[:-1], KEY[1:], f"{KEY}\n", f"{KEY}=", KEY.replace("o=", "p="), KEY.replace("+", "-"), KEY + KEY],
)
def test_anything_else_is_no_public_key(key: str) -> None:
    """Cut short, with bits that 32 bytes do not have, or in the alphabet of URLs."""
    expected = f"{key!r} is not a WireGuard public key: 44 characters of base64, as `wg pubkey` prints"

    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        check_public_key(key)


@pytest.mark.parametrize(
    ("value", "endpoint", "parts"),
    [
        ("192.0.2.1:51820", "192.0.2.1:51820", ("192.0.2.1", 51820)),
        ("[2001:DB8:0::1]:1", "[2001:db8::1]:1", ("2001:db8::1", 1)),
        ("vpn.example.com:65535", "vpn.example.com:65535", ("vpn.example.com", 65535)),
        ("localhost:080", "localhost:80", ("localhost", 80)),
        ("4u.example.c0m:1", "4u.example.c0m:1", ("4u.example.c0m", 1)),
        (f"{LABEL}.{LABEL}:1", f"{LABEL}.{LABEL}:1", (f"{LABEL}.{LABEL}", 1)),
    ],
)
def test_an_endpoint_is_an_address_or_a_host_name_and_a_port(
    value: str, endpoint: str, parts: tuple[str, int]
) -> None:
    """It is written as `wg show` prints it, so that the two can be compared."""
    assert (check_endpoint(value), split_endpoint(value)) == (endpoint, parts)


NO_PORTS = [
    "",
    "192.0.2.1",
    "host",
    "host:",
    "host:0",
    "host:65536",
    "host:+1",
    "host:1 ",
    "host:१",
    "host:1\n",
]


@pytest.mark.parametrize("value", [*NO_PORTS, "host:" + "9" * 5000])
def test_an_endpoint_needs_a_port(value: str) -> None:
    """Digits only, and a port that there is."""
    expected = f"{value!r} is not an endpoint: host:port with a port from 1 to 65535, as 192.0.2.1:51820"

    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        check_endpoint(value)


NO_NAMES = ["", "a b", "-a", "a-", "a.", ".a", "a..b", "a_b", "ä", "a\nb", LABEL + "a", "a." * 127 + "a"]
NO_ADDRESSES = ["[]", "[host]", "[::1", "::1]", "1.2.3", "999.1.2.3", "192.0.2.1.", "300", f"[{INJECTION}]"]


@pytest.mark.parametrize("host", [*NO_NAMES, *NO_ADDRESSES])
def test_an_endpoint_needs_a_host(host: str) -> None:
    """Nor is a mistyped address a host name: `1.2.3` would resolve, to 1.2.0.3."""
    value = f"{host}:51820"
    expected = f"{value!r} is not an endpoint: {host!r} is neither an address nor a host name"

    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        check_endpoint(value)


@pytest.mark.parametrize("value", ["2001:db8::1:51820", "::1:1", "[192.0.2.1]:51820"])
def test_brackets_are_for_ipv6(value: str) -> None:
    """Without them nobody knows where the address ends."""
    expected = f"{value!r} is not an endpoint: an IPv6 address stands in brackets, as [2001:db8::1]:51820"

    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        check_endpoint(value)


@pytest.mark.parametrize(
    ("value", "prefix"),
    [
        ("10.0.0.0/24", "10.0.0.0/24"),
        ("10.0.0.1", "10.0.0.1/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("FD00:0::0/64", "fd00::/64"),
    ],
)
def test_a_prefix_is_written_as_wg_shows_it(value: str, prefix: str) -> None:
    """So that what is wanted can be compared with what the device has."""
    assert check_prefix(value) == prefix


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("10.0.0.1/24", "10.0.0.1/24 has host bits set"),
        ("10.0.0.0/33", "'10.0.0.0/33' does not appear to be an IPv4 or IPv6 network"),
        ("", "'' does not appear to be an IPv4 or IPv6 network"),
        (INJECTION, "a zone, as %eth0, means nothing to other machines"),
    ],
)
def test_anything_else_is_no_prefix(value: str, why: str) -> None:
    """The refusal says why, and how one looks."""
    expected = f"{value!r} is not a network: {why}; as 10.0.0.0/24 or ::/0"

    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        check_prefix(value)


@given(st.ip_addresses())
def test_an_address_is_written_in_its_shortest_form(address: ipaddress.IPv4Address) -> None:
    """Long and short forms of one address come out alike."""
    assert check_address(address.exploded) == check_address(str(address)) == str(address)


@pytest.mark.parametrize("value", ["", "10.0.0.1/32", "10.0.0", "[::1]", "fe80::1%eth0", INJECTION, " ::1"])
def test_anything_else_is_no_address(value: str) -> None:
    """The refusal quotes it and says what would be right."""
    expected = f"{value!r} is not an IP address: as 10.0.0.1 or fd00::1"

    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        check_address(value)

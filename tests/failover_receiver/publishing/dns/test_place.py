"""Tests of failover_receiver/publishing/dns/place.py: what `[dns]` may say."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from failover_receiver.publishing.configured import configured
from failover_receiver.publishing.dns.place import Dns
from failover_receiver.settings import load
from tests.failover_receiver.test_settings import LEAST

LINES = """
[dns]
server = "192.0.2.53"
zone = "Example.com."
name = "VPN.example.com"
key_file = "wgfleet.key"
"""


def place(**said: Any) -> Dns:
    """With what must be said."""
    least = {
        "server": "192.0.2.53",
        "zone": "example.com",
        "name": "vpn.example.com",
        "key_file": Path("key"),
    }
    return Dns(**{**least, **said})


def test_a_file_that_names_it_makes_a_publisher(tmp_path: Path) -> None:
    """With all that is not said at its default, and names in one form."""
    (tmp_path / "wgfleet.key").write_text("wgfleet:c2VjcmV0")
    file = tmp_path / "receiver.toml"
    file.write_text(LEAST + LINES)

    settings = load(file)

    assert settings.dns is not None
    assert (settings.dns.server, settings.dns.zone, settings.dns.name) == (
        "192.0.2.53:53",
        "example.com",
        "vpn.example.com",
    )
    assert settings.dns.key_file == tmp_path / "wgfleet.key"
    assert [publisher.name for publisher in configured(settings)] == ["dns"]


@pytest.mark.parametrize(
    ("server", "read"),
    [
        ("192.0.2.53:5353", "192.0.2.53:5353"),
        ("ns1.example.com", "ns1.example.com:53"),
        ("2001:db8::53", "[2001:db8::53]:53"),
        ("[2001:db8::53]", "[2001:db8::53]:53"),
        ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
    ],
)
def test_a_servers_port_may_be_left_out(server: str, read: str) -> None:
    """In either family."""
    assert place(server=server).server == read


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("server", "", "neither an address nor a host name"),
        ("server", "192.0.2.53:0", "is not an endpoint"),
        ("zone", "com", "not a domain: as vpn.example.com"),
        ("name", "*.example.com", "not a domain"),
        ("name", "vpn.example.net", "name: vpn.example.net is not within the zone example.com"),
        ("name", "vpn.badexample.com", "is not within the zone"),
        ("algorithm", "hmac-sha3", "one of hmac-sha256, "),
        ("ttl", 0, "greater than or equal to 1"),
        ("workers", ["fra 1"], "fra 1"),
    ],
)
def test_what_cannot_be_is_refused_with_what_would_be_right(key: str, value: object, why: str) -> None:
    """When the file is read."""
    with pytest.raises(ValidationError) as refused:
        place(**{key: value})

    assert why in str(refused.value)

"""Where the daemons of monitoring are reached, and how a vantage, its canary and an external label are written.

On this host they are reached in clear; on another one over https, by client certificate, unless it is said otherwise:
none of them asks for a password, and whoever reaches Alertmanager can take workers out.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self

from wgfleet.names import HOST, check_endpoint, check_name, split_endpoint

BLACKBOX = "127.0.0.1:9115"
"""The blackbox exporter of a vantage that is given by its name alone: the one on this host."""

LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
"""What Prometheus 2 and 3 both take for a label's name."""

IDENTITY = frozenset({"alertname", "worker", "severity", "action"})
"""The labels of an alert by which the receiver knows what it is about."""


@dataclass(frozen=True, slots=True)
class Place:
    """A daemon of this or another monitoring host."""

    scheme: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST:PORT`, or raise ValueError; `http://` or `https://` before it says what is not the usual."""
        scheme, separator, address = text.rpartition("://")
        if scheme not in {"", "http", "https"} or (separator and not scheme):
            raise ValueError(f"{text!r} is not HOST:PORT, http://HOST:PORT or https://HOST:PORT")
        check_endpoint(address)
        return cls(scheme or ("http" if _is_local(address) else "https"), address)


@dataclass(frozen=True, slots=True)
class Vantage:
    """A blackbox exporter and the name of the place from which it probes."""

    name: str
    place: Place

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `NAME=HOST:PORT`, or `NAME` for the blackbox exporter on this host, or raise ValueError."""
        name, _, place = text.partition("=")
        return cls(check_name(name), Place.parse(place if "=" in text else BLACKBOX))


def parse_canary(text: str) -> tuple[str, str]:
    """Read `NAME=ADDRESS`: a vantage and what it pings that is no worker; or raise ValueError."""
    name, separator, address = text.partition("=")
    if not separator:
        raise ValueError(f"{text!r} is not NAME=ADDRESS, a vantage and what it pings, as main=192.0.2.1")
    try:
        ipaddress.ip_address(address)
    except ValueError:
        if not HOST.fullmatch(address):
            raise ValueError(f"{text!r}: {address!r} is neither an address nor a host name") from None
    return check_name(name), address


def parse_label(text: str) -> tuple[str, str]:
    """Read `NAME=VALUE`, a label that Prometheus gives to what leaves it; or raise ValueError."""
    name, _, value = text.partition("=")
    if not (LABEL.fullmatch(name) and value and value.isprintable()):
        raise ValueError(f"{text!r} is not NAME=VALUE, as replica=a")
    if name in IDENTITY:
        raise ValueError(f"{text!r}: {name} says what an alert is about, expected another name, as replica=a")
    return name, value


def _is_local(address: str) -> bool:
    host, _ = split_endpoint(address)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""What is probed beyond a worker, as an operator writes it."""

import socket
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

import dns.exception
import dns.message
import dns.rdatatype

Address = IPv4Address | IPv6Address

DNS_PORT = 53
SYNTAX = "icmp:ADDRESS, tcp:ADDRESS:PORT or dns:ADDRESS/NAME, an IPv6 address with a port in brackets"


class Kind(StrEnum):
    """What is sent."""

    ICMP = "icmp"
    TCP = "tcp"
    DNS = "dns"


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing beyond the worker, and how it is asked."""

    kind: Kind
    address: Address
    port: int = 0
    """0 for an echo."""
    name: str = ""
    """What a name server is asked for."""

    def __str__(self) -> str:
        """As the flag takes it, and as the label `probe` says it."""
        if self.kind is Kind.ICMP:
            return f"{self.kind}:{self.address}"
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        if self.kind is Kind.TCP:
            return f"{self.kind}:{host}:{self.port}"
        place = str(self.address) if self.port == DNS_PORT else f"{host}:{self.port}"
        return f"{self.kind}:{place}/{self.name}"

    @property
    def family(self) -> socket.AddressFamily:
        """IPv4's or IPv6's."""
        return socket.AF_INET6 if self.address.version == 6 else socket.AF_INET


def parse_probe(text: str) -> Probe:
    """Read a probe as an operator writes it.

    Raises:
        ValueError: it is none; the text says why and what would be one.

    """
    try:
        return _parse(text)
    except ValueError as error:
        raise ValueError(f"egress probe {text!r}: {error}; write {SYNTAX}") from None


def _parse(text: str) -> Probe:
    kind, _, rest = text.partition(":")
    if kind == Kind.ICMP:
        address, port = _place(rest)
        if port is not None:
            raise ValueError("an echo has no port")
        return Probe(Kind.ICMP, address)
    if kind == Kind.TCP:
        address, port = _place(rest)
        if port is None:
            raise ValueError("the port is missing")
        return Probe(Kind.TCP, address, port)
    if kind == Kind.DNS:
        place, slash, name = rest.partition("/")
        if not slash or not name:
            raise ValueError("the name to ask for is missing")
        address, port = _place(place)
        return Probe(Kind.DNS, address, DNS_PORT if port is None else port, _name(name))
    raise ValueError(f"{kind!r} is no kind of probe")


def _place(text: str) -> tuple[Address, int | None]:
    """An address, with its port if there is one: `192.0.2.1:443`, `[2001:db8::1]:443`, `2001:db8::1`."""
    if text.startswith("["):
        host, bracket, after = text[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise ValueError("the bracket of the address does not end")
        return _address(host), _port(after[1:]) if after else None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return _address(host), _port(port)
    return _address(text), None


def _address(text: str) -> Address:
    try:
        address = ip_address(text)
    except ValueError:
        # A name would be asked for at each scrape, by a resolver that may be what is broken.
        raise ValueError(f"{text!r} is no IP address, and a name will not do") from None
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        raise ValueError(f"{text} cannot be what lies beyond the worker")
    return address


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ValueError(f"{text!r} is no port from 1 to 65535")
    return int(text)


def _name(text: str) -> str:
    try:
        dns.message.make_query(text, dns.rdatatype.A).to_wire()
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"{text!r} is no name: {error}") from None
    return text

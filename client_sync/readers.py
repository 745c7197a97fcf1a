"""Readers of the configuration's values: each returns what is meant, or raises ValueError that says what would be right."""

import ipaddress
import shlex
from enum import StrEnum
from urllib.parse import urlsplit

import httpx

from wgfleet.names import PUBLIC_KEY, check_interface, check_name
from wgfleet.signing import Verifier


def text(value: object) -> str:
    """One that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("a text was expected")
    return value


def name(value: object) -> str:
    """Of a fleet or machine."""
    return check_name(text(value))


def interface(value: object) -> str:
    """One name."""
    return check_interface(text(value))


def texts(value: object) -> tuple[str, ...]:
    """At least one."""
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ValueError("a list of texts was expected, with at least one")
    return tuple(value)


def urls(value: object) -> tuple[str, ...]:
    """Receivers' base URLs, without a slash at the end."""
    for url in texts(value):
        if not _is_receivers(url):
            raise ValueError(f"{url!r} is not a receiver's URL: as https://monitoring.example.com:9587")
    return tuple(url.rstrip("/") for url in texts(value))


def proxy(value: object) -> str:
    """Its URL, without user or password."""
    url = text(value)
    if not _is_receivers(url) or urlsplit(url).path.strip("/"):
        raise ValueError(
            "an HTTP proxy's URL was expected, without user or password: as http://proxy.example.com:3128"
        )
    return url.rstrip("/")


def _is_receivers(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port  # Is only looked at now, and may be none.
        httpx.URL(url)  # What cannot be asked would end the daemon later.
    except (ValueError, httpx.InvalidURL):
        return False
    known = parts.scheme in {"http", "https"} and bool(parts.hostname) and port != 0
    return known and not (parts.query or parts.fragment or "@" in parts.netloc)


def keys(value: object) -> tuple[str, ...]:
    """Public signing keys."""
    keys = texts(value)
    Verifier(keys)
    return keys


def interfaces(value: object) -> tuple[str, ...]:
    """Names, perhaps none."""
    return tuple(map(check_interface, texts(value))) if value != [] else ()


def seconds(value: object) -> float:
    """Between a tenth and an hour."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 3600:
        raise ValueError("seconds were expected, from 0.1 to 3600")
    return float(value)


def poll_seconds(value: object) -> float:
    """Between one and an hour."""
    if seconds(value) < 1:
        raise ValueError("seconds were expected, from 1 to 3600")
    return seconds(value)


def textfile(value: object) -> str:
    """A file that node_exporter reads."""
    if not text(value).endswith(".prom"):
        raise ValueError("a file whose name ends in .prom was expected: node_exporter reads no other")
    return text(value)


def flag(value: object) -> bool:
    """Yes or no."""
    if not isinstance(value, bool):
        raise ValueError("true or false was expected")  # noqa: TRY004 - all faults of a file are of one kind.
    return value


def commands(value: object) -> tuple[str, ...]:
    """Each as a shell would take it apart."""
    for command in texts(value):
        if not shlex.split(command):
            raise ValueError('commands were expected, as ["systemctl restart wg-quick@wg0"]')
    return texts(value)


def one_of(value: object, kind: type[StrEnum]) -> str:
    """A word that the kind has."""
    if not isinstance(value, str) or value not in set(kind):
        raise ValueError(f"one of {', '.join(kind)} was expected")
    return value


def target(value: object) -> str:
    """An address of a machine elsewhere."""
    try:
        read = ipaddress.ip_address(text(value))
    except ValueError:
        read = ipaddress.ip_address("::")
    if read.is_unspecified or read.is_loopback or read.is_multicast or read.is_link_local:
        raise ValueError("one address beyond the workers was expected, as 198.51.100.1 or 2001:db8::1")
    return str(read)


def addresses(value: object) -> tuple[str, ...]:
    """The client's own, each alone or with its network's length."""
    try:
        said = [(one, ipaddress.ip_interface(one)) for one in texts(value)]
    except ValueError as error:
        raise ValueError(f"{error}: addresses were expected, as 10.99.1.7 or fd00::7") from None
    return tuple(str(read if "/" in one else read.ip) for one, read in said)


def networks(value: object) -> tuple[str, ...]:
    """Perhaps none."""
    try:
        return tuple(str(ipaddress.ip_network(one)) for one in texts(value)) if value != [] else ()
    except ValueError as error:
        raise ValueError(f"{error}: networks were expected, as 192.168.0.0/16") from None


def key_file(value: object) -> str:
    """The name of a file, and not the key."""
    if PUBLIC_KEY.fullmatch(text(value)):  # A private key looks the same.
        raise ValueError(
            "the name of a file was expected, and not the key itself: what stands here may be read by others"
        )
    return text(value)


def mark(value: object) -> int:
    """A firewall mark, which is a routing table, too."""
    if isinstance(value, bool) or not isinstance(value, int) or not 256 <= value < 2**31:
        raise ValueError(
            "a number was expected, from 256 to 2147483647: those below are tables of the system"
        )
    return value


def deadline(value: object) -> float:
    """Seconds, up to a week."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 604800:
        raise ValueError("seconds were expected, from 0 to 604800, a week")
    return float(value)

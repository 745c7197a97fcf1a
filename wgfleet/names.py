"""What a worker, client or fleet may be called, and how an endpoint is written."""

import ipaddress
import re

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""A DNS label: names become host names, label values and file names."""

HOST = re.compile(
    r"(?=.{1,253}$)(?!(.*\.)?[0-9]+$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
"""DNS labels. The last is no number: that would be a mistyped address, and `1.2.3` resolves, to 1.2.0.3."""

PUBLIC_KEY = re.compile(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")
"""32 bytes in base64: the last character before the padding carries four bits."""


INTERFACE = re.compile(r"[A-Za-z0-9_=+.-]{1,15}")
"""What wg-quick(8) takes, which is stricter than Linux: it becomes a path, a word for `wg` and a label."""


def check_interface(value: str) -> str:
    """Return the network device's name, or raise ValueError that says what would be right."""
    if value in {"all", "interfaces"}:
        raise ValueError(f"{value!r} is a word of `wg show`, not an interface: name each interface")
    if value in {".", ".."} or not INTERFACE.fullmatch(value):
        raise ValueError(f"{value!r} is not an interface's name: 1 to 15 letters, digits or _=+.- as wg0")
    return value


def check_name(value: str) -> str:
    """Return the name, or raise ValueError that says what would be right."""
    if not NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a name: lower-case letters, digits and inner hyphens, 1 to 63 of them"
        )
    return value


NO_KEY = "A" * 43 + "="
"""All of its bits are zero: nobody can have it."""


def check_public_key(value: str) -> str:
    """Return the key, or raise ValueError that says what would be right."""
    if not PUBLIC_KEY.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a WireGuard public key: 44 characters of base64, as `wg pubkey` prints"
        )
    if value == NO_KEY:
        raise ValueError(
            f"{value!r} is no key, all of its bits are zero: give the one that `wg pubkey` prints"
        )
    return value


def check_endpoint(value: str) -> str:
    """Return the endpoint as wg(8) prints it (`192.0.2.1:51820`, `[2001:db8::1]:51820`, `host:51820`)."""
    host, port = split_endpoint(value)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_endpoint(value: str) -> tuple[str, int]:
    """Host and port of an endpoint; the host without brackets, an address in its shortest form."""
    host, _, port = value.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise ValueError(
            f"{value!r} is not an endpoint: host:port with a port from 1 to 65535, as 192.0.2.1:51820"
        )
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(_without_zone(host[1:-1] if bracketed else host))
    except ValueError:
        if bracketed or not HOST.fullmatch(host):
            raise ValueError(
                f"{value!r} is not an endpoint: {host!r} is neither an address nor a host name"
            ) from None
        return host, int(port)
    if bracketed != (address.version == 6):
        raise ValueError(
            f"{value!r} is not an endpoint: an IPv6 address stands in brackets, as [2001:db8::1]:51820"
        )
    return str(address), int(port)


def check_prefix(value: str) -> str:
    """Return the network in wg(8)'s form, or raise ValueError that says what would be right."""
    try:
        return str(ipaddress.ip_network(_without_zone(value)))
    except ValueError as error:
        raise ValueError(f"{value!r} is not a network: {error}; as 10.0.0.0/24 or ::/0") from None


def check_address(value: str) -> str:
    """Return the address in its shortest form, or raise ValueError that says what would be right."""
    try:
        return str(ipaddress.ip_address(_without_zone(value)))
    except ValueError:
        raise ValueError(f"{value!r} is not an IP address: as 10.0.0.1 or fd00::1") from None


def _without_zone(value: str) -> str:
    """An IPv6 zone (`fe80::1%eth0`) means something on one machine only, and Python takes any text for one."""
    if "%" in value:
        raise ValueError("a zone, as %eth0, means nothing to other machines")
    return value

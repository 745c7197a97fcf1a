"""The daemon's configuration: one TOML file. Every mistake in it is said at once."""

import ipaddress
import shlex
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from client_sync.applying import RESTART_ONLY, Apply, apply_faults
from client_sync.choice import Policy
from client_sync.perworker.allotments import LONGEST_PREFIX
from client_sync.perworker.system import Implementation
from client_sync.polling import POLL_SECONDS
from wgfleet.names import PUBLIC_KEY, check_interface, check_name
from wgfleet.signing import Verifier


class ConfigurationError(ValueError):
    """The file cannot be used; the text names every faulty key, its value and what would be right."""


class Role(StrEnum):
    """What the machine is in the fleet."""

    CLIENT = "client"
    """It connects through workers: the daemon follows the peer set."""
    WORKER = "worker"
    """Clients connect through it: the daemon follows the client list."""


class LayoutKind(StrEnum):
    """How workers and interfaces go together."""

    SINGLE = "single"
    """All workers are peers of one interface, which somebody else brought up."""
    PER_WORKER = "per-worker"
    """Each worker has an interface of its own, which the daemon makes."""


@dataclass(frozen=True, slots=True)
class Config:
    """What `sync.toml` says."""

    fleet: str
    name: str
    """This machine's own name. Workers are spread over clients by theirs."""
    interface: str
    receivers: tuple[str, ...]
    """Base URLs, tried in turn."""
    token_file: Path
    trusted_keys: tuple[str, ...]
    """The receiver's public signing keys, in base64."""
    state_directory: Path = Path("/var/lib/wgfleet/sync")
    policy: Policy = Policy.SPREAD
    ca_file: Path | None = None
    """Trust receivers' certificates by this authority only; None: by the system's."""
    local_failover: bool = True
    """Leave a worker that own probes find silent, without being told to."""
    active_probe_interval: float = 1.0
    """Seconds between probes of the worker that carries the traffic, while nothing speaks against it."""
    standby_probe_interval: float = 5.0
    """Seconds between probes of each standby."""
    failback_after: float = 30.0
    """Seconds that the worker which was left must have been well before the client returns to it,"""
    failback_spread: float = 300.0
    """and up to so many more: each client its own."""
    manage_routes: bool = True
    """A client: add routes for the routed prefixes, and unreachable ones beneath them. A worker: routes for clients' networks."""
    role: Role = Role.CLIENT
    forwarding: bool = False
    """Let the kernel forward packets."""
    masquerade: tuple[str, ...] = ()
    """Network devices; what clients send out there leaves with the worker's own address."""
    proxy: str | None = None
    """The HTTP proxy that receivers are reached through; None: none, whatever the environment says."""
    proxy_credentials_file: Path | None = None
    """`user:password` for it."""
    poll_interval: float = POLL_SECONDS
    """Seconds between questions while no event stream can be held."""
    textfile: Path | None = None
    """Where node_exporter's textfile collector looks for what this client has applied."""
    layout: LayoutKind = LayoutKind.SINGLE
    private_key_file: Path | None = None
    """Of the layout per-worker, as all that follow: there `interface` is what its interfaces' names begin with."""
    addresses: tuple[str, ...] = ()
    """The client's own inside the tunnel, without prefix length."""
    firewall_mark: int = 958600
    """The tunnels' own; the workers' are the numbers after it."""
    wireguard: Implementation = Implementation.AUTO
    drain_deadline: float = 3600.0
    """Seconds that connections may stay on a worker that is being left."""
    kill_switch: bool = False
    """Of a client: what is routed through the tunnels leaves this machine by them, or not at all."""
    kill_switch_allow: tuple[str, ...] = ()
    """Networks that may be reached in clear all the same."""
    apply: Apply = Apply.LIVE
    restart_command: tuple[str, ...] = ()
    """Of apply = "restart": commands, one after the other; none: wg-quick's down and up."""
    wg_quick_file: Path | None = None
    """Of apply = "restart"; None: the interface's in /etc/wireguard."""


def load(path: Path) -> Config:
    """Read the file; relative paths in it count from its own folder."""
    try:
        said = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} is not there: see `wgfleet-sync run --help` for what it says"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    config, faults = _read(said, path.parent)
    if config is None:
        raise ConfigurationError(f"{path}:\n  " + "\n  ".join(faults))
    return config


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text was expected")
    return value


def _name(value: object) -> str:
    return check_name(_text(value))


def _interface(value: object) -> str:
    return check_interface(_text(value))


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise ValueError("a list of texts was expected, with at least one")
    return tuple(value)


def _urls(value: object) -> tuple[str, ...]:
    for url in _texts(value):
        if not _is_receivers(url):
            raise ValueError(f"{url!r} is not a receiver's URL: as https://monitoring.example.com:9587")
    return tuple(url.rstrip("/") for url in _texts(value))


def _proxy(value: object) -> str:
    url = _text(value)
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


def _keys(value: object) -> tuple[str, ...]:
    keys = _texts(value)
    Verifier(keys)
    return keys


def _policy(value: object) -> Policy:
    return Policy(_one_of(value, Policy))


def _role(value: object) -> Role:
    return Role(_one_of(value, Role))


def _interfaces(value: object) -> tuple[str, ...]:
    return tuple(map(check_interface, _texts(value))) if value != [] else ()


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 3600:
        raise ValueError("seconds were expected, from 0.1 to 3600")
    return float(value)


def _poll_seconds(value: object) -> float:
    if _seconds(value) < 1:
        raise ValueError("seconds were expected, from 1 to 3600")
    return _seconds(value)


def _textfile(value: object) -> str:
    if not _text(value).endswith(".prom"):
        raise ValueError("a file whose name ends in .prom was expected: node_exporter reads no other")
    return _text(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false was expected")  # noqa: TRY004 - all faults of a file are of one kind.
    return value


def _layout(value: object) -> LayoutKind:
    return LayoutKind(_one_of(value, LayoutKind))


def _apply(value: object) -> Apply:
    return Apply(_one_of(value, Apply))


def _commands(value: object) -> tuple[str, ...]:
    for command in _texts(value):
        if not shlex.split(command):
            raise ValueError('commands were expected, as ["systemctl restart wg-quick@wg0"]')
    return _texts(value)


def _wireguard(value: object) -> Implementation:
    return Implementation(_one_of(value, Implementation))


def _one_of(value: object, kind: type[StrEnum]) -> str:
    if not isinstance(value, str) or value not in set(kind):
        raise ValueError(f"one of {', '.join(kind)} was expected")
    return value


def _addresses(value: object) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_interface(one).ip) for one in _texts(value))
    except ValueError as error:
        raise ValueError(f"{error}: addresses were expected, as 10.99.1.7 or fd00::7") from None


def _networks(value: object) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(one)) for one in _texts(value)) if value != [] else ()
    except ValueError as error:
        raise ValueError(f"{error}: networks were expected, as 192.168.0.0/16") from None


def _key_file(value: object) -> str:
    if PUBLIC_KEY.fullmatch(_text(value)):  # A private key looks the same.
        raise ValueError(
            "the name of a file was expected, and not the key itself: what stands here may be read by others"
        )
    return _text(value)


def _mark(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 256 <= value < 2**31:
        raise ValueError(
            "a number was expected, from 256 to 2147483647: those below are tables of the system"
        )
    return value


def _deadline(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 604800:
        raise ValueError("seconds were expected, from 0 to 604800, a week")
    return float(value)


_READERS: Mapping[str, Callable[[Any], object]] = {
    "fleet": _name,
    "name": _name,
    "interface": _interface,
    "receivers": _urls,
    "token_file": _text,
    "trusted_keys": _keys,
    "state_directory": _text,
    "policy": _policy,
    "ca_file": _text,
    "local_failover": _flag,
    "active_probe_interval": _seconds,
    "standby_probe_interval": _seconds,
    "failback_after": _seconds,
    "failback_spread": _seconds,
    "manage_routes": _flag,
    "role": _role,
    "forwarding": _flag,
    "masquerade": _interfaces,
    "proxy": _proxy,
    "proxy_credentials_file": _text,
    "poll_interval": _poll_seconds,
    "textfile": _textfile,
    "layout": _layout,
    "private_key_file": _key_file,
    "addresses": _addresses,
    "firewall_mark": _mark,
    "wireguard": _wireguard,
    "drain_deadline": _deadline,
    "kill_switch": _flag,
    "kill_switch_allow": _networks,
    "apply": _apply,
    "restart_command": _commands,
    "wg_quick_file": _text,
}
_REQUIRED = ("fleet", "name", "interface", "receivers", "token_file", "trusted_keys")
_PER_WORKER = ("private_key_file", "addresses")
"""What the layout per-worker requires, too."""
_PER_WORKER_ONLY = (*_PER_WORKER, "firewall_mark", "wireguard", "drain_deadline")
_OF_ROLE = {
    **dict.fromkeys(
        (
            "policy",
            "local_failover",
            "active_probe_interval",
            "standby_probe_interval",
            "failback_after",
            "failback_spread",
            "textfile",
            "layout",
            "kill_switch",
            "kill_switch_allow",
            "apply",
            *RESTART_ONLY,
            *_PER_WORKER_ONLY,
        ),
        Role.CLIENT,
    ),
    **dict.fromkeys(("forwarding", "masquerade"), Role.WORKER),
}
"""The keys that mean something in one role only."""
_PATHS = (
    "token_file",
    "state_directory",
    "ca_file",
    "proxy_credentials_file",
    "textfile",
    "private_key_file",
    "wg_quick_file",
)
_UNQUOTED = ("trusted_keys", "proxy", "private_key_file")
"""What is no public key may be a secret in the wrong place, a proxy's URL may have a password; errors go to the log."""


def _read(said: Mapping[str, object], folder: Path) -> tuple[Config | None, list[str]]:
    faults = [f"{key}: is missing" for key in _REQUIRED if key not in said]
    values: dict[str, Any] = {}
    role = said.get("role", Role.CLIENT)
    for key, value in said.items():
        reader = _READERS.get(key)
        if reader is None:
            faults.append(f"{key}: there is no such key; known are {', '.join(sorted(_READERS))}")
            continue
        if isinstance(role, str) and role in set(Role) and _OF_ROLE.get(key, role) != role:
            faults.append(f"{key}: is for the role {_OF_ROLE[key]}, and this is a {role}: take it away")
            continue
        try:
            read = reader(value)
        except ValueError as error:
            said_of_it = "" if key in _UNQUOTED else f"is {value!r}: "
            faults.append(f"{key}: {said_of_it}{error}")
        else:
            values[key] = folder / str(read) if key in _PATHS else read
    faults += _layout_faults(values) + apply_faults(
        values, single=values.get("layout") is not LayoutKind.PER_WORKER
    )
    if values.get("kill_switch_allow") and not values.get("kill_switch"):
        faults.append("kill_switch_allow: is for kill_switch = true only")
    return (None, faults) if faults else (Config(**values), [])


def _layout_faults(values: Mapping[str, Any]) -> list[str]:
    """What does not go together with the layout."""
    if values.get("layout") is not LayoutKind.PER_WORKER:
        here = [key for key in _PER_WORKER_ONLY if key in values]
        return [f'{key}: is for layout = "per-worker" only' for key in here]
    faults = [f'{key}: is missing, with layout = "per-worker"' for key in _PER_WORKER if key not in values]
    interface = str(values.get("interface", ""))
    if len(interface) > LONGEST_PREFIX:
        faults.append(
            f'interface: is {interface!r}: with layout = "per-worker" interfaces\' names begin with it, so at most '
            f"{LONGEST_PREFIX} characters were expected, as wg"
        )
    if values.get("manage_routes") is False:
        faults.append(
            'manage_routes: is false: with layout = "per-worker" a move is a change of routes, so leave it out'
        )
    return faults

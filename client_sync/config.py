"""The daemon's configuration: one TOML file. Every mistake in it is said at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from client_sync import brokers, readers
from client_sync.applying import RESTART_ONLY, Apply, apply_faults
from client_sync.brokers import Broker
from client_sync.choice import Policy
from client_sync.perworker.allotments import LONGEST_PREFIX
from client_sync.polling import POLL_SECONDS
from client_sync.tunnels.making import Implementation
from wgfleet.tomltext import parsed

DRAIN_SECONDS = 120.0
"""Clients with one interface leave within seconds; the unit is made for it."""


class ConfigurationError(ValueError):
    """The file cannot be used; the text names every faulty key, its value and what would be right."""


class Role(StrEnum):
    """What the machine is in the fleet."""

    CLIENT = "client"
    """It connects through workers: the daemon follows the peer set."""
    WORKER = "worker"
    """Clients connect through it: the daemon follows the client list."""
    VANTAGE = "vantage"
    """It probes workers through their tunnels: the daemon keeps each a peer, and none carries traffic."""


class LayoutKind(StrEnum):
    """How workers and interfaces go together."""

    SINGLE = "single"
    """All workers are peers of one interface, which somebody else brought up; the daemon makes it if it has the key."""
    PER_WORKER = "per-worker"
    """Each worker has an interface of its own, which the daemon makes."""


@dataclass(frozen=True, slots=True)
class Config:
    """What `sync.toml` says."""

    fleet: str
    name: str
    """This machine's own name. Workers are spread over clients by theirs."""
    interface: str
    trusted_keys: tuple[str, ...]
    """The receiver's public signing keys, in base64."""
    receivers: tuple[str, ...] = ()
    """Base URLs, tried in turn; none only where a broker is followed."""
    token_file: Path = Path("token")
    mqtt: Broker | None = None
    """The broker that is followed before receivers are."""
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
    """A client: add routes for the routed prefixes, and unreachable ones beneath them. A worker: routes for clients' networks. A vantage: routes to the workers' tunnel addresses."""
    role: Role = Role.CLIENT
    forwarding: bool = False
    """Let the kernel forward packets."""
    masquerade: tuple[str, ...] = ()
    """Network devices; what clients send out there leaves with the worker's own address."""
    client_hook: Path | None = None
    """A program that is run when a client becomes active on this worker, and when it leaves."""
    drain_on_stop: bool = False
    """On SIGTERM, have the receiver drain this worker, and end once no client uses it."""
    drain_timeout: float = DRAIN_SECONDS
    """Seconds that this may take."""
    shared_interface: str | None = None
    """A second interface, whose key this worker shares with others, for devices that know no other."""
    shared_networks: tuple[str, ...] = ()
    """Clients whose addresses lie here are its peers, and not the worker's own interface's."""
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
    """Of interfaces that the daemon makes, as all that follow. With per-worker `interface` is what their names begin with."""
    addresses: tuple[str, ...] = ()
    """The client's own inside the tunnel; a prefix length that is said makes a network of it, with the layout single."""
    firewall_mark: int = 958600
    """The tunnels' own; with per-worker the workers' are the numbers after it."""
    wireguard: Implementation = Implementation.AUTO
    drain_deadline: float = 3600.0
    """Seconds that connections may stay on a worker that is being left."""
    probe_target: str | None = None
    """An address beyond the workers: one through which it is silent, and through another not, is left. Per-worker only."""
    kill_switch: bool = False
    """Of a client: what is routed through the tunnels leaves this machine by them, or not at all."""
    kill_switch_allow: tuple[str, ...] = ()
    """Networks that may be reached in clear all the same."""
    kill_switch_first: tuple[str, ...] = ("0.0.0.0/0", "::/0")
    """Networks that are barred until the first peer set says what is routed."""
    apply: Apply = Apply.LIVE
    restart_command: tuple[str, ...] = ()
    """Of apply = "restart": commands, one after the other; none: wg-quick's down and up."""
    wg_quick_file: Path | None = None
    """Of apply = "restart"; None: the interface's in /etc/wireguard."""


def load(path: Path) -> Config:
    """Read the file; relative paths in it count from its own folder."""
    try:
        said = parsed(path.read_text())
    except FileNotFoundError:
        raise ConfigurationError(
            f"{path} is not there: see `wgfleet-sync run --help` for what it says"
        ) from None
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    config, faults = _read(said, path.parent)
    if config is None:
        raise ConfigurationError(f"{path}:\n  " + "\n  ".join(faults))
    return config


def _policy(value: object) -> Policy:
    return Policy(readers.one_of(value, Policy))


def _role(value: object) -> Role:
    return Role(readers.one_of(value, Role))


def _layout(value: object) -> LayoutKind:
    return LayoutKind(readers.one_of(value, LayoutKind))


def _apply(value: object) -> Apply:
    return Apply(readers.one_of(value, Apply))


def _wireguard(value: object) -> Implementation:
    return Implementation(readers.one_of(value, Implementation))


_READERS: Mapping[str, Callable[[Any], object]] = {
    "fleet": readers.name,
    "name": readers.name,
    "interface": readers.interface,
    "receivers": readers.urls,
    "token_file": readers.text,
    "trusted_keys": readers.keys,
    "state_directory": readers.text,
    "policy": _policy,
    "ca_file": readers.text,
    "local_failover": readers.flag,
    "active_probe_interval": readers.seconds,
    "standby_probe_interval": readers.seconds,
    "failback_after": readers.seconds,
    "failback_spread": readers.seconds,
    "manage_routes": readers.flag,
    "role": _role,
    "forwarding": readers.flag,
    "masquerade": readers.interfaces,
    "client_hook": readers.text,
    "drain_on_stop": readers.flag,
    "drain_timeout": readers.seconds,
    "shared_interface": readers.interface,
    "shared_networks": readers.networks,
    "proxy": readers.proxy,
    "proxy_credentials_file": readers.text,
    "poll_interval": readers.poll_seconds,
    "textfile": readers.textfile,
    "layout": _layout,
    "private_key_file": readers.key_file,
    "addresses": readers.addresses,
    "firewall_mark": readers.mark,
    "wireguard": _wireguard,
    "drain_deadline": readers.deadline,
    "probe_target": readers.target,
    "kill_switch": readers.flag,
    "kill_switch_allow": readers.networks,
    "kill_switch_first": readers.networks,
    "apply": _apply,
    "restart_command": readers.commands,
    "wg_quick_file": readers.text,
    "mqtt": brokers.read,
}
_REQUIRED = ("fleet", "name", "interface", "trusted_keys")
_OF_RECEIVERS = ("receivers", "token_file")
"""Required likewise, unless a broker is followed without any."""
_TO_MAKE = ("private_key_file", "addresses")
"""What it takes to make an interface."""
_OF_MADE = ("firewall_mark", "wireguard")
"""What may be said of one that is made."""
_OF_PER_WORKER = ("drain_deadline", "probe_target")
"""What may be said with an interface for each worker only."""
_OF_KILL_SWITCH = ("kill_switch_allow", "kill_switch_first")
"""What may be said with a kill switch only."""
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
            "kill_switch_first",
            "apply",
            *RESTART_ONLY,
            *_TO_MAKE,
            *_OF_MADE,
            *_OF_PER_WORKER,
            "mqtt",
        ),
        Role.CLIENT,
    ),
    **dict.fromkeys(
        (
            "forwarding",
            "masquerade",
            "client_hook",
            "drain_on_stop",
            "drain_timeout",
            "shared_interface",
            "shared_networks",
        ),
        Role.WORKER,
    ),
}
"""The keys that mean something in one role only."""
_PATHS = (
    "token_file",
    "state_directory",
    "ca_file",
    "proxy_credentials_file",
    "textfile",
    "private_key_file",
    "client_hook",
    "wg_quick_file",
)
_UNQUOTED = ("trusted_keys", "proxy", "private_key_file", "mqtt")
"""What is no public key may be a secret in the wrong place, a proxy's URL may have a password; errors go to the log."""


def _read(said: Mapping[str, object], folder: Path) -> tuple[Config | None, list[str]]:
    without = "mqtt" in said and not any(key in said for key in _OF_RECEIVERS)
    required = _REQUIRED if without else (*_REQUIRED, *_OF_RECEIVERS)
    faults = [f"{key}: is missing" for key in required if key not in said]
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
            values[key] = _placed(key, read, folder)
    faults += _layout_faults(values) + apply_faults(
        values, single=values.get("layout") is not LayoutKind.PER_WORKER
    )
    faults += _switch_faults(values)
    faults += _shared_faults(values)
    return (None, faults) if faults else (Config(**values), [])


def _switch_faults(values: Mapping[str, Any]) -> list[str]:
    """What means nothing without a kill switch."""
    defaults = {key: Config.__dataclass_fields__[key].default for key in _OF_KILL_SWITCH}
    without = not values.get("kill_switch")
    said = [key for key, default in defaults.items() if values.get(key, default) != default]
    return [f"{key}: is for kill_switch = true only" for key in said if without]


def _shared_faults(values: Mapping[str, Any]) -> list[str]:
    """What does not go together of an interface whose key is shared."""
    shared, networks = values.get("shared_interface"), values.get("shared_networks")
    if shared is None:
        return ["shared_interface: is missing, with shared_networks: both are needed"] if networks else []
    faults = []
    if shared == values.get("interface"):
        faults.append(f"shared_interface: is {shared!r}, as interface is: another one was expected, as wg1")
    if not networks:
        faults.append("shared_networks: is missing, with shared_interface: as shared.pools in receiver.toml")
    return faults


def _placed(key: str, read: object, folder: Path) -> object:
    if isinstance(read, Broker):
        return read.within(folder)
    return folder / str(read) if key in _PATHS else read


def _layout_faults(values: Mapping[str, Any]) -> list[str]:
    """What does not go together with the layout."""
    if values.get("layout") is not LayoutKind.PER_WORKER:
        return _single_faults(values)
    faults = [f'{key}: is missing, with layout = "per-worker"' for key in _TO_MAKE if key not in values]
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
    return faults + _target_faults(values)


def _target_faults(values: Mapping[str, Any]) -> list[str]:
    """A probe needs an address of its target's family to come from."""
    target, own = values.get("probe_target"), values.get("addresses")
    if target is None or own is None or any((":" in target) == (":" in one) for one in own):
        return []
    fault = (
        f"probe_target: is {target!r}: this client has no IPv{6 if ':' in target else 4} address inside the tunnel: "
        "add one to `addresses`, or choose a target of the other family"
    )
    return [fault]


def _single_faults(values: Mapping[str, Any]) -> list[str]:
    """What does not go together with one interface."""
    faults = [f'{key}: is for layout = "per-worker" only' for key in _OF_PER_WORKER if key in values]
    said = [key for key in _TO_MAKE if key in values]
    if len(said) == 1:
        (missing,) = set(_TO_MAKE) - set(said)
        faults.append(
            f"{missing}: is missing, with {said[0]}: for an interface that the daemon makes, both are needed"
        )
    if not said:
        faults += [
            f"{key}: is for an interface that the daemon makes: say private_key_file and addresses, too"
            for key in _OF_MADE
            if key in values
        ]
    return faults
